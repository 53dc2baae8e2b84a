"""The gradient probe against gradients taken by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from callbacks.residual_alignment import ResidualAlignment
from callbacks.residual_gradient import ResidualGradient
from callbacks.vaxis_cosine import VAxisCosine
from eeg.batch import Batch, Record
from measures.gradients import class_basis, gradient_shares
from tests.small_decoder import SmallDecoder, cohort, make_axis, make_trainer


def probe(model, batches, *, every):
    """Runs the probe by hand; returns what it logged at each step."""
    logged, callback = [], ResidualGradient(every_n_steps=every)
    trainer = SimpleNamespace(
        global_step=0,
        current_epoch=0,
        world_size=1,
        strategy=SimpleNamespace(reduce=lambda t, reduce_op: t),
        loggers=[SimpleNamespace(log_metrics=lambda values, step: logged.append((step, values)))],
    )
    callback.on_train_epoch_start(trainer, model)
    for step, batch in enumerate(batches):
        trainer.global_step, trainer.is_last_batch = step, step == len(batches) - 1
        tokens, h, logits, task = model.step(batch)
        model.record = Record(batch, logits, h, tokens, task, model.loss(h, model.targets.v[batch.stimulus]))
        callback.on_before_backward(trainer, model, task)
    return logged, callback


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    return SmallDecoder(axis_path=make_axis(tmp_path / "axis.npz")[1])


def test_probe_is_the_gradient_with_respect_to_the_pooled_features(model):
    batches = [Batch(*columns) for columns in DataLoader(cohort("train"), 32)]
    logged, _ = probe(model, batches, every=3)
    assert [step for step, _ in logged] == [2, 5]
    seen = Batch(*(torch.cat(columns) for columns in zip(*batches[:6])))
    h = model.step(seen)[1].detach().double()
    basis = class_basis(torch.stack([h[seen.y == k].mean(dim=0) for k in range(9)]))
    leaf = model.step(batches[5])[1].detach().requires_grad_()
    for name, loss in (
        ("alignment", model.loss(leaf, model.targets.v[batches[5].stimulus])),
        ("task", nn.functional.cross_entropy(model.classifier(leaf), batches[5].y)),
    ):
        (gradient,) = torch.autograd.grad(loss, leaf)
        expected = gradient_shares(gradient.double(), basis, batches[5].y)._asdict()
        assert {k: logged[1][1][f"grad/{name}_{k}"] for k in expected} == pytest.approx(expected, rel=1e-4)


def test_an_epoch_too_short_for_a_probe_is_probed_at_its_end(model):
    batches = [Batch(*columns) for columns in DataLoader(cohort("train"), 32)]
    logged, callback = probe(model, batches, every=1000)
    assert [step for step, _ in logged] == [len(batches) - 1]
    callback.on_train_epoch_end(SimpleNamespace(strategy=SimpleNamespace(reduce=lambda t, reduce_op: t)), model)
    assert set(callback.means) == {"task", "alignment"}
    assert [step for step, _ in probe(model, batches, every=len(batches) - 1)[0]] == [len(batches) - 2]


def test_probe_survives_a_loss_without_a_gradient_and_no_loss(model):
    batch = Batch(*next(iter(DataLoader(cohort("train"), 32))))
    model.loss.forward = lambda h, v: torch.zeros(())
    logged, _ = probe(model, [batch], every=1)
    assert np.isnan(logged[0][1]["grad/alignment_feature_share"])
    assert logged[0][1]["grad/alignment_norm"] == 0
    model.loss.forward = lambda h, v: None
    assert not any("alignment" in key for key in probe(model, [batch], every=1)[0][0][1])


def test_probe_does_not_change_training(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    weights = []
    for callbacks in ([], [ResidualGradient(every_n_steps=1), VAxisCosine(draws=5), ResidualAlignment(draws=5)]):
        torch.manual_seed(0)
        model = SmallDecoder(axis_path=path)
        make_trainer(tmp_path, callbacks=callbacks, enable_checkpointing=False).fit(model)
        weights.append(model.network.weight.detach().clone())
    assert torch.equal(*weights)
