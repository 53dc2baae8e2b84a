"""Files in the layouts of the public mirrors, written from their specifications, with values that a formula gives."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from command_line.reader import instantiate
from command_line.settings import RunSettings
from command_line.words import normalise
from datamodules.base import EEGDataModule
from datamodules.faced_ratings import RATING_ITEMS
from vaxis.emotions import FACED

# The electrodes that both cohorts of FACED name alike, then the recordings of either.
COMMON = ("Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 CP1 CP2 CP5 CP6 Pz P3 P4 PO3 PO4 Oz O1 O2").split()
FIRST = (
    "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T3 T4 A1 A2 CP1 CP2 CP5 CP6 Pz P3 P4 T5 T6 PO3 PO4 Oz O1 O2"
).split()
SECOND = (
    "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T7 T8 CP1 CP2 CP5 CP6 Pz P3 P4 P7 P8 PO3 PO4 Oz O1 O2 HEOR HEOL"
).split()
MICROVOLT = 1e-6


def write_array(
    folder: Path, values: np.ndarray, *, block: int, version: int = 3, compressor: str | None = "gzip", order: str = "<"
) -> None:
    """A Zarr array in blocks along its first axis; a block of zeros alone is not written, as zarr-python does it."""
    folder.mkdir(parents=True)
    dtype, rest = np.dtype(f"{order}f4"), values.shape[1:]
    blocks = {"shape": list(values.shape)}
    if version == 3:
        codecs: list[dict] = [{"name": "bytes", "configuration": {"endian": "little" if order == "<" else "big"}}]
        if compressor:
            codecs.append({"name": compressor, "configuration": {"level": 5}})
        blocks |= {
            "zarr_format": 3,
            "node_type": "array",
            "data_type": "float32",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [block, *rest]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0.0,
            "codecs": codecs,
        }
    else:
        kind = compressor and {"id": compressor, "level": 5}
        blocks |= {"zarr_format": 2, "chunks": [block, *rest], "dtype": dtype.str, "compressor": kind}
        blocks |= {"fill_value": 0.0, "order": "C", "filters": None}
    (folder / ("zarr.json" if version == 3 else ".zarray")).write_text(json.dumps(blocks))
    for number, first in enumerate(range(0, len(values), block)):
        padded = np.zeros((block, *rest), dtype)
        part = values[first : first + block]
        padded[: len(part)] = part
        if padded.any():
            separator = "/" if version == 3 else "."
            key = separator.join([*(["c"] if version == 3 else []), str(number), *["0"] * len(rest)])
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(_compressed(padded.tobytes(), compressor))


def _compressed(content: bytes, compressor: str | None) -> bytes:
    if compressor == "zstd":
        from backports import zstd

        return zstd.compress(content, 3)
    return gzip.compress(content, 1) if compressor == "gzip" else content


def formula(person: int, windows: int, channels: int, samples: int) -> np.ndarray:
    """(windows, channels, samples) microvolt: steps that tell person, window, electrode and sample apart."""
    w, c, t = np.ogrid[:windows, :channels, :samples]
    return ((person + 1) * 4 + w + c / 32 + (t % 50) / 2048).astype(np.float32)


def rating(clip: int, item: int) -> float:
    """What everyone says of a clip, 0 to 6.5."""
    return ((clip * 5 + item * 3) % 14) / 2


def write_hub(
    root: Path,
    people: dict[int, Sequence[tuple[int, int]]],
    *,
    rate: int = 100,
    values: Callable[[int, int, int, int], np.ndarray] = formula,
    unit: float = MICROVOLT,
    channels: Sequence[str] = COMMON,
    block: int = 4,
    compressor: str | None = "gzip",
    place: str = "sourcedata/braindecode/dataset.zarr",
    columns: Callable[[dict], dict] = lambda row: row,
) -> Path:
    """A repository as braindecode pushes it: windows of 10 s of the clips of each person, in the order of play.

    Args:
        root: its top.
        people: number of each person -> clips (1 to 28) and how many windows they have. Recordings are numbered the
            other way round, so that their number says nothing.
        rate: Hz.
        values: (person, windows, channels, samples) -> microvolt.
        unit: what a microvolt is stored as.
        channels: names.
        block: windows a block.
        compressor: of the blocks.
        place: of the Zarr group.
        columns: changes a row of the table of windows.
    """
    group, samples = root / place, 10 * rate
    group.mkdir(parents=True)
    about = {"n_datasets": len(people), "window_kwargs": json.dumps([["cut", {"window_size_samples": samples}]])}
    (group / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": about}))
    if place.startswith("sourcedata"):
        (root / "format_info.json").write_text(json.dumps({"format": "zarr", "pipeline_name": "braindecode"}))
    for number, (person, clips) in enumerate(reversed(people.items())):
        folder, rows, start = group / f"recording_{number}", [], 12345
        for clip, windows in clips:
            for window in range(windows):
                first = start + window * samples
                row: dict = {"i_window_in_trial": window, "i_start_in_trial": first}
                row |= {"i_stop_in_trial": first + samples, "target": FACED.class_of[clip - 1]}
                row |= {item.capitalize(): rating(clip, i) for i, item in enumerate(RATING_ITEMS)}
                rows.append(columns(row | {"video_index": clip}))
            start += (windows + 7) * samples
        data = values(person, len(rows), len(channels), samples) * np.float32(unit)
        write_array(folder / "data", data, block=block, compressor=compressor)
        described = {
            "description": {"subject": f"{person:03d}", "session": None},
            "info": {"sfreq": float(rate), "ch_names": list(channels), "highpass": None},
        }
        content = {"zarr_format": 3, "node_type": "group", "attributes": described}
        (folder / "zarr.json").write_text(json.dumps(content))
        header = ["", *rows[0]]
        lines = ["\t".join(header), *("\t".join(map(str, (i, *row.values()))) for i, row in enumerate(rows))]
        (folder / "metadata.tsv").write_text("\n".join(lines) + "\n")
    return root


GAIN = 750000 / (2**24 - 1)  # microvolt a count, of a 24-bit converter that spans 750 mV


def write_bdf(path: Path, names: Sequence[str], microvolt: np.ndarray, *, rate: int, unit: str = "uV") -> np.ndarray:
    """A 24-bit BDF recording of whole seconds; returns the values (channels, samples) that it holds after rounding."""
    n, seconds = len(names), microvolt.shape[1] // rate
    counts = np.round(microvolt[:, : seconds * rate] / GAIN - 0.5).astype("<i4")

    def field(value: object, width: int) -> bytes:
        return str(value).encode("latin-1").ljust(width)[:width]

    head = b"\xffBIOSEMI" + field("X X X X", 80) + field("Startdate 01-JAN-2023 X X X", 80) + field("01.01.23", 8)
    head += field("00.00.00", 8) + field(256 * (n + 1), 8) + field("24BIT", 44) + field(seconds, 8)
    head += field(1, 8) + field(n, 4)
    limits = (-375000, 375000, -(2**23), 2**23 - 1)
    for value, width in (
        (None, 16),
        ("", 80),
        (unit, 8),
        *((limit, 8) for limit in limits),
        ("", 80),
        (rate, 8),
        ("", 32),
    ):
        head += b"".join(field(name if value is None else value, width) for name in names)
    records = counts.reshape(n, seconds, rate).transpose(1, 0, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + records.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    return (counts + 0.5) * GAIN


def write_table(path: Path, rows: Sequence[dict], *, mark: bool = True) -> Path:
    """A tab-separated file, with the byte-order mark that mne-bids gives it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(rows[0]), *("\t".join(str(value) for value in row.values()) for row in rows)]
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + ("\n".join(lines) + "\n").encode())
    return path


def write_faced_bids(
    root: Path,
    people: dict[str, Sequence[int]],
    signal: Callable[[np.ndarray, Sequence[str]], np.ndarray],
    *,
    rate: int = 250,
    seconds: int = 34,
    gap: int = 3,
    units: dict[str, str] | None = None,
) -> Path:
    """Recordings and events like those of NEMAR nm000112.

    Args:
        root: top of the data set.
        people: number of each person -> clips (1 to 28) in the order of play.
        signal: times (T,) and names of channels -> (channels, T) microvolt.
        rate: Hz.
        seconds: length of a clip.
        gap: seconds before, between and behind clips.
        units: of people whose header says something else than uV.
    """
    for person, clips in people.items():
        names = FIRST if int(person) < 61 else SECOND
        stem = root / f"sub-{person}" / "eeg" / f"sub-{person}_task-watchingVideoClips"
        total = gap + len(clips) * (seconds + gap)
        values = signal(np.arange(total * rate) / rate, names)
        write_bdf(
            stem.with_name(stem.name + "_eeg.bdf"), names, values, rate=rate, unit=(units or {}).get(person, "uV")
        )
        rows = [_event(1.0, 0.0, None)]
        rows += [_event(gap + k * (seconds + gap), seconds, clip) for k, clip in enumerate(clips)]
        write_table(stem.with_name(stem.name + "_events.tsv"), rows)
        channels = [{"name": name, "type": "EEG", "units": "µV"} for name in names]
        write_table(stem.with_name(stem.name + "_channels.tsv"), channels)
    return root


def _event(onset: float, duration: float, clip: int | None) -> dict:
    label = FACED.classes[FACED.class_of[clip - 1]] if clip else "n/a"
    row = {"onset": onset, "duration": duration, "trial_type": "Film" if clip else "Experiment start"}
    row |= {"emotion_label": "\\" if label == "neutral" else label.capitalize(), "video_index": clip or "n/a"}
    return row | {item.capitalize(): rating(clip, i) if clip else "n/a" for i, item in enumerate(RATING_ITEMS)}


NAMES = ("sub000", "sub080", "sub100")


def data_of(*words: str) -> EEGDataModule:
    """The data module that ``train.py fit`` would make of these flags, its store open."""
    data = instantiate(RunSettings.parse(normalise(["--data", "FACED", *words])))[0]
    data.prepare_data()
    data.setup()
    return data


def flags(root: Path, cache: Path, *words: str, people: tuple[str, ...] = NAMES) -> list[str]:
    return [
        f"--data.root={root}",
        f"--data.cache={cache}",
        f"--data.subjects=[{','.join(people)}]",
        "--data.batch_size=4",
        *words,
    ]


def trials_of(data: EEGDataModule, person: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (n, C, ...), clips (n,) counted from 1 and places (n,) of a person's trials."""
    table = data.store.trials
    rows = table.rows(data.subjects.index(person))
    return np.asarray(data.store.x[rows]), table.stimulus[rows] + 1, table.window[rows]
