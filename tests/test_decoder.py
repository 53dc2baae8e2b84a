"""The decoder by itself: what a strategy may and may not change, and what it reads."""

from types import SimpleNamespace

import pytest
import torch

from lightning_modules.decoder import Decoder
from losses.none import NoAlignment
from losses.rsa import RSA
from losses.vaxis_mse import VAxisMSE
from networks.axial_de import AxialDE
from tests.conftest import make_axis
from tests.loss_cases import SPEC, batch_of
from vaxis.targets import Targets


def decoder(loss, targets, *, seed: int = 42) -> Decoder:
    torch.manual_seed(seed)
    model = Decoder(network=AxialDE(dropout=0.0), loss=loss)
    model.build(spec=SPEC, targets=targets)
    return model


def batch():
    stimulus = torch.randint(28, (36,), generator=torch.Generator().manual_seed(1))
    x = torch.randn(36, 32, 5, generator=torch.Generator().manual_seed(2))
    return batch_of(stimulus)._replace(x=x)


def fit_steps(model: Decoder, *, steps: int = 3) -> None:
    """Train by hand on one batch; what the Trainer would set is set here."""
    model._trainer = SimpleNamespace(
        world_size=1, global_step=0, log_every_n_steps=10**9, num_training_batches=steps, current_epoch=0
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        model.training_step(batch(), 0).backward()
        optimizer.step()


@pytest.mark.parametrize("loss", [VAxisMSE, RSA])
def test_weight_zero_is_the_plain_decoder_bit_for_bit(loss, targets):
    plain, zero = decoder(NoAlignment(), targets), decoder(loss(weight=0.0), targets)
    for model in (plain, zero):
        fit_steps(model)
    assert plain.state_dict().keys() == zero.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(value, zero.state_dict()[name]), name


def test_a_strategy_shares_the_initial_network_and_leaves_the_random_state_alone(targets):
    torch.manual_seed(42)
    before = torch.get_rng_state()
    plain, treated = decoder(NoAlignment(), targets), decoder(VAxisMSE(), targets)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, treated.state_dict()[name]), name
    assert torch.equal(torch.get_rng_state(), before)


def test_a_strategy_changes_training(targets):
    plain, treated = decoder(NoAlignment(), targets), decoder(VAxisMSE(weight=1.0), targets)
    for model in (plain, treated):
        fit_steps(model)
    assert not torch.equal(plain.network.gain, treated.network.gain)


def test_inference_reads_the_signal_only(targets):
    model = decoder(VAxisMSE(), targets).eval()
    right, wrong = batch(), batch()._replace(stimulus=torch.full((36,), -7), y=torch.full((36,), 8))
    logits = []
    for b in (right, wrong):
        model._evaluate(b, model.confusion)
        logits.append(model.record.logits)
    assert torch.equal(*logits)
    assert torch.equal(model(right.x), logits[0])


def test_exported_decoder_needs_no_strategy(targets):
    treated, plain = decoder(VAxisMSE(), targets).eval(), decoder(NoAlignment(), targets).eval()
    fit_steps(treated)
    kept = {name: value for name, value in treated.state_dict().items() if not name.startswith("loss.")}
    plain.load_state_dict(kept)
    assert torch.equal(plain(batch().x), treated(batch().x))


def test_record_carries_what_callbacks_read(targets):
    model = decoder(RSA(), targets)
    fit_steps(model, steps=1)
    model.training_step(batch(), 0)
    record = model.record
    assert record.h.shape == (36, 32)
    torch.testing.assert_close(record.h, record.tokens.mean(dim=(1, 2)))
    assert torch.autograd.grad(record.alignment, record.tokens, retain_graph=True)[0].abs().sum() > 0


def test_axis_of_another_data_set_is_refused():
    with pytest.raises(ValueError, match="not of the stimuli of faced"):
        decoder(NoAlignment(), Targets.from_axis(make_axis("seedv")))
