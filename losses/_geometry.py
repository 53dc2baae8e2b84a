"""Pure tensor functions that several strategies share; every one is finite, gradient included, on degenerate input.

None has a shape that depends on the numbers in a batch (no ``unique``, no boolean index): a GPU would have to stop and
tell the processor how long the result is. What a batch lacks is masked instead.
"""

import torch
from torch import Tensor

TINY = 1e-12
ROUNDING = 1e-5  # what is smaller than this share of its origin is left over by a subtraction of equal numbers


def is_constant(x: Tensor) -> Tensor:
    """Whether all rows of ``x`` (n,) or (n, D) are equal up to rounding, as a bool scalar."""
    return (x - x.mean(dim=0)).norm() <= ROUNDING * x.norm()


def centred(x: Tensor) -> Tensor:
    """``x`` (n,) minus its mean; exactly 0 with zero gradient where all entries are equal up to rounding.

    Float32 has a mean of equal numbers wrong in the last digit. The difference that is left has a direction, and
    whoever divides by its length makes it as large as a real one.
    """
    return torch.where(is_constant(x), 0.0 * x, x - x.mean())


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of two vectors (n,); 0 with zero gradient where either is constant."""
    return cosine(centred(a), centred(b))


def weighted_correlation(a: Tensor, b: Tensor, *, weights: Tensor) -> Tensor:
    """Pearson correlation of two vectors (n,) under positive weights (n,); 0 where either is constant."""
    weights = weights / weights.sum()
    # As in ``centred``, but about the weighted mean.
    a, b = (weights.sqrt() * torch.where(is_constant(x), 0.0 * x, x - (weights * x).sum()) for x in (a, b))
    return cosine(a, b)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of two vectors (n,); 0 with zero gradient where either has norm below 1e-6."""
    square_a, square_b = (a * a).sum(), (b * b).sum()
    defined = (square_a > TINY) & (square_b > TINY)
    # The root is taken of 1 where it is undefined, so that its infinite slope never meets a zero (0 * inf is NaN).
    norms = torch.where(defined, square_a * square_b, 1.0).sqrt()
    return torch.where(defined, (a * b).sum() / norms, 0.0 * (a.sum() + b.sum()))


def pairwise_distances(x: Tensor, *, metric: str = "euclidean") -> Tensor:
    """Upper triangle, row by row, of the distances between the rows of ``x`` (n, D): (n(n-1)/2,).

    Args:
        x: patterns.
        metric: ``euclidean``, ``sqeuclidean``, ``cosine`` or ``correlation`` (both 1 minus the similarity).
    """
    i, j = torch.triu_indices(len(x), len(x), offset=1, device=x.device)
    if metric in ("cosine", "correlation"):
        rows = x - x.mean(dim=1, keepdim=True) if metric == "correlation" else x
        rows = rows / (rows.square().sum(dim=1, keepdim=True) + TINY).sqrt()
        return 1 - (rows[i] * rows[j]).sum(dim=1)
    squared = (x[i] - x[j]).square().sum(dim=1)
    # The offset stands inside the root: the slope of a bare root at coincident rows is infinite.
    return squared if metric == "sqeuclidean" else (squared + TINY).sqrt()


def membership(ids: Tensor, *, count: int) -> Tensor:
    """(B, count) bool: which of the ids 0 to count - 1 each of ``ids`` (B,) is."""
    return ids[:, None] == torch.arange(count, device=ids.device)


def condition_means(h: Tensor, condition: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """Mean of the rows of ``h`` (B, D) over each condition.

    Args:
        h: features.
        condition: (B,) ids.
        count: S, how many conditions there are, whether or not the batch has trials of them.

    Returns:
        means (S, D), 0 where the batch has no trial, and (S,) whether it has.
    """
    member = membership(condition, count=count).to(h.dtype)
    trials = member.sum(dim=0)
    return member.T @ h / trials.clamp_min(1)[:, None], trials > 0


def filled(x: Tensor, there: Tensor) -> Tensor:
    """``x`` (n,) or (n, D) with the mean of the rows that are there in place of the others.

    Those are 0 once the mean is removed, so that variances, correlations and principal directions of all rows are those
    of the rows that are there.
    """
    mean = (there.to(x.dtype) / there.sum().clamp_min(1)) @ x
    return torch.where(there if x.ndim == 1 else there[:, None], x, mean)


def mean_where(x: Tensor, there: Tensor) -> Tensor:
    """Mean of the entries of ``x`` that are there (a bool of its shape); 0 where none is."""
    return (x * there).sum() / there.sum().clamp_min(1)


def pairs_of(there: Tensor) -> Tensor:
    """Which pairs have both of their rows, in the order of ``pairwise_distances``: (n(n-1)/2,) bool."""
    i, j = torch.triu_indices(len(there), len(there), offset=1, device=there.device)
    return there[i] & there[j]


def soft_rank(x: Tensor, *, there: Tensor | None = None, softness: float = 0.1) -> Tensor:
    """Differentiable ranks of ``x`` (n,): 1/2 + sum of sigmoids of differences in units of ``softness`` deviations.

    Args:
        x: numbers.
        there: (n,) bool, those that are ranked and ranked against; by default all.
        softness: width of a step.
    """
    counts = torch.ones_like(x) if there is None else there.to(x.dtype)
    about = (x - (counts * x).sum() / counts.sum().clamp_min(1)).detach()
    deviation = ((counts * about.square()).sum() / (counts.sum() - 1).clamp_min(1)).sqrt()
    scale = (deviation * softness).clamp_min(1e-6)
    return 0.5 + (counts * torch.sigmoid((x[:, None] - x[None]) / scale)).sum(dim=1)


def precise(x: Tensor) -> Tensor:
    """``x`` in float64 where its device has that; Apple GPUs have not."""
    return x if x.device.type == "mps" else x.double()


def unit(x: Tensor) -> Tensor:
    """Rows of ``x`` (..., D) at length 1; a zero row stays zero."""
    # The offset stands inside the root, as above.
    return x / (x.square().sum(dim=-1, keepdim=True) + TINY).sqrt()
