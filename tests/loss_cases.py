"""Targets, features and batches on which tests of alignment strategies agree."""

from dataclasses import replace

import numpy as np
import torch

from losses.base import Output
from tests.conftest import make_axis
from tests.test_losses import B, D, batch_of, built
from vaxis.targets import Targets

__all__ = ["ALL", "CLASS_LEVEL", "STIMULI", "TARGETS", "B", "D", "batch_of", "built", "normal", "value"]

# Every clip has a text of its own here; there positions are those of classes and clips have no texts.
TARGETS = Targets.from_axis(replace(make_axis(), embeddings=np.random.default_rng(5).normal(size=(28, 16))))
CLASS_LEVEL = Targets.from_axis(make_axis(), source="class")
ALL = torch.arange(28)
STIMULI = torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(loss, h: torch.Tensor, stimulus: torch.Tensor) -> torch.Tensor:
    """The loss of features (B, D) evoked by these clips."""
    return loss(Output(h=h), batch_of(stimulus))
