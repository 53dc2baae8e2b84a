"""Trials delivered to a training step each second: our store against LMDB with a pickle a trial, in one run.

``python -m benchmarks.loading [--trials 1024] [--rounds 3]``. The LMDB side is the layout that CBraMod's preprocessing
writes (arXiv 2412.07236): one key a trial, its value a pickled dictionary with a float64 array, read trial by trial by
a map-style data set and stacked by a collate function. Both sides are read from the page cache and end in one float32
tensor a batch; the limit is copying the same trials, unscaled and in order, into memory that is there already.
"""

import argparse
import pickle
import tempfile
import time
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.rows import Cost, Row
from datamodules.normalisation import fit
from datamodules.sampler import EpochBatches
from datamodules.slices import Residence, TrialSlices
from datamodules.store import Recipe, Store, Trials, build

SHAPE, BATCH, SUBJECTS = (32, 2000), 64, 8  # FACED, 10 s at 200 Hz
LMDB, MAPPED, MEMORY = "LMDB, a pickle a trial", "store, memory-mapped", "store, in memory"
LIMIT = "limit: copying them in order"


def read(files: tuple[Path, ...]) -> np.ndarray:
    """One subject's trials, microvolt."""
    return np.load(files[0])


def make_store(folder: Path, *, trials: int) -> Store:
    """A store of noise, made through the same builder as a real cohort."""
    each = trials // SUBJECTS
    rng = np.random.default_rng(0)
    for subject in range(SUBJECTS):
        np.save(folder / f"{subject}.npy", (20 * rng.standard_normal((each, *SHAPE))).astype(np.float32))
    n = each * SUBJECTS
    zeros = np.zeros(n, dtype=np.int64)
    table = Trials(
        subject=np.repeat(np.arange(SUBJECTS), each), stimulus=zeros, session=zeros, trial=zeros, window=zeros,
        y=np.arange(n) % 9, subjects=tuple(map(str, range(SUBJECTS))),
    )  # fmt: skip
    sources = tuple((folder / f"{subject}.npy",) for subject in range(SUBJECTS))
    recipe = Recipe(dataset="bench", trials=table, shape=SHAPE, sources=sources, read=read, parameters={})
    return build(recipe, cache=folder / "stores")


def make_lmdb(folder: Path, store: Store) -> Path:
    """The same trials, one pickle each."""
    path = folder / "lmdb"
    with lmdb.open(str(path), map_size=4 * store.x.nbytes) as database, database.begin(write=True) as transaction:
        for n, x in enumerate(store.x):
            value = {"sample": x.reshape(32, 10, 200).astype(np.float64), "label": int(store.trials.y[n])}
            transaction.put(str(n).encode(), pickle.dumps(value))
    return path


class PicklePerTrial(Dataset):
    """Reads one key a trial."""

    def __init__(self, path: Path, length: int) -> None:
        self.database = lmdb.open(str(path), readonly=True, lock=False, readahead=True, meminit=False)
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> tuple[np.ndarray, int]:
        with self.database.begin() as transaction:
            value = pickle.loads(transaction.get(str(n).encode(), default=b""))
        return value["sample"] / 100, value["label"]


def stack(trials: list) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.array([x for x, _ in trials])).float(), torch.tensor([y for _, y in trials])


def seconds(batches) -> float:
    """Processor time to deliver an epoch, which other programs hardly disturb; every batch is touched."""
    start = time.process_time()
    for batch in batches:
        assert batch[0].dtype == torch.float32
    return time.process_time() - start


def measure(*, trials: int, rounds: int) -> dict[str, float]:
    """Trials a second of each side; the sides take turns and the fastest round of each counts."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder, trials=trials)
        pickles = PicklePerTrial(make_lmdb(folder, store), len(store.trials))
        rows = np.arange(len(store.trials))
        affine = fit(store, kind="none", train=rows, raw=True, scale=100.0, channels=tuple(map(str, range(32))))

        def ours(residence: Residence) -> DataLoader:
            slices = TrialSlices(store, affine=affine, residence=residence, device=torch.device("cpu"))
            return DataLoader(slices, sampler=EpochBatches(rows, batch_size=BATCH, shuffle=True), batch_size=None)

        target, source = torch.empty(BATCH, *SHAPE), store.as_tensor()
        loaders = {
            LMDB: DataLoader(pickles, batch_size=BATCH, shuffle=True, collate_fn=stack),
            MAPPED: ours("memmap"),
            MEMORY: ours("ram"),
        }
        best = dict.fromkeys((*loaders, LIMIT), float("inf"))
        for _ in range(rounds + 1):  # the first round fills the page cache
            for label in best:
                copies = ((target.copy_(part),) for part in source.split(BATCH) if len(part) == BATCH)
                best[label] = min(best[label], seconds(loaders.get(label, copies)))
    return {label: len(rows) / time for label, time in best.items()}


def rows(*, quick: bool = False) -> list[Row]:
    """Memory-mapped and in memory."""
    found = measure(trials=128 if quick else 1024, rounds=1 if quick else 3)
    sides: dict[str, Any] = {
        "today": found[LMDB],
        "today_is": LMDB,
        "limit": found[LIMIT],
        "limit_is": LIMIT.removeprefix("limit: "),
        "unit": "trials/s",
    }
    what = "a batch of raw trials to a step"
    return [Row(what=f"{what}, {label}", ours=found[label], **sides) for label in (MAPPED, MEMORY)]


def costs(*, quick: bool = False) -> list[Cost]:
    """By trials."""
    sizes = (128, 256, 512) if quick else (256, 512, 1024)
    found = [measure(trials=n, rounds=1)[MAPPED] for n in sizes]
    seconds = tuple(n / rate for n, rate in zip(sizes, found))
    return [Cost(what="an epoch of batches, memory-mapped", by="trials", sizes=sizes, seconds=seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = measure(trials=options.trials, rounds=options.rounds)
    print(f"{options.trials} trials of {SHAPE}, batch {BATCH}, one thread, processor time, best of {options.rounds}")
    for label, rate in found.items():
        print(f"  {label:<30} {rate:>9,.0f} trials/s   {rate / found[LMDB]:5.1f} x   {rate / found[LIMIT]:5.0%}")


if __name__ == "__main__":
    main()
