"""What the topographic strategies share: regression onto the axis from a named set of electrodes."""

import torch
from torch import Tensor

from losses.base import Batch, LossSpec, Output
from losses.vaxis_mse import VAxisMSE


class _Topographic(VAxisMSE):
    """A = crit(w' mean_{c in set, n} Z + b, t), Z the encoder tokens, t in z; mse in z^2.

    The sources say only which electrodes are used. Reading their tokens leaves the classifier's forward pass as it is.
    The gradient with respect to tokens of other electrodes is exactly 0, but attention has mixed electrodes before:
    the influence on the input is not confined.

    Attributes:
        channels: electrode names, any case; those that the montage lacks are skipped up to half of them.
        electrodes: their positions among the tokens, after ``build``.
    """

    reads = ("tokens",)
    needs_electrodes = True
    channels: tuple[str, ...]
    electrodes: Tensor

    def build(self, spec: LossSpec) -> None:
        super().build(spec)
        self.constant("electrodes", torch.tensor(spec.grid.rows_of(self.channels, reader=self.name)))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return self.regress(output.tokens[:, self.electrodes].mean(dim=(1, 2)), batch)
