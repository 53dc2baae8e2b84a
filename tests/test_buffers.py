"""Memory of batches is used again, and never while anybody holds a batch."""

import pytest
import torch

from datamodules.buffers import KEPT, LARGE, Buffers
from datamodules.normalisation import SINGLY, Affine

SHAPE = (8, LARGE // 16)


def test_what_nobody_holds_is_handed_out_again() -> None:
    buffers = Buffers()
    first = buffers.empty(SHAPE)
    place = first.data_ptr()
    second = buffers.empty(SHAPE)
    assert second.data_ptr() != place
    del first
    assert buffers.empty(SHAPE).data_ptr() == place


@pytest.mark.parametrize("keep", [lambda x: x[1:, 3], lambda x: x.view(-1), lambda x: x.detach()])
def test_whatever_still_reads_a_batch_keeps_its_memory(keep) -> None:
    buffers = Buffers()
    held = keep(buffers.empty(SHAPE).fill_(1.0))
    for _ in range(3 * KEPT):
        buffers.empty(SHAPE).fill_(2.0)
    assert (held == 1.0).all()


def test_so_does_a_graph_that_needs_it_for_the_gradient() -> None:
    buffers, factor = Buffers(), torch.ones(1, requires_grad=True)
    loss = (buffers.empty(SHAPE).fill_(1.0) * factor).sum()
    buffers.empty(SHAPE).fill_(2.0)
    loss.backward()
    assert factor.grad is not None
    assert factor.grad.item() == SHAPE[0] * SHAPE[1]


def test_a_shorter_batch_takes_the_same_memory_and_a_small_one_none() -> None:
    buffers = Buffers()
    place = buffers.empty(SHAPE).data_ptr()
    assert buffers.empty((5, SHAPE[1])).data_ptr() == place
    assert buffers.empty((5, SHAPE[1])).shape == (5, SHAPE[1])
    assert len(buffers._arrays) == 1
    buffers.empty((2, 3))
    assert len(buffers._arrays) == 1


def test_no_more_is_kept_than_a_step_needs() -> None:
    buffers = Buffers()
    held = [buffers.empty(SHAPE) for _ in range(3 * KEPT)]
    assert len({x.data_ptr() for x in held}) == len(held)
    assert len(buffers._arrays) == KEPT


@pytest.mark.parametrize("samples", [5, SINGLY], ids=["bands", "raw"])
@pytest.mark.parametrize("kind", ["none", "train", "subject"])
def test_gathered_trials_are_the_transformed_copy_bit_by_bit(kind: str, samples: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, subject = torch.randn(6, 2, samples, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])
    groups = 3 if kind == "subject" else 1
    centre = torch.randn(groups, 2, 1, generator=generator) * (kind != "none")
    affine = Affine(centre=centre, spread=1 + torch.rand(groups, 2, 1, generator=generator))
    index = torch.tensor([4, 0, 3, 2])
    expected = affine.apply_(x.index_select(0, index), subject[index])
    assert torch.equal(affine.gather(x, index, subject[index], out=torch.empty(4, 2, samples)), expected)
    assert affine.gather(x, index[:0], subject[:0], out=torch.empty(0, 2, samples)).shape == (0, 2, samples)
