"""Windows that braindecode pushed to the Hugging Face Hub: a Zarr group a recording, and a table of its windows.

Read without braindecode. The layout is that of braindecode's ``push_to_hub`` as of 2026, in its present place and its
two earlier ones; rate, electrodes and windows come out of the files, whatever the card of the repository says.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.cohort import IN_MICROVOLT, Person, scale_to_microvolt
from datamodules.zarr_arrays import ZarrArray, attributes, open_array, read_json

GROUP = "dataset.zarr"
PLACES = ("sourcedata/{}/" + GROUP, "derivatives/{}/" + GROUP, GROUP)
# Legal in Zarr, where a block of the fill value alone need not be written; no EEG is like that.
ABSENT = "some blocks have no file and are read as zeros; if the download is not complete, fetch it again"
PROCESSING = ("raw_preproc_kwargs", "window_kwargs", "window_preproc_kwargs")


@dataclass(frozen=True, kw_only=True)
class Block:
    """Windows that follow each other without a gap: one clip.

    Attributes:
        rows: of the recording's array.
        start: first sample, counted from the start of the recording.
        table: the metadata of these windows.
    """

    rows: slice
    start: int
    table: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class HubRecording:
    """One recording of a repository.

    Attributes:
        folder: its Zarr group.
    """

    folder: Path

    @property
    def table_file(self) -> Path:
        return self.folder / "metadata.tsv"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """``description`` and ``info``, as they were stored."""
        found = attributes(self.folder)
        for field in ("description", "info"):
            if not isinstance(found.get(field), dict):
                raise ValueError(f"{self.folder}: attribute '{field}' is missing; delete the folder and fetch it again")
        return found

    @property
    def description(self) -> dict[str, Any]:
        """Whose recording it is: the number in the folder's name says nothing."""
        return self.facts["description"]

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(map(str, self._info("ch_names", list)))

    @property
    def sampling_rate(self) -> float:
        return float(self._info("sfreq", (int, float)))

    @cached_property
    def array(self) -> ZarrArray:
        """(windows, C, samples).

        Raises:
            ValueError: it does not fit the electrodes or the table; names the file.
        """
        array = open_array(self.folder / "data")
        expected = (len(self.rows), len(self.channels))
        if len(array.shape) != 3 or array.shape[:2] != expected:
            raise ValueError(
                f"{self.folder}/data has shape {array.shape}, but {self.table_file.name} has {expected[0]} rows and "
                f"info {expected[1]} ch_names; delete the folder and fetch it again"
            )
        return array

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """One row a window, as text."""
        try:
            with open(self.table_file, encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.table_file} cannot be read ({error}); fetch it again") from error
        if not rows:
            raise ValueError(f"{self.table_file} has no rows; fetch it again")
        return rows

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The windows of each clip, in the order of play.

        Raises:
            ValueError: windows overlap, leave a gap or are not in the order of play; names file, row and column.
        """
        first, start, stop = (self.column(f"i_{name}_in_trial") for name in ("window", "start", "stop"))
        heads = np.flatnonzero(first == 0)
        if not len(heads) or heads[0] != 0:
            raise ValueError(f"{self.table_file}: column i_window_in_trial must start at 0; fetch it again")
        length = self.array.shape[2]
        follows = np.r_[True, (first[1:] == first[:-1] + 1) & (start[1:] == stop[:-1])]
        wrong = (stop - start != length) | ~(follows | (first == 0)) | np.r_[False, np.diff(start) <= 0]
        if wrong.any():
            raise ValueError(
                f"{self.table_file}: row {int(np.flatnonzero(wrong)[0])} does not follow the one before it in play "
                f"(columns i_window_in_trial, i_start_in_trial, i_stop_in_trial; {length} samples a window); this "
                "reader needs windows without overlap"
            )
        ends = [*heads[1:], len(first)]
        return tuple(
            Block(rows=slice(int(a), int(b)), start=int(start[a]), table=self.rows[a:b]) for a, b in zip(heads, ends)
        )

    def column(self, name: str) -> np.ndarray:
        """Whole numbers of a column, (n,).

        Raises:
            ValueError: no such column, or something else in it; names file, column and row.
        """
        if name not in self.rows[0]:
            known = ", ".join(key for key in self.rows[0] if key)
            raise ValueError(f"{self.table_file} has no column {name}; it has {known}")
        values = [row[name] for row in self.rows]
        try:
            return np.array([int(float(value)) for value in values], dtype=np.int64)
        except (TypeError, ValueError):
            row = next(i for i, value in enumerate(values) if not _is_number(value))
            raise ValueError(f"{self.table_file}: {name} of row {row} is {values[row]!r}, not a number") from None

    def _info(self, field: str, kind: Any) -> Any:
        value = self.facts["info"].get(field)
        if not isinstance(value, kind) or not value:
            raise ValueError(f"{self.folder}: info.{field} is {value!r}; delete the folder and fetch it again")
        return value


@dataclass(frozen=True, kw_only=True)
class HubPerson(Person):
    """A person of a repository.

    Attributes:
        recordings: in the order of sessions.
        pieces: recording and rows of each clip.
    """

    recordings: tuple[HubRecording, ...]
    pieces: tuple[tuple[int, slice], ...]

    def signals(self) -> Iterator[np.ndarray]:
        number, values, scale = -1, np.zeros(0), 1.0
        for recording, rows in self.pieces:
            if recording != number:
                array = self.recordings[recording].array
                number, values, scale = recording, array.read(), scale_to_microvolt(array.glance())
            # (windows, C, samples) side by side: they follow each other without a gap.
            yield scale * np.concatenate(list(values[rows]), axis=1)


def person(
    name: str,
    recordings: tuple[HubRecording, ...],
    clips: list[list[tuple[int, int]]],
    *,
    channels: tuple[str, ...],
) -> HubPerson:
    """A person from recordings and what their blocks are.

    Args:
        name: as the data module calls the person.
        recordings: in the order of sessions.
        clips: clip id and session of each block of each recording; (-1, 0) leaves a block out.
        channels: our names of the electrodes, in the order of the files.
    """
    first, pieces, ids, samples = recordings[0], [], [], []
    for number, (recording, found) in enumerate(zip(recordings, clips, strict=True)):
        if (recording.channels, recording.sampling_rate) != (first.channels, first.sampling_rate):
            raise ValueError(f"{recording.folder} has other electrodes or another rate than {first.folder}")
        for block, (clip, session) in zip(recording.blocks, found, strict=True):
            if clip >= 0:
                pieces.append((number, block.rows))
                ids.append((clip, session))
                samples.append(len(block.table) * recording.array.shape[2])
    ids_and_sessions = np.array(ids, dtype=np.int64).reshape(-1, 2)
    loud = any(scale_to_microvolt(r.array.glance()) == 1 for r in recordings)
    sparse = any(r.array.absent for r in recordings)
    return HubPerson(
        name=name,
        sources=tuple(path for r in recordings for path in (r.table_file, _metadata(r.folder), *r.array.files)),
        channels=channels,
        sampling_rate=first.sampling_rate,
        clip=ids_and_sessions[:, 0],
        session=ids_and_sessions[:, 1],
        samples=np.array(samples, dtype=np.int64),
        notes=(*([IN_MICROVOLT] if loud else []), *([ABSENT] if sparse else [])),
        recordings=recordings,
        pieces=tuple(pieces),
    )


def recordings_of(files: tuple[Path, ...]) -> tuple[HubRecording, ...]:
    """The recordings that the sources of a person are of."""
    return tuple(HubRecording(folder=path.parent) for path in files if path.name == "metadata.tsv")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A local copy of a repository.

    Attributes:
        root: its top.
    """

    root: Path

    @cached_property
    def group(self) -> Path:
        """The Zarr group of all recordings, where braindecode itself looks for it.

        Raises:
            ValueError: there is none; names the places.
        """
        info = self.root / "format_info.json"
        name = read_json(info).get("pipeline_name", "braindecode") if info.is_file() else "braindecode"
        places = [self.root / place.format(name) for place in PLACES]
        found = next((place for place in places if place.is_dir()), None)
        if found is None:
            raise ValueError(f"{self.root} has no {PLACES[0].format(name)}; complete the download")
        return found

    @cached_property
    def recordings(self) -> tuple[HubRecording, ...]:
        """All of them, in the order of their numbers.

        Raises:
            ValueError: fewer than the repository says it has.
        """
        count = attributes(self.group).get("n_datasets")
        found = [path for path in self.group.glob("recording_*") if path.name.rpartition("_")[2].isdigit()]
        found.sort(key=lambda path: int(path.name.rpartition("_")[2]))
        if not found or (isinstance(count, int) and len(found) > count):
            raise ValueError(f"{self.group} has {len(found)} recordings and states n_datasets {count}; fetch it again")
        return tuple(HubRecording(folder=path) for path in found)

    @property
    def stated(self) -> int | None:
        """How many recordings the repository says it has."""
        return attributes(self.group).get("n_datasets")

    @property
    def processing(self) -> dict[str, Any]:
        """What the uploaders did before and while cutting windows, as braindecode wrote it down, in either form."""
        found = {name: attributes(self.group).get(name) for name in PROCESSING}
        return {name: json.loads(v) if isinstance(v, str) else v for name, v in found.items() if v}


def is_repository(root: Path) -> bool:
    """True for the top of a copy in any of the three layouts."""
    marks = (root / "format_info.json").is_file(), (root / GROUP).is_dir()
    return any(marks) or any(root.glob(f"sourcedata/*/{GROUP}")) or any(root.glob(f"derivatives/*/{GROUP}"))


def _metadata(folder: Path) -> Path:
    return next(path for name in ("zarr.json", ".zattrs") if (path := folder / name).is_file())


def _is_number(value: str | None) -> bool:
    try:
        return value is not None and np.isfinite(float(value))
    except ValueError:
        return False
