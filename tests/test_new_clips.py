"""A run whose test holds new clips: the real decoder and data, through Lightning."""

import json
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from callbacks.clip_accuracy import ClipAccuracy
from callbacks.residual_alignment import ResidualAlignment
from callbacks.run_writer import RunWriter
from callbacks.wandb_results import final
from datamodules.simulated import SimulatedFACED
from lightning_modules.decoder import Decoder
from losses.none import NoAlignment
from networks.global_context_de import GlobalContextDE
from records.run import Run


class Trained(L.Callback):
    """Keeps the weights that training leaves behind, before anything is scored."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trained = {name: value.clone() for name, value in pl_module.state_dict().items()}


def new_clips(folder: Path) -> SimulatedFACED:
    """The last fold, in which two of the four neutral clips are new."""
    options = {"n_subjects": 9, "batch_size": 32, "split": "subject_clip_disjoint", "fold": 2}
    return SimulatedFACED(root=str(folder / "cohort"), cache=str(folder), **options)


def runner(folder: Path, *callbacks: L.Callback) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        callbacks=list(callbacks),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, SimulatedFACED, L.Trainer, Decoder, dict]:
    folder = tmp_path_factory.mktemp("run")
    L.seed_everything(1, verbose=False)
    data = SimulatedFACED(
        root=str(folder / "cohort"),
        n_subjects=9,
        batch_size=32,
        split="subject_clip_disjoint",
        fold=2,
        cache=str(folder),
    )
    model, kept = Decoder(network=GlobalContextDE(), loss=NoAlignment()), Trained()
    trainer = runner(folder, RunWriter(run_dir=str(folder)), ClipAccuracy(), ResidualAlignment(draws=20), kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PL_GLOBAL_SEED", "1")
        trainer.fit(model, datamodule=data)
        trainer.validate(model, datamodule=data, verbose=False)
        trainer.test(model, datamodule=data, verbose=False)
    return Run.load(folder), data, trainer, model, kept.trained


def test_both_tests_score_the_trials_of_their_role(finished) -> None:
    run, data, trainer, *_ = finished
    for split in ("test", "test_seen"):
        rows = data.indices[split]
        predictions = run.predictions(split)
        np.testing.assert_array_equal(predictions["index"], np.sort(rows))
        np.testing.assert_array_equal(predictions["stimulus"], data.store.trials.stimulus[np.sort(rows)])
        assert run.result[split]["trials"] == len(rows)
        hit = predictions["probabilities"].argmax(axis=1) == predictions["y"]
        expected = np.mean([hit[predictions["y"] == k].mean() for k in range(9)])
        assert run.score("balanced_accuracy", split) == pytest.approx(expected)
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        assert logged[f"{split}/balanced_accuracy"] == pytest.approx(expected)
        assert logged[f"{split}/clip_balanced_accuracy"] == pytest.approx(run.score("clip_balanced_accuracy", split))
    assert run.score("balanced_accuracy", "test_seen") != run.score("balanced_accuracy", "test")


def test_what_one_new_clip_a_class_cannot_tell_is_said(finished) -> None:
    run, *_ = finished
    new, seen = (run.result[split]["within_class_residual"] for split in ("test", "test_seen"))
    assert new["value"] is None
    assert new["degenerate"] == "too few stimuli beside the class means"
    assert 0 <= seen["value"] <= 1
    assert 0 <= run.result["test"]["class_pc1"]["value"] <= 1


def test_scoring_changes_nothing_that_was_trained(finished) -> None:
    *_, model, trained = finished
    assert model.state_dict().keys() == trained.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value, trained[name]), name


def test_the_tracker_gets_both(finished) -> None:
    run, *_ = finished
    values = final(run.result)
    for split in ("val", "test", "test_seen"):
        assert values[f"final/{split}/balanced_accuracy"] == run.score("balanced_accuracy", split)
    old = json.loads(json.dumps(run.result))
    del old["test_seen"]  # of before
    assert not [name for name in final(old) if "test_seen" in name]


def test_predict_gives_the_test_alone(finished) -> None:
    _, data, trainer, model, _ = finished
    batches = trainer.predict(model, datamodule=data)
    assert sum(map(len, batches)) == len(data.indices["test"])


def test_training_is_that_of_the_same_trials_without_new_clips(finished, tmp_path: Path) -> None:
    """The second loader is not known before the test: a split that drops it trains the same weights."""
    _, data, _, _, trained = finished
    L.seed_everything(1, verbose=False)
    again = new_clips(data.cache)
    again.prepare_data()
    again.setup("fit")
    del again.indices["test_seen"]
    kept = Trained()
    trainer = runner(tmp_path, kept)
    trainer.fit(Decoder(network=GlobalContextDE(), loss=NoAlignment()), datamodule=again)
    for name, value in kept.trained.items():
        assert torch.equal(value, trained[name]), name
