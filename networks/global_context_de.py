"""GlobalContextDE: electrode and band tokens that share one update computed from all features."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network
from networks.weights import load_own


class Context(nn.Module):
    """Two-layer perceptron: all band features of a trial (B, C * 5) to one update (B, D) for all its tokens."""

    def __init__(self, *, features: int, hidden: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(features, hidden), nn.Linear(hidden, dim)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(F.dropout(F.gelu(self.inner(x)), self.dropout, self.training))


class GlobalContextDE(Network):
    """A two-layer perceptron on all band features whose output every electrode token receives; ours, and the default.

    Token of electrode c and band b = gain_cb x_cb + offset_cb + W2 gelu(W1 x + b1) + b2. The first part keeps what the
    electrode itself measured, for scalp maps and topographic strategies; the second is a context that does not depend
    on the token, the idea of global context networks (Cao et al. 2019, arXiv 1904.11492). The mean token is therefore a
    linear layer plus a perceptron on all C x 5 features: it sees products of features, which linear layers and additive
    mixers do not, and costs little more than a linear model.

    It expects features of about unit spread (``data.normalise`` train or subject).

    Args:
        dim: token width D.
        hidden: width of the perceptron.
        dropout: probability that a trial loses a hidden unit of the perceptron.
        weights: of ``train.py pretrain``; random without.
    """

    reads = ("de", "psd")

    def __init__(self, *, dim: int = 32, hidden: int = 64, dropout: float = 0.1, weights: str | None = None) -> None:
        super().__init__()
        if dim < 1 or hidden < 1:
            raise ValueError(f"network needs dim and hidden >= 1, got {dim} and {hidden}")
        self.dim, self.hidden, self.dropout, self.weights = dim, hidden, dropout, weights

    def build(self, spec: DataSpec) -> None:
        if spec.features == "raw":
            raise ValueError("GlobalContextDE reads band features, data.features is 'raw'; set it to de or psd")
        channels, self.n_tokens = spec.shape
        # The mean over tokens divides the step of every gain by their number. The factor undoes it: spread at the start
        # and speed of learning are those of a linear layer on all features.
        self.factor = channels * self.n_tokens
        self.gain = nn.Parameter(torch.randn(channels, self.n_tokens, self.dim) * (3 * self.factor) ** -0.5)
        self.offset = nn.Parameter(torch.zeros(channels, self.n_tokens, self.dim))
        # A list of one: strategies that fine-tune the last blocks of an encoder look for ``blocks``.
        context = Context(features=self.factor, hidden=self.hidden, dim=self.dim, dropout=self.dropout)
        self.blocks = nn.ModuleList([context])
        if self.weights:
            self.loaded = load_own(self, self.weights)

    def forward(self, x: Tensor) -> Tensor:
        own = torch.addcmul(self.offset, x[..., None], self.factor * self.gain)
        return own.add_(self.context(x)[:, None, None])  # in place: the tokens are most of what a step moves

    def context(self, x: Tensor) -> Tensor:
        """What all tokens of a trial receive, (B, D)."""
        return self.blocks[0](x.flatten(1))

    def adaptable(self) -> list[Adaptable]:
        context = cast(Context, self.blocks[0])
        return [
            Adaptable(context.inner, "weight", "mixing", slice(None)),
            Adaptable(context.outer, "weight", "ffn_out"),
        ]
