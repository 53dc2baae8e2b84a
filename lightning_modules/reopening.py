"""From the contents of a checkpoint back to a decoder with its weights and data with its statistics."""

from collections.abc import Mapping
from typing import Any

import lightning as L

from eeg.batch import DataSpec
from lightning_modules.checkpointing import differences, flat
from lightning_modules.contents import Contents, load_weights
from lightning_modules.decoder import Decoder
from losses._checkpoint import weights_follow

_OF_THE_DECODER = ("loss", "network", "model")


def restore(decoder: Decoder, contents: Contents, *, spec: DataSpec) -> Decoder:
    """Build a decoder as it was trained and give it the weights.

    Args:
        decoder: made of the settings of the checkpoint.
        contents: of the checkpoint.
        spec: facts of the data that it will see.
    """
    decoder.positions, decoder.settings = contents.positions, contents.settings
    decoder.control_axis = contents.control_axis
    # What the strategy once started from may be gone since; the checkpoint has its weights, trained further.
    with weights_follow():
        decoder.build_on(
            contents.axis, spec=spec, source=contents.source_axis, epochs=contents.settings["trainer"]["max_epochs"]
        )
    load_weights(decoder, contents)
    return decoder


def normalise_as_trained(data: L.LightningDataModule, contents: Contents) -> Any:
    """Give a data module the statistics of the training people; returns the one whose trials are judged."""
    inner = getattr(data, "target", data)
    if contents.statistics:
        inner.load_state_dict(contents.statistics)
    return inner


def check_same_decoder(settings: Mapping[str, Any], contents: Contents) -> None:
    """Refuse settings that would make another decoder than the weights belong to.

    Raises:
        ValueError: names what differs.
    """
    now = {name: settings[name] for name in _OF_THE_DECODER}
    now["model"] = {name: value for name, value in now["model"].items() if name in contents.settings["model"]}
    trained = {name: contents.settings[name] for name in _OF_THE_DECODER}
    if other := differences(flat(trained), flat(now)):
        raise ValueError(f"{contents.file} was trained with other settings ({'; '.join(other[:3])}); leave them out")
