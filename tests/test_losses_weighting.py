"""Strategies that weight trials, losses or the start: closed forms, and what they leave alone."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from lightning_modules.decoder import Decoder
from losses._geometry import weighted_correlation
from losses.anger_weighted import AngerWeighted
from losses.base import Output
from losses.curriculum import SCHEDULES, Curriculum
from losses.head_init import HeadInit
from losses.none import NoAlignment
from losses.uncertainty import LIMIT, Uncertainty
from losses.vaxis_mse import VAxisMSE
from networks.axial_de import AxialDE
from tests.loss_cases import B, D, batch_of, built
from tests.test_decoder import SPEC, decoder, fit_steps
from tests.test_losses_regression import normal, seedv_spec, step


@pytest.fixture
def stimuli():
    return torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


class TestAngerWeighted:
    @pytest.mark.parametrize("criterion", ["mse", "pearson"])
    def test_a_weight_of_n_is_the_trial_n_times(self, criterion, targets, stimuli):
        weights = dict(zip(SPEC.classes, range(1, 10)))
        loss = built(AngerWeighted(class_weights=weights, criterion=criterion), targets)
        plain, h = built(VAxisMSE(criterion=criterion), targets), normal(B, D)
        again = torch.arange(B).repeat_interleave(batch_of(stimuli).y + 1)
        expected = plain(Output(h=h[again]), batch_of(stimuli[again]))
        torch.testing.assert_close(loss(Output(h=h), batch_of(stimuli)), expected)

    @pytest.mark.parametrize("criterion", ["mse", "pearson"])
    @pytest.mark.parametrize("factor", [1.0, 7.0])
    def test_equal_weights_are_vaxis_mse(self, criterion, factor, targets, stimuli):
        weights = dict.fromkeys(SPEC.classes, factor)
        loss = built(AngerWeighted(class_weights=weights, criterion=criterion), targets)
        expected = built(VAxisMSE(criterion=criterion), targets)
        output = Output(h=normal(B, D))
        torch.testing.assert_close(loss(output, batch_of(stimuli)), expected(output, batch_of(stimuli)))

    def test_defaults(self, targets):
        loss = built(AngerWeighted(), targets)
        assert loss.couples_samples
        assert loss.class_weight.tolist() == [5, 1, 1, 1, 1, 3, 1, 1, 3]
        spec = seedv_spec()
        loss.build(spec)
        by_position = loss.class_weight[spec.targets.v_class.argsort()]
        assert by_position.tolist() == [5, 1, 1, 3, 3]

    def test_wrong_weights_are_refused(self, targets):
        with pytest.raises(ValueError, match="boredom"):
            built(AngerWeighted(class_weights={"boredom": 2.0}), targets)
        with pytest.raises(ValueError, match="> 0"):
            AngerWeighted(class_weights={"anger": 0.0})

    def test_weighted_correlation_matches_numpy(self):
        a, b = normal(2, 12).double()
        weights = torch.rand(12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        covariance = np.cov(a, b, aweights=weights)
        expected = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
        assert math.isclose(weighted_correlation(a, b, weights=weights), expected, rel_tol=1e-10)
        inputs = (a.requires_grad_(), b.requires_grad_())
        assert gradcheck(lambda a, b: weighted_correlation(a, b, weights=weights), inputs)


class TestUncertainty:
    TASK, ALIGNMENT = torch.tensor(1.7), torch.tensor(0.3)

    def total(self, loss: Uncertainty) -> torch.Tensor:
        return loss.combine(task=self.TASK, alignment=self.ALIGNMENT, progress=0.5)

    def test_starts_as_half_the_weight(self, targets):
        assert self.total(built(Uncertainty(weight=0.4), targets)).item() == pytest.approx(1.7 + 0.4 * 0.3 / 2)

    def test_stationary_where_the_variances_are_the_losses(self, targets):
        loss = built(Uncertainty(weight=0.4), targets)
        with torch.no_grad():
            loss.log_variances.copy_(torch.stack([2 * self.TASK, self.ALIGNMENT]).log())
        (gradient,) = torch.autograd.grad(self.total(loss), loss.log_variances)
        torch.testing.assert_close(gradient, torch.zeros(2), atol=1e-7, rtol=0)
        task, alignment = (value.clone().requires_grad_() for value in (self.TASK, self.ALIGNMENT))
        total = loss.combine(task=task, alignment=alignment, progress=0.0)
        factors = torch.autograd.grad(total, (task, alignment))
        torch.testing.assert_close(factors[1] / factors[0], 0.4 * self.TASK / self.ALIGNMENT)

    def test_log_variances_are_held_and_can_return(self, targets):
        loss = built(Uncertainty(), targets)
        with torch.no_grad():
            loss.log_variances.copy_(torch.tensor([-50.0, 50.0]))
        (gradient,) = torch.autograd.grad(self.total(loss), loss.log_variances)
        assert loss.log_variances.tolist() == [-LIMIT, LIMIT]
        assert gradient[0] < 0 < gradient[1]

    def test_learns_its_balance(self, targets):
        model = decoder(Uncertainty(), targets)
        fit_steps(model)
        assert (model.loss.log_variances != 0).all()

    def test_may_be_negative(self, targets):
        loss = built(Uncertainty(), targets)
        with torch.no_grad():
            loss.log_variances.copy_(torch.tensor([0.0, -5.0]))
        assert loss.combine(task=torch.tensor(0.1), alignment=torch.tensor(1e-3), progress=0.0) < 0


class TestCurriculum:
    @pytest.mark.parametrize(
        ("schedule", "factors"),
        [
            ("cosine_decay", {0: 1, 1 / 3: 0.75, 0.5: 0.5, 1: 0}),
            ("warmup", {0: 0, 0.05: 0.5, 0.1: 1, 1: 1}),
            ("step_off", {0: 1, 0.49: 1, 0.5: 0, 1: 0}),
        ],
    )
    def test_factors(self, schedule, factors):
        loss = Curriculum(weight=0.5, schedule=schedule)
        for progress, factor in factors.items():
            total = loss.combine(task=torch.tensor(3.0), alignment=torch.tensor(2.0), progress=progress)
            assert total == pytest.approx(3 + 0.5 * factor * 2)

    def test_cosine_gives_half_the_dose(self):
        assert np.mean([SCHEDULES["cosine_decay"](t) for t in np.linspace(0, 1, 1001)]) == pytest.approx(0.5)

    def test_follows_training(self, targets):
        plain = decoder(NoAlignment(), targets)
        step(plain).backward()
        for progress, equal in ((0.0, False), (0.5, True)):
            model = decoder(Curriculum(schedule="step_off"), targets)
            step(model, progress=progress).backward()
            assert torch.equal(model.network.gain.grad, plain.network.gain.grad) == equal


class TestHeadInit:
    def make(self, loss, targets, *, head: str = "mean_linear") -> Decoder:
        torch.manual_seed(42)
        model = Decoder(network=AxialDE(dropout=0.0), loss=loss, head=head)
        model.build(spec=SPEC, targets=targets)
        return model

    def changed(self, a: Decoder, b: Decoder) -> list[str]:
        assert a.state_dict().keys() == b.state_dict().keys()
        return [name for name, value in a.state_dict().items() if not torch.equal(value, b.state_dict()[name])]

    @pytest.mark.parametrize("head", ["mean_linear", "emod", "flatten_mlp"])
    @pytest.mark.parametrize("mode", ["bias", "weight"])
    def test_one_tensor_changes_and_the_random_state_does_not(self, mode, head, targets):
        plain = self.make(NoAlignment(), targets, head=head)
        state = torch.get_rng_state()
        treated = self.make(HeadInit(mode=mode), targets, head=head)
        assert torch.equal(torch.get_rng_state(), state)
        (name,) = self.changed(plain, treated)
        assert name == [n for n, _ in plain.classifier.named_parameters(prefix="classifier") if n.endswith(mode)][-1]

    def test_bias_is_the_class_positions(self, targets):
        model = self.make(HeadInit(weight=2.0), targets)
        torch.testing.assert_close(model.classifier.linear.bias, 2 * targets.v_class)

    def test_weight_has_rank_one_and_the_usual_norm(self, targets):
        usual = self.make(NoAlignment(), targets).classifier.linear.weight
        treated = self.make(HeadInit(mode="weight"), targets).classifier.linear.weight
        torch.testing.assert_close(treated.norm(), usual.norm())
        singular = torch.linalg.svdvals(treated)
        assert singular[1] < 1e-5 * singular[0]
        logits = treated @ normal(32)
        torch.testing.assert_close(F.cosine_similarity(logits, targets.v_class, dim=0).abs(), torch.tensor(1.0))

    def test_part_of_the_weight(self, targets):
        usual, full, part = (
            self.make(loss, targets).classifier.linear.weight
            for loss in (NoAlignment(), HeadInit(mode="weight"), HeadInit(mode="weight", weight=0.6))
        )
        torch.testing.assert_close(part, 0.8 * usual + 0.6 * full)

    def test_zero_is_the_plain_decoder(self, targets):
        assert not self.changed(self.make(NoAlignment(), targets), self.make(HeadInit(weight=0.0), targets))

    def test_training_pays_nothing(self, targets, monkeypatch):
        monkeypatch.setattr(HeadInit, "forward", lambda *_: pytest.fail("asked for a loss that is not there"))
        model = self.make(HeadInit(), targets)
        total = step(model)
        assert model.record.alignment is None
        assert torch.equal(total, model.record.task)
        assert not list(model.loss.parameters())

    def test_more_than_the_whole_weight_is_refused(self):
        with pytest.raises(ValueError, match="<= 1"):
            HeadInit(mode="weight", weight=1.5)
        HeadInit(mode="bias", weight=1.5)
