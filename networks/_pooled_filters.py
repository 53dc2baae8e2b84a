"""Convolution along time, group normalisation, GELU and pooling as one operation, without the maps between them.

A bank of D filters makes D numbers of every sample, of which pooling keeps one in forty: written as four layers, the
three maps between them are most of the time and memory of a step. Two identities leave them out. The statistics of the
normalisation follow from the K x K covariance of the stretches that a filter of length K sees, so nothing has to be
filtered to know them, and the normalisation is a factor and an offset of each filter. What remains is a matrix product,
GELU and a mean, on a processor one electrode at a time, while its map is in the cache; the backward pass makes it anew.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pooled_filters(x: Tensor, *, convolution: nn.Conv2d, norm: nn.GroupNorm, positions: int) -> Tensor:
    """The mean over each of some stretches of ``gelu(norm(convolution(x)))``, equal to these layers up to rounding.

    Args:
        x: (B, C, T).
        convolution: one channel to D, kernel (1, K), padding ``same``.
        norm: over groups of the D features, electrodes and samples.
        positions: N stretches.

    Returns:
        (B, D, C, N).
    """
    before = (convolution.kernel_size[1] - 1) // 2
    padded = F.pad(x, (before, convolution.kernel_size[1] - 1 - before))
    seen = padded.unfold(-1, convolution.kernel_size[1], 1).contiguous()  # (B, C, T, K)
    weight, offset = _normalised(seen, convolution=convolution, norm=norm)
    if seen.device.type == "cpu" and not seen.requires_grad:
        pooled = _ElectrodeByElectrode.apply(weight, offset, seen.to(weight.dtype), positions)
        assert isinstance(pooled, Tensor)  # apply is untyped
        return pooled.transpose(1, 2)
    filtered = torch.baddbmm(offset[..., None], weight, seen.flatten(1, 2).transpose(1, 2))
    # In one dimension: the backward of the two-dimensional pooling copies the whole map.
    maps = F.gelu(filtered).unflatten(2, seen.shape[1:3]).flatten(1, 2)
    return F.adaptive_avg_pool1d(maps, positions).unflatten(1, (weight.shape[1], -1))


def _normalised(seen: Tensor, *, convolution: nn.Conv2d, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """Filters (B, D, K) and offsets (B, D) that give what the convolution gives after its normalisation."""
    assert convolution.bias is not None
    # Variances of half precision are noise, as in PyTorch's own normalisation. (Sizes are counted on no device at all.)
    with torch.autocast("cpu" if seen.is_meta else seen.device.type, enabled=False):
        precise = torch.promote_types(seen.dtype, torch.float32)
        filters, bias = convolution.weight.flatten(1).to(precise), convolution.bias.to(precise)
        rows = seen.flatten(1, 2).to(precise)
        mean = rows.mean(dim=1)
        rows = rows - mean[:, None]  # first, because a difference of large sums would leave nothing of a small variance
        covariance = rows.transpose(1, 2) @ rows / rows.shape[1]
        means = (mean @ filters.T + bias).unflatten(1, (norm.num_groups, -1))
        variances = ((filters @ covariance) * filters).sum(dim=-1).unflatten(1, (norm.num_groups, -1))
        centre = means.mean(dim=2, keepdim=True)
        variance = (variances + (means - centre).square()).mean(dim=2, keepdim=True)
        factor = ((variance + norm.eps).rsqrt() * norm.weight.unflatten(0, (norm.num_groups, -1))).flatten(1)
        offset = (bias - centre.expand_as(means).flatten(1)) * factor + norm.bias
        return filters * factor[..., None], offset


class _ElectrodeByElectrode(torch.autograd.Function):
    """(B, C, D, N) pooled GELU of filters (B, D, K) and offsets (B, D) on stretches (B, C, T, K), on a processor."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, weight: Tensor, offset: Tensor, seen: Tensor, positions: int) -> Tensor:
        ctx.save_for_backward(weight, offset, seen)
        trials = zip(weight, offset, seen)
        pooled = [
            F.adaptive_avg_pool1d(F.gelu(_map(w, b, rows)), positions) for w, b, trial in trials for rows in trial
        ]
        return torch.stack(pooled).unflatten(0, seen.shape[:2])

    @staticmethod
    @torch.autocast("cpu", enabled=False)
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None]:
        weight, offset, seen = ctx.saved_tensors
        on_weight, on_offset = torch.zeros_like(weight), torch.zeros_like(offset)
        for w, b, trial, pooled, dw, db in zip(weight, offset, seen, *gradients, on_weight, on_offset):
            for rows, on_pooled in zip(trial, pooled):
                values = _map(w, b, rows)
                # The two derivatives that autograd would call, on a map that is still in the cache.
                spread = torch.ops.aten._adaptive_avg_pool2d_backward(on_pooled[:, None], values[:, None])[:, 0]
                slope = torch.ops.aten.gelu_backward(spread, values)
                dw.addmm_(slope, rows)
                db.add_(slope.sum(dim=1))
        return on_weight, on_offset, None, None


def _map(weight: Tensor, offset: Tensor, rows: Tensor) -> Tensor:
    """(D, T) what the filters make of the stretches (T, K) of one electrode."""
    return torch.addmm(offset[:, None], weight, rows.T)
