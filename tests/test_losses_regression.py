"""Several axes, prototypes and distance labels: closed forms, invariances, bad input."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from eeg.montage import SEEDV_CHANNELS
from lightning_modules.decoder import Decoder
from losses.base import LossSpec, Output
from losses.distance_ce import DistanceCE
from losses.multi_vaxis_mse import MultiVAxisMSE
from losses.prototype_kd import PrototypeKD, prototype_rows
from losses.soft_label_kd import SoftLabelKD
from losses.vaxis_mse import VAxisMSE
from tests.conftest import make_axis
from tests.loss_cases import B, D, K, batch_of, built, loss_spec
from tests.test_decoder import SPEC, batch, decoder, fit_steps
from vaxis.emotions import SEEDV
from vaxis.targets import Targets


@pytest.fixture
def stimuli():
    return torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seedv_spec() -> LossSpec:
    targets = Targets.from_axis(make_axis("seedv"))
    return loss_spec(targets, data=replace(SPEC, channels=tuple(SEEDV_CHANNELS), shape=(62, 5), classes=SEEDV.classes))


def step(model: Decoder, *, progress: float = 0.0) -> torch.Tensor:
    """Loss of one training step at a fraction of training."""
    fit_steps(model, steps=0)
    model._trainer.num_training_batches = 100
    return model.training_step(batch(), round(100 * progress))


class TestMultiVAxisMSE:
    @pytest.fixture
    def paths(self, tmp_path):
        return [str(make_axis(seed=seed).save(tmp_path / f"{seed}.npz")) for seed in (1, 2)]

    def test_columns_are_z_scored_with_the_own_axis_first(self, targets, paths):
        v = built(MultiVAxisMSE(axes=paths), targets).v
        assert v.shape == (28, 3)
        assert torch.equal(v[:, 0], targets.v)
        torch.testing.assert_close(v.mean(dim=0), torch.zeros(3), atol=1e-6, rtol=0)
        torch.testing.assert_close(v.std(dim=0, correction=0), torch.ones(3))

    def test_one_head_has_the_gradient_of_the_mean_axis(self, targets, paths, stimuli):
        tied = built(MultiVAxisMSE(axes=paths, tie_heads=True), targets)
        mean = built(VAxisMSE(), replace(targets, v=tied.v.mean(dim=1)))
        mean.head.load_state_dict(tied.head.state_dict())
        h = normal(B, D).requires_grad_()
        values = [loss(Output(h=h), batch_of(stimuli)) for loss in (tied, mean)]
        gradients = [torch.autograd.grad(value, h)[0] for value in values]
        torch.testing.assert_close(*gradients)
        disagreement = tied.v.var(dim=1, correction=0)[stimuli].mean()
        torch.testing.assert_close(values[0], values[1] + disagreement)

    def test_the_same_axis_twice_is_vaxis_mse(self, axis, targets, stimuli, tmp_path):
        path = str(axis.save(tmp_path / "same.npz"))
        twice, once = (built(loss, targets) for loss in (MultiVAxisMSE(axes=[path], tie_heads=True), VAxisMSE()))
        output = Output(h=normal(B, D))
        torch.testing.assert_close(twice(output, batch_of(stimuli)), once(output, batch_of(stimuli)))

    def test_order_of_axes_does_not_matter(self, targets, paths, stimuli):
        forward, backward = (built(MultiVAxisMSE(axes=order), targets) for order in (paths, paths[::-1]))
        with torch.no_grad():
            backward.head.weight.copy_(forward.head.weight[[0, 2, 1]])
            backward.head.bias.copy_(forward.head.bias[[0, 2, 1]])
        output = Output(h=normal(B, D))
        torch.testing.assert_close(forward(output, batch_of(stimuli)), backward(output, batch_of(stimuli)))

    def test_no_further_axis_is_vaxis_mse_and_said(self, targets, stimuli):
        with pytest.warns(UserWarning, match="one axis"):
            loss = built(MultiVAxisMSE(), targets)
        output = Output(h=normal(B, D))
        expected = built(VAxisMSE(), targets)(output, batch_of(stimuli))
        torch.testing.assert_close(loss(output, batch_of(stimuli)), expected)

    def test_wrong_files_are_named(self, targets, tmp_path):
        foreign = str(make_axis("seedv").save(tmp_path / "foreign.npz"))
        with pytest.raises(ValueError, match=r"foreign\.npz is not of the stimuli"):
            built(MultiVAxisMSE(axes=[foreign]), targets)
        (tmp_path / "junk.npz").write_bytes(b"no axis")
        with pytest.raises(ValueError, match=r"junk\.npz"):
            built(MultiVAxisMSE(axes=[str(tmp_path / "junk.npz")]), targets)
        with pytest.raises(ValueError, match=r"--loss\.axes .*no positions 'rich'"):
            built(MultiVAxisMSE(axes=[str(make_axis().save(tmp_path / "a.npz"))], positions="rich"), targets)


class TestPrototypeKD:
    @pytest.mark.parametrize(("temperature", "mass"), [(0.1, 3.6e-4), (0.5, 0.52), (1.0, 0.746)])
    def test_orthonormal_prototypes_are_uniform_label_smoothing(self, temperature, mass, targets):
        loss = built(PrototypeKD(prototypes="rand_orthonormal", teacher_temperature=temperature), targets)
        teacher = loss.log_teacher.exp()
        assert 1 - teacher.diagonal().mean() == pytest.approx(mass, rel=0.02)
        wrong = teacher[~torch.eye(K, dtype=torch.bool)]
        torch.testing.assert_close(wrong, wrong.mean().expand(K * (K - 1)), rtol=1e-4, atol=1e-8)

    def test_rotated_prototypes_are_absorbed_by_the_last_layer(self, targets, stimuli):
        loss, h = built(PrototypeKD(), targets), normal(B, D)
        before, rotation = loss(Output(h=h), batch_of(stimuli)), torch.linalg.qr(normal(K, K, seed=5)).Q
        with torch.no_grad():
            loss.rows.copy_(loss.rows @ rotation)
            loss.projection[-1].weight.copy_(rotation.T @ loss.projection[-1].weight)
            loss.projection[-1].bias.copy_(rotation.T @ loss.projection[-1].bias)
        torch.testing.assert_close(loss(Output(h=h), batch_of(stimuli)), before)

    @pytest.mark.parametrize("prototypes", ["llm", "shuffled", "va", "rand_orthonormal"])
    def test_square_root_keeps_lengths_and_angles(self, prototypes, targets):
        loss = built(PrototypeKD(prototypes=prototypes, teacher_temperature=1.0), targets)
        torch.testing.assert_close(loss.rows.norm(dim=1), torch.ones(K))
        expected = torch.log_softmax(loss.rows @ loss.rows.T, dim=1)
        torch.testing.assert_close(loss.log_teacher, expected, atol=1e-5, rtol=1e-5)

    def test_llm_similarity_is_that_of_the_centroids(self, targets):
        loss = built(PrototypeKD(), targets)
        expected = targets.prototypes @ targets.prototypes.T
        torch.testing.assert_close(loss.rows @ loss.rows.T, expected, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("seed", range(5))
    def test_shuffled_moves_every_class_and_keeps_the_set(self, seed, targets):
        spec = loss_spec(targets)
        torch.manual_seed(seed)
        rows = prototype_rows("shuffled", spec)
        origin = (rows[:, None] == targets.prototypes[None]).all(dim=2).int().argmax(dim=1)
        assert sorted(origin.tolist()) == list(range(K))
        assert torch.equal(rows, targets.prototypes[origin])
        assert (origin != torch.arange(K)).all()

    def test_circumplex(self, targets):
        rows = built(PrototypeKD(prototypes="va"), targets).rows
        similarity = rows @ rows.T
        position = {name: k for k, name in enumerate(SPEC.classes)}
        assert similarity[position["joy"], position["disgust"]] == pytest.approx(-1, abs=1e-5)
        assert similarity[position["joy"], position["amusement"]] == pytest.approx(math.sqrt(0.5), abs=1e-5)
        assert similarity[position["neutral"]].sum() == pytest.approx(1, abs=1e-4)
        loss = PrototypeKD(prototypes="va")
        loss.build(seedv_spec())
        unknown = replace(seedv_spec().data, classes=("bliss", *SEEDV.classes[1:]))
        with pytest.raises(ValueError, match="bliss"):
            loss.build(loss_spec(targets, data=unknown))

    def test_value_is_the_divergence_of_the_two_distributions(self, targets, stimuli):
        loss, h, y = built(PrototypeKD(), targets), normal(B, D), batch_of(stimuli).y
        direction = loss.projection(h)
        direction = direction / direction.norm(dim=1, keepdim=True)
        student = (direction @ loss.rows.T / 0.1).softmax(dim=1)
        teacher = (targets.prototypes @ targets.prototypes.T / 0.1).softmax(dim=1)[y]
        expected = (teacher * (teacher / student).log()).sum(dim=1).mean()
        torch.testing.assert_close(loss(Output(h=h), batch_of(stimuli)), expected, rtol=1e-4, atol=1e-5)

    def test_trials_do_not_meet(self, targets, stimuli):
        loss, h = built(PrototypeKD(), targets).train(), normal(B, D)
        halves = [loss(Output(h=h[part]), batch_of(stimuli[part])) for part in (slice(0, 18), slice(18, 36))]
        torch.testing.assert_close(loss(Output(h=h), batch_of(stimuli)), sum(halves) / 2)

    def test_gradcheck(self, targets):
        loss = built(PrototypeKD(), targets).double()
        h = normal(5, D).double().requires_grad_()
        assert gradcheck(lambda h: loss(Output(h=h), batch_of(torch.arange(0, 25, 5))), (h,))

    def test_temperature_learns_and_stays_within_bounds(self, targets, stimuli):
        loss, output = built(PrototypeKD(), targets), Output(h=normal(B, D))
        loss(output, batch_of(stimuli)).backward()
        assert loss.log_temperature.grad.abs() > 0
        values = []
        for log_temperature in (math.log(0.01), -20.0):
            loss.log_temperature.data.fill_(log_temperature)
            values.append(loss(output, batch_of(stimuli)))
        torch.testing.assert_close(*values)


class TestDistanceCE:
    def test_cold_labels_are_the_plain_labels(self, targets, stimuli):
        loss, logits = built(DistanceCE(temperature=1e-4 * targets.min_gap), targets), normal(B, K)
        expected = F.cross_entropy(logits, batch_of(stimuli).y)
        torch.testing.assert_close(loss(Output(logits=logits), batch_of(stimuli)), expected)

    def test_gradient_is_the_difference_of_the_distributions(self, targets, stimuli):
        loss, logits = built(DistanceCE(), targets), normal(B, K).requires_grad_()
        loss(Output(logits=logits), batch_of(stimuli)).backward()
        difference = logits.softmax(dim=1) - loss.soft_labels[batch_of(stimuli).y]
        torch.testing.assert_close(logits.grad, difference / B)

    def test_least_at_the_soft_labels_where_it_is_their_entropy(self, targets, stimuli):
        loss = built(DistanceCE(temperature=2.0), targets)
        q = loss.soft_labels[batch_of(stimuli).y]
        entropy = -(q * q.log()).sum(dim=1).mean()
        torch.testing.assert_close(loss(Output(logits=q.log() + 3), batch_of(stimuli)), entropy)
        assert loss(Output(logits=q.log() + 0.1 * normal(B, K)), batch_of(stimuli)) > entropy

    def test_classes_at_one_position_share_their_label(self, targets):
        v_class = targets.v_class.clone()
        v_class[3] = v_class[1]
        labels = built(DistanceCE(), replace(targets, v_class=v_class)).soft_labels
        assert torch.equal(labels[3], labels[1])
        torch.testing.assert_close(labels[1, 3], labels[1, 1])

    def test_raw_positions_are_a_temperature_in_units_of_their_spread(self, axis, targets):
        assert targets.spread == pytest.approx(axis.positions["planted"].std())
        raw = built(DistanceCE(temperature=2.0, v_units="raw"), targets).soft_labels
        in_z = built(DistanceCE(temperature=2.0 / targets.spread), targets).soft_labels
        torch.testing.assert_close(raw, in_z)

    @pytest.mark.parametrize(("mode", "expected"), [("replace", 2.0 * 0.5), ("add", 3.0 + 2.0 * 0.5)])
    def test_combine(self, mode, expected):
        total = DistanceCE(weight=0.5, mode=mode).combine(
            task=torch.tensor(3.0), alignment=torch.tensor(2.0), progress=0.0
        )
        assert total == pytest.approx(expected)

    def test_the_labels_it_replaces_are_not_trained(self, targets):
        model = decoder(DistanceCE(), targets)
        total = step(model)
        assert torch.equal(total, model.record.alignment)
        assert model.record.task != total


class TestVAxisMSE:
    def test_zero_predictor_scores_one_on_a_balanced_batch(self, targets):
        loss = built(VAxisMSE(), targets)
        torch.nn.init.zeros_(loss.head.weight)
        torch.nn.init.zeros_(loss.head.bias)
        value = loss(Output(h=torch.randn(28, D)), batch_of(torch.arange(28)))
        assert math.isclose(value.item(), 1.0, rel_tol=1e-5)

    def test_gradient_is_rank_one(self, targets, stimuli):
        loss, h = built(VAxisMSE(), targets), torch.randn(B, D, requires_grad=True)
        loss(Output(h=h), batch_of(stimuli)).backward()
        error = loss.head(h).squeeze(1) - targets.v[stimuli]
        torch.testing.assert_close(h.grad, 2 / B * error[:, None] * loss.head.weight)

    def test_minimum_is_least_squares(self, targets, stimuli):
        loss, h = built(VAxisMSE(), targets), torch.randn(B, D)
        design = torch.cat([h, torch.ones(B, 1)], dim=1)
        solution = torch.linalg.lstsq(design, targets.v[stimuli][:, None]).solution.squeeze(1)
        with torch.no_grad():
            loss.head.weight.copy_(solution[None, :-1])
            loss.head.bias.copy_(solution[-1:])
        loss(Output(h=h), batch_of(stimuli)).backward()
        assert loss.head.weight.grad.abs().max() < 1e-4

    def test_pearson_couples_trials(self, targets):
        assert VAxisMSE(criterion="pearson").couples_samples
        assert not VAxisMSE().couples_samples


class TestSoftLabelKD:
    def test_gradient_is_temperature_times_difference(self, targets, stimuli):
        loss = built(SoftLabelKD(temperature=2.0), targets)
        logits = torch.randn(B, K, requires_grad=True)
        loss(Output(logits=logits), batch_of(stimuli)).backward()
        difference = (logits / 2).softmax(dim=1) - loss.log_teacher[stimuli].exp()
        torch.testing.assert_close(logits.grad, 2.0 / B * difference)

    def test_zero_exactly_at_the_teacher(self, targets, stimuli):
        loss = built(SoftLabelKD(temperature=0.5), targets)
        logits = 0.5 * loss.log_teacher[stimuli] + 3
        assert loss(Output(logits=logits), batch_of(stimuli)).abs() < 1e-6

    def test_cold_teacher_is_the_nearest_class(self, targets):
        loss = built(SoftLabelKD(temperature=1e-5), targets)
        nearest = (targets.v[:, None] - targets.v_class[None]).abs().argmin(dim=1)
        assert torch.equal(loss.log_teacher.argmax(dim=1), nearest)
