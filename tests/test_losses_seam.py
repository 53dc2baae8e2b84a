"""What a strategy makes of the labels and adds to them: two hooks that combine, and one that stands alone."""

import pytest
import torch

from command_line.catalogue import plugins
from losses._composition import Composition
from losses.base import AlignmentLoss
from losses.rsa import RSA
from losses.vaxis_mse import VAxisMSE
from tests.loss_cases import built, strategy
from tests.test_losses_composition import TASK, batch, output, total

__all__ = ["batch", "output"]  # fixtures


class Geometric(VAxisMSE):
    """No sum of the two: sqrt(task * A)."""

    name = "geometric"

    def combine(self, *, task: torch.Tensor, alignment: torch.Tensor, progress: float) -> torch.Tensor:
        return (task * alignment).sqrt()


class TestCombineOfItsOwn:
    def test_alone_it_is_what_it_says(self, targets, output, batch):
        value = built(VAxisMSE(), targets)(output, batch)
        for loss in (Geometric(), Composition(parts=[Geometric(), RSA(weight=0.0)])):
            torch.testing.assert_close(total(built(loss, targets), output, batch), (TASK * value).sqrt())

    @pytest.mark.parametrize("order", [1, -1])
    def test_beside_another_it_is_refused_by_name(self, order):
        with pytest.raises(ValueError, match="geometric mixes labels and alignment in a combine of its own") as error:
            Composition(parts=[Geometric(), RSA()][::order])
        assert "task_factor and alignment_term" in str(error.value)
        assert "\n" not in str(error.value)

    def test_no_strategy_here_needs_one(self):
        for plugin in plugins("loss"):
            assert type(strategy(plugin.name)).combine is AlignmentLoss.combine
