"""Callbacks in real Lightning runs of a small decoder: what they log, write and give on two ranks."""

import csv
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from callbacks.residual_alignment import ResidualAlignment
from callbacks.run_writer import RunWriter
from callbacks.trials import Trials
from measures.alignment import vaxis_cosine
from measures.base import Measure
from records.run import Run
from tests import small_decoder
from tests.small_decoder import (
    CLASS_OF,
    SUBJECTS,
    SmallDecoder,
    cohort,
    make_axis,
    make_trainer,
    train,
)
from vaxis.axis import Axis


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
        [sys.executable, small_decoder.__file__, "2", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder, column):
    with open(folder / "metrics.csv") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row.get(column)]


def test_sanity_check_is_skipped_and_every_epoch_is_measured_once(one):
    *_, splits = one
    assert [split for split, _ in splits.seen] == ["val", "val", "val", "test", "test_seen"]


def test_all_keys_are_logged(one):
    folder, *_ = one
    for key in ("vaxis_cosine", "class_pc1_r", "within_class_r"):
        for split, times in (("val", 3), ("test", 1), ("test_seen", 1)):
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
    for split in ("val", "test", "test_seen"):
        scores = result[split]
        clips = 18 if split == "test_seen" else 28
        assert scores["trials"] == len(cohort(split)) == 2 * clips * len(SUBJECTS[split]) - (split != "test_seen")
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
    logits = splits.seen[-2][1].logits
    assert (predictions["test_probabilities"].argmax(axis=1) == logits.argmax(axis=1)).all()


def test_clips_seen_before_are_a_split_of_their_own(one):
    """Its trials are those of its loader, and ``test`` is not mixed with them: their names share a beginning."""
    folder, *_, splits = one
    run = Run.load(folder)
    test, seen = dict(splits.seen)["test"], dict(splits.seen)["test_seen"]
    for split, trials in (("test", test), ("test_seen", seen)):
        assert set(run.predictions(split)) == {"probabilities", "y", "subject", "stimulus", "index"}
        np.testing.assert_array_equal(run.predictions(split)["index"], trials.index)
        np.testing.assert_array_equal(run.features(split)["h"], trials.h)
        hit = trials.logits.argmax(axis=1) == trials.y
        expected = np.mean([hit[trials.y == k].mean() for k in range(9)])
        assert run.score("balanced_accuracy", split) == pytest.approx(expected)
    assert set(seen.index) == set(cohort("test_seen").tensors[-1].tolist())
    assert not set(seen.index) & set(test.index)
    assert run.result["test_seen"].keys() == run.result["test"].keys()


def test_a_run_without_new_clips_says_so_with_null(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    trainer = make_trainer(tmp_path, callbacks=[RunWriter(run_dir=str(tmp_path))], max_steps=1, limit_val_batches=0)
    model = SmallDecoder(axis_path=path)
    trainer.fit(model)
    trainer.test(model, verbose=False)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["test_seen"] is None
    assert result["test"]["trials"] == 167
    assert not [name for name in np.load(tmp_path / "predictions.npz").files if "seen" in name]


def test_the_logged_clip_score_is_that_of_the_result(one):
    folder, *_ = one
    result = json.loads((folder / "result.json").read_text())
    for split in ("val", "test", "test_seen"):
        logged = rows(folder, f"{split}/clip_balanced_accuracy")
        assert logged[-1] == pytest.approx(result[split]["clip_balanced_accuracy"], abs=1e-6)


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
    again = np.r_[np.arange(len(trials.index)), 0, 5, 5]
    ids = np.stack([trials.y, trials.stimulus, trials.subject, trials.index], 1)[again]
    gathered = Trials.once(ids, np.hstack([trials.logits, trials.h])[again], n_classes=9)
    for field in Trials._fields:
        np.testing.assert_array_equal(getattr(gathered, field), getattr(trials, field))


def test_two_ranks_give_the_numbers_of_one(one, two):
    """The padded sampler repeats a trial on another rank; losses couple trials across ranks."""
    folder, *_ = one
    alone, both = (json.loads((f / "result.json").read_text()) for f in (folder, two))
    assert (alone.pop("world_size"), both.pop("world_size")) == (1, 2)
    for split in ("val", "test", "test_seen"):
        assert both[split]["trials"] == alone[split]["trials"]
        assert both[split]["clip_balanced_accuracy"] == alone[split]["clip_balanced_accuracy"]
        for name in ("vaxis_cosine", "class_pc1", "within_class_residual"):
            assert both[split][name] == pytest.approx(alone[split][name], abs=1e-4)
        assert both[split]["per_class_recall"] == pytest.approx(alone[split]["per_class_recall"])
    for loss in ("task", "alignment"):
        assert both["residual_gradient"][loss] == pytest.approx(alone["residual_gradient"][loss], rel=1e-4)
    first, second = (np.load(f / "predictions.npz") for f in (folder, two))
    assert {f"test_seen_{name}" for name in ("probabilities", "y", "subject", "stimulus", "index")} <= set(first.files)
    for key in first.files:
        np.testing.assert_allclose(first[key], second[key], atol=1e-5)
    for key in ("val/vaxis_cosine", "val/within_class_r_null95", "grad/alignment_norm", "grad/task_sample_share"):
        assert rows(two, key) == pytest.approx(rows(folder, key), rel=1e-4)


def test_residual_is_picked_and_measured_on_different_validation_subjects(monkeypatch):
    """Features that name their subject: the two halves share none and leave none out."""
    subjects, stimuli = np.repeat([2, 3, 5, 8, 9], 28), np.tile(np.arange(28), 5)
    one_hot = np.eye(10, dtype=np.float32)[subjects]
    trials = Trials(np.zeros((140, 9)), one_hot, CLASS_OF[stimuli], stimuli, subjects, np.arange(140))
    seen = []

    def residual(selection, evaluation, *_, **__):
        seen.append([set(np.flatnonzero(half.sum(axis=0))) for half in (selection, evaluation)])
        return Measure(value=0.5)

    monkeypatch.setattr("callbacks.residual_alignment.within_class_residual", residual)
    targets = SimpleNamespace(v=torch.randn(28), class_of=torch.from_numpy(CLASS_OF))
    spec = SimpleNamespace(class_of=tuple(CLASS_OF), subjects=tuple(range(10)))
    module = SimpleNamespace(spec=spec, targets=targets, log_dict=lambda *_, **__: None)
    ResidualAlignment(draws=5).on_split(None, module, "val", trials)
    ((picked, measured),) = seen
    assert picked == {2, 5, 9}
    assert measured == {3, 8}
