"""How far axes of different models agree: correlation of their projections of the same texts, beside what chance gives.

Chance is wide here. Directions drawn at random in two models agree little; the first components of the same nine random
everyday texts agree much more, since in a frame that asks for a feeling valence leads whatever the texts say.
"""

from collections.abc import Sequence

import numpy as np

from vaxis.fit import fit_direction
from vaxis.language.chance_axes import random_directions, random_text_centroids

DRAWS = 300
# arXiv 2606.00129, section 1: correlation with the rated valence of the 28 clips.
TIERS = ((0.85, "top"), (0.60, "middle"), (0.40, "between"), (-1.1, "out"))


def tier(r: float) -> str:
    """The paper's name for a correlation with rated valence; between .4 and .6 it has none."""
    return next((name for least, name in TIERS if r >= least), "undefined")


def comparable_nulls(everyday: np.ndarray, *, classes: int, seed: int, draws: int = DRAWS) -> dict[str, np.ndarray]:
    """Unit directions that know nothing of emotions, (draws, L) each.

    Args:
        everyday: (n, L) states of random texts.
        classes: texts that one axis is made from.
        seed: of the random directions. The texts are drawn alike in every model, so that draw i can be compared.
        draws: how many.
    """
    return {
        "random texts": random_directions(everyday, kind="random_texts", count=draws, classes=classes),
        "random directions": random_directions(everyday, kind="isotropic", count=draws, seed=seed),
    }


def layer_profile(states: np.ndarray, *, valence: tuple[int, ...]) -> np.ndarray:
    """Cosine of each layer's axis with that of the last layer given; NaN where all states are equal.

    Args:
        states: (layers, K, L) class centroids.
        valence: sign of the K classes.
    """
    axes = [_axis_or_nan(layer, valence) for layer in states.astype(np.float64)]
    return np.array([float(axis @ axes[-1]) for axis in axes])


def profile_null(states: np.ndarray, *, classes: int, draws: int = 100) -> np.ndarray:
    """Median |cosine| with the last layer of first components of random texts, (layers,).

    Args:
        states: (layers, n, L) states of random texts.
        classes: texts that one axis is made from.
        draws: how many axes.
    """
    generator, rows = np.random.default_rng(0), []
    for drawn in random_text_centroids(states, sizes=[1] * classes, count=draws, generator=generator):
        axes = [_axis_or_nan(layer) for layer in drawn]
        rows.append([abs(float(axis @ axes[-1])) for axis in axes])
    return np.median(rows, axis=0)


def pairwise(projections: Sequence[np.ndarray]) -> np.ndarray:
    """(M, M) Pearson correlations of M models' projections of the same n texts."""
    return np.corrcoef(np.stack(projections))


def pair_null(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sign-free correlation between null directions of two models, draw by draw; (draws,).

    Args:
        first: (draws, n) projections in one model.
        second: (draws, n) in the other.
    """
    return np.abs(_rowwise(first, second))


def spread(null: np.ndarray) -> dict[str, float]:
    """Median and 95th percentile of a null."""
    return {"median": float(np.median(null)), "p95": float(np.percentile(null, 95))}


def against(ratings: np.ndarray, projections: np.ndarray, null: np.ndarray) -> dict[str, float]:
    """Correlation with ratings, its 95 % interval (Fisher), and the sign-free null.

    Args:
        ratings: (n,).
        projections: (n,).
        null: (draws, n) projections on null directions.
    """
    r, half = float(np.corrcoef(ratings, projections)[0, 1]), 1.96 / np.sqrt(len(ratings) - 3)
    drawn = np.abs(_rowwise(null, np.broadcast_to(ratings, null.shape)))
    return {
        "r": r,
        "low": float(np.tanh(np.arctanh(r) - half)),
        "high": float(np.tanh(np.arctanh(r) + half)),
        "null_median": float(np.median(drawn)),
        "null_p95": float(np.percentile(drawn, 95)),
        "reached": float(np.mean(drawn >= abs(r))),
    }


def _axis_or_nan(centroids: np.ndarray, valence: tuple[int, ...] | None = None) -> np.ndarray:
    # The last token of a frame is the same word for every text: where it enters, there is no axis.
    if np.ptp(centroids, axis=0).max() <= 1e-6 * np.abs(centroids).max():
        return np.full(centroids.shape[1], np.nan)
    return fit_direction(centroids, valence=valence).direction


def _rowwise(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    return np.sum(a * b, axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
