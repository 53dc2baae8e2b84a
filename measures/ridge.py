"""Ridge regression that is never scored on what it has seen: nested cross-validation with its permutation null.

In sample, ridge of pure noise (28 stimuli, 160 features) correlates 0.99 with anything; out of fold it does not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from measures.alignment import permuted_positions
from measures.base import NAN, Measure

ALPHAS = np.logspace(-2, 6, 17)


@dataclass(frozen=True, kw_only=True)
class RidgeFit:
    """What a nested cross-validation found.

    Attributes:
        predicted: (S,) out-of-fold predictions of the real target.
        alphas: penalty that each outer fold chose, in the order of the groups.
        r: Pearson r of predictions and target beside its null; signed, and NaN for a constant target.
    """

    predicted: np.ndarray
    alphas: np.ndarray
    r: Measure


def nested_ridge(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray,
    classes: np.ndarray | None = None,
    draws: int = 1000,
    seed: int = 0,
    alphas: np.ndarray = ALPHAS,
) -> RidgeFit:
    """Predict a target from features, each group by a model that never saw it.

    Outer loop: one group at a time is left out. Inner loop: the penalty with the least leave-one-out error on the rest.
    Columns are standardised on the rest alone. Every permuted target goes through all of it, penalty included. The mean
    of the rest falls as the left-out values rise, so r of noise is negative, down to -1 for a model that predicts the
    mean; only the null says what r of this size is worth, and r = -0.3 is no effect.

    Args:
        x: (S, F) features; a column that is constant in a fold counts for nothing in it.
        y: (S,) target.
        groups: (S,) ids: stimuli for leave-one-stimulus-out, classes for the strict version, needed where the target is
            nearly constant within classes.
        classes: (S,) what the null keeps together (``measures.alignment.permuted_positions``): values move within
            classes and class means among classes; by default the groups, and those of one stimulus each move freely.
        draws: permutations in the null.
        seed: of the null's own generator.
        alphas: penalties to choose from.

    Raises:
        ValueError: shapes differ, a value is not finite, or there are fewer than three groups.
    """
    x, y, groups = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), np.asarray(groups)
    if x.ndim != 2 or not len(x) == len(y) == len(groups):
        raise ValueError(f"need x (S, F), y (S,) and groups (S,), got {x.shape}, {y.shape} and {groups.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x or y holds a value that is not finite; leave these stimuli out")
    if len(np.unique(groups)) < 3:
        raise ValueError(f"leaving one group out needs three groups, got {len(np.unique(groups))}")
    kept = groups if classes is None else np.asarray(classes)
    targets = np.vstack([y, permuted_positions(y, kept, draws=draws, seed=seed, move_classes=True)])
    predicted, chosen = out_of_fold(x, targets, groups=groups, alphas=alphas)
    return RidgeFit(predicted=predicted[0], alphas=chosen[:, 0], r=Measure.of(_pearson(predicted, targets)))


def out_of_fold(
    x: np.ndarray, targets: np.ndarray, *, groups: np.ndarray, alphas: np.ndarray = ALPHAS
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (T, S) of T targets (T, S), and the penalties (G, T) that the G outer folds chose.

    Each fold decomposes its features once; all targets share that, and each chooses its own penalty.
    """
    from sklearn.model_selection import LeaveOneGroupOut

    predicted, chosen = np.empty_like(targets), []
    for rest, left in LeaveOneGroupOut().split(x, groups=groups):
        model = pipeline(alphas).fit(x[rest], targets[:, rest].T)
        predicted[:, left] = np.reshape(model.predict(x[left]), (len(left), -1)).T
        chosen.append(np.broadcast_to(model[-1].alpha_, len(targets)))
    return predicted, np.array(chosen)


def pipeline(alphas: np.ndarray = ALPHAS) -> Any:
    """Standardisation and ridge, whose penalty is chosen for each target by its leave-one-out error."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(alphas=alphas, alpha_per_target=True))


def _pearson(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Signed r of each row; NaN where one is constant."""
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (predicted, targets))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.where(norms > 1e-12 * max(1.0, float(np.abs(targets).max())) ** 2, norms, NAN)
