"""EEG-Conformer: a shallow convolution over time and electrodes, then a transformer along time."""

from typing import cast

from torch import Tensor, nn

from eeg.batch import DataSpec
from networks._attention import SelfAttention
from networks.base import Adaptable, Network
from networks.weights import load_own

KERNEL, POOL, STRIDE = 25, 75, 15  # samples


class Block(nn.Module):
    """Pre-norm residual block: attention along time, feed-forward."""

    def __init__(self, *, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        # The authors divide logits by the root of the whole width, not of one head.
        self.attention = SelfAttention(dim=dim, heads=heads, dropout=dropout, scale=dim**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.ffn = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to the same shape."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.ffn(self.ffn_norm(x))


class EEGConformer(Network):
    """EEG-Conformer (Song et al. 2023, IEEE TNSRE, doi 10.1109/TNSRE.2022.3230250): convolution, then attention.

    A token is 75 samples in steps of 15, all electrodes mixed; ``--model.head conformer`` on them is the paper's model.

    Args:
        dim: filters and token width D.
        depth: number of transformer blocks.
        heads: of the attention.
        dropout: on tokens, attention and feed-forward, 0.5 in the paper.
        weights: of ``train.py pretrain``; random without.
    """

    reads = ("raw",)
    keeps_electrodes = False

    def __init__(
        self, *, dim: int = 40, depth: int = 6, heads: int = 10, dropout: float = 0.5, weights: str | None = None
    ) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise ValueError(f"network.dim must be a multiple of network.heads {heads}, got {dim}")
        self.dim, self.depth, self.heads, self.dropout, self.weights = dim, depth, heads, dropout, weights

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        channels, length = spec.shape
        self.n_rows, self.n_tokens = 1, (length - KERNEL + 1 - POOL) // STRIDE + 1
        if self.n_tokens < 1:
            raise ValueError(f"EEGConformer needs trials of {KERNEL + POOL - 1} samples, these have {length}")
        self.stem = nn.Sequential(
            nn.Conv2d(1, self.dim, kernel_size=(1, KERNEL)),
            nn.Conv2d(self.dim, self.dim, kernel_size=(channels, 1)),
            nn.BatchNorm2d(self.dim),
            nn.ELU(),
            nn.AvgPool2d((1, POOL), stride=(1, STRIDE)),
            nn.Dropout(self.dropout),
            nn.Conv2d(self.dim, self.dim, kernel_size=1),
        )
        self.blocks = nn.Sequential(
            *(Block(dim=self.dim, heads=self.heads, dropout=self.dropout) for _ in range(self.depth))
        )
        if self.weights:
            self.loaded = load_own(self, self.weights)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.stem(x[:, None])  # (B, D, 1, N)
        return self.blocks(maps.squeeze(2).transpose(1, 2))[:, None]

    def adaptable(self) -> list[Adaptable]:
        blocks = cast("list[Block]", list(self.blocks))
        mixing = [site for block in blocks for site in block.attention.adaptable()]
        return mixing + [Adaptable(block.ffn[3], "weight", "ffn_out") for block in blocks]
