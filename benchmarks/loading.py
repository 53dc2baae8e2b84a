"""Trials delivered to a training step each second: our store against LMDB with a pickle a trial, in one run.

``python -m benchmarks.loading [--trials 1024] [--rounds 3]``. The LMDB side is the layout that CBraMod's preprocessing
writes (arXiv 2412.07236): one key a trial, its value a pickled dictionary with a float64 array, read trial by trial by
a map-style data set and stacked by a collate function. Both sides are read from the page cache and end in one float32
tensor a batch; the limit is copying such a tensor once.
"""

import argparse
import pickle
import statistics
import tempfile
import time
from pathlib import Path

import lmdb
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from datamodules.normalisation import fit
from datamodules.sampler import EpochBatches
from datamodules.slices import Residence, TrialSlices
from datamodules.store import Recipe, Store, Trials, build

SHAPE, BATCH, SUBJECTS = (32, 2000), 64, 8  # FACED, 10 s at 200 Hz


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
    """Time to deliver an epoch; every batch is touched."""
    start = time.perf_counter()
    for batch in batches:
        assert batch[0].dtype == torch.float32
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_store(folder, trials=options.trials)
        pickles = PicklePerTrial(make_lmdb(folder, store), len(store.trials))
        rows = np.arange(len(store.trials))
        affine = fit(store, kind="none", train=rows, raw=True, scale=100.0, channels=tuple(map(str, range(32))))

        def ours(residence: Residence) -> DataLoader:
            slices = TrialSlices(store, affine=affine, residence=residence, device=torch.device("cpu"))
            return DataLoader(slices, sampler=EpochBatches(rows, batch_size=BATCH, shuffle=True), batch_size=None)

        target, source = torch.empty(BATCH, *SHAPE), torch.randn(BATCH, *SHAPE)
        sides = {
            "LMDB, a pickle a trial": lambda: DataLoader(pickles, batch_size=BATCH, shuffle=True, collate_fn=stack),
            "store, memory-mapped": lambda: ours("memmap"),
            "store, in memory": lambda: ours("ram"),
            "limit: one copy of the batch": lambda: ((target.copy_(source),) for _ in range(len(rows) // BATCH)),
        }
        loaders = {label: make() for label, make in sides.items() if not label.startswith("limit")}
        times: dict[str, list[float]] = {label: [] for label in sides}
        for _ in range(options.rounds + 1):  # the first round fills the page cache
            for label, make in sides.items():
                times[label].append(seconds(loaders.get(label) or make()))
    medians = {label: statistics.median(values[1:]) for label, values in times.items()}
    print(f"{len(rows)} trials of {SHAPE}, batch {BATCH}, {torch.get_num_threads()} threads, {options.rounds} rounds")
    for label, median in medians.items():
        ratio = medians["LMDB, a pickle a trial"] / median
        print(f"  {label:<30} {len(rows) / median:>9,.0f} trials/s   {ratio:5.1f} x")


if __name__ == "__main__":
    main()
