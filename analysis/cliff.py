"""Points, slope, models and interactions of a saturation cliff; ``saturation_cliff`` is its command."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arms import arm
from analysis.gather import recipe_names, strategy_name
from measures.errors_in_variables import Moments, Point, Slope, slope
from measures.paired import Paired, paired, resolvable_dz
from measures.steps import Fit, calibrated, models, resampled
from records.run import Run

# arXiv 2606.00129: topography at 0.1 changes .6194 by +.0066 and .6581 by -.0149.
PUBLISHED_SLOPE = (-0.0149 - 0.0066) / (0.6581 - 0.6194)


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """Difference of a strategy under the recipe with the highest base minus that under the lowest.

    Attributes:
        strategy: its name.
        low: recipe with the lower base.
        high: recipe with the higher.
        value: difference of the mean differences.
        interval: 95 %, Welch.
        p: two-sided, Welch.
        n: pairs of runs in both.
    """

    strategy: str
    low: str
    high: str
    value: float
    interval: tuple[float, float]
    p: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Cliff:
    """What is known of a dependence on the base.

    Attributes:
        points: strategy by recipe.
        networks: of each recipe.
        paired: the difference at each point.
        corrected: base and difference of each point without what the error of the seeds makes of them.
        slope: over all of them; None for fewer than two recipes.
        matched: over the strategies that every recipe has; None where that is all of them, or none.
        fits: models, in the order of their complexity.
        support: AICc of each less that of the constant: 95 % interval over seeds.
        grid: bases at which the models are drawn.
        interactions: by strategy.
        interaction: of their mean.
        left_out: points with fewer than two pairs.
    """

    points: list[Point]
    networks: dict[str, str]
    paired: list[Paired]
    corrected: Moments
    slope: Slope | None
    matched: Slope | None
    fits: list[Fit]
    support: dict[str, tuple[float, float]]
    grid: np.ndarray
    interactions: list[Interaction]
    interaction: Interaction | None
    left_out: list[str]

    @property
    def recipes(self) -> list[str]:
        """By rising base."""
        base = {p.recipe: float(p.base.mean()) for p in self.points}
        return sorted(base, key=lambda name: base[name])


def points_of(runs: Sequence[Run]) -> tuple[list[Point], dict[str, str], list[str]]:
    """Strategies under recipes, paired by seed; networks of the recipes; and what had too few pairs.

    Raises:
        ValueError: a seed is twice in an arm.
    """
    arms: dict[str, dict[str, list[Run]]] = {}
    for name, run in zip(recipe_names(runs), runs):
        arms.setdefault(name, {}).setdefault(strategy_name(run).removeprefix(" + ") or "none", []).append(run)
    points, networks, left_out = [], {}, []
    for name, strategies in arms.items():
        base = {run.seed: run for run in arm(strategies.get("none", []), name=name)} if "none" in strategies else {}
        for treated, own in strategies.items():
            if treated == "none":
                continue
            pairs = [(base[run.seed], run) for run in arm(own, name=f"{name}, {treated}") if run.seed in base]
            if len(pairs) < 2:
                left_out.append(f"{treated} under {name} has {len(pairs)} seeds in both arms, two are needed")
                continue
            scores = np.array([[run.score("balanced_accuracy") for run in pair] for pair in pairs])
            points.append(Point(recipe=name, strategy=treated, base=scores[:, 0], treated=scores[:, 1]))
            networks[name] = str(own[0].result.get("network"))
    return points, networks, left_out


def cliff(
    points: Sequence[Point], *, networks: dict[str, str], left_out: Sequence[str] = (), draws: int = 2000
) -> Cliff:
    """Put the points together.

    Args:
        points: one or more.
        networks: of the recipes.
        left_out: what had too few pairs.
        draws: permutations and resamples.

    Raises:
        ValueError: there is no point.
    """
    if not points:
        raise ValueError(
            "no strategy has two pairs of runs with the same seed with and without it; name folders with both arms"
            + "".join(f"; {line}" for line in left_out)
        )
    bases = np.array([p.base.mean() for p in points])
    recipes = {p.recipe for p in points}
    grid = np.linspace(bases.min(), bases.max(), 200) if len(recipes) > 1 else bases[:1]
    several = len(recipes) > 1
    everywhere = [p for p in points if {q.recipe for q in points if q.strategy == p.strategy} == recipes]
    support = resampled(points, draws=min(draws, 200)) if several else {}
    return Cliff(
        points=list(points),
        networks=networks,
        paired=[paired(p.base.tolist(), p.treated.tolist()) for p in points],
        corrected=calibrated(Moments.of(points)),
        slope=slope(points, draws=draws) if several else None,
        matched=slope(everywhere, draws=draws) if len(recipes) > 2 and 0 < len(everywhere) < len(points) else None,
        fits=models(points, grid),
        support={name: _ends(values) for name, values in support.items() if np.isfinite(values).all()},
        grid=grid,
        interactions=interactions(points),
        interaction=over_strategies(points),
        left_out=list(left_out),
    )


def interactions(points: Sequence[Point]) -> list[Interaction]:
    """Each strategy under the recipes with the lowest and the highest base that it was tried under."""
    found = []
    for name in dict.fromkeys(p.strategy for p in points):
        own = sorted((p for p in points if p.strategy == name), key=lambda p: float(p.base.mean()))
        found.append(_welch(name, own[0].recipe, own[0].delta, own[-1].recipe, own[-1].delta))
    return [one for one in found if one is not None]


def over_strategies(points: Sequence[Point]) -> Interaction | None:
    """One interaction for all strategies: between the lowest and the highest base, seed by seed the mean over those
    strategies that both recipes have; None where they share none on the same number of seeds.
    """
    ordered = sorted(points, key=lambda p: float(p.base.mean()))
    low, high = ({p.strategy: p.delta for p in points if p.recipe == end.recipe} for end in (ordered[0], ordered[-1]))
    shared = [name for name in low if name in high]
    if not shared or any(len({len(own[name]) for name in shared}) > 1 for own in (low, high)):
        return None
    # The strategies of a recipe share its base runs, so their differences are no independent values: average first.
    means = [np.mean([own[name] for name in shared], axis=0) for own in (low, high)]
    return _welch(" and ".join(shared), ordered[0].recipe, means[0], ordered[-1].recipe, means[1])


def _welch(strategy: str, low: str, below: np.ndarray, high: str, above: np.ndarray) -> Interaction | None:
    """Differences under the higher base minus those under the lower; None for one recipe, or without a spread."""
    from scipy import stats

    if low == high or not (below.std() and above.std()):
        return None
    test = stats.ttest_ind(above, below, equal_var=False)
    ends = test.confidence_interval(0.95)
    return Interaction(
        strategy=strategy,
        low=low,
        high=high,
        value=float(above.mean() - below.mean()),
        interval=(float(ends.low), float(ends.high)),
        p=float(test.pvalue),
        n=len(below) + len(above),
    )


def answer(result: Cliff) -> list[str]:
    """Is there saturation in these runs at all, and what would show it? In words."""
    count = len(result.recipes)
    if count < 3 or result.slope is None:
        return [
            f"{count} recipe{'s' * (count > 1)}: whether a loss costs more where decoders are better cannot be asked. "
            "It takes three recipes or more whose bases differ, each with and without the loss on the same seeds: "
            "other lengths (--trainer.max_epochs), networks or, simulated, signals (--data.snr)."
        ]
    found, said = result.slope, []
    noise = 100 * (1 - found.reliability)
    said.append(f"{noise:.0f} % of the spread of the bases is the error of their seeds.")
    if not math.isfinite(found.corrected):
        return [*said, "So the bases do not differ enough to ask; name recipes that lie further apart."]
    span = float(np.ptp([p.base.mean() for p in result.points]))
    said.append(
        f"From the lowest base to the highest ({span:.3f}) the difference changes by {span * found.corrected:+.3f} "
        f"[{span * found.low:+.3f}, {span * found.high:+.3f}]; uncorrected, {span * found.naive:+.3f}."
    )
    if found.p < 0.05 and found.high < 0:
        best = min(result.fits, key=lambda fit: fit.aicc)
        said.append(f"The loss costs more where the decoder is better; of the models, {best.name} describes it best.")
        said.append(_helps_below(result))
    elif found.p < 0.05 and found.low > 0:
        said.append("The loss costs less where the decoder is better: the opposite of saturation.")
    else:
        said.append("No saturation is shown in these runs.")
        said.append(_what_would(result))
    return said


def _helps_below(result: Cliff) -> str:
    """Saturation says that the loss helps a weak decoder: more cost for a good one alone is not that."""
    lowest = [p for p, point in zip(result.paired, result.points) if point.recipe == result.recipes[0]]
    if any(p.low > 0 for p in lowest):
        return "At the lowest base it helps: so its sign turns on the way, which is what saturation says."
    return "It does not help at the lowest base either: costs that grow are no saturation of a gain, there is no gain."


def _what_would(result: Cliff) -> str:
    """The smallest slope that these runs would have shown, and what the published one takes."""
    found = result.slope
    assert found is not None  # asked for with three recipes or more
    least = resolvable_dz(found.recipes) * math.sqrt(found.recipes) * found.error
    more = math.ceil((least / abs(PUBLISHED_SLOPE)) ** 2)
    said = (
        f"They would have shown a slope of {least:.2f} (80 % power); the published points (.619 to .658, +.007 to "
        f"-.015) have {PUBLISHED_SLOPE:.2f}, "
    )
    if least <= abs(PUBLISHED_SLOPE):
        return said + "so that one is not here." if found.low > PUBLISHED_SLOPE else said + "which stays possible."
    return said + f"which takes about {more} times the runs, or bases that lie further apart."


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
