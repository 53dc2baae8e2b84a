"""No alignment: the plain decoder, the baseline of every comparison."""

from torch import Tensor

from losses.base import AlignmentLoss, Batch, Output


class NoAlignment(AlignmentLoss):
    """The plain decoder: labels only.

    Formula:
        L = task, the label-smoothed cross-entropy of the decoder.

    Source:
        The control arm of every comparison in arXiv 2606.00129.

    Published:
        FACED balanced accuracy 0.619 at three blocks, 0.624 at six, 0.658 at six with the full recipe (no p: it
        is the reference). The revision of September 2026 gives 0.619 (depth 3) and 0.658 (depth 6).

    Ours:
        A strategy of weight 0 is this one bit for bit, so a run of it serves every loss in the same setting.

    Example:
        python train.py fit --loss none
    """

    def __init__(self) -> None:
        super().__init__(weight=0.0)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Zero, connected to the graph."""
        return 0.0 * output.h.sum()
