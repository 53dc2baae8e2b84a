"""A person of either mirror of FACED: whose files they are, and which clip every window or event is of."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datamodules import hub
from datamodules.bids_files import read_table
from datamodules.bids_person import Clips, open_person
from datamodules.bids_recording import BidsRecording, Processing
from datamodules.cohort import Person
from eeg.montage import FACED_CHANNELS, canonical
from vaxis.emotions import FACED

COLUMN = "video_index"
TASK = "watchingVideoClips"
# The second cohort's labels of the two rows that the release calls right and left mastoid.
SLOTS = (("HEOR", "A2"), ("HEOL", "A1"), *((canonical(name), name) for name in FACED_CHANNELS))
CLIPS = Clips(
    column=COLUMN, values=tuple(str(i) for i in range(1, len(FACED.class_of) + 1)), spelling=SLOTS, duration=None
)


def open_hub_person(files: tuple[Path, ...]) -> hub.HubPerson:
    """A person of the hub's repository; the clip of every window is that of its ``video_index``.

    Raises:
        ValueError: no clip is named, a clip twice, or a target that is not the class of its clip.
    """
    (recording,) = hub.recordings_of(files)
    _check_column(recording.rows[0], recording.table_file, mirror="hub")
    clips, targets = recording.column(COLUMN) - 1, recording.column("target")
    if not 0 <= clips.min() <= clips.max() < len(FACED.class_of):
        raise ValueError(
            f"{recording.table_file}: {COLUMN} must lie in 1..28, found {clips.min() + 1}..{clips.max() + 1}"
        )
    wrong = np.flatnonzero(np.array(FACED.class_of)[clips] != targets)
    if len(wrong):
        clip, target = clips[wrong[0]], targets[wrong[0]]
        raise ValueError(
            f"{recording.table_file}: row {wrong[0]} has target {target}, but video_index {clip + 1} is "
            f"{FACED.classes[FACED.class_of[clip]]} ({FACED.class_of[clip]}); this revision counts classes otherwise"
        )
    runs = [clips[block.rows] for block in recording.blocks]
    if any(len(set(ids.tolist())) > 1 for ids in runs) or len({int(ids[0]) for ids in runs}) < len(runs):
        raise ValueError(f"{recording.table_file}: every {COLUMN} must have one run of windows; fetch the file again")
    spelled = tuple(dict(SLOTS).get(canonical(name), name) for name in recording.channels)
    name = subject_name(str(recording.description.get("subject")), recording.folder)
    return hub.person(name, (recording,), [[(int(ids[0]), 0) for ids in runs]], channels=spelled)


def open_bids(files: tuple[Path, ...], *, processing: Processing) -> Person:
    """A person of NEMAR nm000112.

    Raises:
        ValueError: no clip is named, a clip twice, or an emotion that is not that of its clip.
    """
    label = files[0].name.split("_")[0].removeprefix("sub-")
    events = BidsRecording(path=files[0]).events_file
    if events.is_file() and (rows := read_table(events)):
        _check_column(rows[0], events, mirror="bids")
    person = open_person(files, name=subject_name(label, files[0]), clips=CLIPS, processing=processing)
    if len(set(person.clip.tolist())) < len(person.clip):
        raise ValueError(f"{person.sources[1]}: a {COLUMN} occurs twice; copy the file again")
    for file, row in clip_rows(person):
        expected = FACED.classes[FACED.class_of[int(row[COLUMN]) - 1]]
        label = row.get("emotion_label", "\\").lower()
        if label not in (expected, "\\" if expected == "neutral" else expected):
            raise ValueError(
                f"{file}: video_index {row[COLUMN]} is {expected}, emotion_label says {label}; copy it again"
            )
    return person


def _check_column(row: dict[str, str], file: Path, *, mirror: str) -> None:
    """Refuse files that do not name clips: titles repeat, and everyone saw the clips in another order.

    Raises:
        ValueError: names the file, the columns that it has, and the revision that has the one.
    """
    if COLUMN not in row:
        raise ValueError(
            f"{file} has no column {COLUMN}, which alone says what clip is shown (everyone saw another order, titles "
            f"repeat); it has {', '.join(key for key in row if key)}; fetch the pinned revision: python -m datamodules "
            f"fetch faced --mirror {mirror} DIR"
        )


def clip_rows(person: Person) -> Iterator[tuple[Path, dict[str, str]]]:
    """The row of each clip of a person, in either mirror."""
    for file in person.sources:
        if file.suffix == ".tsv":
            for row in read_table(file):
                if row.get(COLUMN, "n/a") != "n/a" and row.get("i_window_in_trial", "0") == "0":
                    yield file, row


def subject_name(label: str, file: Path) -> str:
    if not label.isdigit():
        raise ValueError(f"{file}: subject {label!r} is not a number as in FACED; is it another data set?")
    return f"sub{int(label):03d}"
