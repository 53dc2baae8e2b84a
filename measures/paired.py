"""Did a change help? Paired statistics over seeds, their exact counterpart and what so few seeds cannot see."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

Judgement = Literal["helps", "hurts", "unresolved"]
MAX_EXACT = 20
MONTE_CARLO_DRAWS = 100_000


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Paired comparison of n runs with their baselines (arXiv 2606.00129, section 6).

    Attributes:
        deltas: treated minus baseline, one a pair.
        mean: mean difference.
        sd: standard deviation of the differences, n - 1 in the denominator; NaN for one pair.
        low: lower end of the 95 % t interval of the mean.
        high: upper end.
        t: t statistic with n - 1 degrees of freedom.
        p: its two-sided p; 1 when every difference is 0, NaN when all are equal but not 0.
        p_sign_flip: two-sided p over all 2^n sign patterns (random ones beyond 20 pairs); needs no normality.
        p_sign_flip_floor: the smallest value that ``p_sign_flip`` can take with n pairs.
        cohen_dz: mean / sd.
        resolvable: true mean difference that this n and sd detect with 80 % power at 5 %; NaN where sd is 0 or unknown.
    """

    deltas: tuple[float, ...]
    mean: float
    sd: float
    low: float
    high: float
    t: float
    p: float
    p_sign_flip: float
    p_sign_flip_floor: float
    cohen_dz: float
    resolvable: float

    @property
    def n(self) -> int:
        return len(self.deltas)


def paired(baseline: Sequence[float], treated: Sequence[float]) -> Paired:
    """Compare runs with their baselines, pair by pair.

    Args:
        baseline: n values without the change.
        treated: n values with it, in the same order (pair k shares its seed).

    Raises:
        ValueError: no pairs, unequal lengths or a value that is not finite.
    """
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape or before.size == 0:
        raise ValueError(f"need two equally long lists of numbers, got shapes {before.shape} and {after.shape}")
    bad = np.flatnonzero(~(np.isfinite(before) & np.isfinite(after)))
    if bad.size:
        raise ValueError(f"pairs {bad.tolist()} hold a value that is not finite; leave these pairs out and say so")
    d = after - before
    n, mean = len(d), float(d.mean())
    # 0.62 - 0.61 and 0.53 - 0.52 differ in the last bits; below this the spread is rounding.
    rounding = 1e-12 * max(1.0, float(np.abs(before).max()), float(np.abs(after).max()))
    equal = n > 1 and float(np.ptp(d)) <= rounding
    if equal:
        d, mean = np.full(n, 0.0 if abs(mean) <= rounding else mean), 0.0 if abs(mean) <= rounding else mean
    sd = 0.0 if equal else float(d.std(ddof=1)) if n > 1 else math.nan
    if equal and mean:
        warnings.warn(
            f"all {n} paired differences equal {mean:g}: no variance to test against. Seeds that move together this "
            "exactly usually mean that the seed or the strategy was not applied",
            stacklevel=2,
        )
    t, p, low, high = _t_test(d, sd=sd)
    return Paired(
        deltas=tuple(d.tolist()),
        mean=mean,
        sd=sd,
        low=low,
        high=high,
        t=t,
        p=p,
        p_sign_flip=sign_flip_p(d),
        p_sign_flip_floor=_sign_flip_floor(n),
        cohen_dz=mean / sd if sd else math.nan,
        resolvable=resolvable_dz(n) * sd if sd else math.nan,
    )


def _t_test(d: np.ndarray, *, sd: float) -> tuple[float, float, float, float]:
    """t, two-sided p and both ends of the 95 % interval of the mean difference."""
    from scipy import stats

    # Without a spread there is no t; no difference anywhere is the one case with an answer all the same.
    if sd == 0 and not d.any():
        return math.nan, 1.0, 0.0, 0.0
    if sd == 0 or len(d) < 2:
        return math.nan, math.nan, math.nan, math.nan
    test = stats.ttest_1samp(d, 0.0)
    low, high = test.confidence_interval(0.95)
    return float(test.statistic), float(test.pvalue), float(low), float(high)


def sign_flip_p(deltas: Sequence[float] | np.ndarray, *, seed: int = 0) -> float:
    """Two-sided p of the mean difference when each sign could as well have been the other (Fisher's exact test).

    All patterns up to 20 pairs; beyond that 100,000 random ones, the observed one counted among them. Sums grow by one
    pair at a time; ``scipy.stats.permutation_test`` gives the same p and computes every pattern anew (20 pairs: a
    minute and 1.3 GB in place of 0.01 s).

    Args:
        deltas: n differences.
        seed: of the random patterns.
    """
    d = np.asarray(deltas, dtype=np.float64)
    observed, tolerance = abs(d.sum()), 1e-12 * np.abs(d).sum()
    if len(d) > MAX_EXACT:
        rng, hits = np.random.default_rng(seed), 1
        for _ in range(10):
            signs = rng.integers(0, 2, size=(MONTE_CARLO_DRAWS // 10, len(d)), dtype=np.int8) * 2 - 1
            hits += int((np.abs(signs @ d) >= observed - tolerance).sum())
        return hits / (MONTE_CARLO_DRAWS + 1)
    sums = d[:1]  # the first sign stays: a pattern and its mirror image have the same |sum|
    for value in d[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= observed - tolerance).mean())


def _sign_flip_floor(n: int) -> float:
    return 2.0 / 2**n if n <= MAX_EXACT else 1.0 / (MONTE_CARLO_DRAWS + 1)


@lru_cache
def resolvable_dz(n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Mean difference in units of its sd that a two-sided paired t test of n pairs detects with the given power.

    Solves the power of the noncentral t distribution; 5 pairs need 1.68, 10 need 1.00, 20 need 0.66.

    Args:
        n: number of pairs; NaN below 2.
        alpha: two-sided level.
        power: probability of detection with the right sign (of the wrong sign: below 1e-6 at 80 %).
    """
    from scipy import optimize, stats

    if n < 2:
        return math.nan
    critical = stats.t.ppf(1 - alpha / 2, n - 1)

    def shortfall(dz: float) -> float:
        return stats.nct.sf(critical, n - 1, dz * math.sqrt(n)) - power

    upper = 1.0
    while shortfall(upper) < 0:
        upper *= 2
    return float(optimize.brentq(shortfall, 0.0, upper))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values, (m,): reject where <= alpha to bound the chance of any false rejection.

    NaN (a test that could not be made) stays NaN and is not counted.
    """

    def step_down(p: np.ndarray) -> np.ndarray:
        order = np.argsort(p, kind="stable")
        adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        return np.minimum(adjusted[np.argsort(order)], 1.0)

    return _adjust(p_values, step_down)


def benjamini_hochberg(p_values: Sequence[float]) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values, (m,): reject where <= q to bound the false discovery rate.

    NaN (a test that could not be made) stays NaN and is not counted.
    """
    from scipy import stats

    return _adjust(p_values, stats.false_discovery_control)


def _adjust(p_values: Sequence[float], rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    p = np.asarray(p_values, dtype=np.float64)
    tested = ~np.isnan(p)
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError(f"p-values must lie in [0, 1], got {p.tolist()}")
    adjusted = np.full(p.shape, np.nan)
    if tested.any():
        adjusted[tested] = rule(p[tested])
    return adjusted


def judge(comparison: Paired, *, alpha: float = 0.05) -> Judgement:
    """The verdict of the t test at ``alpha`` (at 0.05: does the 95 % interval exclude 0?); never "no effect"."""
    if not comparison.p < alpha:
        return "unresolved"
    return "helps" if comparison.mean > 0 else "hurts"


def verdict_sentence(comparison: Paired, *, alpha: float = 0.05) -> str:
    """``judge`` in words, with what an unresolved comparison could have seen."""
    verdict = judge(comparison, alpha=alpha)
    if verdict != "unresolved":
        return f"{verdict} ({comparison.mean:+.3f}, 95 % interval {comparison.low:+.3f} to {comparison.high:+.3f})"
    if comparison.n < 2:
        return "unresolved (one pair of runs has no variance to test against; run more seeds)"
    if comparison.sd == 0:
        same = "no pair differs" if comparison.mean == 0 else f"every pair differs by exactly {comparison.mean:+.3f}"
        return f"unresolved ({same}: was the strategy applied?)"
    return f"unresolved (smallest resolvable effect {comparison.resolvable:.3f})"
