"""Initialisation: the classifier starts with the class positions on the axis; nothing else changes."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losses.base import AlignmentLoss, Batch, Learner, LossSpec, Output


class HeadInit(AlignmentLoss):
    """The classifier starts from the class positions on the axis; training then sees labels only.

    Formula:
        bias: b = weight * v_class (z units become logits).
        weight: W = sqrt(1 - weight^2) W0 + weight |W0|_F v u', v the unit vector of class positions, u a random
        unit vector, W0 the usual start.

    Source:
        arXiv 2606.00129, which says no more than initialisation of bias or weight.

    Published:
        arXiv 2606.00129, figure: bias -0.003 (p = 0.70), weight -0.017 (p = 0.05).
        The revision of September 2026 lists an initialisation aligned with the language model at -0.167 (no p).

    Ours:
        The direction of the axis has no coordinates among the features, so u must be random, and the norm of W0
        keeps the scale out of the comparison. Once the head is set the strategy is inactive: training sees labels
        only, and a step costs what the plain decoder's costs.

    Example:
        python train.py --loss head_init --loss.mode weight

    Args:
        weight: size of the initialisation; at most 1 in mode weight, where 1 leaves rank 1.
        mode: set the bias or the weight matrix of the last layer.
    """

    v_class: Tensor

    def __init__(self, *, weight: float = 1.0, mode: Literal["bias", "weight"] = "bias") -> None:
        super().__init__(weight=weight)
        if mode == "weight" and weight > 1:
            raise ValueError(f"weight must be <= 1 in mode weight, got {weight}")
        self.mode, self.done = mode, False

    @property
    def active(self) -> bool:
        return super().active and not self.done

    def build(self, spec: LossSpec) -> None:
        self.constant("v_class", spec.targets.v_class)

    def prepare(self, decoder: Learner) -> None:
        # Heads of other papers end in a linear layer too, after whatever they have before it.
        last = [module for module in decoder.classifier.modules() if isinstance(module, nn.Linear)][-1]
        if last.out_features != len(self.v_class):
            raise ValueError(f"the last linear layer of the head gives {last.out_features} values, not one a class")
        with torch.no_grad():
            if self.mode == "bias":
                last.bias.copy_(self.weight * self.v_class)
            else:
                u = F.normalize(torch.randn(last.in_features), dim=0)
                toward = last.weight.norm() * torch.outer(F.normalize(self.v_class, dim=0), u)
                last.weight.copy_((1 - self.weight**2) ** 0.5 * last.weight + self.weight * toward)
        self.done = True

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Zero, connected to the graph; the decoder does not ask for it."""
        return 0.0 * output.h.sum()
