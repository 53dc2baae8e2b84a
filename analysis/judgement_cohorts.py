"""Null and planted tables for the judgements of every verdict: paired seeds, seeds x people, and alignment measures.

No command: ``python -m benchmarks.calibrate`` finds it by its two functions. Everything is judged by the functions that
judge real runs; ``benchmarks.false_positives`` does the same with trained networks.
"""

import numpy as np

from analysis.ablation_cohorts import CLASS_OF, positions
from analysis.base import BESIDE
from measures.alignment import class_pc1, residual_components, vaxis_cosine, within_class_residual
from measures.paired import paired
from measures.people import crossed, hierarchical_bootstrap

SEEDS, PEOPLE = 5, 23
SEED_SD, PERSON_SD, REST_SD = 0.01, 0.02, 0.05  # of a difference; see the table of benchmarks.false_positives
PLANTED = 0.02
WIDTH, DRAWS = 32, 199


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """p-values where a strategy changes nothing and features have nothing to do with the axis.

    Five pairs have 32 sign patterns, so the exact p is a multiple of 1/16 and can only be conservative. Seeds alone
    speak for the people who were tested; called on new people, as papers do, they are not calibrated.
    """
    found: dict[str, list[float]] = {}

    def note(name: str, p: float) -> None:
        found.setdefault(name, []).append(float(p))

    for number in range(cohorts):
        rng = np.random.default_rng([seed, number, 2])
        table, of_people = _table(rng, mean=0.0)
        # Nothing changes for these very people only if their own part has a mean of zero.
        given = paired([0.0] * SEEDS, (table - of_people.mean()).mean(axis=1).tolist())
        note("paired t over seeds, people given", given.p)
        note("exact sign flip over seeds, people given", given.p_sign_flip)
        note("seeds x people, new people", crossed(table).p)
        note(f"{BESIDE}paired t over seeds, new people", paired([0.0] * SEEDS, table.mean(axis=1).tolist()).p)
        for name, p in _alignment(rng).items():
            note(name, p)
    return found


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """How often 95 % intervals hold a planted change of .02, for new people and seeds."""
    held: dict[str, list[bool]] = {"seeds x people": [], f"{BESIDE}bootstrap": [], f"{BESIDE}paired t over seeds": []}
    for number in range(cohorts):
        table, _ = _table(np.random.default_rng([seed, number, 3]), mean=PLANTED)
        both, alone = crossed(table), paired([0.0] * SEEDS, table.mean(axis=1).tolist())
        ends = [(both.low, both.high), hierarchical_bootstrap(table, draws=2000), (alone.low, alone.high)]
        for name, (low, high) in zip(held, ends, strict=True):
            held[name].append(low <= PLANTED <= high)
    return {f"{name}, new people, coverage": float(np.mean(values)) for name, values in held.items()}


def _table(rng: np.random.Generator, *, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences (seeds, people) of seeds, people and the rest; and the part (1, people) of the people."""
    of_seeds, of_people = SEED_SD * rng.normal(size=(SEEDS, 1)), PERSON_SD * rng.normal(size=(1, PEOPLE))
    return mean + of_seeds + of_people + REST_SD * rng.normal(size=(SEEDS, PEOPLE)), of_people


def _alignment(rng: np.random.Generator) -> dict[str, float]:
    """p of each measure, and of the statistics without a null of their own that papers report."""
    from scipy import stats

    v, clips = positions(rng), rng.normal(size=(9, WIDTH))[CLASS_OF] + 0.5 * rng.normal(size=(28, WIDTH))
    val, test = (clips + 0.3 * rng.normal(size=clips.shape) for _ in range(2))
    seed = int(rng.integers(2**31))
    pc1 = class_pc1(test, v, CLASS_OF, draws=DRAWS, seed=seed)
    residuals, components = residual_components(test, CLASS_OF)
    scores = residuals @ components.T
    best = max(stats.pearsonr(scores[:, j], v - _class_means(v)).pvalue * -1 for j in range(len(components)))
    # |r| over nine classes with the p of a t distribution.
    plain = 2 * stats.t.sf(pc1.value * np.sqrt(7 / max(1 - pc1.value**2, 1e-12)), 7)
    return {
        "class PC1 |r|, permuted axis": pc1.p_value,
        "V-axis cosine, permuted axis": vaxis_cosine(test, v, CLASS_OF, draws=DRAWS, seed=seed).p_value,
        "within-class residual |r|, picked on validation": within_class_residual(
            val, test, v, CLASS_OF, draws=DRAWS, seed=seed
        ).p_value,
        f"{BESIDE}class PC1 |r|, p of a correlation (n 9)": plain,
        f"{BESIDE}best residual component in sample, p of a correlation": -best,
    }


def _class_means(v: np.ndarray) -> np.ndarray:
    return (np.bincount(CLASS_OF, weights=v) / np.bincount(CLASS_OF))[CLASS_OF]
