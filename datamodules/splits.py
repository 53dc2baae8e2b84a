"""Who trains, who validates, who tests: a partition is a function of the trial table that states what it keeps apart.

A data module lists its partitions in ``splits``; ``loso`` fits every one. Those that are published by subject go by
subject NAME (see ``numbers``), so that a subset of subjects keeps its roles.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datamodules.trials import Trials
from records.result import SEEN

Roles = dict[str, np.ndarray]
ROLES = ("train", "val", "test")
Apart = Literal["subject", "stimulus"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A named partition.

    Attributes:
        name: what ``--data.split`` takes.
        roles: trial table and fold -> a mask (n,) for each of ``train``, ``val`` and ``test``; where ``new_clips``, for
            ``test_seen`` too.
        apart: what no two roles share: ``subject`` (generalises to new people) or ``stimulus`` (to new clips). The
            contract test holds every split to it.
        folds: how many; None = one a subject.
        new_clips: no clip of the test is in training or validation. What is then lost against ``test_seen``, the same
            people on the other clips, was recognition of clips and not of emotions.
    """

    name: str
    roles: Callable[[Trials, int], Roles]
    apart: Apart
    folds: int | None
    new_clips: bool = False

    def count(self, trials: Trials) -> int:
        """How many folds these trials have."""
        return len(trials.subjects) if self.folds is None else self.folds

    def indices(self, trials: Trials, *, fold: int) -> dict[str, np.ndarray]:
        """Row numbers of each role: int64, disjoint and none of them empty.

        Raises:
            ValueError: no such fold, or a role without trials.
        """
        count = self.count(trials)
        if not 0 <= fold < count:
            raise ValueError(f"split {self.name} has {count} fold(s); --data.fold {fold} must lie in 0..{count - 1}")
        indices = {role: np.flatnonzero(mask) for role, mask in self.roles(trials, fold).items()}
        if empty := empty_roles(indices):
            raise ValueError(
                f"split {self.name} (fold {fold}) leaves no trials for {' and '.join(empty)} among the subjects "
                f"{', '.join(trials.subjects)}; add subjects of that role to --data.subjects, "
                "or take another --data.split"
            )
        return indices


def split(
    *, apart: Apart, folds: int | None = 1, new_clips: bool = False
) -> Callable[[Callable[[Trials, int], Roles]], Split]:
    """Make a function a ``Split`` of its own name.

    Args:
        apart: see ``Split``.
        folds: see ``Split``.
        new_clips: see ``Split``.
    """

    def named(roles: Callable[[Trials, int], Roles]) -> Split:
        return Split(name=roles.__name__, roles=roles, apart=apart, folds=folds, new_clips=new_clips)

    return named


def by_name(splits: tuple[Split, ...], name: str, *, dataset: str) -> Split:
    """The split of that name.

    Args:
        splits: those of a data module.
        name: as the user gave it.
        dataset: for the message.

    Raises:
        ValueError: it has none of that name; lists those it has.
    """
    found = next((one for one in splits if one.name == name), None)
    if found is None:
        raise ValueError(f"unknown split '{name}' for {dataset}; known: {', '.join(one.name for one in splits)}")
    return found


def only(indices: dict[str, np.ndarray], takes_part: np.ndarray, *, labels: str) -> dict[str, np.ndarray]:
    """The rows of each role that a choice of labels leaves.

    Raises:
        ValueError: a role without trials.
    """
    left = {role: rows[takes_part[rows]] for role, rows in indices.items()}
    if empty := empty_roles(left):
        raise ValueError(f"--data.labels {labels} leaves no trials for {' and '.join(empty)}; choose others")
    return left


def some_people(subject: np.ndarray, *, fraction: float, seed: int) -> np.ndarray:
    """Mask (n,) of the trials of a share of the people; all their clips, so every class stays.

    Args:
        subject: (n,) ids.
        fraction: of the people; smaller ones are parts of larger ones.
        seed: says who.
    """
    people = np.random.default_rng(seed).permutation(np.unique(subject))
    return np.isin(subject, people[: max(1, round(fraction * len(people)))])


def empty_roles(indices: dict[str, np.ndarray]) -> list[str]:
    """Roles that a run cannot do without and that have no trial."""
    return [role for role in (*ROLES, *(indices.keys() & {SEEN})) if not len(indices[role])]


def numbers(trials: Trials) -> np.ndarray:
    """(n,) number in the subject's name: sub023 -> 23."""
    return np.array([int(re.sub(r"\D", "", name)) for name in trials.subjects])[trials.subject]


def rank_in_class(trials: Trials) -> np.ndarray:
    """(n,) position of the trial's clip among the clips of its class, in catalogue order, from 0."""
    pairs = np.unique(np.column_stack([trials.y, trials.stimulus]), axis=0)
    first = np.searchsorted(pairs[:, 0], pairs[:, 0])
    rank = dict(zip(pairs[:, 1].tolist(), (np.arange(len(pairs)) - first).tolist()))
    return np.array([rank[clip] for clip in trials.stimulus.tolist()])


def rotate(groups: np.ndarray, fold: int, count: int) -> Roles:
    """Group ``fold`` tests, the next one validates, all others train.

    Args:
        groups: (n,) group of each trial, 0 to ``count`` - 1.
        fold: which one tests.
        count: how many there are, at least 3.
    """
    test, val = groups == fold, groups == (fold + 1) % count
    return {"train": ~(test | val), "val": val, "test": test}


@split(apart="subject", folds=None)
def loso(trials: Trials, fold: int) -> Roles:
    """Leave one subject out: subject ``fold`` (position in the subset) tests, the next validates, the others train."""
    return rotate(trials.subject, fold, len(trials.subjects))


def chosen_people(
    catalogue: tuple[str, ...], *, subjects: Sequence[str | int] | None, exclude: Sequence[str | int], dataset: str
) -> tuple[str, ...]:
    """The people to use, in the order of the catalogue.

    Args:
        catalogue: everyone the data set has.
        subjects: only these; None = all. YAML reads the names of SEED-V's people as numbers.
        exclude: not these.
        dataset: name for messages.

    Raises:
        ValueError: a name is not in the catalogue, or nobody is left.
    """
    if subjects is not None and not subjects:
        raise ValueError("--data.subjects names nobody; leave it out to use all of them")
    for name in map(str, (*(subjects or ()), *exclude)):
        if name not in catalogue:
            near = difflib.get_close_matches(name, catalogue, n=1) or [catalogue[0]]
            raise ValueError(f"{dataset} has no subject '{name}'; did you mean '{near[0]}'?")
    wanted = set(catalogue) if subjects is None else set(map(str, subjects))
    chosen = tuple(name for name in catalogue if name in wanted - set(map(str, exclude)))
    if not chosen:
        raise ValueError("--data.subjects and --data.exclude leave no subject")
    return chosen
