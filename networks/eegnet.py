"""EEGNet: filters along time, then over all electrodes, then a separable filter; one row of tokens."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network
from networks.weights import load_own

POOLS = (4, 8)  # samples a step, of the first and the second block


def _norm(features: int) -> nn.BatchNorm2d:
    # Keras' defaults, with which the paper trained: a slow running mean and a large epsilon.
    return nn.BatchNorm2d(features, momentum=0.01, eps=1e-3)


def _padding(kernel: int) -> nn.ZeroPad2d:
    """Zeros around a signal so that a filter keeps its length; an even kernel has one more behind, as in Keras."""
    return nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2, 0, 0))


class SpatialFilter(nn.Conv2d):
    """A filter over all electrodes for each filter along time, its weights held within a norm of 1."""

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.renorm(self.weight, p=2, dim=0, maxnorm=1.0)
        return F.conv2d(x, weight, groups=self.groups)


class EEGNet(Network):
    """EEGNet (Lawhern et al. 2018, doi 10.1088/1741-2552/aace8c), version 4, as a row of tokens.

    Tokens are what the paper flattens before its classifier, 32 samples each; with ``--model.head flatten_linear`` it
    is the paper's model. Any sampling rate is read; the first kernel should last about half a second.

    Args:
        temporal: F1, filters along time.
        spatial: D, filters over electrodes for each of them; the width of a token is their product.
        kernel: length of the first filter in samples.
        separable_kernel: length of the second, in samples of the pooled signal.
        dropout: 0.25 across people and 0.5 within one, in the paper.
        weights: of ``train.py pretrain``; random without.
    """

    reads = ("raw",)
    keeps_electrodes = False

    def __init__(
        self,
        *,
        temporal: int = 8,
        spatial: int = 2,
        kernel: int = 64,
        separable_kernel: int = 16,
        dropout: float = 0.25,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if min(temporal, spatial, kernel, separable_kernel) < 1:
            raise ValueError("network needs temporal, spatial, kernel and separable_kernel of at least 1")
        self.temporal, self.dim, self.dropout = temporal, temporal * spatial, dropout
        self.kernels, self.weights = (kernel, separable_kernel), weights

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        channels, length = spec.shape
        self.n_rows, self.n_tokens = 1, length // POOLS[0] // POOLS[1]
        if not self.n_tokens:
            raise ValueError(f"EEGNet pools {POOLS[0] * POOLS[1]} samples to a token, trials have {length}; use longer")
        dim, (kernel, separable) = self.dim, self.kernels
        first = nn.Sequential(
            _padding(kernel),
            nn.Conv2d(1, self.temporal, kernel_size=(1, kernel), bias=False),
            _norm(self.temporal),
            SpatialFilter(self.temporal, dim, kernel_size=(channels, 1), groups=self.temporal, bias=False),
            *self._rest(dim, POOLS[0]),
        )
        second = nn.Sequential(
            _padding(separable),
            nn.Conv2d(dim, dim, kernel_size=(1, separable), groups=dim, bias=False),
            nn.Conv2d(dim, dim, kernel_size=1, bias=False),
            *self._rest(dim, POOLS[1]),
        )
        self.blocks = nn.Sequential(first, second)
        if self.weights:
            self.loaded = load_own(self, self.weights)

    def _rest(self, dim: int, pool: int) -> list[nn.Module]:
        return [_norm(dim), nn.ELU(), nn.AvgPool2d((1, pool)), nn.Dropout(self.dropout)]

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x[:, None]).permute(0, 2, 3, 1)  # (B, D, 1, N) to (B, 1, N, D)

    def adaptable(self) -> list[Adaptable]:
        pointwise = cast(nn.Sequential, self.blocks[1])[2]
        return [Adaptable(pointwise, "weight", "mixing", slice(None)), Adaptable(pointwise, "weight", "ffn_out")]
