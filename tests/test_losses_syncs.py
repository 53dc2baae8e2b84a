"""No loss makes the processor wait for a GPU: none asks a tensor for its value or has a shape that depends on one."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from command_line.catalogue import plugins
from losses.base import Output
from tests.loss_cases import B, D, N, batch_of, built, decoder_with, output_of, strategy, train_steps, trials
from tests.test_losses_degenerate import variants

# Operators that copy to the processor, or whose result has a length that only the device knows.
WAITING = {
    *("_local_scalar_dense", "nonzero", "nonzero_static", "argwhere", "is_nonzero", "equal", "masked_select"),
    *("_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive", "bincount", "histc"),
    *("_linalg_svd", "linalg_pinv", "_linalg_eigh", "linalg_eig", "linalg_lstsq", "_linalg_check_errors"),
    *("repeat_interleave", "linalg_matrix_rank", "_assert_async", "lift_fresh"),  # the last: numbers made on the host
}


class Waits(TorchDispatchMode):
    """Collects what would wait; an index by a mask has its length on the device, one by numbers does not."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
            self.found |= {f"{name} by a mask"} if masks else set()
        elif name in WAITING:
            self.found.add(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.unique(),
        lambda x: x[x > 0],
        lambda x: x.sum().item(),
        lambda x: 1 if (x > 0).any() else 0,
        lambda x: x[:, [0, 1]],
        lambda x: torch.linalg.svd(x),
        lambda x: x.long().flatten().abs().bincount(),
        lambda x: (x > 0).nonzero(),
        lambda x: x.masked_select(x > 0),
        lambda x: torch.equal(x, x),
        lambda x: x.__setitem__(x > 0, 0.0),
    ],
)
def test_what_waits_is_seen(ask):
    with Waits() as waits:
        ask(torch.ones(3, 3))
    assert waits.found


def batch():
    generator = torch.Generator().manual_seed(8)
    stimuli = torch.randint(28, (B,), generator=generator)
    return batch_of(stimuli)._replace(
        x=torch.randn(B, 32, 5, generator=generator), subject=torch.randint(4, (B,), generator=generator)
    )


VARIANTS = [*variants(), ("faa", {"mode": "physiology"}), ("procrustes", {"center_by": "class_and_subject"})]


def test_every_strategy_is_there():
    assert {name for name, _ in VARIANTS} == {plugin.name for plugin in plugins("loss")}


@pytest.mark.filterwarnings("ignore:multi_vaxis_mse without")
@pytest.mark.parametrize(("name", "words"), VARIANTS, ids=lambda x: x if isinstance(x, str) else "-".join(x.values()))
def test_no_loss_waits_for_its_device(name, words, targets):
    """Forward and backward, with every word that an argument may have."""
    loss, trials = built(strategy(name, **words), targets), batch()
    tokens = torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7), requires_grad=True)
    output = output_of(tokens)
    with Waits() as waits:
        value = loss(output, trials)
        total = loss.combine(task=output.logits.square().mean(), alignment=value, progress=0.3)
        total.backward()
    assert not waits.found


def test_no_step_of_the_decoder_waits(targets):
    """Without the optimiser, whose step counts lie on the processor there and on the GPU where it is fused."""
    model, data = decoder_with(strategy("rsa"), targets), trials()
    train_steps(model, count=1, batch=data)
    with Waits() as waits:
        model.training_step(data, 0).backward()
    assert not waits.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.filterwarnings("ignore:multi_vaxis_mse without")
@pytest.mark.parametrize(("name", "words"), VARIANTS, ids=lambda x: x if isinstance(x, str) else "-".join(x.values()))
def test_no_loss_waits_on_a_gpu(name, words, targets):
    """The driver itself raises where the processor waits."""
    loss, trials = built(strategy(name, **words), targets).cuda(), batch()
    trials = type(trials)(*(column.cuda() for column in trials))
    output = Output(*(field.detach().cuda().requires_grad_() for field in output_of(torch.randn(B, 32, N, D))))
    loss(output, trials)  # what a first call sets up is allowed to wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss(output, trials).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
