"""FACED from its two public mirrors: the Hugging Face repository braindecode/faced, and NEMAR nm000112 in BIDS.

Neither is the official Processed_data. Both are raw recordings whose clips are cut from their events, so what a trial
holds differs, and a run says how (``differences``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules import hub
from datamodules.bids_files import signal_files
from datamodules.bids_recording import Processing
from datamodules.cohort import Cohort, named
from datamodules.cutting import Cut
from datamodules.downloads import HUB_FACED, downloaded
from datamodules.faced_people import COLUMN, TASK, clip_rows, open_bids, open_hub_person, subject_name
from datamodules.faced_ratings import RATING_ITEMS
from eeg.bands import FACED_BANDS
from eeg.batch import Features
from eeg.montage import FACED_CHANNELS
from vaxis.emotions import FACED

Mirror = Literal["hub", "bids"]
ClipPart = Literal["last_30s", "all"]
LAST_SECONDS = 30
MASTOIDS = ("A2", "A1")
# The release: 0.05-47 Hz and the mean over all 32 rows subtracted, before it drops or reorders any.
BAND_PASS = (0.05, 47.0)
FETCH = "complete it with: python -m datamodules fetch faced --mirror {} DIR"


@dataclass(frozen=True, kw_only=True)
class FacedMirror:
    """An opened mirror.

    Attributes:
        kind: which one.
        root: its folder.
        cohort: people, electrodes and clips as its files have them.
    """

    kind: Mirror
    root: Path
    cohort: Cohort

    @property
    def ratings(self) -> np.ndarray:
        """(people, 28, 12) self-reports in catalogue order, NaN for clips that a person does not have."""
        table = np.full((len(self.cohort.people), len(FACED.class_of), len(RATING_ITEMS)), np.nan)
        for own, person in zip(table, self.cohort.people):
            for file, row in clip_rows(person):
                own[int(row[COLUMN]) - 1] = [_rating(row, item.capitalize(), file) for item in RATING_ITEMS]
        return table

    @property
    def differences(self) -> tuple[str, ...]:
        """What a reader of Processed_data must know of these trials, a sentence each."""
        return tuple(_differences(self))


def folder_of(root: str | None, mirror: Mirror | None) -> str:
    """Where the files are: as given, or where huggingface_hub keeps the repository.

    Raises:
        ValueError: not given, and not on the hub.
    """
    if root is None and mirror != "hub":
        raise ValueError("FACED needs --data.root DIR, or --data.mirror hub to fetch its public copy")
    return root or str(HUB_FACED.folder)


def recognise(root: Path, *, asked: Mirror | None) -> Mirror | None:
    """Which mirror a folder is a copy of; None is the official release, or no folder.

    Args:
        root: as the user gave it.
        asked: ``--data.mirror``.

    Raises:
        ValueError: it is not what was asked for.
    """
    found: Mirror | None = None
    if hub.is_repository(root):
        found = "hub"
    elif any(root.glob("sub-*/eeg/*_eeg.bdf")):
        found = "bids"
    if asked and asked != found:
        what = {"hub": "a copy of the hub's repository", "bids": "a copy of NEMAR nm000112", None: "of neither mirror"}
        if not root.is_dir():
            raise FileNotFoundError(f"--data.root {root} does not exist; {FETCH.format(asked)}")
        inner = next((child for child in sorted(root.iterdir()) if _is_mirror(child)), None)
        hint = f"; use --data.root {inner}" if inner else f"; {FETCH.format(asked)}"
        raise ValueError(f"--data.mirror {asked}, but --data.root {root} is {what[found]}{hint}")
    return found


def open_mirror(
    root: Path,
    *,
    asked: Mirror | None,
    subjects: tuple[str, ...],
    features: Features,
    seconds: int,
    part: ClipPart,
    scalp: bool,
    sampling_rate: int,
) -> FacedMirror | None:
    """Read what the files say of people, clips and electrodes; None where root is the official release.

    Args:
        root: folder of the mirror.
        asked: ``--data.mirror``.
        subjects: those wanted.
        features: raw or de.
        seconds: length of a trial.
        part: of each clip.
        scalp: leave the mastoids out.
        sampling_rate: wanted, Hz; the hub's files keep theirs.

    Raises:
        ValueError: something that these files cannot give, or a damaged one.
    """
    if asked == "hub" and root == HUB_FACED.folder:
        downloaded(HUB_FACED)
    kind = recognise(root, asked=asked)
    if kind is None and part == "all":
        raise ValueError("--data.clip_part all goes with a mirror; the official release ends clips at their last 30 s")
    if kind is None:
        return None
    if features == "psd":
        raise ValueError("--data.features psd is only in the official release; mirrors give raw or de")
    cut = _cut(features, seconds, part)
    return _open(root, kind, subjects=subjects, cut=cut, scalp=scalp, sampling_rate=sampling_rate)


def _cut(features: Features, seconds: int, part: ClipPart) -> Cut:
    last = LAST_SECONDS if part == "last_30s" else None
    return Cut(seconds=seconds, last=last, features=features, bands=FACED_BANDS)


def _open(root: Path, kind: Mirror, **options: Any) -> FacedMirror:
    return FacedMirror(kind=kind, root=root, cohort=(_hub if kind == "hub" else _bids)(root, **options))


def _hub(root: Path, *, subjects: tuple[str, ...] | None, cut: Cut, scalp: bool, sampling_rate: int) -> Cohort:
    recordings: dict[str, hub.HubRecording] = {}
    for recording in hub.Repository(root=root).recordings:
        name = subject_name(str(recording.description.get("subject")), recording.folder)
        if name in recordings:
            raise ValueError(f"{recording.folder} is of {name}, and so is {recordings[name].folder}; remove one")
        recordings[name] = recording
    subjects = subjects or tuple(sorted(recordings))
    wanted = {name: open_hub_person((recordings[name].table_file,)) for name in subjects if name in recordings}
    people = named(wanted, subjects, known=list(recordings), fix=f"{root}; {FETCH.format('hub')}")
    first = people[0]
    for person in people:
        if person.channels != first.channels:
            raise ValueError(f"{person.sources[0]} has other electrodes than {first.sources[0]}; fetch it again")
    channels = tuple(name for name in first.channels if not (scalp and name in MASTOIDS))
    if sampling_rate == 250 and first.sampling_rate != 250:
        raise ValueError(
            f"--data.sampling_rate 250: the files of {root} have {first.sampling_rate:g} Hz and are read as they are"
        )
    return Cohort(people=people, channels=channels, cut=cut, reopen=open_hub_person, parameters={"mirror": "hub"})


def _bids(root: Path, *, subjects: tuple[str, ...] | None, cut: Cut, scalp: bool, sampling_rate: int) -> Cohort:
    files = {subject_name(label, root): found for label, found in signal_files(root, task=TASK).items()}
    processing = Processing(sampling_rate=sampling_rate, band_pass=BAND_PASS, notch=None, average=True)
    reopen = partial(open_bids, processing=processing)
    subjects = subjects or tuple(sorted(files))
    wanted = {name: reopen(files[name]) for name in subjects if name in files}
    people = named(wanted, subjects, known=list(files), fix=f"{root}; {FETCH.format('bids')}")
    common = set.intersection(*(set(person.channels) for person in people))
    channels = tuple(name for name in FACED_CHANNELS if name in common and not (scalp and name in MASTOIDS))
    parameters: dict[str, object] = {"mirror": "bids", "sampling_rate": sampling_rate, "band_pass": BAND_PASS}
    return Cohort(people=people, channels=channels, cut=cut, reopen=reopen, parameters=parameters)


def _rating(row: dict[str, str], column: str, file: Path) -> float:
    try:
        return float(row[column])
    except (KeyError, ValueError):
        raise ValueError(
            f"{file}: {column} of clip {row[COLUMN]} is {row.get(column)!r}, not a rating; use --data.labels target"
        ) from None


def _is_mirror(folder: Path) -> bool:
    return folder.is_dir() and (hub.is_repository(folder) or any(folder.glob("sub-*/eeg/*_eeg.bdf")))


def described(root: Path) -> list[str]:
    """What a copy of either mirror holds, of everyone who is there: people, trials of each emotion, differences."""
    kind = recognise(root, asked=None)
    if kind is None:
        raise ValueError(f"{root} is of neither mirror; {FETCH.format('hub')}")
    mirror = _open(root, kind, subjects=None, cut=_cut("raw", 10, "all"), scalp=False, sampling_rate=200)
    trials = mirror.cohort.trials(FACED.class_of)
    classes = ", ".join(f"{name} {n}" for name, n in zip(FACED.classes, np.bincount(trials.y, minlength=9)))
    return [f"{len(mirror.cohort.people)} people, {len(trials)} pieces of 10 s: {classes}", *mirror.differences]


def _differences(mirror: FacedMirror) -> Iterator[str]:
    cohort, cut = mirror.cohort, mirror.cohort.cut
    source = {
        "hub": f"{HUB_FACED.name} of the Hugging Face Hub, windows that braindecode cut from the BIDS recordings",
        "bids": "NEMAR nm000112 in BIDS (doi 10.82901/nemar.nm000112), minimally processed here",
    }
    yield f"these are not Processed_data but {source[mirror.kind]}: {mirror.root}"
    if lost := [name for name in FACED_CHANNELS if name not in cohort.channels]:
        yield f"{len(cohort.channels)} electrodes of 32, without {', '.join(lost)}"
    yield f"{cohort.sampling_rate:g} Hz; trials of {cut.seconds} s"
    yield from cohort.absent(FACED)
    counts = np.concatenate([cut.counts(p.samples, sampling_rate=cohort.sampling_rate) for p in cohort.people])
    part = "the last 30 s" if cut.last else "all whole pieces from the start"
    number = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.min()}"
    yield f"{number} trials a person and clip: {part} of each clip" + (
        ""
        if mirror.kind == "bids"
        else "; its windows start with the clip and drop what is left over, so they end up to 10 s before it does"
    )
    if mirror.kind == "bids":
        yield (
            "0.05-47 Hz by zero-phase FIR with margins around the clip, average reference over all 32 electrodes, no "
            "ICA (blinks stay) and no interpolation; the clip's end is within a sample of the release's"
        )
    else:
        told = hub.Repository(root=mirror.root).processing
        yield f"no ICA, no reference of ours; the uploaders' own account of their processing: {told or 'none'}"
    if cut.features == "de":
        yield "differential entropy is not the shipped one: sharp band edges, windows of 1 s, their mean over a trial"
    yield from cohort.notes
