"""What the removal of a direction costs, beside what the removal of random ones costs: one run, and many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.ablated import ACTIONS, Answers
from measures.alignment import present, residual_components
from measures.directions import candidates, isotropic, variance_matched
from measures.paired import paired
from measures.people import crossed

NULLS = {
    "isotropic": "random, same norm (the paper's)",
    "variance": "random, same variance",
    "permuted": "of permuted axis positions",
}


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The directions of one run, stacked, so that a decoder is asked about all of them at once.

    Attributes:
        rows: (m, D) unit directions, each different one once.
        own: row of each named direction.
        nulls: by name and kind of null, the rows (draws,) of its random directions.
        variance: by name, the variance of features along it as a share of the mean over directions (1 = nothing
            special).
        cosine: by name and kind, mean |cosine| of its random directions with it.
    """

    rows: np.ndarray
    own: dict[str, int]
    nulls: dict[str, dict[str, np.ndarray]]
    variance: dict[str, float]
    cosine: dict[str, dict[str, float]]

    @classmethod
    def draw(
        cls, *, h: np.ndarray, features: np.ndarray, v: np.ndarray, class_of: np.ndarray, draws: int, seed: int
    ) -> "Directions":
        """From the validation people alone, so that the test people judge directions that know nothing of them.

        Args:
            h: (n, D) features of validation trials.
            features: (S, D) mean of each stimulus.
            v: (S,) axis positions.
            class_of: (S,) classes.
            draws: random directions of each kind.
            seed: of the random directions; the permutations are the same in all runs, as positions are.
        """
        found, covariance = candidates(features, v, class_of, draws=draws), np.cov(h.T)
        everywhere = isotropic(h.shape[1], draws=draws, seed=seed)
        drawn: dict[str, dict[str, np.ndarray]] = {}
        for number, (name, rows) in enumerate(found.items()):
            # The residual direction lies among the residuals; random ones of its variance must, too.
            within = covariance if name != "residual" else _among_residuals(covariance, features, class_of)
            like = variance_matched(rows[0], within, draws=draws, seed=seed + 1 + number)
            drawn[name] = {"isotropic": everywhere, "variance": like}
            if len(rows) > 1:
                drawn[name]["permuted"] = rows[1:]
        stack = [rows[0][None] for rows in found.values()] + [
            rows for kinds in drawn.values() for rows in kinds.values()
        ]
        unique, place = np.unique(np.vstack(stack), axis=0, return_inverse=True)
        ends = np.cumsum([len(rows) for rows in stack])
        parts = iter(np.split(place.reshape(-1), ends[:-1]))
        own = {name: int(next(parts)[0]) for name in found}
        mean = np.trace(covariance) / len(covariance)
        return cls(
            rows=unique,
            own=own,
            nulls={name: {kind: next(parts) for kind in kinds} for name, kinds in drawn.items()},
            variance={name: float(rows[0] @ covariance @ rows[0] / mean) for name, rows in found.items()},
            cosine={
                name: {kind: float(np.abs(rows @ found[name][0]).mean()) for kind, rows in kinds.items()}
                for name, kinds in drawn.items()
            },
        )


def _among_residuals(covariance: np.ndarray, features: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """The covariance (D, D) restricted to the span of what class means leave over."""
    _, components = residual_components(*present(features, class_of))
    span = components.T @ components
    return span @ covariance @ span


@dataclass(frozen=True, kw_only=True)
class RunEffects:
    """Balanced accuracy that one run loses.

    Attributes:
        run: its folder.
        people: (P,) ids of the test people.
        accuracy: before, mean over people.
        lost: by direction and action, (P,) lost by each person; positive where the change hurts.
        nulls: by direction and action and kind of null, (draws,) lost on average.
        directions: what was removed.
    """

    run: str
    people: np.ndarray
    accuracy: float
    lost: dict[tuple[str, str], np.ndarray]
    nulls: dict[tuple[str, str], dict[str, np.ndarray]]
    directions: Directions

    @classmethod
    def of(cls, run: str, answers: Answers, directions: Directions) -> "RunEffects":
        """From the answers to all directions."""
        people, plain, changed = answers.by_person()
        lost, nulls = {}, {}
        for action in ACTIONS:
            by_person = plain[:, None] - changed[action]
            mean = by_person.mean(axis=0)
            for name, row in directions.own.items():
                lost[name, action] = by_person[:, row]
                nulls[name, action] = {kind: mean[rows] for kind, rows in directions.nulls[name].items()}
        return cls(
            run=run, people=people, accuracy=float(plain.mean()), lost=lost, nulls=nulls, directions=directions
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Against:
    """A loss of accuracy beside those of random directions.

    Attributes:
        mean: of the random directions.
        high: their 95th percentile.
        z: (value - mean) / standard deviation; NaN where all random directions cost the same.
        p: (1 + random directions that cost at least as much) / (1 + their number).
        draws: their number.
    """

    mean: float
    high: float
    z: float
    p: float
    draws: int

    @classmethod
    def of(cls, lost: float, null: np.ndarray) -> "Against":
        """Beside the null (draws,)."""
        sd = float(null.std(ddof=1))
        return cls(
            mean=float(null.mean()),
            high=float(np.quantile(null, 0.95)),
            z=(lost - float(null.mean())) / sd if sd > 1e-12 else float("nan"),
            p=float((1 + (null >= lost - 1e-12).sum()) / (1 + len(null))),
            draws=len(null),
        )


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One direction and action over all runs.

    Attributes:
        lost: mean over runs and people.
        interval: 95 % for people who were not tested; and, from two runs on, for other seeds as well.
        against: by kind of null.
        z: by kind of null, the mean over runs of each run's own z, as the paper reports it.
        significant: by kind of null, runs with p below .05 of their own.
    """

    lost: float
    interval: tuple[float, float]
    against: dict[str, Against]
    z: dict[str, float]
    significant: dict[str, int]


def pooled(runs: Sequence[RunEffects]) -> dict[tuple[str, str], Effect]:
    """Every direction that all runs have, over runs.

    Raises:
        ValueError: the runs have different test people, so no interval holds for all of them.
    """
    first = runs[0]
    for run in runs[1:]:
        if not np.array_equal(run.people, first.people):
            raise ValueError(f"{run.run} and {first.run} have different test people; name runs of one data set alone")
    shared = [key for key in first.lost if all(key in run.lost for run in runs)]
    return {key: _effect([run.lost[key] for run in runs], [run.nulls[key] for run in runs]) for key in shared}


def _effect(lost: Sequence[np.ndarray], nulls: Sequence[Mapping[str, np.ndarray]]) -> Effect:
    table = np.stack(lost)
    # Draw i of every run together: the permutation is the same in all of them, and random directions are any.
    together = {kind: np.mean([null[kind] for null in nulls], axis=0) for kind in nulls[0]}
    alone = {
        kind: [Against.of(float(row.mean()), null[kind]) for row, null in zip(table, nulls)] for kind in together
    }  # fmt: skip
    return Effect(
        lost=float(table.mean()),
        interval=interval(table),
        against={kind: Against.of(float(table.mean()), null) for kind, null in together.items()},
        z={kind: float(np.mean([each.z for each in found])) for kind, found in alone.items()},
        significant={kind: sum(each.p < 0.05 for each in found) for kind, found in alone.items()},
    )


def interval(table: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of a table (runs, people); NaN for a single person."""
    if table.shape[1] < 2:
        return float("nan"), float("nan")
    if len(table) > 1:
        found = crossed(table)
        return found.low, found.high
    alone = paired(np.zeros(table.shape[1]).tolist(), table[0].tolist())
    return alone.low, alone.high
