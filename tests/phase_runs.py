"""Real Lightning runs of the decoder on a cohort in memory: what tests of phases, transfer and DDP have in common."""

import os
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from callbacks.residual_gradient import ResidualGradient
from command_line.parser import CHECKPOINT_DEFAULTS
from datamodules.sampler import EpochBatches
from datamodules.transfer import Transfer
from eeg.batch import Batch, DataSpec
from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS
from lightning_modules.checkpointing import AtomicCheckpointIO, RunCheckpoint
from lightning_modules.decoder import Decoder
from lightning_modules.optimisation import Optimisation
from losses.base import AlignmentLoss
from networks.axial_de import AxialDE
from networks.base import Network
from tests.conftest import make_axis
from vaxis.emotions import TAXONOMIES

CHANNELS = {"faced": FACED_CHANNELS, "seedv": SEEDV_CHANNELS}
BATCH = 24
QUICK = Optimisation(lr=1e-2, warmup_epochs=0)


class Rows(Dataset):
    """Trials that are sliced by an array of indices, as the store is."""

    def __init__(self, columns: Batch) -> None:
        self.columns = columns

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return Batch(*(column[torch.from_numpy(np.asarray(rows))] for column in self.columns))


class Memory(L.LightningDataModule):
    """Band features of clips with patterns of their own; ``seed`` draws the people, who respond to clips alike."""

    source = None

    def __init__(self, folder: Path, *, taxonomy: str = "faced", seed: int = 0, batches: int = 2) -> None:
        super().__init__()
        self.taxonomy, self.features, self.root = TAXONOMIES[taxonomy], "de", f"{folder}/{taxonomy}-{seed}"
        channels, classes = tuple(CHANNELS[taxonomy]), self.taxonomy
        self.axis_path = folder / f"{taxonomy}.npz"
        if not self.axis_path.exists():
            make_axis(taxonomy).save(self.axis_path)
        self.spec = DataSpec(
            dataset=taxonomy,
            features="de",
            channels=channels,
            shape=(len(channels), 5),
            sampling_rate=1.0,
            window_seconds=10.0,
            classes=classes.classes,
            class_of=classes.class_of,
            subjects=("sub000",),
            simulated=True,
        )
        n, clips = BATCH * batches + 2 * len(classes.class_of), len(classes.class_of)
        stimulus = torch.arange(n) % clips
        patterns = torch.randn(clips, len(channels), 5, generator=torch.Generator().manual_seed(99))
        x = patterns[stimulus] + torch.randn(n, len(channels), 5, generator=torch.Generator().manual_seed(seed))
        y, zeros = torch.tensor(classes.class_of)[stimulus], torch.zeros(n, dtype=torch.int64)
        self.columns = Batch(x=x, y=y, stimulus=stimulus, subject=zeros, index=torch.arange(n))
        self.n_train = BATCH * batches

    def loader(self, rows: np.ndarray, *, shuffle: bool = False) -> DataLoader:
        batches = EpochBatches(rows, batch_size=BATCH, shuffle=shuffle, seed=7)
        # A generator of its own, as in the real ones: an iterator must not move the random state of the run.
        return DataLoader(Rows(self.columns), sampler=batches, batch_size=None, generator=torch.Generator())

    def train_dataloader(self) -> DataLoader:
        return self.loader(np.arange(self.n_train), shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader(np.arange(self.n_train, len(self.columns.x)))

    test_dataloader = predict_dataloader = val_dataloader

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        return batch


class PowerCut(L.Callback):
    """Kills its process group, all ranks at once, in the second step of the epoch that POWER_CUT names."""

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if os.environ.get("POWER_CUT") == str(trainer.current_epoch) and batch_idx == 1:
            os.killpg(os.getpgid(0), 9)


def data_for(loss: AlignmentLoss, folder: Path, *, batches: int = 2, source_batches: int = 2) -> L.LightningDataModule:
    """FACED in memory, with the second data set that the strategy asks for."""
    target = Memory(folder, batches=batches)
    if not loss.second_data:
        return target
    taxonomy = "faced" if loss.second_data == "another cohort" else "seedv"
    return Transfer(source=Memory(folder, taxonomy=taxonomy, seed=1, batches=source_batches), target=target)


def decoder(loss: AlignmentLoss, *, network: Network | None = None, optimisation: Optimisation = QUICK) -> Decoder:
    """A small one without dropout unless the network has some."""
    return Decoder(network=network or AxialDE(dim=16, dropout=0.0), loss=loss, optimisation=optimisation)


def fit(
    model: Decoder,
    data: L.LightningDataModule,
    folder: Path,
    *callbacks: L.Callback,
    epochs: int = 1,
    devices: int = 1,
    resume: bool = False,
    **options,
) -> L.Trainer:
    """Train as ``train.py`` does, with checkpoints where there is a validation score."""
    trainer = L.Trainer(
        **{"log_every_n_steps": 1, "limit_val_batches": 0, "logger": False} | options,
        max_epochs=epochs,
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        callbacks=[ResidualGradient(every_n_steps=1), *callbacks],
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_checkpointing=any(isinstance(callback, RunCheckpoint) for callback in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = folder / "checkpoints" / "last.ckpt"
    trainer.fit(model, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=True)
    return trainer


def checkpoint(folder: Path) -> RunCheckpoint:
    """The one of ``train.py``."""
    return RunCheckpoint(folder / "checkpoints", **CHECKPOINT_DEFAULTS)


def state(model: torch.nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """A copy of parameters and buffers whose names begin so."""
    return {name: value.clone() for name, value in model.state_dict().items() if name.startswith(prefix)}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Same names, same bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
