"""A finished run as objects again, and the commands that start from its directory."""

import hashlib
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from callbacks.wandb_scalp import electrode_r
from command_line.reopen import open_run
from datamodules import normalisation
from datamodules.simulated import SimulatedFACED
from figures.scalp import OFF_SCALP
from lightning_modules.contents import read
from lightning_modules.kept_epochs import KeptEpochs
from records.layout import RunDirectory
from records.run import Run
from studies.scalp import of_arms
from tests.runs import SMALL, train
from train import main
from vaxis.axis import Axis


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """Two epochs of the small setting, both kept."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    train(
        *SMALL, "--loss", "rsa", "--trainer.max_epochs=2", "--checkpoint.keep_every=1", f"--run_dir={run_dir}",
        cache=cache,
    )  # fmt: skip
    return run_dir


def test_a_finished_run_has_the_checksums_of_its_files(finished):
    names = {"config.yaml", "metrics.csv", "predictions.npz", "features.npz", "result.json"}
    lines = (finished / "SHA256SUMS").read_text().splitlines()
    assert {line[66:] for line in lines} == names
    assert all(hashlib.sha256((finished / line[66:]).read_bytes()).hexdigest() == line[:64] for line in lines)


@pytest.fixture(autouse=True)
def _same_cache(cache, monkeypatch):
    monkeypatch.setenv("VAXIS_CACHE", str(cache))
    monkeypatch.setattr(sys, "argv", ["train.py"])


@pytest.fixture(scope="module")
def opened(cache, finished):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAXIS_CACHE", str(cache))
        return open_run(finished)


@pytest.fixture(scope="module")
def elsewhere(cache):
    """Other people whose band features lie elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAXIS_CACHE", str(cache))
        return SimulatedFACED(n_subjects=24, cohort_seed=3, snr=2.0, batch_size=64)


def command(*words) -> None:
    main([*map(str, words), "--trainer.enable_progress_bar=false"])


@pytest.mark.parametrize("split", ["val", "test"])
def test_predictions_and_features_are_the_saved_ones_bit_for_bit(split, finished, opened):
    trials, run = opened.predict(split=split), Run.load(finished)
    for name, saved in run.predictions(split).items():
        np.testing.assert_array_equal(getattr(trials, name), saved)
    np.testing.assert_array_equal(trials.h, run.features(split)["h"])


def test_an_open_run_has_its_axis_and_is_ready_to_predict(finished, opened):
    assert opened.axis.fingerprint == Run.load(finished).result["axis"]
    assert not opened.decoder.training
    assert opened.contents.epoch == Run.load(finished).result["best_epoch"]


def test_opening_a_run_leaves_random_numbers_alone(finished):
    torch.manual_seed(7), np.random.seed(7)
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    open_run(finished)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], before_numpy)


def test_other_people_are_normalised_as_the_training_people_were(opened, elsewhere):
    """Statistics are those of the run's cohort, computed here anew; fitted on the other cohort they would differ."""
    trials = opened.predict(elsewhere, split="all")
    own, rows = opened.data, np.arange(len(elsewhere.store.trials))
    own.prepare_data()
    own.setup("predict")

    def features(data):
        affine = normalisation.fit(
            data.store, kind="train", train=data.indices["train"], raw=False, scale=1.0, channels=data.spec.channels
        )
        x = (torch.from_numpy(elsewhere.store.x[rows].copy()) - affine.centre) / affine.spread
        with torch.inference_mode():
            return opened.decoder.network(x).mean(dim=(1, 2)).numpy()

    np.testing.assert_allclose(trials.h, features(own), rtol=1e-4, atol=1e-5)
    assert np.abs(trials.h - features(elsewhere)).max() > 0.1
    np.testing.assert_array_equal(trials.subject, elsewhere.store.trials.subject)


def test_a_tensor_is_predicted_as_the_data_module_is(opened):
    trials = opened.predict(split="test")
    x = torch.from_numpy(opened.data.store.x[opened.data.indices["test"]].copy())
    alone = opened.predict(x)
    np.testing.assert_allclose(alone.probabilities, trials.probabilities, atol=1e-6)
    assert (alone.y == -1).all()
    np.testing.assert_array_equal(alone.index, np.arange(len(x)))
    with pytest.raises(ValueError, match=r"trials must be \(B, 32, 5\)"):
        opened.predict(x[:, :30])


def test_a_checkpoint_alone_is_complete(finished, tmp_path, monkeypatch):
    """Neither run directory nor axis file: the checkpoint was given away by itself."""
    file = shutil.copy(RunDirectory(finished).best, tmp_path / "given.ckpt")
    monkeypatch.setattr(Axis, "load", lambda path: pytest.fail(f"reads {path}"))
    alone = open_run(tmp_path, checkpoint=file)
    np.testing.assert_array_equal(alone.predict().h, Run.load(finished).features()["h"])


def test_electrodes_are_found_by_name(opened):
    from dataclasses import replace

    spec = opened.contents.spec
    channels = ("EXTRA", *reversed(spec.channels))
    rows = opened.contents.rows(replace(spec, channels=channels))
    assert [channels[row] for row in rows] == list(spec.channels)
    assert opened.contents.rows(spec) is None
    with pytest.raises(ValueError, match="1 electrodes that the data lack: Fp1"):
        opened.contents.rows(replace(spec, channels=spec.channels[1:]))
    with pytest.raises(ValueError, match="features de, these have psd"):
        opened.contents.rows(replace(spec, features="psd"))


class TestKeptEpochs:
    def test_have_the_features_of_their_validation(self, finished):
        run = Run.load(finished)
        assert run.kept_epochs == [0, 1]
        chosen = run.kept(run.result["best_epoch"])
        np.testing.assert_array_equal(chosen["h"], run.features("val")["h"])
        assert chosen["logits"].shape == (len(chosen["y"]), 9)

    def test_open_with_the_weights_of_their_epoch(self, finished):
        first = open_run(finished, checkpoint=0).predict(split="val")
        np.testing.assert_array_equal(first.h, Run.load(finished).kept(0)["h"])
        assert np.abs(first.h - Run.load(finished).kept(1)["h"]).max() > 0

    def test_an_epoch_that_was_not_kept_is_named(self, finished):
        with pytest.raises(FileNotFoundError, match=r"did not keep epoch 7 but \[0, 1\]"):
            Run.load(finished).kept(7)
        with pytest.raises(FileNotFoundError, match=r"0007\.ckpt"):
            open_run(finished, checkpoint=7)

    def test_must_be_validated_epochs(self):
        trainer = SimpleNamespace(check_val_every_n_epoch=2, limit_val_batches=1.0)
        KeptEpochs(4).check(trainer)
        KeptEpochs(0).check(SimpleNamespace(check_val_every_n_epoch=2, limit_val_batches=0))
        with pytest.raises(ValueError, match="keep_every 3"):
            KeptEpochs(3).check(trainer)


class TestCommands:
    def test_test_fills_every_measure_as_the_run_did(self, finished):
        command("test", finished)
        result, again = (json.loads(file.read_text()) for file in (
            RunDirectory(finished).result, RunDirectory(finished).evaluation))  # fmt: skip
        for field in ("val", "test", "axis", "data", "loss", "weight", "best_epoch"):
            assert again[field] == result[field]

    def test_validate_scores_the_named_checkpoint(self, finished, capsys):
        command("validate", RunDirectory(finished).kept(0))
        assert "val/balanced_accuracy" in capsys.readouterr().out

    def test_predict_writes_a_file(self, finished, opened, tmp_path):
        command("predict", finished)
        command("predict", "--ckpt_path", RunDirectory(finished).best, "--split=val", "--out", tmp_path / "mine.npz")
        saved, run = np.load(RunDirectory(finished).predict), Run.load(finished)
        np.testing.assert_array_equal(saved["test_h"], run.features()["h"])
        np.testing.assert_array_equal(saved["test_probabilities"], run.predictions()["probabilities"])
        people = opened.data.spec.subjects
        assert saved["subjects"][saved["test_subject"]].tolist() == [people[i] for i in run.predictions()["subject"]]
        np.testing.assert_array_equal(np.load(tmp_path / "mine.npz")["val_h"], run.features("val")["h"])

    def test_another_cohort_has_its_own_people(self, finished, tmp_path):
        """More people than the run had: ids must not run over its list of names."""
        command("test", finished, "--data.n_subjects=40", "--data.cohort_seed=3", f"--run_writer.run_dir={tmp_path}")
        scores = json.loads(RunDirectory(tmp_path).evaluation.read_text())["test"]
        assert scores["trials"] > Run.load(finished).result["test"]["trials"]
        assert scores["within_class_residual"]["value"] is not None

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("test",), "name one run to test: python train.py test RUN_DIR"),
            (("validate", "--loss", "rsa"), "name one run to validate"),
            (("predict",), "name one run to predict"),
            (("test", "{run}", "--ckpt_path=x.ckpt"), "name one run"),
            (("test", "nowhere"), "no run directory nowhere"),
            (("predict", "{run}/checkpoints/none.ckpt"), "no checkpoint at"),
            (("test", "{run}", "--loss.weight=3"), "loss.init_args.weight was 1.0, now 3.0"),
            (("predict", "{run}", "--data.normalise=none"), "trained with --data.normalise train, not none"),
            (("predict", "{run}", "--data.features=psd"), "features de, these have psd"),
        ],
    )
    def test_bad_input_is_one_line(self, words, said, finished, capsys):
        with pytest.raises(SystemExit) as end:
            command(*(word.format(run=finished) for word in words))
        assert said in str(end.value)
        assert str(end.value).count("\n") == 1, "the line, and how to see more"

    @pytest.mark.parametrize("name", ["test", "predict"])
    def test_a_checkpoint_of_before_says_what_it_lacks(self, name, finished, tmp_path):
        old = torch.load(RunDirectory(finished).best, weights_only=True)
        del old["run"]
        RunDirectory(tmp_path).best.parent.mkdir()
        torch.save(old, RunDirectory(tmp_path).best)
        with pytest.raises(SystemExit, match=r"best\.ckpt lacks settings, axis and normalisation statistics"):
            command(name, tmp_path)


def test_the_scalp_map_of_an_arm_is_that_of_the_run_in_wandb(opened, finished):
    """Two ways to the same map: the callback sums tokens while it tests, the report of a study opens the run."""
    decoder, n = opened.decoder, len(opened.decoder.spec.class_of)
    sums, counts = np.zeros((n, len(decoder.spec.channels), decoder.network.dim)), np.zeros(n)
    for batch in opened.batches():
        with torch.inference_mode():
            tokens = decoder.output(batch.x, decoder.classifier).tokens.mean(dim=2).numpy()
        for stimulus, token in zip(batch.stimulus.tolist(), tokens):
            sums[stimulus] += token
            counts[stimulus] += 1
    targets = decoder.targets
    expected = electrode_r(sums / counts[:, None, None], targets.v.double().numpy(), targets.class_of.numpy())
    (map_,) = of_arms([Run.load(finished)], [Run.load(finished)])
    assert map_.maps == ("without", "with")
    assert map_.r == pytest.approx(np.stack([expected, expected], axis=1), abs=1e-4)
    on_scalp = [name not in OFF_SCALP for name in map_.channels]
    assert np.isfinite(map_.p[on_scalp]).all()
    assert ((map_.p[on_scalp] > 0) & (map_.p[on_scalp] <= 1)).all()


def test_the_statistics_of_a_person_are_not_carried_to_others():
    affine = normalisation.Affine(centre=torch.ones(2, 3, 5), spread=torch.ones(2, 3, 5))
    state = normalisation.state(affine, kind="subject", channels=("a", "b", "c"))
    assert normalisation.restored(state, kind="subject", channels=("a", "b", "c")) is None
    with pytest.raises(ValueError, match="other channels"):
        normalisation.restored(state, kind="subject", channels=("a", "b"))


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "best.ckpt").write_text("half")
    with pytest.raises(ValueError, match=r"best\.ckpt cannot be read as the checkpoint of a run"):
        read(tmp_path / "best.ckpt")
