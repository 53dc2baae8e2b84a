"""The one fit behind every axis, real or drawn: class means, their first principal direction, and its sign."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Sentence sets that separate their own classes by less are turned away: among them are those whose axis is anything.
GATE = 0.8


class Fit(NamedTuple):
    """A direction through class centroids.

    Attributes:
        direction: (L,) unit vector.
        explained_variance: share of the variance between the centroids along it.
        scores: (K,) positions of the centroids on it, about their mean.
    """

    direction: np.ndarray
    explained_variance: float
    scores: np.ndarray


def fit_direction(centroids: np.ndarray, *, valence: Sequence[int] | None = None) -> Fit:
    """First principal direction of the mean-centred class centroids (arXiv 2606.00129, section 1).

    A principal direction has no sign of its own. Given the valence, the positive classes lie above the negative ones on
    average; the paper orients by joy alone, which with nine sentences flips the axis in up to 8 of 20 sentence sets.

    Args:
        centroids: (K, L), one row a class, K >= 3.
        valence: sign of the K classes; None leaves the sign arbitrary, as for texts that have none.

    Raises:
        ValueError: all centroids are equal.
    """
    centred = np.asarray(centroids, dtype=np.float64) - np.mean(centroids, axis=0, dtype=np.float64)
    _, singular_values, directions = np.linalg.svd(centred, full_matrices=False)
    total = float(np.sum(singular_values**2))
    if total == 0:
        raise ValueError("all class centroids are equal: no axis; check that the sentences differ between the classes")
    direction = directions[0]
    if valence is not None:
        scores, signs = centroids @ direction, np.asarray(valence)
        direction = direction if scores[signs > 0].mean() >= scores[signs < 0].mean() else -direction
    return Fit(direction, float(singular_values[0] ** 2 / total), centred @ direction)


def contrast(centroids: np.ndarray, valence: Sequence[int]) -> np.ndarray:
    """Unit direction (L,) from the mean of the negative to the mean of the positive centroids (K, L)."""
    signs = np.asarray(valence)
    difference = centroids[signs > 0].mean(axis=0) - centroids[signs < 0].mean(axis=0)
    return difference / np.linalg.norm(difference)


def class_means(states: np.ndarray, sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    """(..., K, L) float64 means of consecutive rows.

    Args:
        states: (..., n, L) states of texts, those of a class together.
        sizes: (K,) texts of each class, n in all.
    """
    counts = np.asarray(sizes)
    sums = np.add.reduceat(np.asarray(states, dtype=np.float64), np.cumsum(counts) - counts, axis=-2)
    return sums / counts[:, None]


def separation(scores: np.ndarray, *, valence: Sequence[int]) -> float:
    """Pearson correlation of K class positions with their nominal valence -1, 0, +1 (label-free quality of a set)."""
    return float(np.corrcoef(scores, valence)[0, 1])
