"""Several strategies at once: the strong recipe of the paper is prototypes plus whatever is being tested."""

import torch
from torch import Tensor, nn

from losses.base import AlignmentLoss, Batch, LossSpec, Output, Phase


class Composition(AlignmentLoss):
    """The sum of several strategies, each with its own weight; ``--loss a+b --loss.a.weight 0.1 --loss.b.weight 1``.

    Every part makes the total of the parts before it and of itself (``combine``), in the order given. Parts of weight 0
    are left out and every part starts from the random numbers that it would have alone: comparing a+b with a compares
    b. At most one part may train in phases of its own.

    Args:
        parts: the strategies.
        weight: factor of all their weights; 0 leaves structural parts as their control arm.
    """

    def __init__(self, *, parts: list[AlignmentLoss], weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        self.label = "+".join(part.name for part in parts)
        for part in parts:
            part.weight *= weight
        self.parts = nn.ModuleList(part for part in parts if part.active)
        staged = [part for part in self.parts if type(part).phases is not AlignmentLoss.phases]
        if len(staged) > 1:
            raise ValueError(f"--loss {self.label}: only one strategy may train in phases of its own")
        if len(self.parts) > 1 and any(not part.phases(1)[-1].alignment for part in staged):
            raise ValueError(
                f"--loss {self.label}: {staged[0].name} ends with labels alone, so nothing can be added to it"
            )
        self.staged = staged[0] if staged else None
        self.structural = any(part.structural for part in self.parts)
        self.second_data = next((part.second_data for part in self.parts if part.second_data), None)
        self.couples_samples = any(part.couples_samples for part in self.parts)
        self.reads = tuple(dict.fromkeys(field for part in self.parts for field in part.reads))

    @property
    def name(self) -> str:
        return self.label

    @property
    def active(self) -> bool:
        return any(part.active for part in self.parts)

    @property
    def phase(self) -> Phase:
        return self.parts[0].phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        for part in self.parts:
            part.phase = phase

    def build(self, spec: LossSpec) -> None:
        start, self.random_states = torch.get_rng_state(), []
        for part in self.parts:
            torch.set_rng_state(start)
            part.build(spec)
            self.random_states.append(torch.get_rng_state())

    def prepare(self, decoder: nn.Module) -> None:
        for part, state in zip(self.parts, self.random_states):
            torch.set_rng_state(state)
            part.prepare(decoder)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return max(
            (part.phases(epochs) for part in self.parts), key=lambda phases: (len(phases), phases[0].data != "main")
        )

    def enter(self, decoder: nn.Module) -> None:
        for part in self.parts:
            part.enter(decoder)

    def origin(self, parameter: str) -> str | None:
        return next((origin for part in self.parts if (origin := part.origin(parameter))), None)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Sum of weight * A over the parts; ``combine`` uses the single values of this call."""
        self.values = [part(output, batch) if part.active else None for part in self.parts]
        return sum(part.weight * value for part, value in zip(self.parts, self.values) if value is not None)

    def combine(self, *, task: Tensor, alignment: Tensor, progress: float) -> Tensor:
        for part, value in zip(self.parts, self.values):
            if value is not None:
                task = part.combine(task=task, alignment=value, progress=progress)
        return task
