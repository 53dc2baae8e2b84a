"""Runs as members of votes: the same trials, grouped by recipe and strategy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.arms import strategy
from analysis.gather import group_names, recipe
from measures.votes import Members
from records.run import Run

IDS = ("index", "y", "subject", "stimulus")
SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Runs that vote together.

    Attributes:
        runs: R runs.
        groups: name to members: runs of one recipe and strategy.
        lengths: epochs of each group.
        families: recipe and strategy apart from the number of epochs, of each group.
        votes: split to the probabilities of all runs.
    """

    runs: list[Run]
    groups: dict[str, list[int]]
    lengths: dict[str, int]
    families: dict[str, str]
    votes: dict[str, Members]

    @property
    def base(self) -> str:
        """The group without a strategy that has most runs."""
        return max(self.plain or self.groups, key=lambda name: len(self.groups[name]))

    @property
    def labels(self) -> np.ndarray:
        """(R,) group of each run."""
        names = {member: name for name, own in self.groups.items() for member in own}
        return np.array([names[member] for member in range(len(self.runs))])

    def only(self, names: Sequence[str]) -> "Pool":
        """The runs of some groups."""
        kept = sorted(member for name in names for member in self.groups[name])
        place = {member: k for k, member in enumerate(kept)}
        return replace(
            self,
            runs=[self.runs[member] for member in kept],
            groups={name: [place[member] for member in self.groups[name]] for name in names},
            votes={s: Members(v.probabilities[kept], v.y, v.subject) for s, v in self.votes.items()},
        )

    @property
    def plain(self) -> list[str]:
        """Groups without a strategy."""
        return [name for name, own in self.groups.items() if self.runs[own[0]].loss == "none"]


def pool(runs: Sequence[Run]) -> Pool:
    """Group runs.

    Raises:
        ValueError: their trials differ, so that they cannot vote.
    """
    probabilities: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        first = runs[0].predictions(split)
        for run in runs:
            own = run.predictions(split)
            for field in IDS:
                if not np.array_equal(own[field], first[field]):
                    raise ValueError(
                        f"{run.path} and {runs[0].path} cannot vote together: their {split} trials differ ({field} in "
                        "predictions.npz); name runs of one split of the same data"
                    )
            if not np.isfinite(own["probabilities"]).all():
                raise ValueError(f"{run.path} has {split} probabilities that are not finite; leave that run out")
            probabilities[split].append(own["probabilities"])
        # Trials in the same places of two cohorts are other trials.
        if split == "test":
            _same_data(runs)
    ids = {split: runs[0].predictions(split) for split in SPLITS}
    groups: dict[str, list[int]] = {}
    for member, name in enumerate(group_names(runs)):
        groups.setdefault(name, []).append(member)
    return Pool(
        runs=list(runs),
        groups=groups,
        lengths={name: int(runs[own[0]].result["epochs"]) for name, own in groups.items()},
        families={name: _family(runs[own[0]]) for name, own in groups.items()},
        votes={s: Members(np.stack(probabilities[s]), ids[s]["y"], ids[s]["subject"]) for s in SPLITS},
    )


def _same_data(runs: Sequence[Run]) -> None:
    for run in runs:
        for field in ("dataset", "data"):
            if run.result[field] != runs[0].result[field]:
                raise ValueError(
                    f"{run.path} and {runs[0].path} cannot vote together: {field} is {run.result[field]!r} in one and "
                    f"{runs[0].result[field]!r} in the other; name runs of the same data"
                )


def _family(run: Run) -> str:
    settings = {key: value for key, value in recipe(run).items() if key != "epochs"}
    return str((sorted(settings.items()), strategy(run)))
