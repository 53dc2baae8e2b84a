"""A small decoder with callbacks in a real Lightning run; as a script it trains, which is how two ranks start."""

import sys
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset, default_collate

sys.path.insert(0, str(Path(__file__).parents[1]))

from callbacks.clip_accuracy import ClipAccuracy
from callbacks.residual_alignment import ResidualAlignment
from callbacks.residual_gradient import ResidualGradient
from callbacks.run_writer import RunWriter
from callbacks.trials import TrialCallback
from callbacks.vaxis_cosine import VAxisCosine
from eeg.batch import Batch, DataSpec, Record
from losses.base import Phase
from vaxis.axis import Axis
from vaxis.emotions import FACED
from vaxis.fit import fit_direction
from vaxis.targets import Targets

CLASS_OF = np.array(FACED.class_of)
SUBJECTS = {"train": range(4), "val": range(4, 8), "test": range(8, 11), "test_seen": range(8, 11)}
SPEC = DataSpec(
    dataset="faced",
    features="raw",
    channels=("Fz", "Cz", "Pz"),
    shape=(3, 8),
    sampling_rate=8.0,
    window_seconds=1.0,
    classes=FACED.classes,
    class_of=FACED.class_of,
    subjects=tuple(f"sub{i:03d}" for i in range(11)),
    simulated=True,
)


def make_axis(path):
    rng = np.random.default_rng(0)
    centroids = rng.normal(size=(9, 12)) + np.array(FACED.valence)[:, None] * rng.normal(size=12)
    fit = fit_direction(centroids, valence=FACED.valence)
    rich = fit.scores[CLASS_OF] + 0.5 * rng.normal(size=28)
    axis = Axis(
        taxonomy="faced",
        direction=fit.direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={"rich": rich},
        explained_variance=fit.explained_variance,
    )
    return axis, axis.save(path)


def cohort(split):
    """Two trials a clip and subject, one trial dropped from each evaluation split so that two ranks must pad."""
    subject, stimulus = np.meshgrid(SUBJECTS[split], np.arange(28), indexing="ij")
    subject, stimulus = subject.repeat(2), stimulus.repeat(2)
    generator = torch.Generator().manual_seed(1)
    patterns = torch.randn(9, 3, 8, generator=generator)[CLASS_OF] + torch.randn(28, 3, 8, generator=generator)
    generator.manual_seed(int(subject[0]) + 2)
    x = patterns[stimulus] + torch.randn(len(stimulus), 3, 8, generator=generator)
    index = np.arange(len(stimulus)) + 56 * int(subject[0])
    columns = [x, *(torch.as_tensor(c, dtype=torch.int64) for c in (CLASS_OF[stimulus], stimulus, subject, index))]
    rows = np.arange(len(x) - (split != "train"))
    if split == "test_seen":  # other trials of the test people, of fewer clips and a number that no two ranks share
        columns[-1], rows = columns[-1] + 1000, rows[stimulus[rows] % 3 > 0]
    return TensorDataset(*(column[rows] for column in columns))


class Distances(nn.Module):
    """A loss that couples trials: squared distances of features against those of axis positions."""

    weight, couples_samples, active, name = 0.1, True, True, "distances"

    def forward(self, h, v):
        return (torch.cdist(h, h).square() / h.shape[1] - (v[:, None] - v[None]).square()).square().mean()


class SmallDecoder(L.LightningModule):
    """What callbacks may rely on: record, targets, spec, loss, network and the path of the axis."""

    def __init__(self, *, axis_path, batch=16, new_clips=False):
        super().__init__()
        self.new_clips = new_clips
        self.axis, self.batch, self.spec = str(axis_path), batch, SPEC
        self.axis_artifact = Axis.load(axis_path)
        self.targets = Targets.from_axis(self.axis_artifact)
        self.network, self.classifier, self.loss = nn.Linear(8, 2 * 12), nn.Linear(12, 9), Distances()
        self.control_name = None
        self.phases, self.resting = (Phase(name="train", epochs=2),), dict

    def step(self, batch):
        tokens = self.network(batch.x).unflatten(-1, (2, 12)).tanh()
        h = tokens.mean(dim=(1, 2))
        logits = self.classifier(h)
        return tokens, h, logits, nn.functional.cross_entropy(logits, batch.y)

    def training_step(self, batch, batch_idx):
        tokens, h, logits, task = self.step(batch)
        all_h, stimulus = h, batch.stimulus
        if self.trainer.world_size > 1:
            all_h, stimulus = (
                self.all_gather(h, sync_grads=True).flatten(0, 1),
                self.all_gather(stimulus).flatten(),
            )
        alignment = self.loss(all_h, self.targets.v[stimulus])
        self.record = Record(batch, logits, h, tokens, task, alignment)
        return task + self.loss.weight * alignment

    def validation_step(self, batch, batch_idx):
        tokens, h, logits, task = self.step(batch)
        self.record = Record(batch, logits, h, tokens, task, None)

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.validation_step(batch, batch_idx)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def loader(self, split):
        data, sampler = cohort(split), None
        batch = self.batch // self.trainer.world_size
        if split == "train" and self.trainer.world_size > 1:
            sampler = DistributedSampler(data, self.trainer.world_size, self.trainer.global_rank, shuffle=False)
        return DataLoader(data, batch, sampler=sampler, collate_fn=lambda rows: Batch(*default_collate(rows)))

    def train_dataloader(self):
        return self.loader("train")

    def val_dataloader(self):
        return self.loader("val")

    def test_dataloader(self):
        return [self.loader("test"), self.loader("test_seen")] if self.new_clips else self.loader("test")


class Splits(TrialCallback):
    """Keeps what it is handed."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_split(self, trainer, pl_module, split, trials):
        self.seen.append((split, trials))


def make_trainer(folder, *, devices=1, callbacks=(), **options):
    return L.Trainer(
        **{"max_epochs": 2, "log_every_n_steps": 1, "logger": False} | options,
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        callbacks=list(callbacks),
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def train(*, devices, folder):
    """A whole run: fit, then validation and test of the checkpoint."""
    L.seed_everything(0)
    folder = Path(folder)
    splits = Splits()
    model = SmallDecoder(axis_path=folder / "axis.npz", new_clips=True)
    trainer = make_trainer(
        folder,
        devices=devices,
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[
            ClipAccuracy(),
            VAxisCosine(draws=200),
            ResidualAlignment(draws=200),
            ResidualGradient(every_n_steps=4),
            RunWriter(run_dir=str(folder)),
            ModelCheckpoint(folder / "checkpoints"),
            splits,
        ],
    )
    trainer.fit(model)
    assert not (folder / "result.json").exists(), "an unfinished run must not look finished"
    best = str(next((folder / "checkpoints").glob("*.ckpt")))
    trainer.validate(model, ckpt_path=best)
    trainer.test(model, ckpt_path=best)
    return trainer, model, splits


if __name__ == "__main__":
    train(devices=int(sys.argv[1]), folder=sys.argv[2])
