"""The seam between decoder and alignment strategy: what a strategy is given, what it returns, where it may reach in."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from vaxis.targets import Targets


class Output(NamedTuple):
    """What the decoder computes for a batch of B trials.

    Attributes:
        logits: (B, K).
        h: (B, D) penultimate features, the mean of the tokens over channels and time.
        tokens: (B, C, N, D) encoder tokens, N time points or frequency bands.

    A field that a coupling strategy does not list in ``reads`` is None for it.
    """

    logits: Tensor | None = None
    h: Tensor | None = None
    tokens: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """Sizes and constants that are known once data and network are.

    Attributes:
        targets: axis positions in z units.
        dim: D, width of ``h`` and of the tokens.
        channels: C electrode names in token order.
        classes: K class names.
        data: facts of the data, for a strategy that reads ``batch.x``.
    """

    targets: Targets
    dim: int
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    data: DataSpec | None = None


class AlignmentLoss(nn.Module, ABC):
    """One alignment strategy. A file in ``losses/`` that defines a subclass is a flag, a help text and a test row.

    The constructor takes hyper-parameters only, keyword-only and typed; ``build`` sizes heads and stores constants.
    """

    couples_samples: bool = False
    """True when the value depends on pairs of trials; ``forward`` then gets the batch of all ranks, with gradients."""

    reads: tuple[str, ...] = ("h",)
    """What ``forward`` takes from ``Output``; a coupling loss is given these fields gathered and the others as None.

    ``x`` says that it reads the signal of the batch.
    """

    structural: bool = False
    """True when weight 0 is a control arm of its own (same procedure, no axis) and not the plain decoder."""

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"weight must be >= 0, got {weight}")
        self.weight = weight
        self.degenerate_batches = 0

    @property
    def active(self) -> bool:
        """False when the strategy changes nothing: weight 0 of a non-structural strategy is the plain decoder."""
        return self.weight > 0 or self.structural

    def build(self, spec: LossSpec) -> None:
        """Size heads and register constants (as non-persistent buffers); called once, under an RNG of its own."""

    @abstractmethod
    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Unweighted alignment loss, a float32 scalar that is a mean over trials (or of order one)."""

    def combine(self, *, task: Tensor, alignment: Tensor, progress: float) -> Tensor:
        """Total loss from task loss and alignment; ``progress`` is the completed fraction of training in [0, 1]."""
        return task + self.weight * alignment

    def prepare(self, decoder: nn.Module) -> None:
        """Change the decoder before its optimiser exists: initialise a head, freeze, insert adapters."""

    def undefined(self, h: Tensor) -> Tensor:
        """The value on a batch where the strategy is not defined: 0 with gradient exactly 0; counts such batches."""
        self.degenerate_batches += 1
        return 0.0 * h.sum()

    def constant(self, name: str, value: Tensor) -> None:
        """Register a constant that follows the module to its device and stays out of checkpoints."""
        self.register_buffer(name, value.detach().clone(), persistent=False)


def axis_position(batch: Batch, *, v: Tensor, v_class: Tensor, level: str) -> Tensor:
    """(B,) axis position of each trial in z: of its clip (``stimulus``) or of its class (``class``)."""
    return v[batch.stimulus] if level == "stimulus" else v_class[batch.y]
