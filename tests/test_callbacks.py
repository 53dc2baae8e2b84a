"""Callbacks on a small decoder: exact numbers, one process equals two, nothing half written.

Run as a script (``python tests/test_callbacks.py DEVICES DIR``) this file trains the decoder; that is how two ranks
start.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset, default_collate

sys.path.insert(0, str(Path(__file__).parents[1]))

from callbacks.residual_alignment import ResidualAlignment
from callbacks.residual_gradient import ResidualGradient
from callbacks.run_writer import RunWriter
from callbacks.trials import TrialCallback, Trials
from callbacks.vaxis_cosine import VAxisCosine
from callbacks.wandb_figures import WandbFigures
from eeg.batch import Batch, DataSpec, Record
from eeg.scores import classification_scores, confusion_matrix
from vaxis.alignment import vaxis_cosine
from vaxis.axis import Axis, orient, principal_axis
from vaxis.emotions import FACED
from vaxis.gradients import class_basis, gradient_shares
from vaxis.targets import Targets

CLASS_OF = np.array(FACED.class_of)
SUBJECTS = {"train": range(4), "val": range(4, 8), "test": range(8, 11)}
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
    direction, explained = principal_axis(centroids)
    direction = orient(direction, centroids=centroids, valence=FACED.valence)
    scores = (centroids - centroids.mean(axis=0)) @ direction
    rich = scores[CLASS_OF] + 0.5 * rng.normal(size=28)
    axis = Axis(
        taxonomy="faced",
        direction=direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={"rich": rich},
        explained_variance=explained,
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
    return TensorDataset(*(column[: len(x) - (split != "train")] for column in columns))


class Distances(nn.Module):
    """A loss that couples trials: squared distances of features against those of axis positions."""

    weight, couples_samples, active = 0.1, True, True

    def forward(self, h, v):
        return (torch.cdist(h, h).square() / h.shape[1] - (v[:, None] - v[None]).square()).square().mean()


class SmallDecoder(L.LightningModule):
    """What callbacks may rely on: record, targets, spec, loss, network and the path of the axis."""

    def __init__(self, *, axis_path, batch=16):
        super().__init__()
        self.axis, self.batch, self.spec = str(axis_path), batch, SPEC
        self.targets = Targets.from_axis(Axis.load(axis_path))
        self.network, self.classifier, self.loss = nn.Linear(8, 2 * 12), nn.Linear(12, 9), Distances()

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

    test_step = validation_step

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
        return self.loader("test")


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
    model = SmallDecoder(axis_path=folder / "axis.npz")
    trainer = make_trainer(
        folder,
        devices=devices,
        logger=CSVLogger(folder, name="", version=""),
        callbacks=[
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


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    make_axis(folder / "axis.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PL_GLOBAL_SEED", "0")
        patch.setenv("PL_SEED_WORKERS", "0")
        return folder, *train(devices=1, folder=folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    make_axis(folder / "axis.npz")
    done = subprocess.run(
        [sys.executable, __file__, "2", str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder, column):
    with open(folder / "metrics.csv") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row.get(column)]


# --- one process -----------------------------------------------------------------------------------------------------


def test_sanity_check_is_skipped_and_every_epoch_is_measured_once(one):
    *_, splits = one
    assert [split for split, _ in splits.seen] == ["val", "val", "val", "test"]


def test_all_keys_are_logged(one):
    folder, *_ = one
    for key in ("vaxis_cosine", "class_pc1_r", "within_class_r"):
        for split, times in (("val", 3), ("test", 1)):
            assert len(rows(folder, f"{split}/{key}")) == len(rows(folder, f"{split}/{key}_null95")) == times
    for loss in ("task", "alignment"):
        for field in ("feature_share", "feature_chance", "sample_share", "sample_chance", "norm"):
            # 14 steps an epoch, two epochs, a probe every fourth step
            assert len(rows(folder, f"grad/{loss}_{field}")) == 7


def test_logged_measure_is_the_pure_function_of_per_subject_means(one):
    folder, _, model, _ = one
    predictions, features = np.load(folder / "predictions.npz"), np.load(folder / "features.npz")
    h, subject, stimulus = features["test_h"].astype(float), predictions["test_subject"], predictions["test_stimulus"]
    per_subject = [[h[(subject == p) & (stimulus == s)].mean(axis=0) for s in range(28)] for p in np.unique(subject)]
    expected = vaxis_cosine(np.mean(per_subject, axis=0), model.targets.v.double().numpy(), CLASS_OF, draws=200)
    assert rows(folder, "test/vaxis_cosine") == pytest.approx([expected.value], abs=1e-6)
    written = json.loads((folder / "result.json").read_text())["test"]["vaxis_cosine"]
    assert written == pytest.approx(expected.as_dict())


def test_result_of_a_run(one):
    folder, *_, splits = one
    result = json.loads((folder / "result.json").read_text())
    assert result["simulated"] is True
    assert (result["dataset"], result["features"], result["weight"], result["seed"]) == ("faced", "raw", 0.1, 0)
    assert (result["epochs"], result["best_epoch"], result["world_size"]) == (2, 1, 1)
    assert result["axis"] == Axis.load(folder / "axis.npz").fingerprint
    assert result["positions"] == "rich"
    for split in ("val", "test"):
        scores = result[split]
        assert scores["trials"] == len(cohort(split)) == 56 * len(SUBJECTS[split]) - 1
        assert scores["balanced_accuracy"] == pytest.approx(np.mean(list(scores["per_class_recall"].values())))
        for name in ("vaxis_cosine", "class_pc1", "within_class_residual"):
            assert {"value", "null_mean", "null_95", "p_value"} <= scores[name].keys()
            assert 0 < scores[name]["p_value"] <= 1
    gradient = result["residual_gradient"]["alignment"]
    assert 0 < gradient["feature_share"] <= 1
    assert gradient["feature_chance"] == pytest.approx(8 / 12)
    predictions = np.load(folder / "predictions.npz")
    assert (np.diff(predictions["test_index"]) > 0).all()
    assert predictions["test_probabilities"].sum(axis=1) == pytest.approx(1)
    logits = splits.seen[-1][1].logits
    assert (predictions["test_probabilities"].argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_new_fit_removes_the_result_of_the_last_one(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    (tmp_path / "result.json").write_text("{}")
    make_trainer(tmp_path, callbacks=[RunWriter(run_dir=str(tmp_path))], max_steps=1, limit_val_batches=0).fit(
        SmallDecoder(axis_path=path)
    )
    assert not (tmp_path / "result.json").exists()


def test_test_without_validation_says_that_the_residual_is_missing(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    callback = ResidualAlignment(draws=10)
    with pytest.warns(UserWarning, match=r"trainer\.validate"):
        make_trainer(tmp_path, callbacks=[callback]).test(SmallDecoder(axis_path=path), verbose=False)
    assert np.isnan(callback.measures["test"]["within_class_residual"].value)


def test_repeated_trials_count_once(one):
    *_, splits = one
    trials = splits.seen[-1][1]
    callback, again = Splits(), np.r_[np.arange(len(trials.index)), 0, 5, 5]
    callback._ids = [torch.from_numpy(np.stack([trials.y, trials.stimulus, trials.subject, trials.index], 1)[again])]
    callback._values = [torch.from_numpy(np.hstack([trials.logits, trials.h])[again])]
    gathered = callback._gather(SimpleNamespace(world_size=1), n_classes=9)
    for field in Trials._fields:
        np.testing.assert_array_equal(getattr(gathered, field), getattr(trials, field))


# --- probe -----------------------------------------------------------------------------------------------------------


def probe(model, batches, *, every):
    """Runs the probe by hand; returns what it logged at each step."""
    logged, callback = [], ResidualGradient(every_n_steps=every)
    trainer = SimpleNamespace(
        global_step=0,
        current_epoch=0,
        world_size=1,
        strategy=SimpleNamespace(reduce=lambda t, reduce_op: t),
        loggers=[SimpleNamespace(log_metrics=lambda values, step: logged.append((step, values)))],
    )
    callback.on_train_epoch_start(trainer, model)
    for step, batch in enumerate(batches):
        trainer.global_step = step
        tokens, h, logits, task = model.step(batch)
        model.record = Record(batch, logits, h, tokens, task, model.loss(h, model.targets.v[batch.stimulus]))
        callback.on_before_backward(trainer, model, task)
    return logged, callback


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    return SmallDecoder(axis_path=make_axis(tmp_path / "axis.npz")[1])


def test_probe_is_the_gradient_with_respect_to_the_pooled_features(model):
    batches = [Batch(*columns) for columns in DataLoader(cohort("train"), 32)]
    logged, _ = probe(model, batches, every=3)
    assert [step for step, _ in logged] == [2, 5]
    seen = Batch(*(torch.cat(columns) for columns in zip(*batches[:6])))
    h = model.step(seen)[1].detach().double()
    basis = class_basis(torch.stack([h[seen.y == k].mean(dim=0) for k in range(9)]))
    leaf = model.step(batches[5])[1].detach().requires_grad_()
    for name, loss in (
        ("alignment", model.loss(leaf, model.targets.v[batches[5].stimulus])),
        ("task", nn.functional.cross_entropy(model.classifier(leaf), batches[5].y)),
    ):
        (gradient,) = torch.autograd.grad(loss, leaf)
        expected = gradient_shares(gradient.double(), basis, batches[5].y)._asdict()
        assert {k: logged[1][1][f"grad/{name}_{k}"] for k in expected} == pytest.approx(expected, rel=1e-4)


def test_probe_survives_a_loss_without_a_gradient_and_no_loss(model):
    batch = Batch(*next(iter(DataLoader(cohort("train"), 32))))
    model.loss.forward = lambda h, v: torch.zeros(())
    logged, _ = probe(model, [batch], every=1)
    assert np.isnan(logged[0][1]["grad/alignment_feature_share"])
    assert logged[0][1]["grad/alignment_norm"] == 0
    model.loss.forward = lambda h, v: None
    assert not any("alignment" in key for key in probe(model, [batch], every=1)[0][0][1])


def test_probe_does_not_change_training(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    weights = []
    for callbacks in ([], [ResidualGradient(every_n_steps=1), VAxisCosine(draws=5), ResidualAlignment(draws=5)]):
        torch.manual_seed(0)
        model = SmallDecoder(axis_path=path)
        make_trainer(tmp_path, callbacks=callbacks, enable_checkpointing=False).fit(model)
        weights.append(model.network.weight.detach().clone())
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ResidualGradient(every_n_steps=0),
        lambda: ResidualAlignment(pick="worst"),
        lambda: WandbFigures(every_n_epochs=0),
    ],
)
def test_bad_arguments_are_refused(build):
    with pytest.raises(ValueError, match="must be"):
        build()


# --- figures ---------------------------------------------------------------------------------------------------------


class PictureLogger(CSVLogger):
    """Takes pictures as the W&B logger does."""

    def __init__(self, folder):
        super().__init__(folder)
        self.pictures = []

    def log_image(self, key, images):
        self.pictures += [(key, image) for image in images]


def test_figures_are_drawn_at_their_epochs_and_at_the_end(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    logger, model = PictureLogger(tmp_path), SmallDecoder(axis_path=path)
    options = {"callbacks": [WandbFigures(every_n_epochs=2)], "max_epochs": 3, "enable_checkpointing": False}
    trainer = make_trainer(tmp_path, logger=logger, **options)
    trainer.fit(model)
    trainer.test(model, verbose=False)
    names = ["confusion", "leading_direction"]
    assert [key for key, _ in logger.pictures] == [f"{split}/{name}" for split in ("val", "test") for name in names]
    for _, figure in logger.pictures:
        assert "simulated" in figure.axes[0].get_title()
    matrix = logger.pictures[-2][1].axes[0].images[0].get_array()
    assert np.asarray(matrix).sum(axis=1) == pytest.approx(np.ones(9))
    make_trainer(tmp_path, **options).fit(model)


# --- two processes ---------------------------------------------------------------------------------------------------


def test_two_ranks_give_the_numbers_of_one(one, two):
    """The padded sampler repeats a trial on another rank; losses couple trials across ranks."""
    folder, *_ = one
    alone, both = (json.loads((f / "result.json").read_text()) for f in (folder, two))
    assert (alone.pop("world_size"), both.pop("world_size")) == (1, 2)
    for split in ("val", "test"):
        assert both[split]["trials"] == alone[split]["trials"]
        for name in ("vaxis_cosine", "class_pc1", "within_class_residual"):
            assert both[split][name] == pytest.approx(alone[split][name], abs=1e-4)
        assert both[split]["per_class_recall"] == pytest.approx(alone[split]["per_class_recall"])
    for loss in ("task", "alignment"):
        assert both["residual_gradient"][loss] == pytest.approx(alone["residual_gradient"][loss], rel=1e-4)
    first, second = (np.load(f / "predictions.npz") for f in (folder, two))
    for key in first.files:
        np.testing.assert_allclose(first[key], second[key], atol=1e-5)
    for key in ("val/vaxis_cosine", "val/within_class_r_null95", "grad/alignment_norm", "grad/task_sample_share"):
        assert rows(two, key) == pytest.approx(rows(folder, key), rel=1e-4)


# --- classification --------------------------------------------------------------------------------------------------


def test_scores_agree_with_torchmetrics():
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_cohen_kappa,
        multiclass_f1_score,
        multiclass_recall,
    )

    generator = torch.Generator().manual_seed(0)
    y = torch.multinomial(torch.arange(1.0, 10.0), 500, replacement=True, generator=generator)  # unbalanced
    logits = torch.randn(500, 9, generator=generator) + 2 * nn.functional.one_hot(y, 9)
    confusion = confusion_matrix(y.numpy(), logits.argmax(dim=1).numpy(), n_classes=9)
    found = classification_scores(confusion, classes=FACED.classes)
    assert found["balanced_accuracy"] == pytest.approx(float(multiclass_accuracy(logits, y, 9, average="macro")))
    assert found["kappa"] == pytest.approx(float(multiclass_cohen_kappa(logits, y, 9)), abs=1e-6)
    assert found["weighted_f1"] == pytest.approx(float(multiclass_f1_score(logits, y, 9, average="weighted")))
    assert list(found["per_class_recall"].values()) == pytest.approx(
        multiclass_recall(logits, y, 9, average="none").tolist()
    )
    assert found["absent"] == []


def test_absent_classes_are_left_out_and_named():
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 1, 2]), n_classes=3)
    found = classification_scores(confusion, classes=("a", "b", "c"))
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["chance"] == 0.5
    assert found["absent"] == ["b"]
    assert "b" not in found["per_class_recall"]


if __name__ == "__main__":
    train(devices=int(sys.argv[1]), folder=sys.argv[2])
