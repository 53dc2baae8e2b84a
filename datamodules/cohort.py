"""People whose clips, electrodes and sampling rate are read from their files, and the store that follows from them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datamodules.cutting import Cut
from datamodules.folders import flag_without
from datamodules.store import Recipe, check_finite
from datamodules.trials import Trials
from eeg.batch import DataSpec
from vaxis.emotions import Taxonomy

if TYPE_CHECKING:
    from datamodules.base import EEGDataModule

# Mean of |x|. EEG amplifiers end below half a volt and EEG above a microvolt, so it tells volts from microvolts; the
# preprocessing script of FACED uses the same bound (doi 10.1038/s41597-023-02650-w).
LARGEST_VOLT = 1.0
MICRO = 1e6
IN_MICROVOLT = "signal is in microvolt although the file says volt; read as microvolt"


@dataclass(frozen=True, kw_only=True)
class Person(ABC):
    """What the files of one person hold, known without their signal.

    Attributes:
        name: as the data module calls the person.
        sources: every file that the numbers follow from.
        channels: electrodes in the order of the signal.
        sampling_rate: of the signal as ``signals`` gives it, Hz.
        clip: (n,) clip ids in play order.
        session: (n,) session of each.
        samples: (n,) length of each.
        notes: what a user should know of these files, in words that are the same for all people whom it is true of.
    """

    name: str
    sources: tuple[Path, ...]
    channels: tuple[str, ...]
    sampling_rate: float
    clip: np.ndarray
    session: np.ndarray
    samples: np.ndarray
    notes: tuple[str, ...] = ()

    @abstractmethod
    def signals(self) -> Iterator[np.ndarray]:
        """(C, samples) of one clip after the other, in microvolt."""


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The people of a data module and how their clips become trials.

    Attributes:
        people: in the order of the data module's subjects.
        channels: those that trials hold, in their order; every person has them.
        cut: see there.
        reopen: files of a person -> ``Person``; picklable, since it may run in another process.
        parameters: whatever else the numbers depend on, as JSON values.
    """

    people: tuple[Person, ...]
    channels: tuple[str, ...]
    cut: Cut
    reopen: Callable[[tuple[Path, ...]], Person]
    parameters: dict[str, object]

    @cached_property
    def sampling_rate(self) -> float:
        """Of the signals of everyone.

        Raises:
            ValueError: people differ; names two of them.
        """
        first = self.people[0]
        for person in self.people:
            if person.sampling_rate != first.sampling_rate:
                raise ValueError(
                    f"{person.sources[0]} has {person.sampling_rate:g} Hz and {first.sources[0]} "
                    f"{first.sampling_rate:g} Hz; leave one out with --data.exclude"
                )
        return first.sampling_rate

    @property
    def shape(self) -> tuple[int, int]:
        """Of one trial."""
        raw = self.cut.features == "raw"
        return len(self.channels), round(self.cut.seconds * self.sampling_rate) if raw else len(self.cut.bands)

    @cached_property
    def clips(self) -> np.ndarray:
        """(S',) clip ids that anyone has."""
        return np.unique(np.concatenate([person.clip for person in self.people]))

    @cached_property
    def notes(self) -> list[str]:
        """Each note once, with the people it is true of."""
        names: dict[str, list[str]] = {}
        for person in self.people:
            for note in person.notes:
                names.setdefault(note, []).append(person.name)
        return [f"{note} ({len(who)} of {len(self.people)}: {', '.join(who)})" for note, who in names.items()]

    def absent(self, taxonomy: Taxonomy) -> list[str]:
        """A sentence on clips that no one has, where there are any: they must stay missing and not be renumbered."""
        gone = [clip for clip in range(len(taxonomy.class_of)) if clip not in self.clips]
        present = {taxonomy.class_of[clip] for clip in self.clips.tolist()}
        if not gone:
            return []
        names = ", ".join(name for k, name in enumerate(taxonomy.classes) if k not in present)
        numbers = ", ".join(str(clip + 1) for clip in gone)
        return [
            f"no one has clips {numbers} (counted from 1){f', so no trial is of {names}' if names else ''}: "
            f"{len(present)} of {len(taxonomy.classes)} classes are present, chance is 1/{len(present)}, and the axis "
            "positions of these clips are unused"
        ]

    def trials(self, class_of: tuple[int, ...]) -> Trials:
        """The table: pieces in the order of play.

        Raises:
            ValueError: a person has no whole piece of any clip.
        """
        counts = [self.cut.counts(person.samples, sampling_rate=self.sampling_rate) for person in self.people]
        for person, n in zip(self.people, counts):
            if not n.sum():
                raise ValueError(
                    f"{person.sources[0]}: no clip is {self.cut.seconds} s long; shorten --data.window_seconds"
                )
        clips = [np.repeat(person.clip, n) for person, n in zip(self.people, counts)]
        table = Trials.of_clips(clips, subjects=tuple(p.name for p in self.people), class_of=class_of)
        sessions = [np.repeat(person.session, n) for person, n in zip(self.people, counts)]
        return replace(table, session=np.concatenate(sessions))

    def described(self, data: "EEGDataModule") -> DataSpec:
        """The facts of a data module whose trials these are."""
        seconds = self.cut.seconds
        return data.describe(
            channels=self.channels,
            shape=self.shape,
            sampling_rate=self.sampling_rate if self.cut.features == "raw" else 1 / seconds,
            window_seconds=seconds,
        )

    def recipe(self, *, dataset: str, class_of: tuple[int, ...]) -> Recipe:
        """How to make the store."""
        read = partial(read_person, reopen=self.reopen, channels=self.channels, cut=self.cut)
        cut = {name: value for name, value in vars(self.cut).items() if name != "bands"}
        bands = {} if self.cut.features == "raw" else {name: list(edges) for name, edges in self.cut.bands.items()}
        return Recipe(
            dataset=dataset,
            trials=self.trials(class_of),
            shape=self.shape,
            sources=tuple(person.sources for person in self.people),
            read=read,
            parameters={**self.parameters, **cut, "bands": bands, "channels": self.channels},
        )


def read_person(
    files: tuple[Path, ...], *, reopen: Callable[[tuple[Path, ...]], Person], channels: tuple[str, ...], cut: Cut
) -> np.ndarray:
    """The trials of one person in the order of the table, (n, C, samples or F) float32."""
    person, parts = reopen(files), []
    rows = [person.channels.index(name) for name in channels]
    for number, signal in enumerate(person.signals(), start=1):
        check_finite(signal, source=f"{files[0]}, clip {number} in play order", axes={"channel": person.channels})
        parts.append(cut.trials(signal[rows], sampling_rate=person.sampling_rate))
    return np.concatenate(parts)


def scale_to_microvolt(values: np.ndarray) -> float:
    """What a signal that says it is in volt must be multiplied by: a million, or 1 where it is in microvolt.

    Args:
        values: a stretch of it.
    """
    return MICRO if np.abs(values).mean() < LARGEST_VOLT else 1.0


def named(
    people: Mapping[str, Person], subjects: Sequence[str], *, known: Sequence[str], fix: str
) -> tuple[Person, ...]:
    """The chosen people.

    Args:
        people: those of them that the files hold.
        subjects: names of all that are wanted.
        known: everyone whom the files hold, for the message.
        fix: what completes the files, for the message.

    Raises:
        FileNotFoundError: names those without a recording.
    """
    if missing := [name for name in subjects if name not in people]:
        there = [name for name in subjects if name in people]
        others = "choose others with --data.subjects"
        if there:
            others = f"train on the others: {flag_without(missing, there=there)}"
        raise FileNotFoundError(f"no recording of {_some(missing)} in {fix}, or {others} (there is {_some(known)})")
    return tuple(people[name] for name in subjects)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
