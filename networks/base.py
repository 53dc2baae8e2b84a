"""What a network is: EEG in, tokens out; no classifier and no loss."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from eeg.batch import DataSpec


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
