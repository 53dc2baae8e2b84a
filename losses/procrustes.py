"""Procrustes: turn features toward the axis, either what is left of them within classes or all of their variance."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from losses._geometry import ROUNDING, condition_means, cosine
from losses.base import AlignmentLoss, Batch, LossSpec, Output


class Procrustes(AlignmentLoss):
    """The leading within-class direction of the features should follow the axis within classes.

    Formula:
        residual_pc: A = (1 - c^2) + 2 m (1 - |c|), in [0, 1 + 2 m]; c the cosine over trials between v - class
        mean and the scores of the residual features on their first principal direction.
        orthogonal: A = 1 - |X'v|^2 / (|X|^2 |v|^2), in [0, 1], X and v the centred means and positions of the
        clips.

    Source:
        Schönemann 1966, doi 10.1007/BF02289451.

    Published:
        arXiv 2606.00129, row 9: +0.0012 (p = 0.89) at weight 0.05.

    Ours:
        The source speaks of a cosine between a direction of features and one of a language model; these share no
        space, so it is taken over trials here. The direction is held fixed in the gradient (an SVD has none where
        two singular values meet). The second term is m times the mean squared error of the standardised scores,
        sign chosen. No gradient ever moves a class mean, and a batch without axis variance within classes is
        undefined. orthogonal is what the best rotation and scale leave of the features.

    Example:
        python train.py --loss procrustes --loss.center_by class_and_subject

    Args:
        weight: factor of the loss.
        mode: residual_pc is the paper's; orthogonal is the classical problem for one target dimension.
        mse_coef: m, of residual_pc.
        center_by: of residual_pc; trials of one subject resemble each other, so the first direction within classes is
            often who it is, and class_and_subject removes the means of both.
    """

    v: Tensor
    couples_samples = True

    def __init__(
        self,
        *,
        weight: float = 0.05,
        mode: Literal["residual_pc", "orthogonal"] = "residual_pc",
        mse_coef: float = 0.1,
        center_by: Literal["class", "class_and_subject"] = "class",
    ) -> None:
        super().__init__(weight=weight)
        self.mode, self.mse_coef, self.center_by = mode, mse_coef, center_by

    def build(self, spec: LossSpec) -> None:
        self.constant("v", spec.targets.v)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if self.mode == "orthogonal":
            h, stimulus = condition_means(output.h, batch.stimulus)
            features, position = h - h.mean(dim=0), self.v[stimulus] - self.v[stimulus].mean()
        else:
            h, stimulus = output.h, batch.stimulus
            groups = [batch.y, batch.subject] if self.center_by == "class_and_subject" else [batch.y]
            features, position = without_means(h, *groups), without_means(self.v[stimulus][:, None], *groups)[:, 0]
        if features.norm() <= ROUNDING * h.norm() or position.norm() <= ROUNDING * self.v[stimulus].norm():
            return self.undefined(output.h)
        if self.mode == "orthogonal":
            return 1 - (features.T @ position).square().sum() / (features.square().sum() * position.square().sum())
        # Detached: the slope of a singular vector grows without bound where two singular values come close.
        leading = torch.linalg.svd(features.detach(), full_matrices=False).Vh[0]
        c = cosine(features @ leading, position)
        return 1 - c.square() + 2 * self.mse_coef * (1 - c.abs())


def without_means(x: Tensor, *groups: Tensor) -> Tensor:
    """Rows (B, m) minus the additive least-squares fit of group means; a trial alone in its group is left with 0."""
    design = torch.cat([F.one_hot(group.unique(return_inverse=True)[1]) for group in groups], dim=1).to(x)
    return x - design @ (torch.linalg.pinv(design) @ x)
