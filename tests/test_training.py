"""Whole runs as a user starts them: resume, two ranks, run directories, bad input, no network."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

from records.lock import TAKEN
from tests.runs import SMALL, TWO_RANKS, killed_after, train, weights

EXACT = ("--network.dropout=0", "--trainer.max_epochs=2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """One finished run of the small setting."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    train(*SMALL, "--loss", "rsa", f"--run_dir={run_dir}", cache=cache)
    return run_dir


def same(a: dict, b: dict, **tolerance: float) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], msg=lambda text, name=name: f"{name}: {text}", **tolerance)


class TestRun:
    def test_leaves_all_that_analysis_needs(self, finished):
        names = {path.name for path in finished.iterdir()}
        assert {"config.yaml", "metrics.csv", "predictions.npz", "features.npz", "result.json", "checkpoints"} <= names
        result = json.loads((finished / "result.json").read_text())
        assert result["simulated"] is True
        assert result["loss"] == "rsa"
        assert result["test"]["chance"] == pytest.approx(1 / 9)
        for measure in ("class_pc1", "within_class_residual", "vaxis_cosine"):
            assert {"value", "null_mean", "null_95", "p_value"} <= result["test"][measure].keys()

    def test_same_seed_same_result(self, finished, cache, tmp_path):
        train(*SMALL, "--loss", "rsa", f"--run_dir={tmp_path}", cache=cache)
        same(weights(tmp_path), weights(finished), rtol=0, atol=0)

    def test_a_finished_run_is_not_overwritten(self, finished, cache):
        done = train(*SMALL, "--loss", "rsa", f"--run_dir={finished}", cache=cache, check=False)
        assert done.returncode == TAKEN
        assert "finished run" in done.stderr

    def test_saved_config_repeats_the_run(self, finished, cache, tmp_path):
        train(
            "fit",
            "--config",
            str(finished / "config.yaml"),
            f"--run_dir={tmp_path}",
            "--trainer.logger=null",
            cache=cache,
        )
        same(weights(tmp_path), weights(finished), rtol=0, atol=0)

    def test_checkpoint_scores_again_as_it_did(self, finished, cache, tmp_path):
        train(
            "test", "--config", str(finished / "config.yaml"), f"--ckpt_path={finished}/checkpoints/best.ckpt",
            "--trainer.logger=false", f"--run_writer.run_dir={tmp_path}", cache=cache,
        )  # fmt: skip
        files = (finished / "result.json", tmp_path / "evaluation.json")
        before, again = (json.loads(file.read_text())["test"] for file in files)
        assert again["balanced_accuracy"] == before["balanced_accuracy"]
        assert again["per_class_recall"] == before["per_class_recall"]

    def test_a_try_and_a_test_leave_a_finished_run_alone(self, finished, cache):
        before = (finished / "result.json").read_bytes()
        train(*SMALL, "--loss", "rsa", "--trainer.fast_dev_run=1", f"--run_dir={finished}", cache=cache)
        checkpoint = f"--ckpt_path={finished}/checkpoints/best.ckpt"
        train("test", *SMALL[1:], "--loss", "rsa", checkpoint, f"--run_dir={finished}", cache=cache)
        assert (finished / "result.json").read_bytes() == before


class TestInterruptedRun:
    @pytest.fixture
    def interrupted(self, finished, tmp_path):
        """A copy of a run as a kill after its last epoch leaves it."""
        run_dir = tmp_path / "run"
        shutil.copytree(finished, run_dir)
        (run_dir / "result.json").unlink()
        return run_dir

    def test_other_settings_are_refused(self, interrupted, cache):
        words = ("--loss", "rsa", "--loss.weight=2", f"--run_dir={interrupted}")
        done = train(*SMALL, *words, cache=cache, check=False)
        assert done.returncode == 1
        assert "loss.init_args.weight was 1.0, now 2.0" in done.stderr

    def test_damaged_checkpoint_is_named_with_the_fix(self, interrupted, cache):
        last = interrupted / "checkpoints" / "last.ckpt"
        last.write_bytes(last.read_bytes()[:2000])
        done = train(*SMALL, "--loss", "rsa", f"--run_dir={interrupted}", cache=cache, check=False)
        assert "last.ckpt cannot be read as the checkpoint of a run" in done.stderr
        assert "delete it" in done.stderr

    def test_two_processes_do_not_share_a_folder(self, interrupted, cache):
        from records.lock import lock

        with lock(interrupted):
            done = train(*SMALL, "--loss", "rsa", f"--run_dir={interrupted}", cache=cache, check=False)
        assert "being trained by another process" in done.stderr


@pytest.mark.parametrize("ranks", [(), TWO_RANKS], ids=["one process", "two ranks"])
def test_killed_run_resumes_to_the_same_weights(ranks, cache, finished, tmp_path):
    words = (*SMALL, "--loss", "rsa", *ranks)
    if ranks:
        expected = tmp_path / "whole"
        train(*words, f"--run_dir={expected}", cache=cache)
    else:
        expected = finished
    run_dir = tmp_path / "killed"
    killed_after((run_dir / "checkpoints" / "last.ckpt").exists, *words, f"--run_dir={run_dir}", cache=cache)
    assert not (run_dir / "result.json").exists()
    done = train(*words, f"--run_dir={run_dir}", cache=cache)
    assert "resuming" in done.stdout
    same(weights(run_dir), weights(expected), rtol=0, atol=0)
    whole, resumed = (json.loads((f / "result.json").read_text()) for f in (expected, run_dir))
    assert resumed["test"] == whole["test"]
    assert resumed["residual_gradient"] == whole["residual_gradient"]
    assert resumed["warnings"] == whole["warnings"], "that a run goes on is nothing to warn of in its result"
    rows = (run_dir / "metrics.csv").read_text().splitlines()
    header = rows[0].split(",")
    scored = [row.split(",") for row in rows[1:] if row.split(",")[header.index("val/balanced_accuracy")]]
    assert {row[header.index("epoch")] for row in scored} == {"0", "1", "2"}, "epochs before the kill are still logged"


@pytest.mark.parametrize("loss", ["none", "vaxis_mse", "rsa", "soft_label_kd", "topo_optimal"])
def test_two_ranks_give_the_numbers_of_one_process(loss, cache, tmp_path):
    for name, ranks in (("one", ()), ("two", TWO_RANKS)):
        train(*SMALL, "--loss", loss, *EXACT, *ranks, f"--run_dir={tmp_path / name}", cache=cache)
    same(weights(tmp_path / "one"), weights(tmp_path / "two"), rtol=1e-4, atol=1e-5)
    one, two = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert two["world_size"] == 2
    for split in ("val", "test"):
        assert one[split]["trials"] == two[split]["trials"]
        assert one[split]["balanced_accuracy"] == pytest.approx(two[split]["balanced_accuracy"], abs=0.01)
        for measure in ("class_pc1", "vaxis_cosine", "within_class_residual"):
            assert one[split][measure]["value"] == pytest.approx(two[split][measure]["value"], abs=1e-2)


class TestBadInput:
    def test_network_and_features_that_do_not_fit(self, cache, tmp_path):
        done = train(*SMALL, "--data.features=raw", f"--run_dir={tmp_path}", cache=cache, check=False)
        assert "GlobalContextDE reads de or psd" in done.stderr
        assert "Traceback" not in done.stderr

    def test_missing_axis_says_how_to_make_one(self, cache, tmp_path):
        done = train(*SMALL, f"--axis={tmp_path}/no.npz", f"--run_dir={tmp_path}", cache=cache, check=False)
        assert "python -m vaxis extract" in done.stderr

    def test_missing_subject_is_named(self, cache, tmp_path):
        train(*SMALL, "--trainer.fast_dev_run=1", f"--data.root={tmp_path / 'cohort'}", cache=cache)
        shutil.copytree(tmp_path / "cohort" / "EEG_Features", tmp_path / "real" / "EEG_Features")
        root, axis = f"--data.root={tmp_path / 'real'}", f"--axis={tmp_path / 'cohort' / 'axis.npz'}"
        done = train("fit", "--data", "FACED", root, axis, cache=cache, check=False)
        assert done.returncode == 1
        assert "sub" in done.stderr
        assert "Traceback" not in done.stderr

    def test_batch_that_ranks_cannot_share(self, cache, tmp_path):
        words = (*SMALL, *TWO_RANKS, "--data.batch_size=63", f"--run_dir={tmp_path}")
        assert "multiple of the 2" in train(*words, cache=cache, check=False).stderr


@pytest.mark.parametrize("key", ["", "0" * 40], ids=["no key", "key but no network"])
def test_online_without_key_or_network_gives_an_offline_run(key, cache, tmp_path):
    server = "http://127.0.0.1:9"  # nothing listens there
    extra = {"WANDB_MODE": "", "HOME": str(tmp_path), "WANDB_API_KEY": key, "WANDB_BASE_URL": server}
    words = ("--online", "--trainer.max_epochs=1", f"--run_dir={tmp_path / 'run'}")
    done = train(*SMALL, *words, cache=cache, **extra)
    assert "W&B stays offline" in done.stdout
    (record,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    shown = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(record)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    for expected in ("val/balanced_accuracy", "val/class_pc1_r_null95", "grad/task_feature_share", "test/kappa"):
        assert f'"{expected}"' in shown
    assert "class_path" in shown, "the configuration of the run is in it"
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("depth", ["emod_d3", "emod_d6"])
def test_emod_trains_on_raw_signals_from_its_settings_files(depth, cache, tmp_path):
    train(
        "fit", "--data", "SimulatedFACED", "--data.n_subjects=3", f"--config=configs/{depth}.yaml",
        "--config=configs/recipe_appendix.yaml", "--data.batch_size=2", "--loss", "topo_optimal",
        "--trainer.fast_dev_run=1", f"--run_dir={tmp_path}", cache=cache,
    )  # fmt: skip
