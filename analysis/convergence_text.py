"""What ``convergence`` prints: the numbers side by side, then what they allow one to say."""

import math

from analysis.converging import MEASURES, Convergence, Readings
from measures.base import Measure
from measures.clustered import Association

ROWS = {
    "published": "as published, each counted",
    "axes": "against axes without meaning",
    "robust": "a recipe left out at a time",
    "within": "inside recipes, pooled",
    "between": "means of recipes",
}


def text(result: Convergence, *, simulated: bool) -> str:
    """The whole answer."""
    recipes = {c.recipe for c in result.checkpoints[: result.finals]}
    extra = len(result.checkpoints) - result.finals
    lines = [
        f"{result.finals} finished runs of {len(recipes)} recipes, {extra} kept epochs"
        + (" - SIMULATED data, no evidence about brains" if simulated else ""),
        f"a within-class residual is about {100 * result.positions.within:.1f} % of the variance of the axis",
        "",
        f"{'mean over runs':<34}{'value':>8}{'null':>8}{'95 %':>8}{'p':>8}",
        *(_measure(MEASURES[name], found.whole) for name, found in result.readings.items()),
        *([_measure("best component |r|, as published", result.in_sample)] if "residual" in result.readings else []),
        "",
        f"{'correlation with accuracy':<34}" + "".join(f"{MEASURES[name]:>34}" for name in result.readings),
    ]
    for kind, label in ROWS.items():
        cells = "".join(f"{association(getattr(found, kind)):>34}" for found in result.readings.values())
        lines.append(f"{label:<34}{cells}")
    for recipe in sorted({name for found in result.readings.values() for name in found.recipes}):
        own = [found.recipes.get(recipe) for found in result.readings.values()]
        lines.append(f"  {_short(recipe, 31):<32}" + "".join(f"{association(a) if a else '-':>34}" for a in own))
    lines.append(
        f"{'worth as independent checkpoints':<34}"
        + "".join(f"{f'{found.effective:.1f} of {found.defined.sum()}':>34}" for found in result.readings.values())
    )
    lines += ["", *words(result)]
    return "\n".join(lines)


def words(result: Convergence) -> list[str]:
    """What may be said."""
    said = [
        f"{MEASURES[name]}: not defined; the axis, or the features, are constant within classes."
        for name in MEASURES.keys() - result.readings.keys()
    ]
    for name, found in result.readings.items():
        label, n = MEASURES[name], int(found.defined.sum())
        said.append(
            f"{label}: {n} checkpoints are worth {found.effective:.1f} independent ones: exchange the axis and their "
            f"numbers move together. For the correlation {found.published.n} runs are worth {found.scatter:.1f}."
        )
        said.append(f"  {_verdict(found, n=found.published.n)}")
        if len(found.training):
            mean = found.training.mean()
            said.append(
                f"  along training it goes with accuracy at r = {mean:+.2f} (mean of {len(found.training)} runs)."
            )
    sample = result.in_sample
    if math.isfinite(sample.value):
        said.append(
            f"The best component without a null: {sample.value:.2f} here, {sample.null_mean:.2f} for axes that mean "
            "nothing. The squared r of all components sum to 1 whatever the features are, so one is always large."
        )
    return said


def _verdict(found: Readings, *, n: int) -> str:
    naive, honest, inside = found.published.p, found.axes.p, found.within
    said = f"counting all {n} gives p = {naive:.2g}, exchanged axes give p = {honest:.2g}"
    if naive < 0.05 <= honest:
        said += ": significant only as long as copies count as evidence."
    elif honest < 0.05:
        said += ": more than axes without meaning give."
    else:
        said += ": nothing is shown either way."
    if math.isfinite(inside.p):
        said += f" Inside recipes r = {inside.r:+.2f} (p = {inside.p:.2g}, n = {inside.n})."
    else:
        said += " No recipe has runs enough to look inside."
    return said


def association(found: Association) -> str:
    """r with its interval, p and n in one cell."""
    if not math.isfinite(found.r):
        return f"- (n {found.n})"
    ends = f" [{found.low:+.2f}, {found.high:+.2f}]" if math.isfinite(found.low) else ""
    p = f" p {found.p:.2g}" if math.isfinite(found.p) else ""
    return f"{found.r:+.2f}{ends}{p} n {found.n}"


def _measure(label: str, found: Measure) -> str:
    return f"{label:<34}{found.value:>8.3f}{found.null_mean:>8.3f}{found.null_95:>8.3f}{found.p_value:>8.2g}"


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
