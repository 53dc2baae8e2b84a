"""Every encoder trains with alignment losses on both simulated cohorts; the whole grid is slow."""

import lightning as L
import pytest
import torch

from command_line.catalogue import plugins
from command_line.joining import joined
from datamodules.base import EEGDataModule
from datamodules.simulated import SimulatedFACED, SimulatedSEEDV
from lightning_modules.decoder import Decoder
from networks.base import Network
from tests.loss_cases import strategy
from tests.test_networks import ROWS, found

LOSSES = [plugin.name for plugin in plugins("loss")]


class Cohorts:
    """Small simulated cohorts, written once; a data module is made anew for each run."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def __call__(self, dataset: str, features: str, *, people_seed: int | None = None) -> EEGDataModule:
        where = {"root": str(self.folder / f"{dataset}-{people_seed}"), "cache": str(self.folder / "stores")}
        common = {"features": features, "batch_size": 16, **where}
        if dataset == "faced":  # pieces of a second, as raw SEED-V has: two data sets of one run must agree
            return SimulatedFACED(n_subjects=3, people_seed=people_seed, window_seconds=1, **common)
        return SimulatedSEEDV(n_subjects=2, seconds_per_trial=4, **common)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory) -> Cohorts:
    return Cohorts(tmp_path_factory.mktemp("cohorts"))


def trained(network: type[Network], loss: str, data: EEGDataModule, source: EEGDataModule | None, folder) -> Decoder:
    """A step of every phase, through the Trainer."""
    L.seed_everything(0, verbose=False)
    decoder = Decoder(network=network(**ROWS.get(network, {})), loss=strategy(loss))
    trainer = L.Trainer(
        fast_dev_run=1, max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(decoder, datamodule=joined(decoder, data, source))
    return decoder


def check(network: type[Network], loss: str, dataset: str, cohorts: Cohorts, folder) -> None:
    features = "raw" if "raw" in network.reads else "de"
    sort = strategy(loss)
    data = cohorts(dataset, features)
    if sort.needs_electrodes and not network.keeps_electrodes:
        with pytest.raises(ValueError, match="mixes the electrodes before its tokens"):
            trained(network, loss, data, None, folder)
        return
    other = {"another cohort": dataset, "the other data set": "seedv" if dataset == "faced" else "faced"}
    source = cohorts(other[sort.second_data], features, people_seed=1) if sort.second_data else None
    decoder = trained(network, loss, data, source, folder)
    assert decoder.global_step > 0
    assert decoder.record is not None
    assert torch.isfinite(decoder.record.logits).all()
    assert all(torch.isfinite(p).all() for p in decoder.parameters())


@pytest.mark.parametrize("network", found(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("dataset", "loss"), [("faced", "rsa"), ("seedv", "vaxis_mse")])
def test_every_encoder_trains_on_both_cohorts(network, dataset, loss, cohorts, tmp_path):
    check(network, loss, dataset, cohorts, tmp_path)


@pytest.mark.parametrize("loss", ["peft_lora", "peft_ia3", "peft_fullhead", "topo_optimal", "xeeg"])
@pytest.mark.parametrize("name", ["EEGNet", "CBraMod"])
def test_staged_and_topographic_strategies_take_or_refuse_an_encoder(name, loss, cohorts, tmp_path):
    network = next(kind for kind in found() if kind.__name__ == name)
    check(network, loss, "faced", cohorts, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["faced", "seedv"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", found(), ids=lambda kind: kind.__name__)
def test_every_encoder_trains_with_every_strategy_on_both_cohorts(network, loss, dataset, cohorts, tmp_path):
    check(network, loss, dataset, cohorts, tmp_path)
