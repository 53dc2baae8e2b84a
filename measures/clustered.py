"""Correlations over checkpoints that are not independent: of a few recipes, and all read against one axis."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from measures.base import NAN

EXACT = 7  # recipes up to which every order is tried: 5040


@dataclass(frozen=True, kw_only=True)
class Association:
    """A correlation beside what it must be read with; NaN where that is not defined.

    Attributes:
        r: Pearson's.
        n: what it counts as independent: checkpoints, or recipes.
        low: lower end of the 95 % interval.
        high: upper end.
        p: two-sided.
        null_mean: mean of the null.
        null_95: its 95th percentile.
    """

    r: float
    n: int
    low: float = NAN
    high: float = NAN
    p: float = NAN
    null_mean: float = NAN
    null_95: float = NAN


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """r of x (n,) with each row of y (m, n): (m,); NaN where one is constant or not finite."""
    x, y = x - x.mean(), y - y.mean(axis=-1, keepdims=True)
    norms = np.linalg.norm(x) * np.linalg.norm(y, axis=-1)
    return (y @ x) / np.where(norms > 1e-12, norms, NAN)


def two_sided(value: float, null: np.ndarray) -> float:
    """Permutation p of a value whose null need not be centred on 0: twice the smaller tail."""
    null = null[np.isfinite(null)]
    if not math.isfinite(value) or not len(null):
        return NAN
    tails = ((null >= value - 1e-12).sum(), (null <= value + 1e-12).sum())
    return min(1.0, 2 * (1 + int(min(tails))) / (1 + len(null)))


def as_published(accuracy: np.ndarray, measure: np.ndarray) -> Association:
    """Every checkpoint counted as independent, p of Student's t: right only where each is of a recipe of its own."""
    r = float(pearson(accuracy, measure[None])[0])
    low, high = fisher(r, len(accuracy) - 3)
    return Association(r=r, n=len(accuracy), low=low, high=high, p=student_p(r, len(accuracy) - 2))


def against_axes(accuracy: np.ndarray, measure: np.ndarray) -> Association:
    """The correlation against those that axes without meaning give over the same checkpoints.

    One axis judges all checkpoints, so their numbers rise and fall together when the axis is exchanged; the scatter of
    the correlation over exchanged axes holds all of that, whatever makes the checkpoints alike.

    Args:
        accuracy: (N,).
        measure: (N, 1 + B): with the real axis, then with B exchanged ones, the same for all checkpoints.
    """
    r = pearson(accuracy, measure.T)
    null = r[1:][np.isfinite(r[1:])]
    if not len(null):
        return Association(r=float(r[0]), n=len(accuracy))
    return Association(
        r=float(r[0]),
        n=len(accuracy),
        p=two_sided(float(r[0]), null),
        null_mean=float(null.mean()),
        null_95=float(np.quantile(null, 0.95)),
    )


def within(accuracy: np.ndarray, measure: np.ndarray, group: np.ndarray, *, draws: int, seed: int = 0) -> Association:
    """The correlation that is left inside recipes, pooled; its null deals accuracies out anew inside each recipe.

    Args:
        accuracy: (N,).
        measure: (N,).
        group: (N,) recipes; one with a single checkpoint says nothing and is left out.
        draws: permutations.
        seed: of their own generator.
    """
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    kept = size[code] > 1
    if kept.sum() < 4:
        return Association(r=NAN, n=int(kept.sum()))
    (x, y), code = (_centred(values[kept], code[kept]) for values in (accuracy, measure)), code[kept]
    r = float(pearson(x, y[None])[0])
    if not math.isfinite(r):
        return Association(r=NAN, n=len(code))
    # Sorting by recipe plus a fraction shuffles inside every recipe at once.
    order = np.argsort(code + np.random.default_rng(seed).random((draws, len(code))), axis=1)
    shuffled = np.empty((draws, len(code)))
    shuffled[:, np.argsort(code, kind="stable")] = y[order]
    null = pearson(x, shuffled)
    low, high = fisher(r, len(code) - len(np.unique(code)) - 2)
    return Association(
        r=r,
        n=len(code),
        low=low,
        high=high,
        p=two_sided(r, null),
        null_mean=float(np.nanmean(null)),
        null_95=float(np.nanquantile(null, 0.95)),
    )


def between(accuracy: np.ndarray, measure: np.ndarray, group: np.ndarray, *, draws: int, seed: int = 0) -> Association:
    """The correlation of recipe means: n is the number of recipes. All orders are tried up to seven of them."""
    _, code = np.unique(group, return_inverse=True)
    x, y = (np.bincount(code, values) / np.bincount(code) for values in (accuracy, measure))
    if len(x) < 3:
        return Association(r=NAN, n=len(x))
    r = float(pearson(x, y[None])[0])
    if not math.isfinite(r):
        return Association(r=NAN, n=len(x))
    if len(x) <= EXACT:
        null = pearson(x, np.array(list(itertools.permutations(y))))
        tails = (null >= r - 1e-12).mean(), (null <= r + 1e-12).mean()  # the observed order is one of them
        p = min(1.0, 2 * float(min(tails)))
    else:
        null = pearson(x, np.random.default_rng(seed).permuted(np.tile(y, (draws, 1)), axis=1))
        p = two_sided(r, null)
    low, high = fisher(r, len(x) - 3)
    quantile = float(np.quantile(null, 0.95))
    return Association(r=r, n=len(x), low=low, high=high, p=p, null_mean=float(null.mean()), null_95=quantile)


def cluster_robust(accuracy: np.ndarray, measure: np.ndarray, group: np.ndarray) -> Association:
    """The pooled correlation with an interval that leaves one recipe out at a time.

    The delete-a-cluster jackknife on Fisher's z with G - 1 degrees of freedom errs on the wide side when clusters are
    few (MacKinnon, Nielsen and Webb 2023, doi 10.1016/j.jeconom.2022.04.001); the usual sandwich errs on the narrow.

    Args:
        accuracy: (N,).
        measure: (N,).
        group: (N,) recipes, three or more.
    """
    from scipy import stats

    names = np.unique(group)
    r = float(pearson(accuracy, measure[None])[0])
    if len(names) < 3 or not abs(r) < 1:
        return Association(r=r, n=len(names))
    left_out = np.array([pearson(accuracy[group != g], measure[None, group != g])[0] for g in names])
    z = np.arctanh(np.clip(left_out, -1 + 1e-12, 1 - 1e-12))
    error = math.sqrt((len(names) - 1) / len(names) * float(((z - z.mean()) ** 2).sum()))
    if not math.isfinite(error) or error == 0:
        return Association(r=r, n=len(names))
    centre, df = math.atanh(r), len(names) - 1
    half = float(stats.t.ppf(0.975, df)) * error
    p = float(2 * stats.t.sf(abs(centre) / error, df))
    return Association(r=r, n=len(names), low=math.tanh(centre - half), high=math.tanh(centre + half), p=p)


def effective_number(measure: np.ndarray) -> float:
    """How many independent checkpoints the mean of N dependent ones is worth (Kish 1965): N^2 / sum of correlations.

    The correlation of two checkpoints is that of their numbers over axes without meaning: 1 where both read every axis
    alike. Between 1 and N; with an equal correlation c of all pairs it is N / (1 + (N - 1) c), so 36 checkpoints with
    c = 0.83 are worth 1.2.

    Args:
        measure: (N, B) of N checkpoints with B exchanged axes.
    """
    rows = measure[:, np.isfinite(measure).all(axis=0)]
    rows = rows[rows.std(axis=1) > 1e-12]
    if len(rows) < 1 or rows.shape[1] < 3:
        return NAN
    total = float(np.atleast_2d(np.corrcoef(rows)).sum())
    return float(np.clip(len(rows) ** 2 / max(total, 1e-12), 1, len(rows)))


def scatter_number(accuracy: np.ndarray, measure: np.ndarray) -> float:
    """How many independent checkpoints a correlation would need to scatter as it does over axes without meaning.

    r of n independent pairs has variance 1 / (n - 1); so 1 + 1 / mean r^2, and 2 is the least there is: two points.

    Args:
        accuracy: (N,).
        measure: (N, B) with exchanged axes.
    """
    r = pearson(accuracy, measure.T)
    r = r[np.isfinite(r)]
    # Fewer than independent ones would: that axes scatter less than chance is no evidence of more checkpoints.
    return min(1 + 1 / max(float((r**2).mean()), 1e-12), float(len(accuracy))) if len(r) else NAN


def pair_bootstrap(x: np.ndarray, y: np.ndarray, *, draws: int = 5000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of a correlation, pairs drawn again; draws without two different pairs are left out."""
    rows = np.random.default_rng(seed).integers(0, len(x), (draws, len(x)))
    a, b = (values[rows] - values[rows].mean(axis=1, keepdims=True) for values in (x, y))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    r = (a * b).sum(axis=1)[norms > 1e-12] / norms[norms > 1e-12]
    if not len(r):
        return NAN, NAN
    low, high = np.quantile(r, [0.025, 0.975])
    return float(low), float(high)


def fisher(r: float, freedom: int) -> tuple[float, float]:
    """95 % interval of a correlation, 1 / sqrt(freedom) the standard error of its z; NaN where there is none."""
    if freedom < 1 or not abs(r) < 1:
        return NAN, NAN
    half = 1.959964 / math.sqrt(freedom)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def student_p(r: float, freedom: int) -> float:
    """Two-sided p of a correlation over independent pairs, ``freedom`` their number less two."""
    from scipy import stats

    if freedom < 1 or not abs(r) < 1:
        return NAN
    return float(2 * stats.t.sf(abs(r) * math.sqrt(freedom / (1 - r * r)), freedom))


def _centred(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    counts = np.maximum(np.bincount(code), 1)
    return values - (np.bincount(code, values) / counts)[code]
