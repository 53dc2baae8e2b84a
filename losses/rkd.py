"""Relational distillation: relative distances and angles between clips are those of the axis or of the clips' texts."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from losses._geometry import (
    TINY,
    condition_means,
    filled,
    is_constant,
    mean_where,
    pairs_of,
    pairwise_distances,
    unit,
)
from losses.base import AlignmentLoss, Batch, LossSpec, Output


class RKD(AlignmentLoss):
    """Relative distances (and angles) between clips in feature space should be those on the axis.

    Formula:
        A = w_d mean huber(d_ij / mean d - d'_ij / mean d') + w_a mean huber(cos_jik - cos'_jik), no unit.
        d and cos are distances and angles between the clips in feature space, primed on the axis or between
        texts, over the pairs and triples of clips in the batch; huber has slope 1 beyond 1.

    Source:
        Park, Kim, Lu and Cho 2019, arXiv 1904.05068, with w_a = 2 w_d.

    Published:
        Cited as a source by arXiv 2606.00129, which reports no number for it (no row, no p).

    Ours:
        Patterns are means over the trials of a clip as in ``rsa``, which also bounds the triples. Unlike ``rsa``
        no offset between the distances is free. On a line every angle is 0 or 180 degrees, so the angle term
        would only demand that features be collinear; it is refused with ``axis``. Angles at a clip whose text
        equals another's are left out.

    Example:
        python train.py --loss rkd --loss.teacher text

    Args:
        weight: factor of the loss.
        teacher: positions on the axis, or text embeddings of the clips (of their classes where the axis has none).
        distance_weight: w_d.
        angle_weight: w_a; by default 2 with ``text`` and 0 with ``axis``, where nothing else is allowed.
    """

    taught: Tensor
    couples_samples = True

    def __init__(
        self,
        *,
        weight: float = 1.0,
        teacher: Literal["axis", "text"] = "axis",
        distance_weight: float = 1.0,
        angle_weight: float | None = None,
    ) -> None:
        super().__init__(weight=weight)
        if teacher == "axis" and angle_weight:
            raise ValueError("angle_weight must be 0 with teacher axis: angles on a line say nothing; use teacher text")
        self.teacher, self.distance_weight = teacher, distance_weight
        self.angle_weight = (2.0 if teacher == "text" else 0.0) if angle_weight is None else angle_weight

    def build(self, spec: LossSpec) -> None:
        self.constant("taught", spec.targets.v[:, None] if self.teacher == "axis" else spec.targets.embeddings)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        means, there = condition_means(output.h, batch.stimulus, count=len(self.taught))
        patterns, pairs = filled(means, there), pairs_of(there)
        # Means of equal features differ by rounding, and an angle between two rounding errors has a slope like any
        # other. Collapsed features still cost what their missing distances cost, without a direction to go.
        patterns = torch.where(is_constant(patterns), 0.0 * patterns, patterns)
        taught = relative_distances(self.taught, pairs)
        errors = F.smooth_l1_loss(relative_distances(patterns, pairs), taught, reduction="none")
        value = self.distance_weight * mean_where(errors, pairs)
        if self.angle_weight:
            defined = defined_angles(self.taught) & there[:, None, None] & there[:, None] & there
            errors = F.smooth_l1_loss(angle_cosines(patterns), angle_cosines(self.taught), reduction="none")
            value = value + self.angle_weight * mean_where(errors, defined)
        # Two clips have one distance, which relative to its mean is always 1.
        return self.where_defined((there.sum() >= 3) & taught.gt(0).any(), value)


def relative_distances(x: Tensor, pairs: Tensor) -> Tensor:
    """Distances between the rows of ``x`` (U, D) over the mean of those that are not 0: (U(U-1)/2,).

    Args:
        x: patterns.
        pairs: (U(U-1)/2,) bool, which of them are; the others have distance 0.
    """
    distances = pairwise_distances(x)
    apart = (distances > 2 * TINY**0.5) & pairs  # coincident rows have the distance sqrt(TINY)
    return torch.where(apart, distances, 0.0) / (distances * apart).sum().clamp_min(TINY) * apart.sum()


def angle_cosines(x: Tensor) -> Tensor:
    """(U, U, U) cosines of the angles at row j between rows i and k of ``x`` (U, D), indexed j, i, k."""
    sides = unit(x[None] - x[:, None])
    return sides @ sides.transpose(1, 2)


def defined_angles(x: Tensor) -> Tensor:
    """(U, U, U) bool: i and k are two rows, neither of which coincides with row j."""
    apart = (x[None] - x[:, None]).abs().sum(dim=-1) > 0
    return apart[:, :, None] & apart[:, None, :] & ~torch.eye(len(x), dtype=torch.bool, device=x.device)
