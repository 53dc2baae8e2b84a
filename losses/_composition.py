"""Several strategies at once: the strong recipe of the paper is prototypes plus whatever is being tested."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from eeg.batch import SourceBatch
from losses.base import AlignmentLoss, Batch, Learner, LossSpec, Output, Phase


class Composition(AlignmentLoss):
    """The sum of several strategies, each with its own weight; ``--loss a+b --loss.a.weight 0.1 --loss.b.weight 1``.

    What the parts make of the labels multiplies and what they add is summed, so their order does not matter: beside
    ``distance_ce`` the labels drop out, beside ``uncertainty`` they have a learned factor, and every other part keeps
    its weight. Parts of weight 0 are left out and every part starts from the random numbers that it would have alone:
    comparing a+b with a compares b. At most one part may train in phases of its own.

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
        staged = [part for part in self.members if _is_staged(part)]
        if len(staged) > 1:
            raise ValueError(f"--loss {self.label}: only one strategy may train in phases of its own")
        if len(self.members) > 1 and any(not part.phases(1)[-1].alignment for part in staged):
            raise ValueError(
                f"--loss {self.label}: {staged[0].name} ends with labels alone, so nothing can be added to it"
            )
        # The value of a strategy's own ``combine`` at one task loss says nothing about its value at another: without
        # the two hooks there is no telling what of it belongs to the labels and what to the strategy.
        own = [part.name for part in self.members if type(part).combine is not AlignmentLoss.combine]
        if own and len(self.members) > 1:
            raise ValueError(
                f"--loss {self.label}: {own[0]} mixes labels and alignment in a combine of its own, so nothing can be "
                "added to it; give it task_factor and alignment_term instead, or run it alone"
            )
        self.structural = any(part.structural for part in self.members)
        self.second_data = next((part.second_data for part in self.members if part.second_data), None)
        self.needs_electrodes = any(part.needs_electrodes for part in self.members)
        self.couples_samples = any(part.couples_samples for part in self.members)
        self.reads = tuple(dict.fromkeys(field for part in self.members for field in part.reads))

    @property
    def members(self) -> list[AlignmentLoss]:
        """The parts that are active, typed; ``parts`` is the list that torch knows and checkpoints name."""
        return cast(list[AlignmentLoss], list(self.parts))

    @property
    def name(self) -> str:
        return self.label

    @property
    def active(self) -> bool:
        return any(part.active for part in self.members)

    @property
    def phase(self) -> Phase:
        return self.members[0].phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        for part in self.members:
            part.phase = phase

    @property
    def staged(self) -> AlignmentLoss | None:
        """The part that trains in phases of its own; not an attribute, which would register it a second time."""
        return next((part for part in self.members if _is_staged(part)), None)

    def build(self, spec: LossSpec) -> None:
        start, self.random_states = torch.get_rng_state(), []
        for part in self.members:
            torch.set_rng_state(start)
            part.build(spec)
            self.random_states.append(torch.get_rng_state())

    def prepare(self, decoder: Learner) -> None:
        # The staged part comes last: it may keep a copy of the start, which the others have a say in.
        for part, state in sorted(zip(self.members, self.random_states), key=lambda pair: pair[0] is self.staged):
            torch.set_rng_state(state)
            part.prepare(decoder)

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        if (staged := self.staged) is None:
            return super().phases(epochs)
        own = f"loss.parts.{self.members.index(staged)}."
        return tuple(replace(phase, trains=_among_parts(phase, own=own)) for phase in staged.phases(epochs))

    def enter(self, decoder: Learner) -> None:
        for part in self.members:
            part.enter(decoder)

    def origin(self, parameter: str) -> str | None:
        return next((origin for part in self.members if (origin := part.origin(parameter))), None)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Sum of weight * A over the parts; ``combine`` uses the single values of this call."""
        # Positions that a part knows are those of the run's own clips; only the staged part knows the source's.
        own = not isinstance(batch, SourceBatch)
        self.values = [
            part(output, batch) if part.active and (own or part is self.staged) else None for part in self.members
        ]
        return sum(part.weight * value for part, value in zip(self.members, self.values) if value is not None)

    def task_factor(self, *, progress: float) -> float | Tensor:
        """Product of the factors of the parts; 1 for most of them."""
        factor: float | Tensor = 1.0
        for part, _ in self._present():
            factor = factor * part.task_factor(progress=progress)
        return factor

    def alignment_term(self, *, alignment: Tensor, progress: float) -> Tensor:
        """Sum of what the parts add, each from its own value: the sum that ``forward`` returned is for the log."""
        terms = [part.alignment_term(alignment=value, progress=progress) for part, value in self._present()]
        return sum(terms[1:], start=terms[0])

    def combine(self, *, task: Tensor, alignment: Tensor, progress: float) -> Tensor:
        present = self._present()
        if len(present) == 1:  # also a part with a combine of its own, which stands alone
            return present[0][0].combine(task=task, alignment=present[0][1], progress=progress)
        return super().combine(task=task, alignment=alignment, progress=progress)

    def _present(self) -> list[tuple[AlignmentLoss, Tensor]]:
        """The parts that the last batch had something for, with their values."""
        return [(part, value) for part, value in zip(self.members, self.values) if value is not None]


def _is_staged(part: AlignmentLoss) -> bool:
    return type(part).phases is not AlignmentLoss.phases


def _among_parts(phase: Phase, *, own: str) -> Callable[[str], bool]:
    """The filter of a staged part that stands among others: it speaks for itself, they train wherever they are read."""

    def trains(name: str) -> bool:
        if name.startswith("loss.parts.") and not name.startswith(own):
            return phase.alignment
        return phase.trains is None or phase.trains(name.replace(own, "loss.", 1))

    return trains
