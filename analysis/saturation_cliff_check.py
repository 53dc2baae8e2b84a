"""Is the slope right where it is known? P-values without a dependence on the base, coverage and models with one."""

import numpy as np

from analysis.cliff import interactions, over_strategies
from measures.errors_in_variables import Point, slope
from measures.steps import models

RECIPES, SEEDS, STRATEGIES = 8, 5, ("a", "b")
SEED_SD = 0.015  # of the accuracy of a run about that of its recipe; 0.01 to 0.02 in the simulated world


def points(
    rng: np.random.Generator,
    *,
    line: float = 0.0,
    step: float = 0.0,
    spread: float = 0.03,
    recipe_sd: float = 0.004,
    seeds: int = SEEDS,
) -> list[Point]:
    """Made-up runs: bases about .6, seeds that share half of their variance with and without a strategy.

    Args:
        rng: the generator.
        line: change of the difference per unit of true base.
        step: change of the difference above .6.
        spread: standard deviation of the true bases.
        recipe_sd: of what else a recipe does to a strategy.
        seeds: of each recipe.
    """
    base, found = 0.6 + spread * rng.normal(size=RECIPES), []
    for recipe, true in enumerate(base):
        shared = rng.normal(size=seeds)
        plain = true + SEED_SD * (np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=seeds))
        for k, name in enumerate(STRATEGIES):
            effect = -0.01 * (k + 1) + line * (true - 0.6) + step * (true > 0.6) + recipe_sd * rng.normal()
            own = SEED_SD * (np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=seeds))
            found.append(Point(recipe=f"recipe {recipe}", strategy=name, base=plain, treated=true + effect + own))
    return found


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """P-values over sets of runs whose differences know nothing of the base; the published ones are not uniform.

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    names = ("slope", "as_published_slope", "interaction of a strategy", "interaction")
    found: dict[str, list[float]] = {name: [] for name in names}
    for rng in np.random.default_rng(seed).spawn(cohorts):
        drawn = points(rng)
        fitted = slope(drawn, draws=499, seed=int(rng.integers(2**31)))
        found["slope"].append(fitted.p)
        # Three seeds and bases that differ little: there the error of the base makes a slope of its own.
        found["as_published_slope"].append(slope(points(rng, spread=0.01, seeds=3), draws=9).p_published)
        # Recipes far apart and without effects of their own: which is the lower one is then no matter of luck.
        apart = points(rng, spread=0.2, recipe_sd=0.0)
        found["interaction of a strategy"].append(interactions(apart)[0].p)
        whole = over_strategies(apart)
        assert whole is not None  # every recipe has both strategies on as many seeds
        found["interaction"].append(whole.p)
    return found


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """Coverage of the slope, its mean beside the truth and the naive one, and how often the right model wins.

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    truth, hits, corrected, naive, constant, stepped = -0.5, [], [], [], [], []
    grid = np.array([0.6])
    for rng in np.random.default_rng(seed).spawn(cohorts):
        fitted = slope(points(rng, line=truth), draws=9)
        if np.isfinite(fitted.corrected):
            corrected.append(fitted.corrected)
            naive.append(fitted.naive)
            hits.append(fitted.low <= truth <= fitted.high)
        constant.append(_best(points(rng), grid) == "M0 constant")
        stepped.append(_best(points(rng, step=-0.04, spread=0.04), grid) in ("M2 step", "M3 logistic step"))
    return {
        "coverage_slope": float(np.mean(hits)),
        "slope_true": truth,
        "slope_corrected": float(np.median(corrected)),
        "slope_naive": float(np.median(naive)),
        "constant_chosen_without_effect": float(np.mean(constant)),
        "step_chosen_with_step": float(np.mean(stepped)),
    }


def _best(drawn: list[Point], grid: np.ndarray) -> str:
    return min(models(drawn, grid), key=lambda fit: fit.aicc).name
