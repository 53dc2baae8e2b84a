"""Representational similarity: distances between clips in feature space should follow their distances on the axis."""

from typing import Literal

import torch
from torch import Tensor

from losses._geometry import (
    TINY,
    condition_means,
    correlation,
    cosine,
    filled,
    is_constant,
    pairs_of,
    pairwise_distances,
    soft_rank,
)
from losses.base import AlignmentLoss, Batch, LossSpec, Output


class RSA(AlignmentLoss):
    """Distances between clips in feature space should follow their distances on the axis.

    Formula:
        A = 1 - similarity(d_H, d_V), no unit, in [0, 2]; d_H distances between feature patterns, d_V = |v_s -
        v_s'|, both over the pairs of clips in the batch.
        cka: A = 1 - |X'v|^2 / (|X'X| |v|^2) with centred patterns X and positions v.

    Source:
        Kriegeskorte, Mur and Bandettini 2008, doi 10.3389/neuro.06.004.2008.
        Linear CKA: Kornblith et al. 2019, arXiv 1905.00414.

    Published:
        arXiv 2606.00129, row 10: -0.093 (p < 1e-4) at weight 5. Row 11: -0.057 (p < 1e-3) at 1.
        Balanced accuracy 0.610, 0.585, 0.566 and 0.531 at 0.1, 0.5, 1 and 5 against 0.624.

    Ours:
        The sources name neither distance nor comparator nor level. Means over the trials of a clip are what RSA
        compares, and they keep pairs of the same clip from turning the loss into clustering.

    Example:
        python train.py --loss rsa --loss.weight 5

    Args:
        weight: factor of the loss; the paper ran 0.1, 0.5, 1 and 5.
        compare: similarity of the two matrices; pearson allows an offset, cosine does not, spearman_soft uses soft
            ranks, cka compares the centred patterns directly.
        metric: distance between feature patterns.
        level: patterns are means over the trials of a clip (stimulus) or single trials.
    """

    v: Tensor
    couples_samples = True

    def __init__(
        self,
        *,
        weight: float = 1.0,
        compare: Literal["pearson", "cosine", "spearman_soft", "cka"] = "pearson",
        metric: Literal["euclidean", "sqeuclidean", "cosine", "correlation"] = "euclidean",
        level: Literal["stimulus", "trial"] = "stimulus",
    ) -> None:
        super().__init__(weight=weight)
        self.compare, self.metric, self.level = compare, metric, level

    def build(self, spec: LossSpec) -> None:
        self.constant("v", spec.targets.v)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if self.level == "stimulus":
            patterns, there = condition_means(output.h, batch.stimulus, count=len(self.v))
            position = self.v
        else:
            patterns, position = output.h, self.v[batch.stimulus]
            there = torch.ones_like(batch.stimulus, dtype=torch.bool)
        patterns, position = filled(patterns, there), filled(position, there)
        # Nothing resembles a matrix without differences: similarity 0, by decree. Left to the formulas, cosine and
        # CKA divide one rounding error by another and push as hard as a real difference would.
        enough, differ = there.sum() >= 3, ~(is_constant(patterns) | is_constant(position))
        value = 1 - self.similarity(patterns, position, pairs_of(there))
        return self.where_defined(enough & differ, value, otherwise=enough.to(value.dtype))

    def similarity(self, patterns: Tensor, position: Tensor, pairs: Tensor) -> Tensor:
        """Of patterns (U, D) and axis positions (U,) over the pairs (U(U-1)/2,) that the batch has."""
        if self.compare == "cka":
            return linear_cka(patterns, position)
        features = pairwise_distances(patterns, metric=self.metric)
        axis = pairwise_distances(position[:, None])
        if self.compare == "cosine":
            return cosine(features * pairs, axis * pairs)
        if self.compare == "spearman_soft":
            features, axis = soft_rank(features, there=pairs), soft_rank(axis, there=pairs)
        return correlation(filled(features, pairs), filled(axis, pairs))


def linear_cka(patterns: Tensor, position: Tensor) -> Tensor:
    """Linear centred kernel alignment of patterns (U, D) with one axis position each (U,); in [0, 1]."""
    x, v = patterns - patterns.mean(dim=0), position - position.mean()
    gram = x @ x.T
    return (x.T @ v).square().sum() / ((gram.square().sum() + TINY).sqrt() * v.square().sum().clamp_min(TINY))
