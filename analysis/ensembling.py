"""What votes of finished runs are worth, and which members make them so; ``ensembles`` is its command."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analysis.pools import Pool
from analysis.selection import Judge, Selected, by_diversity, by_vote, highest
from measures.base import NAN
from measures.clustered import Association, against_axes, as_published, pair_bootstrap, pearson, two_sided, within
from measures.votes import Blend, Estimate, Members, compare, contributions, jackknife_error, kappas

ROLES = ("half", "whole", "half of longer", "mixed", "whole of longer")  # of the bars, in their order


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What each of R runs shares with the axis within classes.

    Attributes:
        test: (R, 1 + B) held-out |r| on test people with the real axis and exchanged ones.
        val: (R,) the same within validation people, half of whom pick.
        likeness: (R, R) similarity of the residual geometries on validation people.
    """

    test: np.ndarray
    val: np.ndarray
    likeness: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Leave-one-out contribution of members against their residual |r|.

    Attributes:
        contribution: of each member, with its interval over people.
        residual: (R,) their |r|.
        published: every member counted, p of Student's t.
        shuffled: the same r with its bootstrap over members and a null that deals the contributions out anew.
        within: inside groups.
        axes: against exchanged axes.
        slope: balanced accuracy per unit of |r|.
        leave_one_out: smallest and largest r without one member.
    """

    contribution: list[Estimate]
    residual: np.ndarray
    published: Association
    shuffled: Association
    within: Association
    axes: Association
    slope: float
    leave_one_out: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Cohen's kappa of pairs of members.

    Attributes:
        matrix: (R, R).
        blocks: mean of each pair of groups, with its interval over people.
        gap: mean within groups minus mean across.
        gap_null: mean and 95th percentile of the gap when members are dealt to groups at random.
        gap_p: two-sided p.
        same_seed: of pairs of runs of different groups, those of one seed minus the others; None where there are none.
    """

    matrix: np.ndarray
    blocks: dict[tuple[str, str], Estimate]
    gap: float
    gap_null: tuple[float, float]
    gap_p: float
    same_seed: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A vote at its cost.

    Attributes:
        label: such as ``5 x 45``.
        cost: epochs of all members together.
        accuracy: of the vote.
        blend: how it was made.
    """

    label: str
    cost: int
    accuracy: Estimate
    blend: Blend


class Bars(NamedTuple):
    """Votes at their cost.

    Attributes:
        made: those for which there are members enough.
        differences: between them, by what they ask.
        missing: what the others lack.
        roles: ``half``, ``whole``, ``mixed``, ... to the name of the number, whatever its members and epochs.
    """

    made: list[Bar]
    differences: dict[str, Estimate]
    missing: list[str]
    roles: dict[str, str]


def growth(votes: Members, members: Sequence[int]) -> list[Estimate]:
    """Accuracy of votes of 1, 2, ... of the members, mean over subsets, with its interval over people."""
    blends = [Blend({"": members}, {"": m}) for m in range(1, len(members) + 1)]
    return [votes.over_people(blend.hits(votes)) for blend in blends]


def regression(pool: Pool, residuals: Residuals, *, draws: int, seed: int = 0) -> Regression | None:
    """Does a member's residual |r| say what it adds? None for fewer than four members.

    Args:
        pool: the members.
        residuals: of them.
        draws: permutations.
        seed: of their generator.
    """
    votes, group = pool.votes["test"], pool.labels
    if len(votes) < 4:
        return None
    hits = contributions(votes)
    estimates = [votes.over_people(h) for h in hits]
    y, x = np.array([e.value for e in estimates]), residuals.test[:, 0]
    if not np.isfinite(x).all() or not x.std() or not y.std():
        return None
    r = float(pearson(x, y[None])[0])
    null = pearson(x, np.random.default_rng(seed).permuted(np.tile(y, (draws, 1)), axis=1))
    low, high = pair_bootstrap(x, y, seed=seed)
    others = [float(pearson(np.delete(x, k), np.delete(y, k)[None])[0]) for k in range(len(x))]
    return Regression(
        contribution=estimates,
        residual=x,
        published=as_published(x, y),
        shuffled=Association(
            r=r,
            n=len(x),
            low=low,
            high=high,
            p=two_sided(r, null),
            null_mean=float(null.mean()),
            null_95=float(np.quantile(null, 0.95)),
        ),
        within=within(x, y, group, draws=draws, seed=seed),
        axes=against_axes(y, residuals.test),
        slope=r * float(y.std() / x.std()),
        leave_one_out=(min(others), max(others)),
    )


def selected(pool: Pool, residuals: Residuals | None, *, m: int) -> dict[str, Selected]:
    """Sets of m members by every rule beside random sets; all but the published look at validation people alone."""
    judge, val = Judge.of(pool.votes, m=m), pool.votes["val"]
    alone = val.accuracy(val.hits(np.eye(len(val))))
    rules = {"most accurate": highest(alone, m), "greedy vote": by_vote(val, m)}
    if residuals is not None and np.isfinite(residuals.val).all():
        rules |= {
            "residual, top": highest(residuals.val, m),
            "residual, bottom": highest(-residuals.val, m),
            "residual diversity": by_diversity(residuals.likeness, alone, m),
        }
        if np.isfinite(residuals.test[:, 0]).all():
            rules |= {
                "residual, top (published)": highest(residuals.test[:, 0], m),
                "residual, bottom (published)": highest(-residuals.test[:, 0], m),
            }
    return {name: judge(members) for name, members in rules.items()}


def agreement(pool: Pool, *, draws: int, seed: int = 0) -> Agreement:
    """Cohen's kappa within and across groups."""
    whole, left = kappas(pool.votes["test"])
    label, pairs = pool.labels, np.triu(np.ones_like(whole, dtype=bool), 1)
    blocks = {}
    for a, first in enumerate(pool.groups):
        for second in list(pool.groups)[a:]:
            one, other = np.ix_(label == first, label == second), np.ix_(label == second, label == first)
            block = np.zeros_like(pairs)
            block[one] = block[other] = True
            if (block & pairs).any():
                over = left[:, block & pairs].mean(axis=1)
                value = float(whole[block & pairs].mean())
                blocks[first, second] = Estimate.of(value, [(jackknife_error(over), len(over) - 1)])
    gap = _gap(whole, label)
    rng = np.random.default_rng(seed)
    null = np.array([_gap(whole, rng.permutation(label)) for _ in range(draws)]) if np.isfinite(gap) else np.array([])
    summary = (float(null.mean()), float(np.quantile(null, 0.95))) if len(null) else (NAN, NAN)
    return Agreement(
        matrix=whole,
        blocks=blocks,
        gap=gap,
        gap_null=summary,
        gap_p=two_sided(gap, null),
        same_seed=_same_seed(pool, whole, left),
    )


def _same_seed(pool: Pool, whole: np.ndarray, left: np.ndarray) -> Estimate | None:
    """Runs of one seed begin alike and see trials in the same order, so they may err alike, whatever their group."""
    seed, label = np.array([run.result.get("seed") for run in pool.runs]), pool.labels
    across = np.triu(np.ones_like(whole, dtype=bool), 1) & (label[:, None] != label[None])
    same = across & (seed[:, None] == seed[None])
    if not same.any() or not (across & ~same).any():
        return None
    over = left[:, same].mean(axis=1) - left[:, across & ~same].mean(axis=1)
    value = float(whole[same].mean() - whole[across & ~same].mean())
    return Estimate.of(value, [(jackknife_error(over), len(over) - 1)])


def _gap(kappa: np.ndarray, label: np.ndarray) -> float:
    pairs = np.triu(np.ones_like(kappa, dtype=bool), 1)
    same = label[:, None] == label[None]
    if not (pairs & same).any() or not (pairs & ~same).any():
        return NAN
    return float(kappa[pairs & same].mean() - kappa[pairs & ~same].mean())


def add_aligned(pool: Pool) -> Estimate | None:
    """The gain of adding every run with a strategy to the base at once; None where there is none."""
    aligned = {name: len(own) for name, own in pool.groups.items() if name not in pool.plain}
    if not aligned or not pool.plain:
        return None
    base = {pool.base: len(pool.groups[pool.base])}
    return compare(pool.votes["test"], Blend(pool.groups, base), Blend(pool.groups, base | aligned))


def mixing(pool: Pool) -> dict[str, tuple[Estimate, Estimate]]:
    """Each other group mixed into the base: the gain of adding it whole, and of replacing half of the base by it."""
    votes, base, found = pool.votes["test"], pool.base, {}
    for name, own in pool.groups.items():
        if name == base:
            continue
        n = len(pool.groups[base])
        half = min(n // 2, len(own))
        plain = Blend(pool.groups, {base: n})
        added = compare(votes, plain, Blend(pool.groups, {base: n, name: len(own)}))
        if half:
            found[name] = added, compare(votes, plain, Blend(pool.groups, {base: n - half, name: half}))
    return found


def bars(pool: Pool, *, members: int) -> Bars:
    """Votes of half and all of ``members`` at two lengths of training, their differences, and what is missing.

    Of each pair of neighbouring lengths of the largest family without a strategy; more runs than are needed are
    averaged over subsets. Of several pairs the one with most bars has the roles, the shortest of equals.
    """
    family = pool.families[pool.base]
    names = sorted((n for n in pool.groups if pool.families[n] == family), key=lambda n: pool.lengths[n])
    if len(names) < 2:
        return Bars([], {}, [], {})
    half, made, differences, missing = members // 2, {}, {}, []
    roles: dict[str, str] = {}
    for short, long in pairwise(names):
        e, f = pool.lengths[short], pool.lengths[long]
        plan = {
            f"{half} x {e}": {short: half},
            f"{members} x {e}": {short: members},
            f"{half} x {f}": {long: half},
            f"{half} x {e} + {half} x {f}": {short: half, long: half},
            f"{members} x {f}": {long: members},
        }
        for label, take in plan.items():
            lacks = {pool.lengths[n]: count - len(pool.groups[n]) for n, count in take.items()}
            needs = [f"{lack} more runs of {epochs} epochs" for epochs, lack in lacks.items() if lack > 0]
            if needs:
                missing.append(f"{label} needs {' and '.join(needs)}")
            elif label not in made:
                blend = Blend(pool.groups, take)
                accuracy = pool.votes["test"].over_people(blend.hits(pool.votes["test"]))
                cost = sum(count * pool.lengths[name] for name, count in take.items())
                made[label] = Bar(label=label, cost=cost, accuracy=accuracy, blend=blend)
        here = {role: f"bar[{label}]" for role, label in zip(ROLES, plan) if label in made}
        a, b, c, d, whole = plan
        for says, first, second in (
            ("longer members", a, c),
            ("more members", a, b),
            ("mixing in place of more", b, d),
            ("mixing in place of longer", whole, d),
            ("all longer", b, whole),
        ):
            if first in made and second in made:
                key = f"{says}: {second} minus {first}"
                differences[key] = compare(pool.votes["test"], made[first].blend, made[second].blend)
                here[says] = f"difference[{key}]"
        roles = here if len(here) > len(roles) else roles
    return Bars(list(made.values()), differences, missing, roles)
