"""What a network is: EEG in, tokens out; no classifier and no loss."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from eeg.batch import DataSpec
from eeg.tokens import TokenGrid


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


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an encoder asks of raw signals; to resample, cut and scale them is the work of the data module.

    Attributes:
        sampling_rate: Hz; None where any will do.
        whole_seconds: True where a trial is cut into seconds.
        scale: microvolt a unit in which weights that others trained saw the signal; None where it does not matter.
    """

    sampling_rate: float | None = None
    whole_seconds: bool = False
    scale: float | None = None


class Network(nn.Module, ABC):
    """An encoder. The constructor takes hyper-parameters only; ``build`` sizes it from the data.

    A file in ``networks/`` that defines a subclass is a value of ``--network`` and has its flags and help.
    ``docs/extending/network.md`` is a worked example.

    Attributes:
        reads: kinds of features it takes, of ``raw``, ``de`` and ``psd``.
        contract: what it asks of raw signals.
        keeps_electrodes: True where row c of the tokens belongs to electrode c of the data, however much it has seen of
            the others; False where a filter over electrodes comes before the tokens (EEGNet, Conformer and most
            convolutional networks). Strategies and figures that need the place of a token on the scalp leave those
            out. Known after construction, so that a strategy that cannot be is refused before any data is read.
        dim: D, width of a token; known after construction.
        n_rows: C', rows of tokens; of a network that keeps electrodes it is their number and need not be set.
        n_tokens: N, tokens a row; known after ``build``.
    """

    reads: tuple[str, ...] = ("raw", "de", "psd")
    contract: ClassVar[Contract] = Contract()
    keeps_electrodes: bool = True
    dim: int
    n_rows: int = 1
    n_tokens: int

    @property
    def name(self) -> str:
        """What flags call the network: the name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def build(self, spec: DataSpec) -> None:
        """Create the parameters for this data; raises ValueError when the features are of the wrong kind."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, C', N, D) of a batch (B, C, T) of raw EEG or (B, C, 5) of band features."""

    def check(self, spec: DataSpec) -> None:
        """Refuse data that the encoder cannot read: before they are prepared, and in the first line of a ``build``.

        Raises:
            ValueError: names the flag to change and its value.
        """
        name = type(self).__name__
        if spec.features not in self.reads:
            raise ValueError(
                f"{name} reads {' or '.join(self.reads)}, data.features is '{spec.features}'; set data.features to "
                f"{' or '.join(self.reads)}"
            )
        rate = self.contract.sampling_rate
        if rate is not None and spec.sampling_rate != rate:
            raise ValueError(
                f"{name} reads {rate:g} Hz, the data have {spec.sampling_rate:g}; set data.sampling_rate to {rate:g}"
            )
        if self.contract.whole_seconds and spec.window_seconds % 1:
            raise ValueError(
                f"{name} cuts trials into seconds, these last {spec.window_seconds:g} s; set data.window_seconds to a "
                "whole number"
            )

    def check_units(self, *, scale: float, normalise: str) -> None:
        """Warn where weights that others trained would see a signal in other units than they were trained on.

        A warning and not a refusal: to fine-tune them on z-scores is a question that somebody may ask.

        Args:
            scale: microvolt a unit, as the data module divides.
            normalise: as the data module does.
        """
        wanted = self.contract.scale
        if wanted is None or not getattr(self, "weights", None) or (normalise == "none" and scale == wanted):
            return
        warnings.warn(
            f"the weights of --network {self.name} were trained on microvolt / {wanted:g} without z-scores; set "
            f"--data.scale {wanted:g} --data.normalise none",
            stacklevel=2,
        )

    def adaptable(self) -> list[Adaptable]:
        """Weights that adapters go to; a network without them cannot be trained by LoRA or IA3."""
        return []

    def grid(self, spec: DataSpec) -> TokenGrid:
        """The grid that the tokens of this data have, after ``build``: what everything behind a network is sized by."""
        electrodes = spec.channels if self.keeps_electrodes else None
        rows = len(spec.channels) if self.keeps_electrodes else self.n_rows
        return TokenGrid(network=self.name, rows=rows, columns=self.n_tokens, electrodes=electrodes)


@torch.no_grad()
def checked_grid(network: Network, spec: DataSpec) -> TokenGrid:
    """The stated grid of a built network, once two empty trials have shown that its tokens have it.

    The trials pass in evaluation mode and under a random state of their own: neither batch statistics nor the random
    numbers of the run move.

    Raises:
        ValueError: the tokens have another shape than the network states.
    """
    grid = network.grid(spec)
    stated = (2, grid.rows, grid.columns, network.dim)
    modes = {module: module.training for module in network.modules()}
    with torch.random.fork_rng(devices=[]):
        tokens = network.eval()(torch.zeros(2, *spec.shape))
    for module, training in modes.items():  # one by one: a network may keep a part of itself in evaluation
        module.training = training
    if tuple(tokens.shape) != stated:
        raise ValueError(
            f"--network {network.name} states tokens (B, rows, n_tokens, dim) = {stated} and returns "
            f"{tuple(tokens.shape)} for two trials of shape {spec.shape}; set keeps_electrodes, n_rows, n_tokens and "
            "dim to what forward returns"
        )
    return grid
