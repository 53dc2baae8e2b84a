"""One subject's trials into the array of a store: read, checked, written, ticked off."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules import checksums
from datamodules.plausibility import People, check_finite
from records.files import atomic


@dataclass(frozen=True)
class Finished:
    """What is kept of a subject whose trials are in the array: a file that says so, too.

    Args:
        people: statistics of its trials.
        blocks: checksums of its trials, of what was computed and not of what the disk made of it.
    """

    people: People
    blocks: np.ndarray

    def save(self, path: Path) -> None:
        with atomic(path) as partial, open(partial, "wb") as file:
            np.savez(file, blocks=self.blocks, **vars(self.people))

    @classmethod
    def load(cls, path: Path) -> "Finished":
        with np.load(path, allow_pickle=False) as arrays:
            columns = dict(arrays)
        return cls(blocks=columns.pop("blocks"), people=People(**columns))

    @classmethod
    def exists(cls, path: Path) -> bool:
        """Whether it is there and whole; otherwise the subject is done again."""
        try:
            cls.load(path)
        except Exception:  # damaged in whatever way
            return False
        return True


def fill(
    read: Callable[[tuple[Path, ...]], np.ndarray],
    files: tuple[Path, ...],
    building: Path,
    name: str,
    rows: slice,
    channels: tuple[str, ...],
    raw: bool,
) -> None:
    """Do one subject; all arguments are small, since they may travel to another process.

    Args:
        read: files -> trials.
        files: of the subject.
        building: folder of the unfinished store.
        name: of the subject.
        rows: where its trials go.
        channels: names, for messages.
        raw: whether the last axis is time.

    Raises:
        ValueError: the values have another shape, are not finite, or hold no signal.
    """
    values = read(files)
    x = np.lib.format.open_memmap(building / "x.npy", "r+")
    if values.shape != (rows.stop - rows.start, *x.shape[1:]):
        raise ValueError(f"{files[0]}: gave {values.shape} and not {(rows.stop - rows.start, *x.shape[1:])}")
    values = stored(values, source=files[0], subject=name, channels=channels)
    people = People.of(values, raw=raw)
    # Channels that hold one value each are warned of (``plausibility``); here there is nothing at all.
    if people.low.min() == people.high.max():
        raise ValueError(
            f"{files[0]}: subject {name} has no signal: every value is {values.flat[0]:g}; get the file again or leave "
            f"the subject out with --data.exclude '[{name}]'"
        )
    x[rows] = values
    x.flush()
    Finished(people, checksums.of_blocks(values)).save(building / "done" / name)


def stored(values: np.ndarray, *, source: str | Path, subject: str, channels: tuple[str, ...] = ()) -> np.ndarray:
    """The values as a store holds them, float32.

    Raises:
        ValueError: one is not finite there. A number above 3.4e38 is finite in the float64 of a file and infinite here.
    """
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, dtype=np.float32)
    axes = {f"subject {subject}, trial": None, "channel": channels or None, "position": None}
    check_finite(values, source=source, axes=axes)
    return values
