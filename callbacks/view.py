"""What a callback may read of the decoder and the trainer, with types: this room does not import the Decoder."""

from collections.abc import Iterator
from typing import Protocol, cast

import lightning as L
from torch import nn

from eeg.batch import DataSpec, Record
from vaxis.axis import Axis
from vaxis.targets import Targets


class LossView(Protocol):
    """What callbacks read of the alignment strategy: its name in flags, its weight and its parts."""

    name: str
    weight: float

    def modules(self) -> Iterator[nn.Module]: ...


class NetworkView(Protocol):
    """What callbacks read of the network: whether a row of its tokens is an electrode."""

    keeps_electrodes: bool


class PhaseView(Protocol):
    """What callbacks read of a phase of training."""

    epochs: int


class DecoderView(Protocol):
    """The side of the decoder that callbacks see.

    Attributes:
        spec: facts of the data set.
        targets: positions of stimuli and classes on the axis.
        record: what the last step left; None after a batch of a second data set, whose classes are others.
        axis: path of the axis artifact.
        axis_artifact: what lies there.
        control_name: what the strategy was given in the place of the axis; None for the axis itself.
        network: encoder.
        loss: alignment strategy.
        phases: of training, in order.
    """

    spec: DataSpec
    control_name: str | None
    targets: Targets
    record: Record | None
    axis: str
    axis_artifact: Axis
    network: NetworkView
    loss: LossView
    phases: tuple[PhaseView, ...]

    def resting(self) -> dict[str, str]:
        """Parameters of the encoder that the phase leaves alone, and where each has its value from."""


def decoder_of(pl_module: L.LightningModule) -> DecoderView:
    """The module as callbacks see it; a module answers for any attribute, so that its own type says nothing."""
    return cast(DecoderView, pl_module)


def callbacks_of(trainer: L.Trainer) -> list[L.Callback]:
    """The callbacks of a run; Lightning sets them on the trainer from outside its class."""
    return cast(list[L.Callback], vars(trainer)["callbacks"])


def log_every(trainer: L.Trainer) -> int:
    """Steps between two rows of the log; set from outside the class like the callbacks."""
    return cast(int, vars(trainer)["log_every_n_steps"])


def data_of(trainer: L.Trainer) -> L.LightningDataModule | None:
    """The data module of a run, where it has one; set from outside the class like the callbacks."""
    return cast(L.LightningDataModule | None, vars(trainer)["datamodule"])
