"""Auxiliary regression: a linear head predicts the position of the clip on the axis."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from losses._geometry import correlation
from losses.base import AlignmentLoss, Batch, LossSpec, Output, axis_position


class VAxisMSE(AlignmentLoss):
    """Linear regression of the penultimate features onto the axis.

    Formula:
        A = mean_i (w'h_i + b - t_i)^2, in z^2; t the axis position of the clip or of its class.
        pearson: A = 1 - r(w'h + b, t), over the batch of all ranks. huber: slope 1 beyond an error of 1 z.

    Source:
        Multi-task auxiliary regression: Caruana 1997, doi 10.1023/A:1007379606734.

    Published:
        arXiv 2606.00129, row 14: -0.043 (p < 1e-3; 0.010 in its figure) at weight 0.5.
        Row 15: -0.016 (p = 0.04) at 0.1. Weights of 0.001 to 0.05: within noise.
        Row 24, the same as row 14 on all of the data: -0.045 (p < 0.01), so about 0.002 is the error of
        replication.

    Ours:
        The text for SEED-V says MSE, the notes speak of a Pearson loss; ``criterion`` has both and mse is the
        default.
        A constant head has A = 1 on a stimulus-balanced batch, because positions are in z units.

    Example:
        python train.py --loss vaxis_mse --loss.weight 0.5

    Args:
        weight: factor of the loss; the paper ran 0.001 to 0.5.
        level: regress on the position of the clip or of its class.
        criterion: mse (the paper's SEED-V text), pearson = 1 - r over the batch of all ranks (its notes), or huber.
    """

    head: nn.Linear
    v: Tensor
    v_class: Tensor

    def __init__(
        self,
        *,
        weight: float = 0.1,
        level: Literal["stimulus", "class"] = "stimulus",
        criterion: Literal["mse", "pearson", "huber"] = "mse",
    ) -> None:
        super().__init__(weight=weight)
        self.level, self.criterion = level, criterion
        self.couples_samples = criterion == "pearson"

    def build(self, spec: LossSpec) -> None:
        self.head = nn.Linear(spec.dim, 1)
        self.constant("v", spec.targets.v)
        self.constant("v_class", spec.targets.v_class)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return self.regress(output.h, batch)

    def regress(self, features: Tensor, batch: Batch) -> Tensor:
        """The criterion on any (B, D) features; what topographic strategies reuse on a part of the scalp."""
        predicted = self.head(features).squeeze(1)
        target = axis_position(batch, v=self.v, v_class=self.v_class, level=self.level)
        if self.criterion == "pearson":
            return 1 - correlation(predicted, target)
        return F.mse_loss(predicted, target) if self.criterion == "mse" else F.huber_loss(predicted, target)
