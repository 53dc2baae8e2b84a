"""Votes of several decoders: the mean of their probabilities, and what it is worth on people who were not tested."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from measures.base import NAN

CHUNK = 100  # votes at once: 100 of them over FACED's 1932 test trials take 7 MB


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: the number.
        low: lower end.
        high: upper end.
        error: standard error.
        p: two-sided p against 0.
        n: what the interval is over.
    """

    value: float
    low: float
    high: float
    error: float
    p: float
    n: int

    @classmethod
    def of(cls, value: float, errors: Sequence[tuple[float, int]]) -> "Estimate":
        """From independent standard errors and their degrees of freedom (Welch-Satterthwaite)."""
        from scipy import stats

        variances = [error**2 for error, freedom in errors if freedom > 0]
        total = sum(variances)
        n = min(freedom for _, freedom in errors) + 1
        if not total > 0:
            return cls(value=value, low=NAN, high=NAN, error=0.0, p=1.0 if value == 0 else NAN, n=n)
        df = total**2 / sum(v**2 / freedom for v, (_, freedom) in zip(variances, (e for e in errors if e[1] > 0)))
        error = math.sqrt(total)
        half = float(stats.t.ppf(0.975, df)) * error
        p = float(2 * stats.t.sf(abs(value) / error, df))
        return cls(value=value, low=value - half, high=value + half, error=error, p=p, n=n)


@dataclass(frozen=True)
class Members:
    """R decoders on the same n trials.

    Attributes:
        probabilities: (R, n, K).
        y: (n,) class ids.
        subject: (n,) person ids.
    """

    probabilities: np.ndarray
    y: np.ndarray
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
        """Order of the trials by person and class, where each cell begins, which cell it is, and the table's shape."""
        people, person = np.unique(self.subject, return_inverse=True)
        classes = self.probabilities.shape[2]
        cell = person * classes + self.y
        order = np.argsort(cell, kind="stable")
        ids, starts = np.unique(cell[order], return_index=True)
        return order, starts, ids, (len(people), classes)

    @cached_property
    def support(self) -> np.ndarray:
        """(P, K) trials of each person and class."""
        return self._table(np.ones((1, len(self.y))))[0]

    def _table(self, correct: np.ndarray) -> np.ndarray:
        """(T, P, K) sums of (T, n) over the trials of each person and class."""
        order, starts, ids, shape = self._cells
        table = np.zeros((len(correct), shape[0] * shape[1]))
        table[:, ids] = np.add.reduceat(correct[:, order].astype(np.float64), starts, axis=1)
        return table.reshape(-1, *shape)

    def hits(self, sets: np.ndarray) -> np.ndarray:
        """(T, P, K) correct trials of the votes of T sets of members, given as (T, R) of 0 and 1.

        The vote is the largest mean probability; a tie goes to the lower class id.
        """
        flat, found = self.probabilities.reshape(len(self), -1), []
        for part in np.array_split(sets, max(1, math.ceil(len(sets) / CHUNK))):
            summed = (part.astype(flat.dtype) @ flat).reshape(len(part), *self.probabilities.shape[1:])
            found.append(self._table(summed.argmax(axis=2) == self.y))
        return np.concatenate(found)

    def accuracy(self, hits: np.ndarray) -> np.ndarray:
        """Balanced accuracy of tables (..., P, K): mean over classes of the share of correct trials."""
        return balanced(hits, self.support)

    def called(self, member: int) -> np.ndarray:
        """(n,) what one member calls the trials."""
        return self.probabilities[member].argmax(axis=1)

    def over_people(self, hits: np.ndarray) -> Estimate:
        """Accuracy of a table, or difference of two that were subtracted, with its interval for new people."""
        return Estimate.of(float(self.accuracy(hits)), [people_error(hits, self.support)])


def balanced(hits: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Balanced accuracy of hits (..., P, K) out of support (P, K); classes without a trial are left out."""
    trials = support.sum(axis=0)
    return (hits.sum(axis=-2)[..., trials > 0] / trials[trials > 0]).mean(axis=-1)


def people_error(hits: np.ndarray, support: np.ndarray) -> tuple[float, int]:
    """Standard error of the balanced accuracy over people, one left out at a time, and its degrees of freedom.

    The bootstrap over people gives the same without the factor that 23 people need; the t interval has it.
    """
    n = len(support)
    trials, right = support.sum(axis=0) - support, hits.sum(axis=0) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = np.nanmean(np.where(trials > 0, right / trials, np.nan), axis=1)
    return jackknife_error(left_out), n - 1


def jackknife_error(left_out: np.ndarray) -> float:
    """Standard error from the values with one unit left out at a time."""
    n = len(left_out)
    return math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum()))


def subsets(
    groups: Mapping[str, Sequence[int]], take: Mapping[str, int], *, size: int, most: int, seed: int = 0
) -> np.ndarray:
    """(T, size) rows of 0 and 1: every way to take so many members of each group, or ``most`` random ones.

    Args:
        groups: name to members.
        take: name to how many of them.
        size: R.
        most: rows at most.
        seed: of the random ones.
    """
    ways = math.prod(math.comb(len(groups[name]), count) for name, count in take.items())
    if ways <= most:
        parts = [itertools.combinations(groups[name], count) for name, count in take.items()]
        chosen = [list(itertools.chain(*choice)) for choice in itertools.product(*parts)]
    else:
        rng = np.random.default_rng(seed)
        draw = [(np.asarray(groups[name]), count) for name, count in take.items()]
        chosen = [
            np.concatenate([rng.choice(pool, count, replace=False) for pool, count in draw]).tolist()
            for _ in range(most)
        ]
    rows = np.zeros((len(chosen), size))
    for row, members in zip(rows, chosen):
        row[members] = 1
    return rows


@dataclass(frozen=True)
class Blend:
    """So many members out of each of some groups: a way to make a vote, of which the members at hand are examples.

    Attributes:
        groups: name to members.
        take: name to how many.
        most: subsets that are averaged where there are more members than are taken.
    """

    groups: Mapping[str, Sequence[int]]
    take: Mapping[str, int]
    most: int = 60

    @property
    def members(self) -> int:
        return sum(self.take.values())

    def hits(self, votes: Members, *, without: int | None = None) -> np.ndarray:
        """(P, K) correct trials, mean over the subsets; with one member left out everywhere."""
        groups = {name: [m for m in self.groups[name] if m != without] for name in self.take}
        take = {name: min(count, len(groups[name])) for name, count in self.take.items()}
        sets = subsets(groups, take, size=len(votes), most=self.most)
        return votes.hits(sets).mean(axis=0)


def compare(votes: Members, first: Blend, second: Blend) -> Estimate:
    """Accuracy of the second blend minus the first, for new people and new members of the same kinds.

    People are left out one at a time, and members one at a time inside each group; both parts of the variance add up.
    What a member does to the people at hand by chance is in both, and is taken out of the members' part.
    """
    difference = second.hits(votes) - first.hits(votes)
    errors = [people_error(difference, votes.support)]
    pools = {name: blend.groups[name] for blend in (first, second) for name in blend.take}
    for members in pools.values():
        if len(members) > 1:
            left_out = np.array([second.hits(votes, without=k) - first.hits(votes, without=k) for k in members])
            errors.append((_members_error(left_out, votes.support), len(members) - 1))
    return Estimate.of(float(votes.accuracy(difference)), errors)


def _members_error(left_out: np.ndarray, support: np.ndarray) -> float:
    """Standard error over members of (n, P, K) hits with one left out at a time, less what is chance of the people."""
    n, about = len(left_out), left_out - left_out.mean(axis=0)
    chance = sum(people_error(table, support)[0] ** 2 for table in about)
    return math.sqrt(max(0.0, (n - 1) / n * (float((balanced(about, support) ** 2).sum()) - chance)))


def contributions(votes: Members) -> np.ndarray:
    """(R, P, K) correct trials of the vote of all minus those of the vote without each member."""
    n = len(votes)
    return votes.hits(np.ones((1, n))) - votes.hits(np.ones((n, n)) - np.eye(n))


def kappas(votes: Members) -> tuple[np.ndarray, np.ndarray]:
    """Cohen's kappa of all pairs of members: (R, R), and (P, R, R) with one person left out at a time."""
    called = np.stack([votes.called(m) for m in range(len(votes))])
    _, person = np.unique(votes.subject, return_inverse=True)
    k, people = votes.probabilities.shape[2], int(person.max()) + 1
    whole, left = np.eye(len(votes)), np.tile(np.eye(len(votes)), (people, 1, 1))
    for a, b in itertools.combinations(range(len(votes)), 2):
        cell = person * k * k + called[a] * k + called[b]
        table = np.bincount(cell, minlength=people * k * k).reshape(people, k, k)
        total = table.sum(axis=0)
        whole[a, b] = whole[b, a] = _kappa(total[None])[0]
        left[:, a, b] = left[:, b, a] = _kappa(total - table)
    return whole, left


def _kappa(tables: np.ndarray) -> np.ndarray:
    """Kappa of each (K, K) table; NaN where both call one class only."""
    n = tables.sum(axis=(1, 2))
    agree = np.trace(tables, axis1=1, axis2=2) / n
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    return np.where(chance < 1, (agree - chance) / np.where(chance < 1, 1 - chance, 1), NAN)
