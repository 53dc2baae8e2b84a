"""The ranks together see exactly the batches of one process, and every evaluation trial once."""

import numpy as np
import pytest

from datamodules.sampler import EpochBatches

INDICES = np.arange(1000, 1103)


def batches(*, replicas: int, rank: int, shuffle: bool, epoch: int = 0, seed: int = 7, batch_size: int = 12) -> list:
    sampler = EpochBatches(INDICES, batch_size=batch_size, shuffle=shuffle, seed=seed, replicas=replicas, rank=rank)
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


@pytest.mark.parametrize("replicas", [2, 3, 4])
def test_ranks_share_the_batches_of_one_process(replicas: int) -> None:
    alone = batches(replicas=1, rank=0, shuffle=True, epoch=3)
    ranks = [batches(replicas=replicas, rank=r, shuffle=True, epoch=3) for r in range(replicas)]
    assert len(alone) == len(INDICES) // 12
    for step, whole in enumerate(alone):
        parts = [rank[step] for rank in ranks]
        assert {len(part) for part in parts} == {12 // replicas}
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(**kwargs: int) -> tuple:
        return tuple(np.concatenate(batches(replicas=1, rank=0, shuffle=True, **kwargs)))

    assert order(seed=1, epoch=2) == order(seed=1, epoch=2)
    assert len({order(seed=s, epoch=e) for s in range(3) for e in range(3)}) == 9  # seed + epoch alone would collide
    assert len(set(order())) == 96
    assert set(order()) <= set(INDICES)


@pytest.mark.parametrize("replicas", [1, 2, 3, 7])
def test_evaluation_counts_every_trial_once(replicas: int) -> None:
    ranks = [batches(replicas=replicas, rank=r, shuffle=False) for r in range(replicas)]
    seen = np.concatenate([np.concatenate(rank) for rank in ranks])
    np.testing.assert_array_equal(np.sort(seen), INDICES)
    assert len({len(rank) for rank in ranks}) == 1
    if replicas == 1:
        np.testing.assert_array_equal(seen, INDICES)
        assert max(map(len, ranks[0])) <= 12


def test_fewer_trials_than_ranks() -> None:
    found = [
        list(EpochBatches(np.array([5, 6]), batch_size=4, shuffle=False, replicas=3, rank=rank)) for rank in range(3)
    ]
    assert [[part.tolist() for part in rank] for rank in found] == [[[5]], [[6]], []]


def test_bad_sizes() -> None:
    with pytest.raises(ValueError, match="batch_size 12 must be a multiple of the 5 processes"):
        batches(replicas=5, rank=0, shuffle=True)
    with pytest.raises(ValueError, match="batch_size 104 is larger than the 103 training trials"):
        batches(replicas=1, rank=0, shuffle=True, batch_size=104)
    with pytest.raises(ValueError, match="at least 1"):
        batches(replicas=1, rank=0, shuffle=False, batch_size=0)
