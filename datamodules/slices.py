"""Batches cut out of the store by an array of indices."""

from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.buffers import Buffers
from datamodules.normalisation import Affine
from datamodules.store import Store
from eeg.batch import Batch

Residence = Literal["auto", "memmap", "ram", "device"]
SHARE = 0.5  # of the free memory of a GPU that a cohort may take: the rest is for activations, and for another run


def resolved(residence: Residence, *, nbytes: int, device: torch.device) -> Residence:
    """Where ``auto`` is: on a CUDA device with room for the cohort, otherwise the memory map.

    Args:
        residence: as the user chose.
        nbytes: size of all trials.
        device: of the run.
    """
    if residence != "auto":
        return residence
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
    return "device" if nbytes <= SHARE * free else "memmap"


class TrialSlices(Dataset):
    """Maps an index array to a ``Batch``: band features in one operation, raw trials each straight into its place.

    Args:
        store: the cohort.
        affine: normalisation, applied to each batch.
        residence: ``memmap`` reads through the page cache, ``ram`` and ``device`` hold all of x; see ``resolved`` for
            ``auto``.
        device: of the run, where ``device`` is.
    """

    def __init__(self, store: Store, *, affine: Affine, residence: Residence, device: torch.device) -> None:
        residence = resolved(residence, nbytes=store.x.nbytes, device=device)
        # Batches for a GPU are gathered into memory that it can read while the processor goes on; to pin them after
        # they have been gathered would copy each once more, and wait for it.
        self.pinned = residence != "device" and device.type == "cuda"
        self.device = device if residence == "device" else torch.device("cpu")
        self.x = store.as_tensor() if residence == "memmap" else torch.from_numpy(np.array(store.x)).to(self.device)
        self.affine, self.buffers = affine.to(self.device), Buffers()
        columns = (store.trials.y, store.trials.stimulus, store.trials.subject)
        self.labels = torch.from_numpy(np.stack(columns)).to(self.device)

    def __len__(self) -> int:
        return self.labels.shape[1]

    def __getitem__(self, rows: np.ndarray) -> Batch:
        index = torch.from_numpy(rows)
        if self.device.type == "cuda":  # pinned, because a copy from any other memory waits for the device
            index = index.pin_memory().to(self.device, non_blocking=True)
        labels = self.labels.index_select(1, index)
        y, stimulus, subject = labels.pin_memory() if self.pinned else labels
        if self.device.type == "cpu":
            shape = (len(index), *self.x.shape[1:])
            out = torch.empty(shape, pin_memory=True) if self.pinned else self.buffers.empty(shape)
            x = self.affine.gather(self.x, index, subject, out=out)
        else:
            x = self.affine.apply_(self.x.index_select(0, index), subject)
        return Batch(x=x, y=y, stimulus=stimulus, subject=subject, index=index.pin_memory() if self.pinned else index)
