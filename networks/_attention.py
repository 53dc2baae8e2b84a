"""Multi-head self-attention that encoders share."""

import torch.nn.functional as F
from torch import Tensor, nn

from networks.base import Adaptable


class SelfAttention(nn.Module):
    """Multi-head self-attention over sequences (M, L, D), by PyTorch's fused kernel.

    Queries, keys and values come of one linear layer, in this order, heads side by side in each: the layout of
    ``torch.nn.MultiheadAttention``, so that its weights fit. That module itself is not used because adapters could not
    tell its keys and values from its queries.

    Args:
        dim: D.
        heads: a divisor of D.
        dropout: on the attention weights.
        scale: factor of the logits; by default one over the root of the width of a head.
    """

    def __init__(self, *, dim: int, heads: int, dropout: float = 0.0, scale: float | None = None) -> None:
        super().__init__()
        self.heads, self.dropout, self.scale = heads, dropout, scale
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return self.proj(out.transpose(1, 2).flatten(2))

    def adaptable(self) -> list[Adaptable]:
        """Its weights for adapters: the last two thirds of the first layer, keys and values, are attended to."""
        dim = self.proj.in_features
        return [
            Adaptable(self.qkv, "weight", "mixing", slice(dim, 3 * dim)),
            Adaptable(self.proj, "weight", "mixing"),
        ]
