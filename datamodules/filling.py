"""Each subject's trials into the array of a store: read, checked, written, ticked off.

Processes that preprocess import this file; so it brings neither torch nor Lightning along, which take seconds and
hundreds of megabytes in each.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from datamodules import checksums
from datamodules.plausibility import People, check_finite
from datamodules.pool import pool
from records.files import atomic

if TYPE_CHECKING:
    from datamodules.store import Recipe


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
    def exists(cls, path: Path, rows: np.ndarray) -> bool:
        """Whether it is there and whole, and so are the trials; otherwise the subject is done again.

        Trials are handed to the disk and not waited for, so a machine that lost its power may have lost some.

        Args:
            path: of the file.
            rows: what the array holds of the subject.
        """
        try:
            return np.array_equal(cls.load(path).blocks, checksums.of_blocks(rows))
        except Exception:  # damaged in whatever way
            return False


def fill_all(recipe: "Recipe", building: Path, *, workers: int) -> None:
    """Do every subject that is not done yet, and say what it took.

    Args:
        recipe: of the store.
        building: its unfinished folder, with the array and a folder ``done``.
        workers: processes; 0 works in this one.
    """
    x = np.load(building / "x.npy", mmap_mode="r")
    trials, started = recipe.trials, time.perf_counter()
    jobs = [
        (recipe.read, recipe.sources[i], building, name, trials.rows(i), recipe.channels, recipe.raw)
        for i, name in enumerate(trials.subjects)
        if not Finished.exists(building / "done" / name, x[trials.rows(i)])
    ]
    count, peak = len(trials.subjects), 0
    what = f"preprocessing {recipe.dataset}"
    if jobs and not sys.stderr.isatty():  # a log would hold every state of a bar
        print(f"{what}: {len(jobs)} of {count} people", file=sys.stderr, flush=True)
    with tqdm(total=count, initial=count - len(jobs), desc=what, unit="subject", disable=None) as bar:
        for held in _done(jobs, workers):
            peak = max(peak, held)
            bar.update()
    with open(building / "x.npy", "rb") as file:
        os.fsync(file.fileno())  # once, before the store gets its name, and not after every subject
    if jobs:
        took, where = time.perf_counter() - started, f"each of {workers} processes" if workers else "this process"
        memory = f", at most {peak / 1e6:,.0f} MB in {where}" if peak else ""
        print(f"preprocessed {len(jobs)} subjects of {recipe.dataset} in {took:,.1f} s{memory}", file=sys.stderr)


def _done(jobs: list[tuple], workers: int) -> Iterator[int]:
    """Do the jobs; yields after each what its process has held in memory at most."""
    if workers == 0:
        for job in jobs:
            yield fill(*job)
        return
    processes = pool(workers)
    try:
        for future in as_completed([processes.submit(fill, *job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool as error:
        raise RuntimeError("a preprocessing process was killed; if for lack of memory, lower --data.workers") from error
    finally:
        processes.shutdown(cancel_futures=True)


def fill(
    read: Callable[[tuple[Path, ...]], np.ndarray],
    files: tuple[Path, ...],
    building: Path,
    name: str,
    rows: slice,
    channels: tuple[str, ...],
    raw: bool,
) -> int:
    """Do one subject; all arguments are small, since they may travel to another process.

    Args:
        read: files -> trials.
        files: of the subject.
        building: folder of the unfinished store.
        name: of the subject.
        rows: where its trials go.
        channels: names, for messages.
        raw: whether the last axis is time.

    Returns:
        What this process has held in memory at most, in bytes.

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
    Finished(people, checksums.of_blocks(values)).save(building / "done" / name)
    return peak_memory()


def peak_memory() -> int:
    """Bytes that this process has held at most; 0 where the system does not say.

    ``getrusage`` says more than that of a process that another one started: its parent's memory counts until it runs.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


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
