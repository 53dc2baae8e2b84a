"""Precision, accumulation, clipping and compilation: how far each may move the numbers of a run."""

import pytest
import torch

from callbacks.compiled import Compiled
from losses.rsa import RSA
from losses.vaxis_mse import VAxisMSE
from tests import phase_runs
from tests.phase_runs import data_for, decoder, equal, fit, state


def trained(folder, *callbacks, loss=VAxisMSE, batches=4, epochs=2, **options):
    """A decoder after a few steps, and what it calls the trials of the validation."""
    torch.manual_seed(3)
    model = decoder(loss(weight=0.5))
    data = data_for(model.loss, folder, batches=batches)
    fit(model, data, folder, *callbacks, epochs=epochs, **options)
    with torch.no_grad():
        logits = torch.cat([model(batch.x) for batch in data.val_dataloader()])
    return model, logits


def test_two_half_batches_accumulate_to_the_step_of_a_whole_one(tmp_path, monkeypatch):
    whole, _ = trained(tmp_path / "whole", batches=4)
    # 8 batches of half the size are the same trials in the same order.
    monkeypatch.setattr(phase_runs, "BATCH", phase_runs.BATCH // 2)
    halves, _ = trained(tmp_path / "halves", batches=8, accumulate_grad_batches=2)
    assert whole.trainer.global_step == halves.trainer.global_step
    for name, value in state(whole).items():
        torch.testing.assert_close(state(halves)[name], value, rtol=1e-3, atol=1e-5, msg=name)
    plain, _ = trained(tmp_path / "plain", batches=8)
    assert not torch.allclose(
        state(plain)["classifier.linear.weight"], state(whole)["classifier.linear.weight"], atol=1e-3
    )


def test_clipping_that_never_bites_changes_no_bit_and_one_that_does_changes_the_run(tmp_path):
    plain, _ = trained(tmp_path / "plain")
    loose, _ = trained(tmp_path / "loose", gradient_clip_val=1e6)
    tight, _ = trained(tmp_path / "tight", gradient_clip_val=1e-3)
    assert equal(state(plain), state(loose))
    assert not equal(state(plain), state(tight))


@pytest.mark.parametrize("loss", [VAxisMSE, RSA])
def test_bfloat16_calls_the_same_classes(tmp_path, loss):
    full, exact = trained(tmp_path / "full", loss=loss, epochs=4)
    half, rounded = trained(tmp_path / "half", loss=loss, epochs=4, precision="bf16-mixed")
    assert not equal(state(full), state(half))
    assert (exact.argmax(1) == rounded.argmax(1)).float().mean() >= 0.9
    assert (exact - rounded).abs().mean() < 0.05 * exact.std()


@pytest.mark.slow
def test_a_compiled_network_trains_to_the_same_weights_under_the_same_names(tmp_path):
    plain, exact = trained(tmp_path / "plain")
    compiled, close = trained(tmp_path / "compiled", Compiled(network=True))
    assert state(plain).keys() == state(compiled).keys()
    torch.testing.assert_close(close, exact, rtol=1e-2, atol=1e-3)
