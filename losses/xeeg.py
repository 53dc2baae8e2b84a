"""Cross-dataset transfer: labels and axis of one data set first, then the labels of another."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from eeg.batch import SourceBatch
from losses.base import Batch, LossSpec, Output, Phase, axis_position
from losses.vaxis_mse import VAxisMSE


class XEEG(VAxisMSE):
    """Labels and axis of one data set first, then, with a new classifier, the labels of another.

    Formula:
        sequential: L = task + weight * A on the source, then L = task on the data of the run, with a new
        classifier.
        joint: batches of the two alternate, each L = task + weight * A, with one axis head and two classifiers.
        A in z^2 as in ``vaxis_mse``, z units of each data set's own clips.

    Source:
        arXiv 2606.00129; transfer between FACED and SEED-V.

    Published:
        arXiv 2606.00129, row 23, FACED to SEED-V: +0.0015 (p = 0.97) at 0.5. Its longer run: 0.0000 over ten
        runs.

    Ours:
        Four equal digits look as if the weights of the first phase had never been loaded, so a test here demands
        that the two arms differ. Both data sets are cut to the electrodes they share. Weight 0 is the control
        arm: transfer without the axis.

    Example:
        python train.py --loss xeeg --source SimulatedFACED --data SimulatedSEEDV

    Args:
        weight: factor of the loss.
        mode: one data set after the other, or batches in turn.
        level: regress on the position of the clip or of its class.
        source_epochs: length of the phase on the source; by default that of the run.
    """

    source_v: Tensor
    source_v_class: Tensor
    structural = True
    second_data = "the other data set"

    def __init__(
        self,
        *,
        weight: float = 0.5,
        mode: Literal["sequential", "joint"] = "sequential",
        level: Literal["stimulus", "class"] = "stimulus",
        source_epochs: int | None = None,
    ) -> None:
        super().__init__(weight=weight, level=level)
        self.mode, self.source_epochs = mode, source_epochs

    def build(self, spec: LossSpec) -> None:
        super().build(spec)
        if spec.source is not None:
            self.constant("source_v", spec.source.v)
            self.constant("source_v_class", spec.source.v_class)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        if self.mode == "joint":
            return (Phase(name="joint", epochs=epochs, data="both"),)
        left = ("loss.", "source_classifier.")
        return (
            Phase(
                name="source",
                epochs=epochs if self.source_epochs is None else self.source_epochs,
                trains=lambda name: not name.startswith("classifier."),
                data="source",
            ),
            Phase(name="target", epochs=epochs, alignment=False, trains=lambda name: not name.startswith(left)),
        )

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if not isinstance(batch, SourceBatch):
            return super().forward(output, batch)
        target = axis_position(batch, v=self.source_v, v_class=self.source_v_class, level=self.level)
        return F.mse_loss(self.head(output.h).squeeze(1), target)
