"""What a callback may read of the decoder and the trainer, with types: this room does not import the Decoder."""

from typing import Protocol, cast

import lightning as L

from eeg.batch import DataSpec, Record
from vaxis.targets import Targets


class DecoderView(Protocol):
    """The side of the decoder that callbacks see.

    Attributes:
        spec: facts of the data set.
        targets: positions of stimuli and classes on the axis.
        record: what the last step left; None after a batch of a second data set, whose classes are others.
        axis: path of the axis artifact.
    """

    spec: DataSpec
    targets: Targets
    record: Record | None
    axis: str


def decoder_of(pl_module: L.LightningModule) -> DecoderView:
    """The module as callbacks see it; a module answers for any attribute, so that its own type says nothing."""
    return cast(DecoderView, pl_module)


def callbacks_of(trainer: L.Trainer) -> list[L.Callback]:
    """The callbacks of a run; Lightning sets them on the trainer from outside its class."""
    return cast(list[L.Callback], vars(trainer)["callbacks"])
