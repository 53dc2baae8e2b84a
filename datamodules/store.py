"""A preprocessed cohort on disk: one float32 array that is mapped, not read, and the table of its trials."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from datamodules.pool import pool
from datamodules.trials import Trials
from records.files import atomic

FORMAT = 1  # raise it whenever the same files and parameters would give other numbers


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that determines a store.

    Attributes:
        dataset: name, the first part of the folder name.
        trials: the table.
        shape: of one trial.
        sources: the files of each subject, in the order of ``trials.subjects``.
        read: files of one subject -> (n, *shape) array; picklable, since it may run in another process.
        parameters: everything else the numbers depend on, as JSON values.
    """

    dataset: str
    trials: Trials
    shape: tuple[int, ...]
    sources: tuple[tuple[Path, ...], ...]
    read: Callable[[tuple[Path, ...]], np.ndarray]
    parameters: dict[str, object]

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over parameters, table, and name, size and time of change of every source file."""
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for files in self.sources for path in files]
        header = [FORMAT, self.dataset, self.shape, self.trials.subjects, stats, self.parameters]
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        for column in self.trials.columns.values():
            digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
        return digest.hexdigest()[:16]

    @property
    def nbytes(self) -> int:
        return 4 * len(self.trials) * int(np.prod(self.shape))


class Store:
    """An opened store.

    Attributes:
        x: (n, *shape) float32, memory-mapped and read-only.
        trials: its table.
        meta: contents of ``meta.json``; ``rms`` is the root mean square of each subject's values.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.meta = json.loads((self.folder / "meta.json").read_text())
            with np.load(self.folder / "table.npz") as columns:
                self.trials = Trials(**columns, subjects=tuple(self.meta["subjects"]))
            self.x = np.load(self.folder / "x.npy", mmap_mode="r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.folder} is not a whole store ({error}); delete that folder and run again"
            ) from error

    @property
    def fingerprint(self) -> str:
        return self.meta["fingerprint"]

    def check_still_there(self) -> None:
        """Refuse to go on where somebody has removed the files, which a run would not notice before it is scored.

        Raises:
            FileNotFoundError: the array is gone; a mapped file is readable for as long as it is open.
        """
        if not (self.folder / "x.npy").is_file():
            raise FileNotFoundError(
                f"{self.folder} was removed while a run reads it; give the same command again, which makes it anew and "
                "goes on after the last complete epoch"
            )

    def as_tensor(self) -> Tensor:
        """The mapped file as a tensor, sliced by all cores; never write to it (the file itself would not change)."""
        # Copy-on-write: torch takes no read-only memory without a warning.
        return torch.from_numpy(np.load(self.folder / "x.npy", mmap_mode="c"))


def build(recipe: Recipe, *, cache: str | Path, workers: int = 0) -> Store:
    """Open the store of a recipe, making it first where it is missing; safe to call from many processes at once.

    The array is reserved on disk before the first subject is read; each subject is written into its rows and then
    ticked off, so a build that was killed goes on where it was. The folder gets its final name last.

    Args:
        recipe: what to build.
        cache: folder of all stores.
        workers: processes; 0 works in this one.

    Raises:
        OSError: the disk is too small; nothing is left behind.
    """
    final = Path(cache) / f"{recipe.dataset}-{recipe.fingerprint}"
    if not final.is_dir():
        final.parent.mkdir(parents=True, exist_ok=True)
        with _one_builder(final.with_name(f".{final.name}.lock")):
            if not final.is_dir():
                _build(recipe, final, workers)
    return Store(final)


@contextmanager
def _one_builder(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases when its holder dies, however it dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, final: Path, workers: int) -> None:
    building = final.with_name(f".{final.name}.building")
    done = building / "done"
    try:
        done.mkdir(parents=True, exist_ok=True)
        _reserve(recipe, building / "x.npy")
        _fill_all(recipe, building, workers)
        meta = {
            "format": FORMAT,
            "fingerprint": recipe.fingerprint,
            "dataset": recipe.dataset,
            "subjects": recipe.trials.subjects,
            "parameters": recipe.parameters,
            "rms": [float((done / name).read_text()) for name in recipe.trials.subjects],
        }
        # NumPy's stub takes every keyword for allow_pickle.
        np.savez(building / "table.npz", **recipe.trials.columns)  # type: ignore[arg-type]
        (building / "meta.json").write_text(json.dumps(meta, indent=1))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        shutil.rmtree(building, ignore_errors=True)
        free = shutil.disk_usage(final.parent).free
        raise OSError(
            errno.ENOSPC,
            f"the preprocessed cohort needs {recipe.nbytes:,} bytes and {final.parent} has {free:,} free; make room, "
            "or put it elsewhere with --data.cache or $VAXIS_CACHE",
        ) from error
    os.rename(building, final)
    shutil.rmtree(final / "done", ignore_errors=True)


def _reserve(recipe: Recipe, path: Path) -> None:
    """Claim the whole array on disk, so that a full disk shows now and not hours later."""
    for leftover in path.parent.glob(".*.partial"):  # of a builder that was killed; we hold the lock
        leftover.unlink()
    if not path.exists():
        if shutil.disk_usage(path.parent).free < recipe.nbytes:
            raise OSError(errno.ENOSPC, "too little space")
        with atomic(path) as partial:
            np.lib.format.open_memmap(partial, "w+", np.float32, (len(recipe.trials), *recipe.shape))
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _fill_all(recipe: Recipe, building: Path, workers: int) -> None:
    names = recipe.trials.subjects
    jobs = [
        (recipe.read, recipe.sources[i], building, name, recipe.trials.rows(i))
        for i, name in enumerate(names)
        if not (building / "done" / name).exists()
    ]
    bar = tqdm(total=len(names), initial=len(names) - len(jobs), desc=f"preprocessing {recipe.dataset}", unit="subject")
    with bar:
        if workers == 0:
            for job in jobs:
                _fill(*job)
                bar.update()
            return
        processes = pool(workers)
        try:
            for future in as_completed([processes.submit(_fill, *job) for job in jobs]):
                future.result()
                bar.update()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a preprocessing process was killed; if for lack of memory, lower --data.workers"
            ) from error
        finally:
            processes.shutdown(cancel_futures=True)


def _fill(read: Callable, files: tuple[Path, ...], building: Path, name: str, rows: slice) -> None:
    values = read(files)
    x = np.lib.format.open_memmap(building / "x.npy", "r+")
    if values.shape != (rows.stop - rows.start, *x.shape[1:]):
        raise ValueError(f"{files[0]}: gave {values.shape} and not {(rows.stop - rows.start, *x.shape[1:])}")
    x[rows] = values
    x.flush()
    with atomic(building / "done" / name) as partial:
        partial.write_text(str(float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))))


def check_finite(values: np.ndarray, *, source: str | Path, axes: dict[str, tuple[str, ...] | None]) -> None:
    """Refuse NaN and infinity, naming the first place.

    Args:
        values: array read from a file.
        source: the file.
        axes: name of the leading axes and the names along each (None = count from 0).
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    place = np.argwhere(~finite)[0]
    where = ", ".join(f"{axis} {names[i] if names else i}" for (axis, names), i in zip(axes.items(), place))
    count = int(finite.size - finite.sum())
    raise ValueError(
        f"{source}: {count} values are NaN or infinite, the first at {where}; repair the file or leave the subject out "
        "with --data.exclude"
    )
