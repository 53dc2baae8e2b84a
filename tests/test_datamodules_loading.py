"""From store to batches through Lightning: residences agree, normalisation does not leak, augmentation only trains."""

import pickle
from pathlib import Path
from typing import Any, get_args, get_type_hints

import lightning as L
import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn

from datamodules.augmentation import Augmentation
from datamodules.base import EEGDataModule
from datamodules.faced import FACED
from datamodules.seedv import SEEDV
from eeg.batch import Batch

SUBJECTS = ("sub000", "sub001", "sub080", "sub100")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faced") / "FACED"
    folder = root / "EEG_Features" / "DE"
    folder.mkdir(parents=True)
    for i, name in enumerate(SUBJECTS):
        values = np.random.default_rng(i).normal(loc=3 * i, scale=1 + i, size=(28, 32, 30, 5))
        (folder / f"{name}.pkl.pkl").write_bytes(pickle.dumps(values, protocol=4))
    return root


def module(root: Path, **kwargs: Any) -> FACED:
    options = {"features": "de", "subjects": SUBJECTS, "batch_size": 32, "cache": str(root / "cache")}
    return FACED(root=str(root), **{**options, **kwargs})


def ready(root: Path, **kwargs: Any) -> FACED:
    data = module(root, **kwargs)
    data.setup("fit")
    return data


@pytest.mark.parametrize("residence", ["memmap", "ram", "device"])
def test_a_batch_is_the_rows_of_the_store(root: Path, residence: str) -> None:
    torch.manual_seed(3)
    data = ready(root, residence=residence, normalise="none")
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader) == 168 // 32
    for batch in batches:
        assert isinstance(batch, Batch)
        assert (batch.x.dtype, batch.x.shape) == (torch.float32, (32, 32, 5))
        rows = batch.index.numpy()
        np.testing.assert_array_equal(batch.x.numpy(), data.store.x[rows])
        np.testing.assert_array_equal(batch.subject.numpy(), data.store.trials.subject[rows])
        np.testing.assert_array_equal(batch.stimulus.numpy(), data.store.trials.stimulus[rows])
        class_of = torch.tensor(data.spec.class_of)
        assert torch.equal(batch.y, class_of[batch.stimulus])
        assert {t.dtype for t in batch[1:]} == {torch.int64}


def test_seed_decides_the_order(root: Path) -> None:
    def first(seed: int) -> list[int]:
        torch.manual_seed(seed)
        return next(iter(ready(root).train_dataloader())).index.tolist()

    assert first(0) == first(0)
    assert first(0) != first(1)


def test_changing_the_global_generator_later_does_not_change_the_order(root: Path) -> None:
    torch.manual_seed(0)
    data = ready(root)
    before = [batch.index.tolist() for batch in data.train_dataloader()]
    torch.manual_seed(99)
    assert [batch.index.tolist() for batch in data.train_dataloader()] == before


def whole(data: FACED, role: str) -> Batch:
    batches = list(data.loader(data.indices[role]))
    return Batch(*(torch.cat(part) for part in zip(*batches)))


def test_train_normalisation_looks_at_training_subjects_only(root: Path) -> None:
    data = ready(root)
    x = whole(data, "train").x
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(32, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones(32, 5), atol=1e-4, rtol=0)
    train = data.store.x[data.indices["train"]]
    expected = (data.store.x[data.indices["test"]] - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(whole(data, "test").x.numpy(), expected, rtol=1e-4, atol=1e-4)
    assert whole(data, "test").x.mean() > 2


def test_subject_normalisation_is_within_each_subject(root: Path) -> None:
    data = ready(root, normalise="subject")
    for role in ("train", "val", "test"):
        batch = whole(data, role)
        for subject in batch.subject.unique():
            x = batch.x[batch.subject == subject]
            torch.testing.assert_close(x.mean(dim=0), torch.zeros(32, 5), atol=1e-4, rtol=0)
            torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones(32, 5), atol=1e-3, rtol=0)


def test_constant_channel_is_warned_of(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "EEG_Features" / "DE"
    folder.mkdir(parents=True)
    for name in SUBJECTS:
        values = np.random.default_rng(0).normal(size=(28, 32, 30, 5))
        values[:, 4] = 0.25
        (folder / f"{name}.pkl.pkl").write_bytes(pickle.dumps(values))
    data = ready(tmp_path)
    with pytest.warns(UserWarning, match=r"channels \['F4'\] are constant"):
        x = whole(data, "train").x
    assert (x[:, 4] == 0).all()


def test_raw_scale_and_statistics(tmp_path: Path) -> None:
    folder = tmp_path / "Processed_data"
    folder.mkdir()
    for name in SUBJECTS[1:]:
        values = 30 * np.random.default_rng(1).standard_normal((28, 32, 7500), dtype=np.float32)
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(values))
    options = {"features": "raw", "subjects": SUBJECTS[1:], "sampling_rate": 250}
    data = ready(tmp_path, **options, residence="ram")
    batch = whole(data, "test")
    assert batch.x.shape == (84, 32, 2500)
    np.testing.assert_allclose(batch.x.numpy(), data.store.x[data.indices["test"]] / 100, rtol=1e-6)
    scored = whole(ready(tmp_path, **options, normalise="train"), "train").x
    torch.testing.assert_close(scored.std(dim=(0, 2), correction=0), torch.ones(32), atol=1e-3, rtol=0)


def test_fingerprint_ignores_what_does_not_change_the_store(root: Path) -> None:
    assert module(root).fingerprint == module(root, batch_size=8, split="loso", normalise="none").fingerprint
    assert module(root).fingerprint != module(root, window_seconds=5).fingerprint


def test_masks_in_time_are_refused_for_band_features(root: Path) -> None:
    with pytest.raises(ValueError, match=r"need raw signals, not de; set --data\.augmentation\.time_mask 0"):
        module(root, augmentation=Augmentation())
    module(root, augmentation=Augmentation(time_mask=0.0))


def test_every_option_is_a_documented_flag() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(EEGDataModule, "data")
    flags = ["--data.features", "de", "--data.subjects", '["1","12"]', "--data.augmentation.noise_std", "0.2"]
    parsed = parser.parse_args(["--data", "SEEDV", "--data.root", "x", *flags])
    assert parsed.data.class_path == "datamodules.seedv.SEEDV"
    assert parsed.data.init_args.subjects == ("1", "12")
    assert parsed.data.init_args.augmentation.noise_std == 0.2
    for cls in (FACED, SEEDV):
        own = ArgumentParser()
        own.add_class_arguments(cls, "data")
        text = {action.dest: action.help for action in own._actions}
        assert {"data.root", "data.split", "data.batch_size", "data.normalise", "data.residence"} <= set(text)
        assert not [flag for flag, words in text.items() if not words]


def test_split_flags_are_the_splits() -> None:
    for cls in (FACED, SEEDV):
        assert get_args(get_type_hints(cls.__init__)["split"]) == tuple(split.name for split in cls.splits)


class Recorder(L.LightningModule):
    """Notes which trials arrive in each stage, and their signal."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen: dict[str, list[Batch]] = {"train": [], "val": [], "test": []}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.seen["train"].append(batch)
        return self.layer(batch.x.mean().view(1, 1)).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.seen["val"].append(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.seen["test"].append(batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return batch.index

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def trainer(**kwargs: Any) -> L.Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return L.Trainer(accelerator="cpu", devices=1, max_epochs=2, **quiet, **kwargs)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.parametrize("residence", ["memmap", "device"])
def test_through_lightning(root: Path, residence: str) -> None:
    L.seed_everything(5, verbose=False)
    noise = Augmentation(probability=1.0, noise_std=1.0, channel_dropout=0.0, time_mask=0.0)
    data, model = module(root, augmentation=noise, normalise="none", residence=residence), Recorder()
    runner = trainer()
    runner.fit(model, datamodule=data)
    steps = 168 // 32
    epochs = [[b.index.tolist() for b in model.seen["train"][i * steps : (i + 1) * steps]] for i in range(2)]
    assert len(model.seen["train"]) == 2 * steps
    assert epochs[0] != epochs[1]  # set_epoch is called although the sampler is ours
    for batch in model.seen["train"]:
        residual = batch.x - torch.from_numpy(data.store.x[batch.index.numpy()])
        assert residual.std() == pytest.approx(1.0, rel=0.1)
    runner.test(model, datamodule=data, verbose=False)
    for role in ("val", "test"):
        for batch in model.seen[role]:
            np.testing.assert_array_equal(batch.x.numpy(), data.store.x[batch.index.numpy()])
    tested = torch.cat([batch.index for batch in model.seen["test"]])
    np.testing.assert_array_equal(np.sort(tested.numpy()), data.indices["test"])
    predicted = torch.cat(runner.predict(model, datamodule=data))
    np.testing.assert_array_equal(predicted.numpy(), data.indices["test"])
