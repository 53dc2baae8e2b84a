"""AxialDE: band features to tokens, mixed along electrodes and along bands by small linear maps."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network
from networks.weights import load_own


class Block(nn.Module):
    """Pre-norm residual block: one linear map along electrodes and one along bands, then a feed-forward per token."""

    def __init__(self, *, channels: int, bands: int, dim: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.mix_norm = nn.LayerNorm(dim)
        self.channel_mix = nn.Parameter(torch.randn(channels, channels) * (2 * channels) ** -0.5)
        self.band_mix = nn.Parameter(torch.randn(bands, bands) * (2 * bands) ** -0.5)
        self.ffn_norm = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, bands, D) to the same shape."""
        y = self.mix_norm(x)
        along_channels = (self.channel_mix @ y.flatten(2)).view_as(x)
        x = x + along_channels + torch.einsum("ij,bcjd->bcid", self.band_mix, y)
        update = self.ffn(self.ffn_norm(x))
        # One draw a trial and feature, shared by its tokens: a draw a token would be a quarter of the training time.
        return x + update * F.dropout(update.new_ones(len(x), 1, 1, x.shape[-1]), self.dropout, self.training)


class AxialDE(Network):
    """A small mixer for band features; ours, not a model of any paper, and quick enough for a laptop.

    A token is an electrode and band: its scalar times a learned vector plus a learned vector. The mean of these tokens
    is already a full linear layer of all C x 5 features, so ``mean_linear`` on depth 0 is logistic regression through D
    dimensions; blocks add what that cannot see. Mixing by linear maps is the idea of MLP-Mixer (Tolstikhin et al. 2021,
    arXiv 2105.01601), one axis at a time that of axial attention (Ho et al. 2019, arXiv 1912.12180).

    It expects features of about unit spread (``data.normalise`` train or subject).

    Args:
        dim: token width D.
        depth: number of blocks.
        expansion: hidden width of the feed-forward, in multiples of ``dim``.
        dropout: probability that a trial loses a feature of the output of a feed-forward, in all its tokens.
        weights: of ``train.py pretrain``; random without.
    """

    reads = ("de", "psd")

    def __init__(
        self, *, dim: int = 32, depth: int = 1, expansion: int = 2, dropout: float = 0.1, weights: str | None = None
    ) -> None:
        super().__init__()
        if dim < 1 or expansion < 1 or depth < 0:
            raise ValueError(f"network needs dim, expansion >= 1 and depth >= 0, got {dim}, {expansion}, {depth}")
        self.dim, self.depth, self.expansion, self.dropout, self.weights = dim, depth, expansion, dropout, weights

    def build(self, spec: DataSpec) -> None:
        if spec.features == "raw":
            raise ValueError("AxialDE reads band features, data.features is 'raw'; set data.features to de or psd")
        channels, self.n_tokens = spec.shape
        features = channels * self.n_tokens
        # A mean divides the step of every weight by the number of features. The factor undoes it: spread at the start
        # and speed of learning are those of a linear layer on all features.
        self.factor = features
        self.gain = nn.Parameter(torch.randn(channels, self.n_tokens, self.dim) * (3 * features) ** -0.5)
        # As wide as the gain: a norm of x * gain alone would keep only the sign of x.
        self.offset = nn.Parameter(torch.randn(channels, self.n_tokens, self.dim) * (3 * features) ** -0.5)
        self.blocks = nn.Sequential(
            *(
                Block(
                    channels=channels,
                    bands=self.n_tokens,
                    dim=self.dim,
                    expansion=self.expansion,
                    dropout=self.dropout,
                )
                for _ in range(self.depth)
            )
        )
        if self.weights:
            self.loaded = load_own(self, self.weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.factor * torch.addcmul(self.offset, x[..., None], self.gain))

    def adaptable(self) -> list[Adaptable]:
        blocks = cast("list[Block]", list(self.blocks))
        mixing = [
            Adaptable(block, name, "mixing", slice(None)) for block in blocks for name in ("channel_mix", "band_mix")
        ]
        return mixing + [Adaptable(block.ffn[2], "weight", "ffn_out") for block in blocks]
