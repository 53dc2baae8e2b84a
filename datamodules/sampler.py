"""The order of trials: which indices make up each batch, on one process or several."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch.distributed as dist
from torch.utils.data import DistributedSampler


class EpochBatches(DistributedSampler):
    """Yields one index array a batch. The ranks together see exactly the batches that one process would see.

    A ``DistributedSampler`` by name only, so that Lightning keeps it and calls ``set_epoch``; torch's own pads with
    repeated trials and splits the epoch before it makes batches, which changes every batch with the number of ranks.

    Training: the order depends on (seed, epoch) alone, an incomplete last batch is dropped and each batch is cut into
    equal contiguous parts, one a rank. Evaluation: no shuffling, each trial on exactly one rank, nothing repeated;
    every rank has equally many batches unless there are fewer trials than ranks.
    """

    def __init__(
        self,
        indices: np.ndarray,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        replicas: int | None = None,
        rank: int | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Take the trials of a split.

        Args:
            indices: positions in the store, (n,).
            batch_size: trials a step, summed over all ranks.
            shuffle: True for training.
            seed: of the order; runs with equal seeds see equal batches.
            replicas: number of ranks; None asks torch.distributed when iteration starts.
            rank: this rank; None asks torch.distributed.
            before: called when an epoch begins, to stop it where it should not.
        """
        dataset: Any = indices  # of which torch's sampler asks only the length
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=shuffle, seed=seed, drop_last=shuffle)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if shuffle and len(indices) < batch_size:
            raise ValueError(
                f"--data.batch_size {batch_size} is larger than the {len(indices)} training trials; lower it"
            )
        self.indices, self.batch_size, self.before = indices, batch_size, before
        self._world = None if replicas is None or rank is None else (replicas, rank)

    @property
    def world(self) -> tuple[int, int]:
        """Number of ranks and own rank."""
        if self._world is not None:
            return self._world
        return (dist.get_world_size(), dist.get_rank()) if dist.is_available() and dist.is_initialized() else (1, 0)

    def __len__(self) -> int:
        if self.shuffle:
            return len(self.indices) // self.batch_size
        replicas, rank = self.world
        return min(math.ceil(len(self.indices) / self.batch_size), len(self.indices[rank::replicas]))

    def __iter__(self) -> Iterator[np.ndarray]:
        # A generator: a resumed Trainer takes its iterator first and tells the epoch after.
        replicas, rank = self.world
        if self.before is not None:
            self.before()
        if not self.shuffle:
            yield from np.array_split(self.indices[rank::replicas], len(self)) if len(self) else []
            return
        if self.batch_size % replicas:
            raise ValueError(
                f"batch_size {self.batch_size} must be a multiple of the {replicas} processes that share it"
            )
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.indices)
        batches = order[: len(self) * self.batch_size].reshape(len(self), replicas, -1)
        yield from batches[:, rank]
