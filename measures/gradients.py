"""Where the gradient of a loss points: into the span of the class means, or into what the labels leave over."""

from typing import NamedTuple

import torch
from torch import Tensor


class GradientSums(NamedTuple):
    """What the shares of one batch need; the sums over the shards of a batch are the sums of the batch.

    Attributes:
        span: squared norm of the gradient inside the basis, scalar.
        total: squared norm of the gradient, scalar.
        by_class: (K, D) gradient summed over the trials of each class.
        counts: (K,) trials of each class.
    """

    span: Tensor
    total: Tensor
    by_class: Tensor
    counts: Tensor

    @property
    def sample(self) -> Tensor:
        """Squared norm after every row is replaced by the mean row of its class, scalar."""
        return (self.by_class.square().sum(dim=1) / self.counts.clamp_min(1)).sum()


class GradientShares(NamedTuple):
    """Two decompositions of a gradient (B, D) and what an isotropic gradient would give.

    Attributes:
        feature_share: share of its squared norm inside the span of the class means of the features.
        feature_chance: m / D, m the dimension of that span.
        sample_share: share left when each row is replaced by the mean of its class; the rest is within classes.
        sample_chance: K / B, K the number of classes in the batch.
        norm: Frobenius norm. The shares are NaN where it is 0.
    """

    feature_share: float
    feature_chance: float
    sample_share: float
    sample_chance: float
    norm: float


def class_basis(means: Tensor) -> Tensor:
    """Orthonormal basis (D, m) of the span of class means (K, D) about their mean; rows with NaN are left out."""
    means = means[means.isfinite().all(dim=1)]
    if len(means) < 2:
        return means.new_zeros(means.shape[1], 0)
    _, singular_values, directions = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False)
    return directions[(singular_values > 1e-6 * singular_values[0]) & (singular_values > 0)].T


def gradient_sums(gradient: Tensor, *, basis: Tensor, y: Tensor, classes: int) -> GradientSums:
    """Sums of one shard of a batch.

    Args:
        gradient: (B, D) gradient of a loss with respect to the pooled features.
        basis: (D, m) orthonormal, see ``class_basis``.
        y: (B,) class ids.
        classes: K.
    """
    by_class = gradient.new_zeros(classes, gradient.shape[1]).index_add_(0, y, gradient)
    counts = torch.bincount(y, minlength=classes).to(gradient.dtype)
    return GradientSums((gradient @ basis).square().sum(), gradient.square().sum(), by_class, counts)


def shares(sums: GradientSums, *, rank: int) -> GradientShares:
    """Shares from the sums of a whole batch; ``rank`` is m, the dimension of the basis."""
    total = float(sums.total)
    return GradientShares(
        feature_share=float(sums.span) / total if total > 0 else float("nan"),
        feature_chance=rank / sums.by_class.shape[1],
        sample_share=float(sums.sample) / total if total > 0 else float("nan"),
        sample_chance=float((sums.counts > 0).sum() / sums.counts.sum()),
        norm=total**0.5,
    )


def gradient_shares(gradient: Tensor, basis: Tensor, y: Tensor) -> GradientShares:
    """Both decompositions of one gradient (B, D) on one process; ``basis`` (D, m) and ``y`` (B,) as above.

    They can disagree completely: a linear head on class targets puts most of the gradient into the class span while
    almost none of it is shared by the trials of a class. The paper's argument is about the feature share.
    """
    classes = int(y.max()) + 1
    return shares(gradient_sums(gradient, basis=basis, y=y, classes=classes), rank=basis.shape[1])
