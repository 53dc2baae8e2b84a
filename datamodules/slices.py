"""Batches cut out of the store by an array of indices."""

from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.buffers import Buffers
from datamodules.normalisation import Affine
from datamodules.store import Store
from eeg.batch import Batch

Residence = Literal["memmap", "ram", "device"]


class TrialSlices(Dataset):
    """Maps an index array to a ``Batch``: band features in one operation, raw trials each straight into its place.

    Args:
        store: the cohort.
        affine: normalisation, applied to each batch.
        residence: ``memmap`` reads through the page cache, ``ram`` and ``device`` hold all of x.
        device: where ``device`` is.
    """

    def __init__(self, store: Store, *, affine: Affine, residence: Residence, device: torch.device) -> None:
        self.device = device if residence == "device" else torch.device("cpu")
        self.x = store.as_tensor() if residence == "memmap" else torch.from_numpy(np.array(store.x)).to(self.device)
        self.affine, self.buffers = affine.to(self.device), Buffers()
        columns = (store.trials.y, store.trials.stimulus, store.trials.subject)
        self.labels = torch.from_numpy(np.stack(columns)).to(self.device)

    def __len__(self) -> int:
        return self.labels.shape[1]

    def __getitem__(self, rows: np.ndarray) -> Batch:
        index = torch.from_numpy(rows).to(self.device)
        y, stimulus, subject = self.labels[:, index]
        if self.device.type == "cpu":
            out = self.buffers.empty((len(index), *self.x.shape[1:]))
            x = self.affine.gather(self.x, index, subject, out=out)
        else:
            x = self.affine.apply_(self.x.index_select(0, index), subject)
        return Batch(x=x, y=y, stimulus=stimulus, subject=subject, index=index)
