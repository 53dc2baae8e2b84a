"""Procrustes: turn features toward the axis, either what is left of them within classes or all of their variance."""

from typing import Literal

import torch
from torch import Tensor

from losses._geometry import ROUNDING, TINY, condition_means, cosine, filled, precise, unit
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
            means, there = condition_means(output.h, batch.stimulus, count=len(self.v))
            h, v = filled(means, there), filled(self.v, there)
            features, position = h - h.mean(dim=0), v - v.mean()
        else:
            h, v = output.h, self.v[batch.stimulus]
            groups = [batch.y, batch.subject] if self.center_by == "class_and_subject" else [batch.y]
            features, position = without_means(h, *groups), without_means(v[:, None], *groups)[:, 0]
        defined = (features.norm() > ROUNDING * h.norm()) & (position.norm() > ROUNDING * v.norm())
        if self.mode == "orthogonal":
            product = features.square().sum() * position.square().sum()
            # Where it is not defined the product may be 0: 1 in its place, and nothing is divided by it.
            shared = (features.T @ position).square().sum() / torch.where(defined, product, 1.0)
            return self.where_defined(defined, 1 - shared)
        # Detached: the slope of a principal direction grows without bound where two variances come close.
        c = cosine(features @ leading_direction(features.detach()), position)
        return self.where_defined(defined, 1 - c.square() + 2 * self.mse_coef * (1 - c.abs()))


def leading_direction(x: Tensor, *, doublings: int = 16) -> Tensor:
    """(D,) unit vector along which the rows of ``x`` (B, D) have most variance about 0, of either sign; 0 for 0.

    Power iteration by squaring: the 65,536th power of the Gram matrix has that direction alone. A decomposition would
    report to the processor whether it has converged.
    """
    tall, rows = len(x) > x.shape[1], precise(x)
    gram = rows.T @ rows if tall else rows @ rows.T
    for _ in range(doublings):
        gram = gram / gram.norm().clamp_min(TINY)
        gram = gram @ gram
    vector = gram.index_select(1, gram.diagonal().argmax(dim=0, keepdim=True))[:, 0]
    return unit(vector if tall else rows.T @ unit(vector)).to(x.dtype)


def without_means(x: Tensor, *groups: Tensor) -> Tensor:
    """Rows (B, m) minus the additive least-squares fit of group means; a trial alone in its group is left with 0."""
    same = [group[:, None] == group for group in groups]
    if len(same) == 1:
        return x - (same[0].to(x.dtype) / same[0].sum(dim=1, keepdim=True)) @ x
    # The sum of the projections onto the spans of two partitions has the span of both. It is singular, so that the fit
    # has a ridge, and what that leaves of the means is fitted again.
    rows = precise(x)
    first, second = (s.to(rows.dtype) / s.sum(dim=1, keepdim=True) for s in same)
    spans = first + second
    ridge = torch.finfo(rows.dtype).eps ** 0.5
    inverse = torch.linalg.inv_ex(spans @ spans + ridge * torch.eye(len(x), dtype=rows.dtype, device=x.device)).inverse
    for _ in range(3):
        rows = rows - spans @ (inverse @ (spans @ rows))
    return rows.to(x.dtype)
