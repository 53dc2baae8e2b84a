"""Looking again after more seeds without fooling oneself: critical values of a t test that may stop early."""

from collections.abc import Callable
from functools import lru_cache

DRAWS = 400_000  # paths; the standard error of a 5 % level is then 0.03 %


def even(share: float) -> float:
    """Spend the error in proportion to the seeds: early looks can decide, late ones keep most of their power."""
    return share


@lru_cache
def critical_t(
    looks: tuple[int, ...],
    *,
    alpha: float = 0.05,
    two_sided: bool = True,
    spending: Callable[[float], float] = even,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, ...]:
    """Value that |t| (or t) must exceed at each look so that all looks together err with probability ``alpha``.

    The spending approach of Lan and DeMets (1983, doi 10.1093/biomet/70.3.659): the looks at n_1 < n_2 < ... < n_max
    pairs may use up ``alpha * spending(n / n_max)`` in all. Their boundaries are for a known variance, which five seeds
    are far from. But under normal differences the whole path of t statistics does not depend on the variance, so the
    boundary for unknown variance is found exactly, to Monte Carlo error: draw null paths and take, at each look, the
    quantile of those that have not stopped before.

    Args:
        looks: numbers of pairs at which one looks, increasing, the first at least 2.
        alpha: error of all looks together.
        two_sided: boundary of |t|; otherwise of t alone.
        spending: share of ``alpha`` that may be used once this share of the pairs is there.
        draws: null paths.
        seed: of their own generator.
    """
    if not looks or looks[0] < 2 or list(looks) != sorted(set(looks)):
        raise ValueError(f"looks must increase from 2 or more pairs, got {looks}")
    import numpy as np  # a launcher asks for the names of this file before it may load what makes threads

    rng = np.random.default_rng(seed)
    total, squares, seen = np.zeros(draws), np.zeros(draws), 0
    alive, spent, found = np.ones(draws, dtype=bool), 0.0, []
    for n in looks:
        for _ in range(n - seen):  # a pair at a time keeps the memory flat
            d = rng.standard_normal(draws)
            total += d
            squares += d * d
        seen = n
        t = total / np.sqrt(n * np.maximum(squares - total**2 / n, 1e-300) / (n - 1))
        t = np.abs(t) if two_sided else t
        allowed = alpha * spending(n / looks[-1])
        # The number of paths that may stop here, out of those that are still running.
        stops = round((allowed - spent) * draws)
        order = np.sort(t[alive])
        value = float(order[-stops]) if stops > 0 else np.inf
        alive &= t < value
        spent = allowed
        found.append(value)
    return tuple(found)
