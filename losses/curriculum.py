"""Curriculum: regression onto the axis whose weight changes in the course of training."""

import math
from typing import Literal

from torch import Tensor

from losses.vaxis_mse import VAxisMSE

SCHEDULES = {
    "cosine_decay": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "warmup": lambda progress: min(1.0, progress / 0.1),
    "step_off": lambda progress: float(progress < 0.5),
}


class Curriculum(VAxisMSE):
    """Regression onto the axis with a weight that falls or rises during training.

    Formula:
        L = task + weight * f(progress) * A, A in z^2 as in ``vaxis_mse``, progress the completed fraction of all
        steps.
        cosine_decay: f = (1 + cos(pi progress)) / 2, mean 1/2; warmup: linear to 1 over the first tenth;
        step_off: 1 for the first half, then 0.

    Source:
        Bengio et al. 2009, doi 10.1145/1553374.1553380.

    Published:
        arXiv 2606.00129, figure: -0.009 (p = 0.23) with cosine_decay from 0.5.

    Ours:
        It ran three schedules and names only cosine_decay; the other two are our reading.

    Example:
        python train.py --loss curriculum --loss.schedule warmup

    Args:
        weight: largest factor of the loss.
        schedule: course of the factor.
        level: regress on the position of the clip or of its class.
        criterion: mse, pearson (1 - r over the batch of all ranks) or huber.
    """

    def __init__(
        self,
        *,
        weight: float = 0.5,
        schedule: Literal["cosine_decay", "warmup", "step_off"] = "cosine_decay",
        level: Literal["stimulus", "class"] = "stimulus",
        criterion: Literal["mse", "pearson", "huber"] = "mse",
    ) -> None:
        super().__init__(weight=weight, level=level, criterion=criterion)
        self.schedule = schedule

    def alignment_term(self, *, alignment: Tensor, progress: float) -> Tensor:
        return self.weight * SCHEDULES[self.schedule](progress) * alignment
