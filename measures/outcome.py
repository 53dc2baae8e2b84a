"""Four answers to "did it help?": helps, hurts, equivalent, unresolved; after a fixed number of seeds or as needed."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from measures.sequential import critical_t

if TYPE_CHECKING:
    from measures.paired import Paired

Outcome = Literal["helps", "hurts", "equivalent", "unresolved"]
MARGIN = 0.01  # balanced accuracy; half of what the smallest published gain of a recipe step is
LOOKS = (5, 8, 12, 16, 20)  # pairs after which ``--seeds auto`` looks


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The answer, and the interval and p that gave it.

    Attributes:
        outcome: equivalent means that the whole effect lies within the margin; unresolved, that too few seeds can tell.
        low: lower end of the interval of the mean difference; over several looks, of the repeated interval.
        high: upper end.
        p_equivalence: larger p of the two one-sided tests against the margin (fixed number of seeds only).
        margin: differences smaller than this are of no consequence.
        looks: numbers of pairs at which one looked or would have; one look where the number was fixed before.
    """

    outcome: Outcome
    low: float
    high: float
    p_equivalence: float
    margin: float
    looks: tuple[int, ...]


def judged(comparison: "Paired", *, margin: float = MARGIN, looks: tuple[int, ...] | None = None) -> Judged:
    """Judge paired differences.

    A difference beyond the margin and one within it are told apart by two tests: t against 0, and two one-sided t tests
    against plus and minus the margin (Schuirmann 1987, doi 10.1007/BF01068419), each at 5 %. An effect that is real and
    smaller than the margin "helps" or "hurts": significance comes first.

    Args:
        comparison: of n pairs.
        margin: largest difference that is of no consequence.
        looks: all numbers of pairs at which one planned to look, n among them; None where n was fixed before.

    Raises:
        ValueError: the margin is not positive, or n is none of the looks.
    """
    if not margin > 0:
        raise ValueError(f"margin must be > 0, got {margin}")
    n, mean, sd = comparison.n, comparison.mean, comparison.sd
    plan = looks or (n,)
    if n not in plan:
        raise ValueError(f"{n} pairs are none of the planned looks {plan}")
    if not sd > 0:  # one pair, or pairs that all differ alike: nothing to judge by
        return Judged(
            outcome="unresolved", low=math.nan, high=math.nan, p_equivalence=math.nan, margin=margin, looks=plan
        )
    error = sd / math.sqrt(n)
    against_zero, against_margin = _critical(plan, n=n)
    low, high = mean - against_zero * error, mean + against_zero * error
    outcome: Outcome = "unresolved"
    if low > 0 or high < 0:
        outcome = "helps" if mean > 0 else "hurts"
    elif (margin - abs(mean)) / error > against_margin:
        outcome = "equivalent"
    return Judged(
        outcome=outcome,
        low=low,
        high=high,
        p_equivalence=_survival((margin - abs(mean)) / error, n - 1),
        margin=margin,
        looks=plan,
    )


def _critical(plan: tuple[int, ...], *, n: int) -> tuple[float, float]:
    """Critical |t| against 0 and critical t against the margin at this look."""
    from scipy import stats

    if len(plan) == 1:
        return float(stats.t.ppf(0.975, n - 1)), float(stats.t.ppf(0.95, n - 1))
    position = plan.index(n)
    return critical_t(plan)[position], critical_t(plan, two_sided=False)[position]


def _survival(t: float, df: int) -> float:
    from scipy import stats

    return float(stats.t.sf(t, df))
