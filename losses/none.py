"""No alignment: the plain decoder, the baseline of every comparison."""

from torch import Tensor

from losses.base import AlignmentLoss, Batch, Output


class NoAlignment(AlignmentLoss):
    """The plain decoder: labels only."""

    def __init__(self) -> None:
        super().__init__(weight=0.0)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Zero, connected to the graph."""
        return 0.0 * output.h.sum()
