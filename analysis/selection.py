"""Which members should vote? Chosen on validation people, reported on test people, beside sets chosen at random."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from measures.clustered import two_sided
from measures.votes import Estimate, Members, people_error, subsets


@dataclass(frozen=True, kw_only=True)
class Selected:
    """A set of members beside random sets of its size.

    Attributes:
        members: which.
        val: accuracy of their vote on validation people, who chose.
        test: on test people.
        random_val: mean of random sets on validation people.
        random_test: mean on test people.
        random_95: 95th percentile of random sets on test people.
        p: two-sided p of ``test`` among random sets.
        z: (test - random_test) / standard deviation of random sets.
        optimism: how much more the choice gained on validation than on test people.
    """

    members: tuple[int, ...]
    val: float
    test: Estimate
    random_val: float
    random_test: float
    random_95: float
    p: float
    z: float
    optimism: Estimate


@dataclass(frozen=True)
class Judge:
    """Random sets of m members, against which every choice of m is held.

    Attributes:
        votes: ``val`` and ``test``.
        sets: (T, R) of 0 and 1.
        hits: split to (T, P, K).
    """

    votes: dict[str, Members]
    sets: np.ndarray
    hits: dict[str, np.ndarray]

    @classmethod
    def of(cls, votes: dict[str, Members], *, m: int, most: int = 400, seed: int = 0) -> "Judge":
        """All sets of m members, or ``most`` random ones."""
        n = len(votes["test"])
        sets = subsets({"all": range(n)}, {"all": m}, size=n, most=most, seed=seed)
        return cls(votes, sets, {split: members.hits(sets) for split, members in votes.items()})

    def __call__(self, members: tuple[int, ...]) -> Selected:
        row = np.zeros((1, len(self.votes["test"])))
        row[0, list(members)] = 1
        own = {split: votes.hits(row)[0] for split, votes in self.votes.items()}
        mean = {split: hits.mean(axis=0) for split, hits in self.hits.items()}
        score = {split: float(votes.accuracy(own[split])) for split, votes in self.votes.items()}
        null = self.votes["test"].accuracy(self.hits["test"])
        usual = {split: float(votes.accuracy(mean[split])) for split, votes in self.votes.items()}
        spread = float(null.std(ddof=1)) if len(null) > 1 else 0.0
        errors = [people_error(own[split] - mean[split], votes.support) for split, votes in self.votes.items()]
        gain = {split: score[split] - usual[split] for split in score}
        return Selected(
            members=tuple(members),
            val=score["val"],
            test=self.votes["test"].over_people(own["test"]),
            random_val=usual["val"],
            random_test=usual["test"],
            random_95=float(np.quantile(null, 0.95)),
            p=two_sided(score["test"], null),
            z=(score["test"] - usual["test"]) / spread if spread else float("nan"),
            optimism=Estimate.of(gain["val"] - gain["test"], errors),
        )


def highest(values: np.ndarray, m: int) -> tuple[int, ...]:
    """The m members with the largest values; ties go to the first."""
    return tuple(int(k) for k in np.argsort(-values, kind="stable")[:m])


def greedy(m: int, *, start: int, gain: Callable[[list[int], int], float], size: int) -> tuple[int, ...]:
    """Add the member with the largest gain until m are there; ties go to the first."""
    chosen = [start]
    while len(chosen) < m:
        rest = [k for k in range(size) if k not in chosen]
        chosen.append(max(rest, key=lambda k: gain(chosen, k)))
    return tuple(chosen)


def by_vote(votes: Members, m: int) -> tuple[int, ...]:
    """Greedy by the accuracy of the vote (Caruana et al. 2004, doi 10.1145/1015330.1015432), each member once."""
    n = len(votes)
    alone = votes.accuracy(votes.hits(np.eye(n)))

    def gain(chosen: list[int], k: int) -> float:
        row = np.zeros((1, n))
        row[0, [*chosen, k]] = 1
        return float(votes.accuracy(votes.hits(row))[0])

    return greedy(m, start=int(alone.argmax()), gain=gain, size=n)


def by_diversity(likeness: np.ndarray, accuracy: np.ndarray, m: int) -> tuple[int, ...]:
    """The most accurate member, then each time the one whose residual geometry is least like that of those chosen.

    Args:
        likeness: (R, R) of ``residual_likeness``.
        accuracy: (R,) on validation people.
        m: how many.
    """
    return greedy(
        m,
        start=int(accuracy.argmax()),
        gain=lambda chosen, k: -float(likeness[k, chosen].mean()),
        size=len(accuracy),
    )


def residual_likeness(features: list[np.ndarray], class_of: np.ndarray) -> np.ndarray:
    """(R, R) similarity of what decoders see of clips beyond their class, in [0, 1], whatever their width and rotation.

    Linear CKA (Kornblith et al. 2019, arXiv 1905.00414) of stimulus features without their class means.

    Args:
        features: (S, D) of each decoder on the same people; D may differ.
        class_of: (S,) class ids.
    """
    there = np.all([np.isfinite(f).all(axis=1) for f in features], axis=0)
    classes, grams = class_of[there], []
    for rows in features:
        rows = rows[there]
        beyond = rows - np.stack([rows[classes == k].mean(axis=0) for k in classes])
        gram = beyond @ beyond.T
        grams.append(gram.ravel() / max(float(np.linalg.norm(gram)), 1e-300))
    return np.array(grams) @ np.array(grams).T
