"""Ridge from band features to clip positions, out of sample, beside the in-sample one that noise passes too."""

from collections.abc import Mapping

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.orders import Orders, Stat
from measures.alignment import class_means
from measures.ridge import out_of_fold as checked_out_of_fold

IN_SAMPLE_PENALTY = 1000.0  # the larger of two at which noise of this shape was found to correlate .95 with anything
NOISE = 100  # cohorts of white noise


def ridge(cohort: Cohort, targets: Mapping[str, Orders]) -> tuple[dict[str, Stat], dict[str, np.ndarray]]:
    """Each target by nested ridge: leave one clip out, and, stricter, leave one class out.

    The whole pipeline runs on every permuted target: scaling, choice of the penalty, prediction. r of noise is negative
    (``measures.ridge``), so only the null says what a value is worth.

    Returns:
        The numbers, and out-of-fold predictions (S,) by target, leave-one-clip-out.
    """
    x, class_of = cohort.means.reshape(len(cohort.class_of), -1), cohort.class_of
    found, predictions, start = {}, {}, 0
    every = np.vstack([target.rows for target in targets.values()])
    by_clip = out_of_fold(x, every, groups=np.arange(len(x)))
    by_class = out_of_fold(x, every, groups=class_of)
    for name, target in targets.items():
        rows = slice(start, start := start + len(target.rows))
        predictions[name] = by_clip[rows][0]
        n = len(x)
        found[f"ridge.{name}.clip_out"] = Stat.of(pearson(by_clip[rows], target.rows), n=n)
        found[f"ridge.{name}.class_out"] = Stat.of(pearson(by_class[rows], target.rows), n=n)
        found[f"ridge.{name}.in_sample"] = Stat.of(in_sample(x, target.rows), n=n)
        means = [class_means(part.T, class_of).T for part in (by_clip[rows], target.rows)]
        found[f"ridge.{name}.class_level"] = Stat.of(pearson(*means), n=means[0].shape[1])
        within = [part - _centres(part, class_of) for part in (by_clip[rows], target.rows)]
        if np.abs(within[1][0]).max() > 1e-6:
            found[f"ridge.{name}.within_class"] = Stat.of(pearson(*within), n=n)
    return found, predictions


def beside_random_axes(cohort: Cohort, axis: np.ndarray, random: np.ndarray) -> dict[str, Stat]:
    """The axis among random directions of the same texts: is what is decoded its own, or any direction's?

    Args:
        cohort: the EEG.
        axis: (S,) positions.
        random: (R, S) positions.
    """
    x, rows = cohort.means.reshape(len(axis), -1), np.vstack([axis, random])
    found = {}
    for name, groups in (("clip_out", np.arange(len(x))), ("class_out", cohort.class_of)):
        found[f"random_axes.{name}"] = Stat.of(pearson(out_of_fold(x, rows, groups=groups), rows), n=len(x))
    return found


def out_of_fold(x: np.ndarray, rows: np.ndarray, *, groups: np.ndarray) -> np.ndarray:
    """Predictions (T, S) of ``measures.ridge.out_of_fold``, without what scikit-learn checks anew in every fold."""
    from sklearn import config_context

    with config_context(assume_finite=True, skip_parameter_validation=True):
        return checked_out_of_fold(x, rows, groups=groups)[0]


def in_sample(x: np.ndarray, rows: np.ndarray, *, penalty: float = IN_SAMPLE_PENALTY) -> np.ndarray:
    """(T,) r of a ridge with what it was fitted to: shown because it is published, never to be believed."""
    scale = x.std(axis=0)
    z = (x - x.mean(axis=0)) / np.where(scale > 1e-12, scale, np.inf)
    gram = z @ z.T
    centred = rows - rows.mean(axis=1, keepdims=True)
    return pearson(centred @ np.linalg.solve(gram + penalty * np.eye(len(gram)), gram), centred)


def in_sample_noise(cohort: Cohort, axis: np.ndarray, *, seed: int) -> Stat:
    """In-sample r of the axis from white noise of the shape of the cohort tensor; interval over noise cohorts."""
    rng, shape = np.random.default_rng([seed, 11]), cohort.means.reshape(len(axis), -1).shape
    r = np.array([in_sample(rng.standard_normal(shape), axis[None])[0] for _ in range(NOISE)])
    low, high = np.quantile(r, [0.025, 0.975])
    return Stat(value=float(r.mean()), n=len(axis), interval=(float(low), float(high)))


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Signed r of each row (T, S) of a with the same one of b; NaN where one is constant."""
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 1e-12)


def _centres(rows: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    _, codes = np.unique(class_of, return_inverse=True)
    return class_means(rows.T, class_of).T[:, codes]
