"""How many directions do features use?"""

import numpy as np


def effective_rank(features: np.ndarray) -> float:
    """Between 1 and min(n - 1, D) for features (n, D); NaN where all rows are equal or training has diverged."""
    return rank_of_centred(*centred(features))


def centred(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Features (n, D) about their means in float64, and the singular value below which they are rounding alone."""
    with np.errstate(invalid="ignore"):  # of a training that has diverged
        about = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    return about, 1e-9 * max(1.0, float(np.abs(features).max()))


def rank_of_centred(about: np.ndarray, rounding: float) -> float:
    """Of what ``centred`` gives; the rows of each column may have any order, for it stays centred.

    Args:
        about: (n, D).
        rounding: what singular values of equal rows may have.
    """
    if not np.isfinite(about).all():
        return float("nan")
    # Through the D x D covariance: features have thousands of rows and few columns.
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(about.T @ about), 0, None))
    if not singular.max() > rounding:
        return float("nan")
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
