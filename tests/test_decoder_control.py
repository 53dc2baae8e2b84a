"""A run whose strategy is given something else than the axis: nothing but the targets of the loss may differ."""

import numpy as np
import pytest
import torch

from lightning_modules.control import RANDOM, name_of
from lightning_modules.decoder import Decoder
from losses.multi_vaxis_mse import MultiVAxisMSE
from losses.none import NoAlignment
from losses.vaxis_mse import VAxisMSE
from networks.axial_de import AxialDE
from tests.conftest import make_axis
from tests.loss_cases import SPEC
from vaxis.targets import Targets


def decoder(axis, *, loss=None, seed=42, control=None, control_axis=None) -> Decoder:
    torch.manual_seed(seed)
    model = Decoder(network=AxialDE(dropout=0.0), loss=loss or VAxisMSE(), control=control)
    model.control_axis = control_axis
    model.build_on(axis, spec=SPEC)
    return model


def test_random_targets_reach_the_loss_alone(axis):
    plain, control = decoder(axis), decoder(axis, control=RANDOM)
    real = Targets.from_axis(axis)
    assert torch.equal(plain.loss.v, real.v)
    assert torch.equal(control.loss.v, real.permuted(seed=42).v)
    assert not torch.equal(control.loss.v, decoder(axis, control=RANDOM, seed=43).loss.v)
    assert torch.equal(control.targets.v, real.v), "everything is measured along the axis"
    for name, value in plain.named_parameters():
        assert torch.equal(value, dict(control.named_parameters())[name]), name
    assert (plain.control_name, control.control_name) == (None, "random")


def test_another_artifact_takes_the_place_of_the_axis(axis):
    other = make_axis(seed=7)
    model = decoder(axis, control="other.npz", control_axis=other)
    assert torch.equal(model.loss.v, Targets.from_axis(other).v)
    assert torch.equal(model.targets.v, Targets.from_axis(axis).v)
    assert model.control_name == f"axis {other.fingerprint}"
    other.provenance["quality"] = "arousal"
    assert name_of("other.npz", other) == f"arousal {other.fingerprint}"


def test_an_artifact_of_other_stimuli_is_refused(axis):
    with pytest.raises(ValueError, match=r"other\.npz is not of the stimuli of the data"):
        decoder(axis, control="other.npz", control_axis=make_axis("seedv"))


def test_a_loss_that_reads_further_axes_is_refused(axis):
    with pytest.raises(ValueError, match=r"reads further ones \(--loss\.axes\)"):
        decoder(axis, loss=MultiVAxisMSE(axes=("second.npz",)), control=RANDOM)


def test_without_a_strategy_there_is_nothing_to_control(axis):
    assert decoder(axis, loss=NoAlignment(), control=RANDOM).control_name is None
    assert decoder(axis, loss=VAxisMSE(weight=0.0), control=RANDOM).control_name is None


def test_random_targets_are_as_hard_to_fit_as_the_axis(axis):
    """The control is content-matched: same spread, same share of it between classes."""
    plain, control = (decoder(axis, control=name).loss for name in (None, RANDOM))
    for loss in (plain, control):
        between = loss.v_class[plain_class_of(axis)].var(unbiased=False) / loss.v.var(unbiased=False)
        assert between == pytest.approx(float(_between(axis)), abs=0.05)


def plain_class_of(axis):
    return torch.as_tensor(np.asarray(axis.classes.class_of))


def _between(axis):
    targets = Targets.from_axis(axis)
    return targets.v_class[targets.class_of].var(unbiased=False) / targets.v.var(unbiased=False)
