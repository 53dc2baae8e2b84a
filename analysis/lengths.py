"""Does a loss slow learning or lower where it ends? The difference at several training lengths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.arms import accuracies, arm, quietly_paired, same_seeds
from analysis.training import ending
from measures.outcome import Judged, judged
from measures.paired import Paired
from records.run import Run, check_comparable

Reading = Literal["ends lower", "ends higher", "learns slower", "learns faster", "no difference shown"]
Arms = tuple[Sequence[Run], Sequence[Run]]


@dataclass(frozen=True, kw_only=True)
class Length:
    """Both arms trained for one number of epochs.

    Attributes:
        epochs: the number.
        baseline: test balanced accuracy without the strategy, in seed order.
        treated: with it.
        paired: their difference.
        judged: what it says.
        still_rising: how many runs of each arm were still rising at their end.
    """

    epochs: int
    baseline: tuple[float, ...]
    treated: tuple[float, ...]
    paired: Paired
    judged: Judged
    still_rising: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """The difference by training length.

    Attributes:
        at: each length, shortest first.
        best: epochs at which each arm has its highest mean accuracy on validation people.
        own_best: difference of the arms, each at its own best length.
        judged: what that says.
        reading: ``ends`` where a difference is there at the own best lengths; ``learns`` where it is there at a
            shorter length alone.
    """

    at: tuple[Length, ...]
    best: tuple[int, int]
    own_best: Paired
    judged: Judged
    reading: Reading

    @property
    def settled(self) -> bool:
        """No arm has its best at the longest length with half of its runs still rising."""
        last = self.at[-1]
        half = len(last.baseline) / 2
        return not any(best == last.epochs and n >= half for best, n in zip(self.best, last.still_rising))


def lengths(given: Mapping[int, Arms], *, margin: float) -> Lengths:
    """Compare two arms at each length and each arm at its own best.

    Args:
        given: epochs to (runs without, runs with); all with the same seeds.
        margin: largest difference that is of no consequence.

    Raises:
        ValueError: fewer than two lengths, other seeds, a wrong number of epochs, or runs that are not comparable.
    """
    if len(given) < 2:
        raise ValueError(f"the difference by training length needs two lengths or more, got {sorted(given)}")
    ordered = {epochs: _arms(epochs, given[epochs]) for epochs in sorted(given)}
    first = next(iter(ordered.values()))[0]
    for epochs, arms in ordered.items():
        same_seeds(first, arms[0], names=(f"{min(ordered)} epochs", f"{epochs} epochs"))
    at = tuple(_length(epochs, arms, margin=margin) for epochs, arms in ordered.items())
    # Chosen on validation people: the better of several test scores would flatter both arms.
    best = tuple(max(ordered, key=lambda e: np.mean(accuracies(ordered[e][side], "val"))) for side in (0, 1))
    own = quietly_paired(accuracies(ordered[best[0]][0]), accuracies(ordered[best[1]][1]))
    found = judged(own, margin=margin)
    return Lengths(
        at=at, best=(best[0], best[1]), own_best=own, judged=found, reading=_reading(at, found, before=max(best))
    )


def _arms(epochs: int, arms: Arms) -> tuple[list[Run], list[Run]]:
    names = (f"baseline ({epochs} epochs)", f"treated ({epochs} epochs)")
    baseline, treated = arm(arms[0], name=names[0]), arm(arms[1], name=names[1])
    same_seeds(baseline, treated, names=names)
    check_comparable([*baseline, *treated])
    for run in baseline:
        if run.result["epochs"] != epochs:
            raise ValueError(f"{run.path} has {run.result['epochs']} epochs and was given as one of {epochs}")
    return baseline, treated


def _length(epochs: int, arms: tuple[list[Run], list[Run]], *, margin: float) -> Length:
    before, after = (accuracies(runs) for runs in arms)
    difference = quietly_paired(before, after)
    rising = [sum(ending(run).still_rising for run in runs) for runs in arms]
    return Length(
        epochs=epochs,
        baseline=before,
        treated=after,
        paired=difference,
        judged=judged(difference, margin=margin),
        still_rising=(rising[0], rising[1]),
    )


def _reading(at: Sequence[Length], own_best: Judged, *, before: int) -> Reading:
    ends: dict[str, Reading] = {"hurts": "ends lower", "helps": "ends higher"}
    if own_best.outcome in ends:
        return ends[own_best.outcome]
    shorter = [length.judged.outcome for length in at if length.epochs < before]
    if "hurts" in shorter:
        return "learns slower"
    return "learns faster" if "helps" in shorter else "no difference shown"
