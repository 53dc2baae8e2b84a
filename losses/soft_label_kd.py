"""Soft labels: the axis distance between a clip and every class is the teacher of the logits."""

import torch
import torch.nn.functional as F
from torch import Tensor

from losses.base import AlignmentLoss, Batch, LossSpec, Output


class SoftLabelKD(AlignmentLoss):
    """Logits learn soft labels made from axis distances between clip and classes.

    Formula:
        A = T^2 mean_i KL(q_i || softmax(z_i / T)), in nats; q_i[c] = softmax_c(-|v[s_i] - v_class[c]| / T).

    Source:
        Hinton, Vinyals and Dean 2015, arXiv 1503.02531: one temperature on both sides, factor T^2.

    Published:
        arXiv 2606.00129, figure: -0.005 (p = 0.40), -0.007 (p = 0.30) and -0.012 (p = 0.05) at (T, weight) =
        (0.5, 0.5), (1, 1) and (2, 1).

    Ours:
        The sources give only the teacher. A is added to the task loss, not mixed with it, as in the paper's
        archived method. The nearest class of a clip need not be its own: ``Targets.nearest_class_accuracy`` says
        how often the teacher is right.

    Example:
        python train.py --loss soft_label_kd --loss.temperature 2 --loss.weight 1

    Args:
        weight: factor of the loss.
        temperature: T, in z units of the axis for the teacher and of the logits for the student.
    """

    log_teacher: Tensor
    reads = ("logits",)

    def __init__(self, *, weight: float = 0.5, temperature: float = 1.0) -> None:
        super().__init__(weight=weight)
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        self.temperature = temperature

    def build(self, spec: LossSpec) -> None:
        distance = (spec.targets.v[:, None] - spec.targets.v_class[None]).abs()
        self.constant("log_teacher", torch.log_softmax(-distance / self.temperature, dim=1))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        log_student = torch.log_softmax(output.logits / self.temperature, dim=1)
        # batchmean: the default reduction of kl_div divides by the number of classes too.
        divergence = F.kl_div(log_student, self.log_teacher[batch.stimulus], log_target=True, reduction="batchmean")
        return self.temperature**2 * divergence
