"""DEMLP: a perceptron of two layers on all band features."""

from typing import cast

from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network


class DEMLP(Network):
    """All C x 5 band features through two layers with batch statistics to one token; sizes are ours, of no paper.

    With the linear head it is the usual perceptron 160-128-64-classes. It expects features of about unit spread
    (``data.normalise`` train or subject).

    Args:
        hidden: width of the first layer.
        dim: token width D, of the second.
        dropout: behind both.
    """

    reads = ("de", "psd")
    keeps_electrodes = False

    def __init__(self, *, hidden: int = 128, dim: int = 64, dropout: float = 0.25) -> None:
        super().__init__()
        if dim < 1 or hidden < 1:
            raise ValueError(f"network needs dim and hidden >= 1, got {dim} and {hidden}")
        self.hidden, self.dim, self.dropout = hidden, dim, dropout

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        self.n_rows, self.n_tokens = 1, 1
        channels, bands = spec.shape
        sizes = ((channels * bands, self.hidden), (self.hidden, self.dim))
        self.blocks = nn.Sequential(*(self._layer(*size) for size in sizes))

    def _layer(self, width: int, following: int) -> nn.Sequential:
        layer = nn.Linear(width, following)
        return nn.Sequential(layer, nn.BatchNorm1d(following), nn.ReLU(), nn.Dropout(self.dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x.flatten(1))[:, None, None]

    def adaptable(self) -> list[Adaptable]:
        inner, outer = (cast(nn.Sequential, block)[0] for block in list(self.blocks)[:2])
        return [Adaptable(inner, "weight", "mixing", slice(None)), Adaptable(outer, "weight", "ffn_out")]
