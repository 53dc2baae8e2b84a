"""Uncertainty weighting: the balance between labels and axis is learned instead of chosen."""

import torch
from torch import Tensor, nn

from losses.base import LossSpec
from losses.vaxis_mse import VAxisMSE

LIMIT = 6.0


class Uncertainty(VAxisMSE):
    """Regression onto the axis with a weight that is learned from the noise of both tasks.

    Formula:
        L = exp(-s1) task + s1 / 2 + weight (exp(-s2) A / 2 + s2 / 2), A = mean (w'h + b - t)^2 in z^2.
        The log-variances s1, s2 are learned from 0 and kept within -6 and 6.

    Source:
        Kendall, Gal and Cipolla 2018, arXiv 1705.07115.

    Published:
        arXiv 2606.00129, row 25: -0.067 (p < 1e-3), below every fixed weight.

    Ours:
        Stationary at exp(s1) = 2 task and exp(s2) = A, where the axis has task / A times the factor of the
        labels: on training trials A falls while smoothed labels keep a floor, so the axis gains weight without
        bound. L may be negative. The log-variances share the optimiser's weight decay; at 1e-2 a step draws them
        to 0 by 1e-2 lr s, at most 6 percent of a full Adam step.

    Example:
        python train.py --loss uncertainty

    Args:
        weight: factor of the whole alignment part, its log-variance included; the published method has 1.
    """

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__(weight=weight)

    def build(self, spec: LossSpec) -> None:
        super().build(spec)
        self.log_variances = nn.Parameter(torch.zeros(2))

    def task_factor(self, *, progress: float) -> Tensor:
        s1, _ = self._held()
        return (-s1).exp()

    def alignment_term(self, *, alignment: Tensor, progress: float) -> Tensor:
        # s1 / 2 keeps the factor of the labels from falling to 0; it stays where that factor is but one of several.
        s1, s2 = self._held()
        return s1 / 2 + self.weight * ((-s2).exp() * alignment + s2) / 2

    def _held(self) -> tuple[Tensor, Tensor]:
        """The two log-variances, brought back within their limits."""
        with torch.no_grad():  # a projection: under clamp() a value beyond the limit would have no gradient to return
            self.log_variances.clamp_(-LIMIT, LIMIT)
        s1, s2 = self.log_variances
        return s1, s2
