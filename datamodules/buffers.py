"""Memory for batches that is used again: fresh pages cost more than copying a batch of raw EEG into them."""

import sys

import numpy as np
import torch
from torch import Tensor

LARGE = 2**20  # bytes; below, the allocator has such memory at hand
KEPT = 4  # the batch of this step, the one fetched ahead, and two that something may hold a little longer


class Buffers:
    """Hands out float32 tensors for batches; one that nobody holds any more is handed out again.

    Who holds what is Python's own count: a tensor made from a NumPy array holds that array for as long as any view of
    it, or a graph that saved one, is alive. What a callback keeps therefore never changes under it.
    """

    def __init__(self) -> None:
        self._arrays: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape, uninitialised.

        Args:
            shape: of the batch.
        """
        count = int(np.prod(shape))
        if 4 * count < LARGE:
            return torch.empty(shape)
        return torch.from_numpy(self._free(count))[:count].view(shape)

    def _free(self, count: int) -> np.ndarray:
        for position in range(len(self._arrays)):
            # Two: the list, and the argument of the count itself.
            if self._arrays[position].size >= count and sys.getrefcount(self._arrays[position]) == 2:
                return self._arrays[position]
        made = np.empty(count, dtype=np.float32)
        # A smaller or a held one is forgotten by us alone: whoever holds it keeps it.
        self._arrays = [*self._arrays[-(KEPT - 1) :], made]
        return made
