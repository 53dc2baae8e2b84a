"""What a run trains on, checked against its strategy and its network before anything is prepared."""

from datamodules.base import EEGDataModule
from datamodules.transfer import Transfer
from lightning_modules.decoder import Decoder


def joined(model: Decoder, data: EEGDataModule, source: EEGDataModule | None) -> EEGDataModule | Transfer:
    """The data of a run, with the second data set where the strategy trains on one.

    Raises:
        ValueError: a second data set is missing or not wanted, or the network cannot read what the data hold.
    """
    joint: EEGDataModule | Transfer = data
    if kind := model.loss.second_data:
        joint = Transfer(source=source or data.counterpart(kind), target=data)
    elif source:
        raise ValueError(f"--source is given, but {model.loss.name} does not train on a second data set")
    network, features = model.network, data.features
    if features == "raw":
        network.check_units(scale=data.scale, normalise=data.normalise)
    if features not in network.reads:
        raise ValueError(
            f"{type(network).__name__} reads {' or '.join(network.reads)}, --data.features is {features}; change "
            "either: --network emod reads raw, --network global_context_de reads de and psd"
        )
    network.check(data.spec)  # what a run cannot do is said before its data are prepared for an hour
    return joint
