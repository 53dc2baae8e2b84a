"""The seam between decoder and alignment strategy: what a strategy is given, what it returns, where it may reach in."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from eeg.tokens import TokenGrid
from vaxis.targets import Targets

# Typed as present: a strategy takes only the fields it lists in ``reads``, and those are there. Whoever takes another
# one meets None at the first batch, which is what the contract tests do to every strategy.
ABSENT = cast(Tensor, None)


class Output(NamedTuple):
    """What the decoder computes for a batch of B trials.

    Attributes:
        logits: (B, K).
        h: (B, D) penultimate features, the mean of all tokens.
        tokens: (B, C', N, D) encoder tokens; ``LossSpec.grid`` says whether the C' rows are electrodes.

    A field that a coupling strategy does not list in ``reads`` is None for it.
    """

    logits: Tensor = ABSENT
    h: Tensor = ABSENT
    tokens: Tensor = ABSENT


class Learner(Protocol):
    """The parts of a decoder that ``prepare`` and ``enter`` may change; ``losses`` know no more of it.

    Attributes:
        network: encoder from EEG to tokens.
        classifier: head from tokens to logits.
    """

    @property
    def network(self) -> nn.Module: ...

    @property
    def classifier(self) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """Sizes and constants that are known once data and network are.

    Attributes:
        targets: axis positions in z units.
        dim: D, width of ``h`` and of the tokens.
        data: facts of the data: names of the classes, and what ``batch.x`` holds.
        grid: rows and columns of the tokens, and which electrodes the rows are.
        source: axis positions of the clips of the second data set, where a strategy trains on one.
    """

    targets: Targets
    dim: int
    data: DataSpec
    grid: TokenGrid
    source: Targets | None = None


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training; optimiser and learning-rate schedule start anew with each.

    Attributes:
        name: what the log calls it.
        epochs: its length.
        task: whether the task loss is trained; without it the labels are not looked at.
        alignment: whether the strategy's loss is trained; without it it is not computed.
        trains: tells by its name in the decoder (``network.``, ``classifier.``, ``source_classifier.``, ``loss.``)
            whether a parameter changes; by default all do.
        data: the data set of the run, the second one (``source``), or a batch of each in turn (``both``).
    """

    name: str
    epochs: int
    task: bool = True
    alignment: bool = True
    trains: Callable[[str], bool] | None = None
    data: Literal["main", "source", "both"] = "main"


class AlignmentLoss(nn.Module, ABC):
    """One alignment strategy. A file in ``losses/`` that defines a subclass is a flag, a help text and a test row.

    The constructor takes hyper-parameters only, keyword-only and typed; ``build`` sizes heads and stores constants;
    ``forward`` is the loss. Most strategies need no more. The other hooks, in the order in which they are called:

    ``prepare``         change the decoder before its optimiser exists (initialisation, adapters, a teacher)
    ``phases``          train on something else, or on something else first
    ``enter``           change weights where a phase begins
    ``task_factor``     a factor on the labels, of this strategy's making
    ``alignment_term``  what is added to the labels; by default ``weight`` times the loss
    ``origin``          where a frozen parameter comes from, for the log

    The total loss of a training step is ``task_factor * task + alignment_term``. The two are separate hooks because
    strategies combine (``--loss a+b``): factors multiply and terms add up, and neither can see what it should not
    depend on. A strategy whose total is no such sum, as sqrt(task * A), may override ``combine``; it then runs alone,
    and a combination with it is refused.
    """

    couples_samples: bool = False
    """True when the value depends on pairs of trials; ``forward`` then gets the batch of all ranks, with gradients."""

    reads: tuple[str, ...] = ("h",)
    """What ``forward`` takes from ``Output``; a coupling loss is given these fields gathered and the others as None.

    ``x`` says that it reads the signal of the batch.
    """

    needs_electrodes: bool = False
    """True when it reads the tokens of single electrodes; a network that mixes electrodes before is then refused."""

    structural: bool = False
    """True when weight 0 is a control arm of its own (same procedure, no axis) and not the plain decoder."""

    second_data: Literal["another cohort", "the other data set"] | None = None
    """Which second data set it trains on besides that of the run; ``--source`` names it."""

    phase: Phase
    """The phase that training is in; the decoder keeps it up to date."""

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"weight must be >= 0, got {weight}")
        self.weight = weight
        self.degenerate_batches: int | Tensor = 0

    @property
    def name(self) -> str:
        """What flags and results call the strategy: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def active(self) -> bool:
        """False when the strategy changes nothing: weight 0 of a non-structural strategy is the plain decoder."""
        return self.weight > 0 or self.structural

    def build(self, spec: LossSpec) -> None:
        """Size heads and register constants (as non-persistent buffers); called once, under an RNG of its own."""

    @abstractmethod
    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Unweighted alignment loss, a float32 scalar that is a mean over trials (or of order one)."""

    def task_factor(self, *, progress: float) -> float | Tensor:
        """Factor of the task loss; ``progress`` is the completed fraction of the phase in [0, 1]."""
        return 1.0

    def alignment_term(self, *, alignment: Tensor, progress: float) -> Tensor:
        """What is added to the task loss, made of the value of ``forward``."""
        return self.weight * alignment

    def combine(self, *, task: Tensor, alignment: Tensor, progress: float) -> Tensor:
        """Total loss; prefer the two hooks that it is made of, see above."""
        term = self.alignment_term(alignment=alignment, progress=progress)
        return self.task_factor(progress=progress) * task + term

    def prepare(self, decoder: Learner) -> None:
        """Change the decoder before its optimiser exists: initialise a head, freeze, insert adapters."""

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        """The course of training; ``epochs`` is what the user asked for and what the last phase should get.

        Checkpoints are chosen in the last phase. Phases before it come on top, so the decoder that is compared has
        seen the labels as often as the plain one.
        """
        return (Phase(name="train", epochs=epochs),)

    def enter(self, decoder: Learner) -> None:
        """Change weights at the start of ``self.phase``; not called for the first phase and not when a run resumes."""

    def origin(self, parameter: str) -> str | None:
        """Where a frozen parameter of the decoder has its value from; None for its random start."""

    def where_defined(self, defined: Tensor, value: Tensor, *, otherwise: float | Tensor = 0.0) -> Tensor:
        """The loss, or a constant with gradient exactly 0 for a batch on which it is not defined; counts such batches.

        A choice between two numbers and no branch: to ask a tensor on a GPU for its truth holds up every step. Both
        must therefore be finite, gradient included. The constant stays connected to the graph, so that the backward
        pass, and DDP, find every parameter as on other batches.

        Args:
            defined: bool scalar.
            value: of the loss.
            otherwise: the constant.
        """
        # Summed where the batch is: the run asks for the number once, at its end.
        self.degenerate_batches = self.degenerate_batches + ~defined
        return torch.where(defined, value, otherwise + 0.0 * value)

    def constant(self, name: str, value: Tensor) -> None:
        """Register a constant that follows the module to its device and stays out of checkpoints."""
        self.register_buffer(name, value.detach().clone(), persistent=False)


def axis_position(batch: Batch, *, v: Tensor, v_class: Tensor, level: str) -> Tensor:
    """(B,) axis position of each trial in z: of its clip (``stimulus``) or of its class (``class``)."""
    return v[batch.stimulus] if level == "stimulus" else v_class[batch.y]
