"""Options that several strategies share: whose position, and what it costs to miss it."""

import typing
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special, stats

from command_line.catalogue import plugins
from eeg.batch import SourceBatch
from losses.base import Output, axis_position
from losses.vaxis_mse import VAxisMSE
from tests.loss_cases import STIMULI, TARGETS, B, D, N, batch_of, built, loss_spec, output_of, strategy
from vaxis.emotions import FACED


def offering(argument: str, word: str) -> list[str]:
    """Strategies with an argument that may be this word."""
    found = []
    for plugin in plugins("loss"):
        annotation = typing.get_type_hints(type(strategy(plugin.name)).__init__).get(argument)
        if typing.get_origin(annotation) is typing.Literal and word in typing.get_args(annotation):
            found.append(plugin.name)
    return found


@pytest.fixture
def tokens():
    return torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7))


class TestLevel:
    AT_CLASSES = replace(TARGETS, v=TARGETS.v_class[TARGETS.class_of])
    EXTRA: typing.ClassVar = {"soft_supcon": {"d_max": 1.0}}  # by default it follows the range of the clips

    def test_clips_of_a_class_differ_here(self):
        """Or nothing below would tell one level from the other."""
        assert (TARGETS.v - self.AT_CLASSES.v).abs().max() > 0.1

    def test_every_strategy_on_the_axis_offers_it(self):
        assert len(offering("level", "class")) >= 9

    def test_position_of_clip_or_class(self):
        batch = batch_of(STIMULI)
        found = {
            level: axis_position(batch, v=TARGETS.v, v_class=TARGETS.v_class, level=level)
            for level in ("stimulus", "class")
        }
        assert torch.equal(found["stimulus"], TARGETS.v[STIMULI])
        assert torch.equal(found["class"], TARGETS.v_class[torch.tensor(FACED.class_of)[STIMULI]])

    @pytest.mark.parametrize("name", offering("level", "class"))
    def test_class_is_the_value_of_targets_without_clips(self, name, tokens):
        extra, output, batch = self.EXTRA.get(name, {}), output_of(tokens), batch_of(STIMULI)
        at_class = built(strategy(name, level="class", **extra), TARGETS)(output, batch)
        expected = built(strategy(name, level="stimulus", **extra), self.AT_CLASSES)(output, batch)
        torch.testing.assert_close(at_class, expected, rtol=0, atol=0)
        at_clip = built(strategy(name, level="stimulus", **extra), TARGETS)(output, batch)
        assert abs(at_clip - at_class) > 1e-4

    @pytest.mark.parametrize("level", ["stimulus", "class"])
    def test_of_the_second_data_set_too(self, level, tokens):
        loss = strategy("xeeg", level=level)
        nowhere = replace(TARGETS, v=torch.full((28,), 99.0), v_class=torch.full((9,), 99.0))
        loss.build(replace(loss_spec(nowhere), source=TARGETS))
        output = output_of(tokens)
        target = TARGETS.v[STIMULI] if level == "stimulus" else TARGETS.v_class[TARGETS.class_of[STIMULI]]
        expected = (loss.head(output.h).squeeze(1) - target).square().mean()
        torch.testing.assert_close(loss(output, SourceBatch(*batch_of(STIMULI))), expected)


class TestCriterion:
    def predicted_and_wanted(self, loss, h: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        return loss.head(h).squeeze(1).detach().double().numpy(), TARGETS.v[STIMULI].double().numpy()

    @pytest.mark.parametrize(
        ("criterion", "reference"),
        [
            ("mse", lambda p, t: np.mean((p - t) ** 2)),
            ("huber", lambda p, t: np.mean(special.huber(1.0, p - t))),
            ("pearson", lambda p, t: 1 - stats.pearsonr(p, t).statistic),
        ],
    )
    def test_against_scipy(self, criterion, reference):
        loss = built(VAxisMSE(criterion=criterion), TARGETS)
        h = 3 * torch.randn(B, D, generator=torch.Generator().manual_seed(3))
        predicted, wanted = self.predicted_and_wanted(loss, h)
        error = np.abs(predicted - wanted)
        assert error.min() < 1 < error.max(), "both branches of the Huber loss take part"
        found = loss(Output(h=h), batch_of(STIMULI)).item()
        assert found == pytest.approx(reference(predicted, wanted), rel=1e-5)

    @pytest.mark.parametrize("criterion", ["mse", "pearson", "huber"])
    @pytest.mark.parametrize("name", sorted({*offering("criterion", "pearson")} - {"faa", "anger_weighted"}))
    def test_every_regression_has_the_same(self, name, criterion):
        """On trials whose electrodes all carry the same tokens, which is where features and parts of them agree."""
        h = torch.randn(B, D, generator=torch.Generator().manual_seed(3))
        output = output_of(h[:, None, None].expand(-1, 32, N, -1))
        treated, plain = (built(loss, TARGETS) for loss in (strategy(name, criterion=criterion), VAxisMSE()))
        plain.criterion = criterion
        torch.testing.assert_close(treated(output, batch_of(STIMULI)), plain(output, batch_of(STIMULI)))
        assert treated.couples_samples == (criterion == "pearson")
