"""Are the numbers of votes right where the truth is known? P-values without an effect, coverage of intervals."""

from functools import cache

import numpy as np

from analysis.base import BESIDE
from analysis.ensembling import Residuals, agreement, mixing, regression, selected
from analysis.made_up import voters
from analysis.pools import Pool
from measures.votes import Blend, Estimate, compare

BETTER, SPREAD = 0.25, 0.1  # of the second kind, and between members of a kind, in ``recover``


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """P-values over cohorts whose members are alike and whose residuals say nothing about their votes.

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    found: dict[str, list[float]] = {}
    for rng in np.random.default_rng(seed).spawn(cohorts):
        pool = voters(rng).pool()
        n = len(pool.runs)
        # |r| of members over exchanged axes, as alike as those of real runs.
        rows = np.abs(0.5 * rng.normal(size=(1, 200)) + rng.normal(size=(n, 200)))
        residuals = Residuals(test=rows, val=rng.random(n), likeness=_likeness(rng, n))
        result = regression(pool, residuals, draws=199, seed=int(rng.integers(2**31)))
        assert result is not None  # ten members
        kappa = agreement(pool, draws=199, seed=int(rng.integers(2**31)))
        assert kappa.same_seed is not None  # both kinds have the same seeds
        varied = voters(rng, spread=SPREAD).pool()
        _, replaced = mixing(varied)[list(varied.groups)[1]]
        p = {
            "residual_contribution_shuffled": result.shuffled.p,
            "residual_contribution_within": result.within.p,
            "residual_contribution_axes": result.axes.p,
            "kappa_within_minus_across": kappa.gap_p,
            "kappa_same_seed_minus_others": kappa.same_seed.p,
            "difference": _difference(varied).p,
            "replaced": replaced.p,
            f"{BESIDE}residual_contribution_published": result.published.p,
        }
        chosen = selected(pool, residuals, m=5)
        p |= {f"chosen {name}": s.p for name, s in chosen.items() if "published" not in name}
        for key, value in p.items():
            found.setdefault(key, []).append(value)
    return found


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """Coverage of the intervals of a vote for new people, and of the gain of better members for new people and members.

    Args:
        cohorts: how many.
        seed: of the generator.
    """
    vote, gain, truth = [], [], _true_gain()
    for rng in np.random.default_rng(seed).spawn(cohorts):
        drawn = voters(rng, better=BETTER, spread=SPREAD)
        pool = drawn.pool()
        one = Blend(pool.groups, {next(iter(pool.groups)): 5})
        estimate = pool.votes["test"].over_people(one.hits(pool.votes["test"]))
        # The same members on people enough to call their accuracy known.
        many = drawn.people(1000, members=range(5))
        vote.append(bool(estimate.low <= many.accuracy(many.hits(np.ones((1, 5))))[0] <= estimate.high))
        difference = _difference(pool)
        gain.append(difference.low <= truth <= difference.high)
    return {"coverage_vote": float(np.mean(vote)), "coverage_difference": float(np.mean(gain))}


def _difference(pool: Pool) -> Estimate:
    """Of the votes of the two kinds."""
    first, second = (Blend(pool.groups, {name: 5}) for name in pool.groups)
    return compare(pool.votes["test"], first, second)


@cache
def _true_gain() -> float:
    """What five of the better kind gain over five of the other, over new members and people: 100 draws of both."""
    found = []
    for rng in np.random.default_rng(2026).spawn(100):
        votes = voters(rng, better=BETTER, spread=SPREAD).people(40)
        groups = {"one": range(5), "other": range(5, 10)}
        one, other = (votes.accuracy(Blend(groups, {name: 5}).hits(votes)) for name in groups)
        found.append(float(other - one))
    return float(np.mean(found))


def _likeness(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.normal(size=(n, 6)) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T
