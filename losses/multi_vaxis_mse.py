"""Auxiliary regression onto the axes of several language models at once."""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losses.base import AlignmentLoss, Batch, LossSpec, Output
from vaxis.axis import Axis
from vaxis.targets import Targets


class MultiVAxisMSE(AlignmentLoss):
    """Linear regression of the penultimate features onto the axes of several language models.

    Formula:
        A = mean over trials i and M axes of (w_m'h_i + b_m - V[s_i, m])^2, in z^2.
        tie_heads: the same w and b for every m.

    Source:
        arXiv 2606.00129, targets of several language models; as ``vaxis_mse`` otherwise.

    Published:
        arXiv 2606.00129, row 13: -0.043 (p < 1e-3) at weight 0.5; -0.041 in the revision of September 2026.
        Balanced accuracy 0.622, 0.603 and 0.581 at 0.05, 0.1 and 0.5.

    Ours:
        The paper does not say whether the axes share a head. With one head the gradient is that of ``vaxis_mse``
        on the mean of the columns, so separate heads are the default: the only reading that is a strategy of its
        own.
        Each column is in z units and has the sign of its own artifact. Axes of one model family correlate 0.995:
        choose distant models.

    Example:
        python train.py --loss multi_vaxis_mse --loss.axes '[a.npz, b.npz]'

    Args:
        weight: factor of the loss; the paper ran 0.05, 0.1 and 0.5.
        axes: paths of further axis artifacts; the decoder's own axis is the first column.
        positions: which stimulus positions of the further artifacts to use; by default the most informative each has.
        tie_heads: one linear head for all axes.
    """

    v: Tensor

    def __init__(
        self,
        *,
        weight: float = 0.1,
        axes: tuple[str, ...] = (),
        positions: str | None = None,
        tie_heads: bool = False,
    ) -> None:
        super().__init__(weight=weight)
        self.axes, self.positions, self.tie_heads = tuple(axes), positions, tie_heads

    def build(self, spec: LossSpec) -> None:
        if not self.axes:
            warnings.warn("multi_vaxis_mse without --loss.axes has one axis, as vaxis_mse has", stacklevel=2)
        # The axis of the decoder is the first column, so that what is measured is also what is trained.
        columns = torch.stack([spec.targets.v, *(self._column(path, spec) for path in self.axes)], dim=1)
        self.constant("v", columns)
        self.head = nn.Linear(spec.dim, 1 if self.tie_heads else columns.shape[1])

    def _column(self, path: str, spec: LossSpec) -> Tensor:
        """(S,) positions of one artifact in z."""
        try:
            targets = Targets.from_axis(Axis.load(path), source=self.positions)
        except ValueError as error:
            raise ValueError(f"--loss.axes {path}: {error}") from error
        if not torch.equal(targets.class_of, spec.targets.class_of):
            raise ValueError(f"--loss.axes {path} is not of the stimuli of the data; extract it for that taxonomy")
        return targets.v

    def forward(self, output: Output, batch: Batch) -> Tensor:
        target = self.v[batch.stimulus]
        return F.mse_loss(self.head(output.h).expand_as(target), target)
