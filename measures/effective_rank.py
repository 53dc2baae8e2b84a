"""How many directions do features use?"""

import numpy as np


def effective_rank(features: np.ndarray) -> float:
    """Between 1 and min(n - 1, D) for features (n, D); NaN where all rows are equal or training has diverged."""
    if not np.isfinite(features).all():
        return float("nan")
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    # Through the D x D covariance: features have thousands of rows and few columns.
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(centred.T @ centred), 0, None))
    if not singular.max() > 1e-9 * max(1.0, np.abs(features).max()):
        return float("nan")
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
