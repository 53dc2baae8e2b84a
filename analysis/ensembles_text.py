"""What ``ensembles`` prints."""

import math
from typing import TYPE_CHECKING

from analysis.convergence_text import association
from measures.votes import Estimate

if TYPE_CHECKING:
    from analysis.ensembles import Ensembles


def text(result: "Ensembles", *, simulated: bool) -> str:
    """The whole answer."""
    people = len(result.pool.votes["test"].support)
    lines = [
        f"{len(result.pool.runs)} runs in {len(result.pool.groups)} groups, {people} test people"
        + (" - SIMULATED data, no evidence about brains" if simulated else ""),
        "Intervals are for new people; differences between kinds of runs for new people and new runs.",
        "",
        "test balanced accuracy                    one run        a vote of all   members",
    ]
    for name, curve in result.growth.items():
        lines.append(f"{_short(name):<38}{_value(curve[0]):>18}{_value(curve[-1]):>21}{len(curve):>6}")
    for part in (_bars, _mixing, _kappa, _contribution, _selected):
        lines += part(result)
    return "\n".join(lines)


def _bars(result: "Ensembles") -> list[str]:
    if not result.bars and not result.missing:
        return ["", "one length of training: name runs of 1.5 times the epochs for votes of equal cost"]
    lines = ["", "votes at their cost (members x epochs)        cost"]
    lines += [f"  {bar.label:<40}{bar.cost:>8}  {_value(bar.accuracy)}" for bar in result.bars]
    lines += [f"  {name:<48}  {_difference(e)}" for name, e in result.differences.items()]
    return lines + [f"  {line}" for line in result.missing]


def _mixing(result: "Ensembles") -> list[str]:
    if not result.mixing:
        return []
    lines = ["", f"mixed into {result.pool.base}"]
    for name, (added, replaced) in result.mixing.items():
        lines.append(f"  {_short(name)}")
        lines.append(f"    added whole                   {_difference(added)}")
        lines.append(f"    in the place of half          {_difference(replaced)}")
    if result.aligned:
        lines.append(f"  every run with a strategy added {_difference(result.aligned)}")
    return lines


def _kappa(result: "Ensembles") -> list[str]:
    found = result.agreement
    lines = ["", "Cohen's kappa of pairs of members"]
    for (first, second), estimate in found.blocks.items():
        where = f"within {_short(first, 60)}" if first == second else f"{_short(first, 36)} | {_short(second, 36)}"
        lines.append(f"  {where:<76}{_value(estimate)}")
    if math.isfinite(found.gap):
        lines.append(
            f"  within minus across {found.gap:+.4f}, p {found.gap_p:.2g} when members are dealt to groups anew"
        )
    if found.same_seed:
        lines.append(f"  across groups, pairs of one seed minus the others: {_difference(found.same_seed)}")
    return lines


def _contribution(result: "Ensembles") -> list[str]:
    found = result.regression
    if found is None:
        return []
    low, high = found.leave_one_out
    values = [e.value for e in found.contribution]
    return [
        "",
        f"what a member adds (vote of all minus vote without it): {min(values):+.4f} to {max(values):+.4f}",
        "  correlation with its within-class residual |r|",
        f"    as published                  {association(found.published)}",
        f"    dealt anew, bootstrap         {association(found.shuffled)}",
        f"    inside groups                 {association(found.within)}",
        f"    against axes without meaning  {association(found.axes)}",
        f"    without one member            {low:+.2f} to {high:+.2f}; slope {found.slope:+.4f} per unit of |r|",
    ]


def _selected(result: "Ensembles") -> list[str]:
    lines = [
        "",
        f"{result.size} of {len(result.plain.runs)} chosen on validation people         val    test  random      z"
        "     p   optimism",
    ]
    for name, s in result.selected.items():
        lines.append(
            f"  {name:<38}{s.val:>8.4f}{s.test.value:>8.4f}{s.random_test:>8.4f}{s.z:>7.1f}{s.p:>6.2g}"
            f"   {_difference(s.optimism, p=False)}"
        )
    lines.append("  optimism: gain over random sets on validation people minus that on test people.")
    if any("published" in name for name in result.selected):
        lines.append("  (published): ranked by what test people show, as in the paper; nobody could have chosen so.")
    return lines


def _value(e: Estimate) -> str:
    return f"{e.value:.4f} ±{(e.high - e.low) / 2:.3f}"


def _difference(e: Estimate, *, p: bool = True) -> str:
    return f"{e.value:+.4f} [{e.low:+.4f}, {e.high:+.4f}]" + (f" p {e.p:.2g}" if p else "")


def _short(name: str, width: int = 38) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
