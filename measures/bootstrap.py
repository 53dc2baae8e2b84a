"""AUC and correlation with percentile intervals over texts; all scores of one sample share their resamples."""

from dataclasses import dataclass

import numpy as np

INTERVAL = (2.5, 97.5)


def auc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of one or many scores.

    Args:
        scores: (n,) or (n, m).
        positive: (n,) bool.

    Returns:
        scalar or (m,): chance that a positive text scores above a negative one, ties counting half.
    """
    from scipy.stats import rankdata

    ranks, above = rankdata(scores, axis=0), int(positive.sum())
    return (ranks[positive].sum(axis=0) - above * (above + 1) / 2) / (above * (len(positive) - above))


def sign_free(value: np.ndarray) -> np.ndarray:
    """The better of the two signs of an AUC, for directions that have none."""
    return np.maximum(value, 1 - value)


@dataclass(frozen=True)
class Resamples:
    """How often each of n texts was drawn in each of B bootstrap resamples.

    Attributes:
        ratings: (n,) human valence; positive above 0.
        weights: (B, n) float32 counts.
    """

    ratings: np.ndarray
    weights: np.ndarray

    @classmethod
    def draw(cls, ratings: np.ndarray, *, count: int = 1000, seed: int = 0) -> "Resamples":
        """Resample texts with replacement; resamples without both signs are left out."""
        generator, n = np.random.default_rng(seed), len(ratings)
        weights = generator.multinomial(n, np.full(n, 1 / n), size=count).astype(np.float32)
        above = weights @ (ratings > 0)
        return cls(np.asarray(ratings, dtype=float), weights[(above > 0) & (above < n)])

    def auc(self, scores: np.ndarray) -> np.ndarray:
        """(B,) AUC of the scores (n,) on each resample."""
        order = np.argsort(scores, kind="stable")
        positive, weights = (self.ratings > 0)[order], self.weights[:, order]
        starts = np.flatnonzero(np.concatenate([[True], np.diff(np.asarray(scores)[order]) != 0]))
        above = np.add.reduceat(weights * positive, starts, axis=1, dtype=np.float64)
        below = np.add.reduceat(weights * ~positive, starts, axis=1, dtype=np.float64)
        passed = np.cumsum(below, axis=1) - below / 2
        return (above * passed).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1))

    def pearson(self, scores: np.ndarray) -> np.ndarray:
        """(B,) Pearson correlation of the scores (n,) with the ratings on each resample."""
        x, y = scores - np.mean(scores), self.ratings - self.ratings.mean()
        mean_x, mean_y, mean_xy, xx, yy = (self.weights @ np.stack([x, y, x * y, x * x, y * y], axis=1)).T / len(x)
        with np.errstate(invalid="ignore", divide="ignore"):  # constant scores have no correlation
            return (mean_xy - mean_x * mean_y) / np.sqrt((xx - mean_x**2) * (yy - mean_y**2))

    def estimates(self, scores: np.ndarray) -> dict[str, dict[str, float]]:
        """AUC, Pearson r (both with interval) and Spearman rho of the scores (n,)."""
        from scipy.stats import spearmanr

        scores = np.asarray(scores, dtype=np.float64)
        constant = np.ptp(scores) == 0
        return {
            "auc": interval(float(auc(scores, self.ratings > 0)), self.auc(scores)),
            "r": interval(
                float("nan") if constant else float(np.corrcoef(scores, self.ratings)[0, 1]), self.pearson(scores)
            ),
            "rho": {"value": float("nan") if constant else float(spearmanr(scores, self.ratings).statistic)},
        }


def interval(value: float, draws: np.ndarray) -> dict[str, float]:
    """A value with the percentile interval of its bootstrap draws."""
    finite = draws[np.isfinite(draws)]
    low, high = np.percentile(finite, INTERVAL) if len(finite) else (float("nan"), float("nan"))
    return {"value": value, "low": float(low), "high": float(high)}
