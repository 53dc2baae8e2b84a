"""What a step is spared, and that it is what Lightning does otherwise."""

from types import SimpleNamespace

import torch
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler

from lightning_modules.unprofiled import Unprofiled, unprofiled
from tests.loss_cases import decoder_with, strategy


def test_a_profile_that_somebody_asked_for_is_kept():
    asked = SimpleProfiler()
    assert unprofiled(SimpleNamespace(profiler=asked)).profiler is asked
    assert type(unprofiled(SimpleNamespace(profiler=PassThroughProfiler())).profiler) is Unprofiled
    with Unprofiled().profile("anything"), Unprofiled().profile("within it"):
        pass


def test_the_decoder_takes_what_is_written_often_and_registers_the_rest(targets):
    model = decoder_with(strategy("vaxis_mse"), targets)
    model._current_fx_name = "training_step"
    assert model._current_fx_name == "training_step"
    model.further = torch.nn.Linear(2, 2)
    assert {"further.weight", "further.bias"} <= set(model.state_dict())
