"""SEED-V from the Hugging Face repository braindecode/seed-v, as far as its files say which clip a window is of.

Nothing about its electrodes, tables or class numbers is published, so everything is derived from what is there, and
refused where it does not add up. A trial is the stretch of the published table that its first sample lies in; where
samples count from somewhere else, fifteen runs of windows a session are the fifteen clips in their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from datamodules import hub
from datamodules.cohort import Cohort, Person, named
from datamodules.cutting import Cut
from datamodules.downloads import HUB_SEEDV, downloaded
from eeg.bands import SEEDV_BANDS
from eeg.batch import Features
from eeg.montage import SEEDV_CHANNELS, canonical
from vaxis.emotions import SEEDV

Mirror = Literal["hub"]
Table = tuple[np.ndarray, np.ndarray]  # start and end of the clips, (3, 15) seconds each
CLIPS = 15
ENTROPY_SECONDS = 4  # windows of the shipped differential entropy
SLACK = 1.5  # seconds that a window may begin before its clip, and end after it: rounding of the uploaders' events
OTHER_NUMBERS = "classes have other numbers there ({}); they are those of the clips here"
FETCH = "complete it with: python -m datamodules fetch seedv DIR"


@dataclass(frozen=True, kw_only=True)
class SeedvMirror:
    """An opened copy.

    Attributes:
        root: its folder.
        cohort: people, electrodes and clips as its files have them.
    """

    root: Path
    cohort: Cohort

    @property
    def differences(self) -> tuple[str, ...]:
        """What a reader of the official files must know of these trials, a sentence each."""
        return tuple(_differences(self))


def folder_of(root: str | None, mirror: Mirror | None) -> str:
    """Where the files are: as given, or where huggingface_hub keeps the repository.

    Raises:
        ValueError: not given, and not on the hub.
    """
    if root is None and mirror != "hub":
        raise ValueError("SEEDV needs --data.root DIR, or --data.mirror hub to fetch its public copy")
    return root or str(HUB_SEEDV.folder)


def open_mirror(
    root: Path, *, asked: Mirror | None, subjects: tuple[str, ...], features: Features, seconds: int, table: Table
) -> SeedvMirror | None:
    """Read what the files say of people, clips and electrodes; None where root is the official release.

    Args:
        root: folder.
        asked: ``--data.mirror``.
        subjects: those wanted.
        features: raw or de.
        seconds: length of a trial.
        table: start and end of the clips.

    Raises:
        ValueError: the files do not say which clip a window is of, or are damaged.
    """
    if asked and root == HUB_SEEDV.folder:
        downloaded(HUB_SEEDV)
    if not hub.is_repository(root):
        if asked:
            raise ValueError(f"--data.mirror {asked}, but --data.root {root} is no copy of {HUB_SEEDV.name}; {FETCH}")
        return None
    cut = Cut(seconds=seconds, last=None, features=features, bands=SEEDV_BANDS, entropy_seconds=ENTROPY_SECONDS)
    return SeedvMirror(root=root, cohort=_cohort(root, subjects=subjects, cut=cut, table=table))


def described(root: Path) -> list[str]:
    """What a copy holds, of everyone who is there."""
    from datamodules.seedv import OFFICIAL

    cut = Cut(seconds=1, last=None, features="raw", bands=SEEDV_BANDS)
    mirror = SeedvMirror(root=root, cohort=_cohort(root, subjects=None, cut=cut, table=OFFICIAL))
    trials = len(mirror.cohort.trials(SEEDV.class_of))
    return [f"{len(mirror.cohort.people)} people, {trials} pieces of 1 s", *mirror.differences]


def _cohort(root: Path, *, subjects: tuple[str, ...] | None, cut: Cut, table: Table) -> Cohort:
    files: dict[str, list[Path]] = {}
    for recording in sorted(hub.Repository(root=root).recordings, key=_session):
        files.setdefault(_subject(recording), []).append(recording.table_file)
    subjects = subjects or tuple(sorted(files, key=int))
    reopen = partial(open_person, table=table)
    wanted = {name: reopen(tuple(files[name])) for name in subjects if name in files}
    people = named(wanted, subjects, known=list(files), fix=f"{root}; {FETCH}")
    for person in people:
        if person.channels != people[0].channels:
            raise ValueError(f"{person.sources[0]} has other electrodes than {people[0].sources[0]}; fetch it again")
    channels = tuple(name for name in people[0].channels if name in SEEDV_CHANNELS)
    if not channels:
        raise ValueError(
            f"{root}: none of its channels ({', '.join(people[0].channels[:8])}) is an electrode of SEED-V"
        )
    parameters: dict[str, object] = {"mirror": "hub", "table": np.array(table, dtype=float).tolist()}
    return Cohort(people=people, channels=channels, cut=cut, reopen=reopen, parameters=parameters)


def open_person(files: tuple[Path, ...], *, table: Table) -> Person:
    """A person with its sessions.

    Raises:
        ValueError: a clip twice or unknown, or targets that do not go with the classes of the clips.
    """
    recordings = hub.recordings_of(files)
    clips = [_clips(recording, table) for recording in recordings]
    ids = [clip for found in clips for clip, _ in found]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{recordings[0].table_file}: a clip occurs twice among the person's sessions; fetch it again")
    person = hub.person(
        _subject(recordings[0]), recordings, clips, channels=tuple(canonical(c) for c in recordings[0].channels)
    )
    return _with_classes_checked(person, recordings, clips)


def _with_classes_checked(
    person: hub.HubPerson, recordings: tuple[hub.HubRecording, ...], clips: list[list[tuple[int, int]]]
) -> Person:
    """Every target must stand for one class; where the numbers are not ours, a note says so."""
    pairs = {
        (int(target), SEEDV.class_of[clip])
        for recording, found in zip(recordings, clips)
        for block, (clip, _) in zip(recording.blocks, found)
        for target in recording.column("target")[block.rows]
    }
    targets, classes = [target for target, _ in pairs], [k for _, k in pairs]
    if len(set(targets)) < len(pairs) or len(set(classes)) < len(pairs):
        raise ValueError(
            f"{recordings[0].table_file}: targets do not go with the classes of the clips that their times name "
            f"(target and class: {sorted(pairs)}); this copy cannot be read"
        )
    if all(target == k for target, k in pairs):
        return person
    numbers = ", ".join(f"{target} is {SEEDV.classes[k]}" for target, k in sorted(pairs))
    return replace(person, notes=(*person.notes, OTHER_NUMBERS.format(numbers)))


def _clips(recording: hub.HubRecording, table: Table) -> list[tuple[int, int]]:
    """Clip id and session of each run of windows."""
    session, rate = _session(recording), recording.sampling_rate
    starts, ends = table[0][session - 1], table[1][session - 1]
    first = np.array([block.start for block in recording.blocks]) / rate
    length = np.array([len(block.table) for block in recording.blocks]) * recording.array.shape[2] / rate
    inside = (first[:, None] >= starts - SLACK) & (first[:, None] + length[:, None] <= ends + SLACK)
    if inside.any(axis=1).all():
        return [(CLIPS * (session - 1) + int(row.argmax()), session) for row in inside]
    if len(first) == CLIPS:
        return [(CLIPS * (session - 1) + i, session) for i in range(CLIPS)]
    raise ValueError(
        f"{recording.table_file}: {len(first)} runs of windows, not at the times of session {session} and not "
        f"{CLIPS}; which clips they are of cannot be told"
    )


def _subject(recording: hub.HubRecording) -> str:
    label = str(recording.description.get("subject"))
    if not label.isdigit():
        raise ValueError(f"{recording.folder}: description.subject is {label!r}, not a number; is it SEED-V?")
    return str(int(label))


def _session(recording: hub.HubRecording) -> int:
    label = str(recording.description.get("session"))
    if not label.isdigit() or not 1 <= int(label) <= 3:
        raise ValueError(f"{recording.folder}: description.session is {label!r}, not 1 to 3; is it SEED-V?")
    return int(label)


def _differences(mirror: SeedvMirror) -> Iterator[str]:
    cohort, cut = mirror.cohort, mirror.cohort.cut
    told = hub.Repository(root=mirror.root).processing
    yield f"these are not the official recordings but {HUB_SEEDV.name} of the Hugging Face Hub: {mirror.root}"
    if lost := [name for name in SEEDV_CHANNELS if name not in cohort.channels]:
        yield f"{len(cohort.channels)} electrodes of {len(SEEDV_CHANNELS)}, without {', '.join(lost)}"
    yield f"{cohort.sampling_rate:g} Hz; trials of {cut.seconds} s"
    yield from cohort.absent(SEEDV)
    yield f"filters and reference are the uploaders'; their own account: {told or 'none'}"
    if cut.features == "de":
        yield "differential entropy is not the shipped one: sharp band edges, windows of 4 s, no smoothing"
    yield from cohort.notes
