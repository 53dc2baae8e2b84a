"""What a network is: EEG in, tokens out; no classifier and no loss."""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

from torch import Tensor, nn

from eeg.batch import DataSpec


class Adaptable(NamedTuple):
    """A weight matrix (out, in) that a parameter-efficient strategy may adapt.

    Attributes:
        module: where it is.
        name: of the parameter there.
        role: ``mixing`` moves information between tokens (attention, mixing maps), ``ffn_out`` is the second layer of a
            feed-forward.
        rows: of a mixing weight, the outputs that are attended to (keys and values); None where there are none.
    """

    module: nn.Module
    name: str
    role: Literal["mixing", "ffn_out"]
    rows: slice | None = None


class Network(nn.Module, ABC):
    """An encoder. The constructor takes hyper-parameters only; ``build`` sizes it from the data.

    A file in ``networks/`` that defines a subclass is a value of ``--network`` and has its flags and help.

    Attributes:
        reads: kinds of features it takes, of ``raw``, ``de`` and ``psd``.
        dim: D, width of a token; known after construction.
        n_tokens: N, tokens a channel; known after ``build``.
    """

    reads: tuple[str, ...] = ("raw", "de", "psd")
    dim: int
    n_tokens: int

    @abstractmethod
    def build(self, spec: DataSpec) -> None:
        """Create the parameters for this data; raises ValueError when the features are of the wrong kind."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, C, N, D) of a batch (B, C, T) of raw EEG or (B, C, 5) of band features."""

    def adaptable(self) -> list[Adaptable]:
        """Weights that adapters go to; a network without them cannot be trained by LoRA or IA3."""
        return []
