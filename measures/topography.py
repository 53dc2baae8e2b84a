"""Where on the scalp band features follow the axis: the cells of arXiv 2606.00129, section 2."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Topography:
    """What follows the axis at each electrode, ready to be drawn as maps side by side.

    Attributes:
        title: what was correlated and over whom, "differential entropy of the 80 training subjects".
        r: (C, M) Pearson correlation over stimuli, a column a map.
        channels: C electrode names.
        maps: M titles: bands with their edges, or arms.
        stimuli: S, how many points each correlation has.
        p: (C, M) p of each cell, corrected for all of its null; None where nobody asked.
    """

    title: str
    r: np.ndarray
    channels: tuple[str, ...]
    maps: tuple[str, ...]
    stimuli: int
    p: np.ndarray | None = None


def axis_topography(x: np.ndarray, *, stimulus: np.ndarray, subject: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Pearson r over stimuli of each channel and band with the axis, after averaging over subjects.

    Give training subjects only: an electrode mask chosen on test subjects knows the answer.

    Args:
        x: (n, C, 5) band features of n trials.
        stimulus: (n,) stimulus ids.
        subject: (n,) subject ids; each subject counts the same in the mean of a stimulus.
        v: (S,) axis positions; stimuli that nobody saw are left out.

    Returns:
        (C, 5); NaN where a feature or the axis does not vary.
    """
    means, seen = stimulus_means(x, stimulus=stimulus, subject=subject)
    features, axis = means - means.mean(axis=0), v[seen] - np.mean(v[seen])
    norms = np.sqrt((features**2).sum(axis=0) * (axis**2).sum())
    covariance = np.einsum("scb,s->cb", features, axis)
    # A constant feature leaves rounding behind: judge it against its own size.
    varies = norms > 1e-12 * np.sqrt((means**2).sum(axis=0) * (axis**2).sum())
    return np.divide(covariance, norms, out=np.full(norms.shape, np.nan), where=varies)


def stimulus_means(x: np.ndarray, *, stimulus: np.ndarray, subject: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, C, F) mean features of the S stimuli that somebody saw, and their ids; each subject counts the same.

    Raises:
        ValueError: no band features, or fewer than three stimuli.
    """
    x, stimulus, subject = np.asarray(x, dtype=np.float64), np.asarray(stimulus), np.asarray(subject)
    if x.ndim != 3:
        raise ValueError(
            f"x must be (trials, channels, bands) band features, got shape {x.shape}; raw EEG has no bands"
        )
    seen = np.unique(stimulus)
    if len(seen) < 3:
        raise ValueError(f"{len(seen)} stimuli give no correlation; need 3 or more")
    means = np.stack([_mean_over_subjects(x[stimulus == s], subject[stimulus == s]) for s in seen])
    return means, seen


def chance_abs_r(n: int) -> float:
    """Mean |r| of two unrelated normal variables over n points: 0.155 at 28, 0.121 at 45."""
    from scipy.special import gammaln

    return float(np.exp(gammaln((n - 1) / 2) - gammaln(n / 2)) / np.sqrt(np.pi))


def _mean_over_subjects(x: np.ndarray, subject: np.ndarray) -> np.ndarray:
    return np.mean([x[subject == p].mean(axis=0) for p in np.unique(subject)], axis=0)
