"""What an objective of pretraining is: a loss that runs the encoder itself, for it may change the signal first."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from eeg.tokens import TokenGrid


class Objective(nn.Module, ABC):
    """One objective. A file in ``lightning_modules/objectives/`` that defines a subclass is a value of ``--objective``.

    The constructor takes hyper-parameters only; ``build`` sizes heads and refuses what cannot be; ``forward`` is the
    loss. An alignment strategy (``losses/``) is given the tokens of a batch as it is. An objective is given the
    encoder, because hiding a part of the signal comes before the tokens.
    """

    @property
    def name(self) -> str:
        """What the flag calls it: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def build(self, *, spec: DataSpec, grid: TokenGrid, dim: int) -> None:
        """Create heads and constants.

        Args:
            spec: facts of the data.
            grid: of the tokens.
            dim: width of a token.

        Raises:
            ValueError: the encoder or the data cannot be pretrained like this; one line.
        """

    @abstractmethod
    def forward(self, network: nn.Module, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""
