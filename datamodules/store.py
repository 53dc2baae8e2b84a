"""A preprocessed cohort on disk: one float32 array that is mapped, not read, and the table of its trials.

Everything in a store has a checksum: ``meta.json`` has its own and those of the tables, ``checks.npz`` one for every
mebibyte of the array. Disks and copies do lose bits, and a decoder trains on what they leave without a word.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules import checksums
from datamodules.checksums import FORMAT, Verify
from datamodules.content import digests
from datamodules.filling import Finished, fill_all
from datamodules.plausibility import People, check_finite
from datamodules.trials import Trials
from records.files import atomic
from records.lock import hold

__all__ = ["Recipe", "Store", "build", "check_finite"]  # all that a data set of one's own needs


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
        channels: names along the first axis of a trial, for messages; the data module adds them.
        raw: whether the second axis is time; the data module says so.
    """

    dataset: str
    trials: Trials
    shape: tuple[int, ...]
    sources: tuple[tuple[Path, ...], ...]
    read: Callable[[tuple[Path, ...]], np.ndarray]
    parameters: dict[str, object]
    channels: tuple[str, ...] = ()
    raw: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over parameters, table, and the content of every source file, wherever it lies."""
        content = digests([path for files in self.sources for path in files])
        counts = [len(files) for files in self.sources]
        header = [FORMAT, self.dataset, self.shape, self.trials.subjects, counts, content, self.parameters]
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
        people: statistics of each subject's trials.
        meta: contents of ``meta.json``.
    """

    def __init__(self, folder: str | Path, *, verify: Verify = "sampled") -> None:
        """Open a store.

        Args:
            folder: of the store.
            verify: how much of the array is compared with its checksums. ``sampled`` reads up to 64 MB, other parts
                each time, and so all of any store of band features; ``whole`` reads everything; ``off`` nothing. The
                tables are always checked.

        Raises:
            ValueError: a file is missing, damaged, or belongs to another store.
        """
        self.folder = Path(folder)
        try:
            self.meta = checksums.sealed(checksums.whole(self.folder / "meta.json"))
            tables = {name: self._table(name) for name in ("table.npz", "checks.npz")}
            self.trials = Trials(**tables["table.npz"], subjects=tuple(self.meta["subjects"]))
            blocks = tables["checks.npz"].pop("blocks")
            self.people = People(**tables["checks.npz"])
            self.x = self._map("r")
            checksums.verify(self.x, self.trials, blocks, how=verify)
        # A damaged file can fail in any way at all.
        except Exception as error:
            raise ValueError(
                f"{self.folder} is not a whole store ({error}); delete that folder and run again"
            ) from error

    def _table(self, name: str) -> dict[str, np.ndarray]:
        content = checksums.whole(self.folder / name)
        if zlib.crc32(content) != self.meta["checksums"][name]:
            raise ValueError(f"{name} is damaged: its checksum is not the one that was written")
        with np.load(self.folder / name, allow_pickle=False) as columns:
            return dict(columns)

    def _map(self, mode: Literal["r", "c"]) -> np.ndarray:
        path = self.folder / "x.npy"
        if not path.is_file():
            raise ValueError("x.npy is no file")
        x = np.lib.format.open_memmap(path, mode)
        expected = (len(self.trials), *self.meta["shape"])
        if x.dtype != np.float32 or x.shape != expected or not x.flags.c_contiguous:
            raise ValueError(f"x.npy holds {x.dtype} {x.shape} and not float32 {expected}")
        return x

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
        return torch.from_numpy(self._map("c"))


def build(recipe: Recipe, *, cache: str | Path, workers: int = 0, verify: Verify = "sampled") -> Store:
    """Open the store of a recipe, making it first where it is missing; safe to call from many processes at once.

    The array is reserved on disk before the first subject is read; each subject is written into its rows and then
    ticked off, so a build that was killed goes on where it was. The folder gets its final name last.

    Args:
        recipe: what to build.
        cache: folder of all stores.
        workers: processes; 0 works in this one.
        verify: see ``Store``.

    Raises:
        OSError: the disk is too small; nothing is left behind.
        ValueError: a subject's values are not finite or all the same, or the store is damaged.
    """
    final = Path(cache) / f"{recipe.dataset}-{recipe.fingerprint}"
    if not final.is_dir():
        final.parent.mkdir(parents=True, exist_ok=True)
        with _one_builder(final.with_name(f".{final.name}.lock")):
            if not final.is_dir():
                _tell_of_old_stores(recipe.dataset, final.parent)
                _build(recipe, final, workers)
    store = Store(final, verify=verify)
    if store.fingerprint != recipe.fingerprint:
        raise ValueError(f"{final} holds store {store.fingerprint}; delete that folder and run again")
    return store


def _tell_of_old_stores(dataset: str, cache: Path) -> None:
    """Say that stores of an earlier version lie there for nothing, since the same data are now preprocessed again."""
    old = []
    for path in sorted(cache.glob(f"{dataset}-*/meta.json")):
        try:
            found = json.loads(path.read_bytes())
            if "meta" not in found and found["format"] < FORMAT:
                old.append(str(path.parent))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a damaged one is nobody's
    if old:
        print(
            "note: stores of an earlier version have no checksums and are not read any more, so "
            f"{dataset} is preprocessed again; to delete them: rm -r {' '.join(old)}",
            file=sys.stderr,
        )


@contextmanager
def _one_builder(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases when its holder dies, however it dies."""
    with open(path, "w") as file:
        hold(file)
        yield


def _build(recipe: Recipe, final: Path, workers: int) -> None:
    building = final.with_name(f".{final.name}.building")
    done = building / "done"
    try:
        done.mkdir(parents=True, exist_ok=True)
        _reserve(recipe, building / "x.npy")
        fill_all(recipe, building, workers=workers)
        finished = [Finished.load(done / name) for name in recipe.trials.subjects]
        # NumPy's stub takes every keyword for allow_pickle.
        np.savez(building / "table.npz", **recipe.trials.columns)  # type: ignore[arg-type]
        np.savez(
            building / "checks.npz",
            blocks=np.concatenate([one.blocks for one in finished]),
            **vars(People.join([one.people for one in finished])),
        )
        meta = {
            "format": FORMAT,
            "fingerprint": recipe.fingerprint,
            "dataset": recipe.dataset,
            "subjects": recipe.trials.subjects,
            "shape": recipe.shape,
            "parameters": recipe.parameters,
            "checksums": {name: zlib.crc32((building / name).read_bytes()) for name in ("table.npz", "checks.npz")},
        }
        (building / "meta.json").write_bytes(checksums.seal(meta))
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
