"""Distillation: a teacher that was trained with the axis teaches a student that never sees it."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losses._checkpoint import load_part
from losses._vote import Vote, runs_at
from losses.base import Batch, Learner, Output, Phase
from losses.vaxis_mse import VAxisMSE


class TeacherKD(VAxisMSE):
    """A decoder trained with regression onto the axis teaches one that never sees the axis.

    Formula:
        A = T^2 mean_i KL(softmax(teacher(x_i) / T) || softmax(z_i / T)), in nats.
        Student L = ce_weight * task + weight * A; teacher L = task + teacher_weight * (regression as in
        ``vaxis_mse``).

    Source:
        Hinton, Vinyals and Dean 2015, arXiv 1503.02531.

    Published:
        arXiv 2606.00129, figure: -0.017 (p = 0.05); teacher 0.560, student 0.6075 against 0.624.

    Ours:
        Its student had distillation only, which we read as no axis; ce_weight 0 is the other reading.
        Both see the same augmented trial, the teacher without dropout. It was fitted on the same trials, so its
        labels are nearly hard. A teacher trained here is that of the last epoch of a first phase, after which the
        student starts from the weights the teacher started from.

    Example:
        python train.py --loss teacher_kd --loss.ce_weight 0

    Args:
        weight: factor of the distillation.
        temperature: T, of the logits of both.
        ce_weight: factor of the labels for the student.
        teacher: checkpoint or folder of a run with the same network; a folder of several such runs, whose vote teaches
            (ten distilled into one); by default a first phase trains it.
        teacher_weight: factor of the axis regression in that phase.
        teacher_epochs: length of that phase; by default that of the run.
    """

    reads = ("logits", "h", "x")

    def __init__(
        self,
        *,
        weight: float = 1.0,
        temperature: float = 2.0,
        ce_weight: float = 1.0,
        teacher: str | None = None,
        teacher_weight: float = 0.5,
        teacher_epochs: int | None = None,
    ) -> None:
        super().__init__(weight=weight)
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        self.temperature, self.ce_weight = temperature, ce_weight
        self.path, self.teacher_weight, self.teacher_epochs = teacher, teacher_weight, teacher_epochs

    def prepare(self, decoder: Learner) -> None:
        learner = nn.Sequential(decoder.network, decoder.classifier)
        self.start = {name: value.clone() for name, value in learner.state_dict().items()}
        runs = runs_at(self.path) if self.path else []
        teachers = [copy.deepcopy(learner).requires_grad_(False).eval() for _ in range(max(1, len(runs)))]
        for teacher, run in zip(teachers, runs):
            for part, prefix in zip(teacher, ("network.", "classifier.")):
                load_part(part, run, prefix=prefix, flag="--loss.teacher")
        self.teacher: nn.Module = teachers[0] if len(teachers) == 1 else Vote(teachers)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        student = Phase(name="student", epochs=epochs, trains=lambda name: not name.startswith("loss.head."))
        if self.path:
            return (student,)
        return (Phase(name="teacher", epochs=epochs if self.teacher_epochs is None else self.teacher_epochs), student)

    def enter(self, decoder: Learner) -> None:
        learner = nn.Sequential(decoder.network, decoder.classifier)
        self.teacher.load_state_dict(learner.state_dict())
        learner.load_state_dict(self.start)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if self.phase.name == "teacher":
            return super().forward(output, batch)
        with torch.no_grad():
            soft = torch.log_softmax(self.teacher(batch.x) / self.temperature, dim=1)
        own = torch.log_softmax(output.logits / self.temperature, dim=1)
        return self.temperature**2 * F.kl_div(own, soft, log_target=True, reduction="batchmean")

    def task_factor(self, *, progress: float) -> float:
        return 1.0 if self.phase.name == "teacher" else self.ce_weight

    def alignment_term(self, *, alignment: Tensor, progress: float) -> Tensor:
        return (self.teacher_weight if self.phase.name == "teacher" else self.weight) * alignment
