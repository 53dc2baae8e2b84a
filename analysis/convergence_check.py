"""Is convergence right where the truth is known? P-values without an effect, intervals and directions with one."""

import numpy as np

from analysis import made_up
from analysis.converging import convergence
from measures.alignment import residual_components, residual_of
from measures.clustered import between, cluster_robust, student_p, within


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """P-values over cohorts whose axis means nothing: uniform, except those that begin with ``as_published``.

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    found: dict[str, list[float]] = {}
    for rng in np.random.default_rng(seed).spawn(cohorts):
        drawn = made_up.checkpoints(rng)
        n = len(drawn.checkpoints)
        result = convergence(drawn.checkpoints, drawn.positions, finals=n, draws=199, seed=int(rng.integers(2**31)))
        for name, reading in result.readings.items():
            p = {
                f"{name}_mean": reading.whole.p_value,
                f"accuracy_{name}_axes": reading.axes.p,
                f"accuracy_{name}_robust": reading.robust.p,
                f"accuracy_{name}_within": reading.within.p,
                f"accuracy_{name}_between": reading.between.p,
                f"as_published_accuracy_{name}": reading.published.p,
            }
            for key, value in p.items():
                found.setdefault(key, []).append(value)
        # As if one component had been tried and not twenty, which is how a bare |r| over 28 clips is read.
        best = student_p(result.in_sample.value, len(made_up.CLASS_OF) - 2)
        found.setdefault("as_published_best_component", []).append(best)
        found.setdefault("best_component_mean", []).append(result.in_sample.p_value)
    return found


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """Coverage of the 95 % intervals, and |cos| of the recovered residual direction with the planted one.

    The direction carries three times what a clip is beyond its class along any other (standard deviations 1.5 and 0.5;
    the noise of a checkpoint has 0.15, that of people 0.1).

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    hits: dict[str, list[bool]] = {"coverage_robust": [], "coverage_within": [], "coverage_between": []}
    cosines: list[float] = []
    for rng in np.random.default_rng(seed).spawn(cohorts):
        for name, covered in _covered(rng, truth=0.5).items():
            hits[name].append(covered)
        cosines += _cosines(rng)
    return {
        **{name: float(np.mean(values)) for name, values in hits.items()},
        "cosine_residual": float(np.median(cosines)),
        "residual_cos_5th_percentile": float(np.quantile(cosines, 0.05)),
    }


def _covered(rng: np.random.Generator, *, truth: float, recipes: int = 10, each: int = 4) -> dict[str, bool]:
    """Accuracy and measure are normal between and within recipes, with the same correlation at both levels."""
    mix = np.linalg.cholesky([[1, truth], [truth, 1]])
    group = np.repeat(np.arange(recipes), each)
    spread = rng.normal(size=(recipes, 2)) @ mix.T
    x, y = (spread[group] + 0.7 * rng.normal(size=(len(group), 2)) @ mix.T).T
    robust, inside = cluster_robust(x, y, group), within(x, y, group, draws=9)
    means = between(x, y, group, draws=9)
    found = {"coverage_robust": robust, "coverage_within": inside, "coverage_between": means}
    return {name: bool(a.low <= truth <= a.high) for name, a in found.items()}


def _cosines(rng: np.random.Generator) -> list[float]:
    drawn = made_up.checkpoints(rng, recipes=1, each=2, residual=3.0)
    v, classes, found = drawn.positions.v[None], drawn.positions.class_of, []
    for checkpoint, planted in zip(drawn.checkpoints, drawn.directions):
        picked = residual_of(checkpoint.picked_on, checkpoint.tested_on, v, classes, v, classes)
        assert picked is not None  # made-up features are never constant
        _, directions = residual_components(checkpoint.picked_on, classes)
        found.append(abs(float(directions[picked.component[0]] @ planted)))
    return found
