"""Reading fabricated runs back, and the verdict over them."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from analysis.verdict_record import Verdict
from records.run import Run, check_comparable, load_runs
from tests.finished_runs import SEEDS, edit_result, write_arms, write_run


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def verdict(arms):
    return Verdict.from_runs(*arms)


def test_run_reads_scores_measures_and_gradients(tmp_path):
    run = Run.load(write_run(tmp_path, loss="rsa", weight=1.0, seed=7, accuracy=0.61))
    assert (run.loss, run.weight, run.seed, run.chance) == ("rsa", 1.0, 7, pytest.approx(1 / 9))
    assert run.score("balanced_accuracy") == 0.61
    assert run.alignment("class_pc1")["null_95"] == 0.66
    assert run.gradient("alignment")["feature_share"] == 0.8
    assert run.predictions()["y"].shape == (84,)


def test_series_have_one_value_an_epoch(tmp_path):
    run = Run.load(write_run(tmp_path, epochs=6))
    assert run.series("val/balanced_accuracy").shape == (6,)
    assert np.isfinite(run.series("train/task")).all()
    assert "lr-AdamW" not in run.metrics  # logged by step
    assert math.isnan(run.series("test/balanced_accuracy")[0])


def test_series_average_steps_and_keep_gaps_and_nan(tmp_path):
    path = write_run(tmp_path)
    (path / "metrics.csv").write_text("epoch,step,a,b\n0,1,1.0,\n0,2,3.0,nan\n0,2,,nan\n2,9,5.0,\n")
    run = Run.load(path)
    assert run.series("a")[[0, 2]].tolist() == [2.0, 5.0]
    assert math.isnan(run.series("a")[1])
    assert math.isnan(run.series("b")[0])


def test_null_in_json_is_nan(tmp_path):
    path = write_run(tmp_path)
    test = json.loads((path / "result.json").read_text())["test"]
    test["within_class_residual"] = None
    test["kappa"] = None
    edit_result(path, test=test)
    run = Run.load(path)
    assert math.isnan(run.alignment("within_class_residual")["value"])
    assert math.isnan(run.score("kappa"))


def test_errors_name_the_file_and_the_fix(tmp_path):
    path = write_run(tmp_path)
    with pytest.raises(FileNotFoundError, match="no run directory"):
        Run.load(tmp_path / "absent")
    with pytest.raises(KeyError, match="val/balanced_accuracy"):
        Run.load(path).series("val/nothing")
    with pytest.raises(KeyError, match="no split val"):
        Run.load(path).predictions("val")
    with pytest.raises(ValueError, match=r"lacks the field test\.f2"):
        Run.load(path).score("f2")
    for name in ("metrics.csv", "predictions.npz"):
        (path / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv"):
        _ = Run.load(path).metrics
    with pytest.raises(FileNotFoundError, match=r"predictions\.npz"):
        Run.load(path).predictions()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "list and no mapping"),
        ('{"format": 2}', "format 2, this version reads 1"),
        ('{"format": 1, "simulated": true}', "lacks the field dataset"),
        ('{"format": 1, "simulated": "yes"}', "field simulated is 'yes'"),
    ],
)
def test_broken_results_are_refused(tmp_path, content, message):
    path = write_run(tmp_path)
    (path / "result.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        Run.load(path)
    assert "result.json" in str(caught.value)


def test_result_without_accuracy_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"test\.balanced_accuracy"):
        Run.load(write_run(tmp_path, test={"chance": 0.1}))


def test_unfinished_runs_are_named_or_skipped_on_request(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path, seed=seed)
    (tmp_path / "none-2" / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match="none-2"):
        load_runs(tmp_path)
    assert [run.seed for run in load_runs(tmp_path, skip_unfinished=True)] == [1]
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_runs(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="no finished run"):
        load_runs(tmp_path / "none-1")


@pytest.mark.parametrize(
    "change",
    [
        {"axis": "other"},
        {"data": "other"},
        {"epochs": 7},
        {"simulated": False},
        {"dataset": "seedv"},
        {"features": "de"},
    ],
)
def test_runs_of_different_experiments_are_not_comparable(tmp_path, change):
    first, second = write_run(tmp_path, seed=1), write_run(tmp_path, seed=2)
    check_comparable([Run.load(first), Run.load(second)])
    edit_result(second, **change)
    with pytest.raises(ValueError, match=f"cannot be compared: {next(iter(change))} is"):
        check_comparable([Run.load(first), Run.load(second)])


def test_runs_with_other_test_trials_are_not_comparable(tmp_path):
    first, second = write_run(tmp_path, seed=1), write_run(tmp_path, seed=2)
    np.savez(second / "predictions.npz", test_y=np.arange(84) % 9, test_index=np.arange(1, 85))
    with pytest.raises(ValueError, match="test trials differ"):
        check_comparable([Run.load(first), Run.load(second)])


# --- verdict ---


def test_pairs_by_seed_whatever_the_order(arms, verdict):
    assert verdict.seeds == tuple(sorted(SEEDS))
    shuffled = Verdict.from_runs(arms[0][::-1], [arms[1][i] for i in (2, 0, 4, 1, 3)])
    assert shuffled == verdict
    expected = dict(zip(SEEDS, (0.01, 0.02, -0.01, 0.015, 0.005)))
    assert verdict.accuracy.paired.deltas == pytest.approx([expected[seed] for seed in verdict.seeds])


@pytest.mark.parametrize(
    ("shift", "word"),
    [
        (0.05, "vaxis_mse at weight 0.5 helps on these 3 people (+0.058"),
        (-0.05, "hurts on these 3 people (-0.042"),
        (0.0, "is unresolved on these 3 people (smallest resolvable effect"),
    ],
)
def test_sentence_follows_the_data(tmp_path, shift, word):
    deltas = tuple(shift + d for d in (0.01, 0.02, -0.01, 0.015, 0.005))
    verdict = Verdict.from_runs(*write_arms(tmp_path, deltas=deltas))
    assert word in verdict.sentence
    assert f"VERDICT: {verdict.sentence}" in verdict.text().replace("\n", " ")


def test_measures_stand_beside_their_nulls(arms, verdict):
    by_name = {c.name: c for c in verdict.others}
    scores, alignment = ["clip_balanced_accuracy", "kappa"], ["vaxis_cosine", "class_pc1", "within_class_residual"]
    assert list(by_name) == [*scores, *alignment, "effective_rank"]
    pc1 = by_name["class_pc1"]
    assert pc1.null_mean == pytest.approx((0.29, 0.29))
    assert pc1.above_null == tuple(sum(r.alignment("class_pc1")["value"] > 0.66 for r in arm) for arm in arms)
    assert by_name["kappa"].null_95 is None
    assert pc1.p_holm >= pc1.paired.p


def test_gradients_stand_beside_chance(verdict):
    assert [(g.source, g.arm) for g in verdict.gradients] == [
        ("alignment", "with"),
        ("task", "with"),
        ("task", "without"),
    ]
    assert (verdict.gradients[0].feature_share, verdict.gradients[0].feature_chance) == pytest.approx((0.8, 0.25))


def test_text_is_narrow_and_complete(verdict):
    text = verdict.text(verbose=True)
    assert max(len(line) for line in text.splitlines()) <= 96
    for part in ("SIMULATED", "chance 0.111", "5 paired seeds", "sign-flip p", "at least 0.0625 with 5 pairs", "0.25"):
        assert part in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_real_data_carries_no_simulation_banner(tmp_path):
    assert "SIMULATED" not in Verdict.from_runs(*write_arms(tmp_path, simulated=False)).text()


def test_json_is_strict_and_saved_whole(tmp_path, verdict):
    content = json.loads(verdict.save(tmp_path).read_text(), parse_constant=pytest.fail)
    assert content["judgement"] == verdict.judgement
    assert content["accuracy"]["paired"]["p"] == pytest.approx(verdict.accuracy.paired.p)
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_measure_that_was_not_taken_is_left_out_and_said(tmp_path):
    write_arms(tmp_path)
    path = tmp_path / "b" / "vaxis_mse-42"
    test = json.loads((path / "result.json").read_text())["test"]
    del test["class_pc1"]
    edit_result(path, test=test)
    verdict = Verdict.from_runs(load_runs(tmp_path / "a"), load_runs(tmp_path / "b"))
    assert "class_pc1" not in [c.name for c in verdict.others]
    assert "class_pc1 was not measured" in verdict.text()


def test_runs_without_a_seed_or_a_data_fingerprint_are_told(tmp_path):
    path = write_run(tmp_path)
    edit_result(path, seed=None)
    with pytest.raises(ValueError, match="field seed is None, of the wrong type; give each run a seed"):
        Run.load(path)
    assert "no fingerprint of their data" in Verdict.from_runs(*write_arms(tmp_path / "c", data=None)).text()


def test_measure_undefined_everywhere_is_said_and_not_tested(tmp_path):
    write_arms(tmp_path)
    for path in tmp_path.glob("*/*"):
        test = json.loads((path / "result.json").read_text())["test"]
        edit_result(path, test={**test, "within_class_residual": {"value": None, "null_mean": None, "null_95": None}})
    verdict = Verdict.from_runs(load_runs(tmp_path / "a"), load_runs(tmp_path / "b"))
    (undefined,) = [c for c in verdict.others if c.paired is None]
    assert undefined.name == "within_class_residual"
    assert "within-class residual |r| not defined in any pair" in verdict.text()
    assert [c["paired"] for c in json.loads(verdict.to_json())["others"] if c["name"] == undefined.name] == [None]


def test_one_seed_gives_a_verdict_without_a_test(tmp_path):
    baseline, treated = write_arms(tmp_path)
    verdict = Verdict.from_runs(baseline[:1], [run for run in treated if run.seed == baseline[0].seed])
    assert "one pair" in verdict.text()


def test_arms_must_be_whole(arms, tmp_path):
    baseline, treated = arms
    with pytest.raises(ValueError, match="in one arm only"):
        Verdict.from_runs(baseline[:-1], treated)
    with pytest.raises(ValueError, match="twice in the baseline arm"):
        Verdict.from_runs([*baseline, baseline[0]], treated)
    with pytest.raises(ValueError, match="treated arm is empty"):
        Verdict.from_runs(baseline, [])
    other = Run.load(write_run(tmp_path, loss="rsa", weight=1.0, seed=1))
    with pytest.raises(ValueError, match="mixes rsa at weight 1"):
        Verdict.from_runs(baseline, [*treated, other])


def test_other_code_versions_and_uncommitted_changes_are_noted(tmp_path):
    baseline, _ = write_arms(tmp_path)
    edit_result(baseline[0].path, code={"commit": "fffffff", "dirty": True})
    text = Verdict.from_runs(load_runs(tmp_path / "a"), load_runs(tmp_path / "b")).text()
    assert "2 versions of the code: 4f1c2d3, fffffff" in text
    assert "uncommitted" in text


def test_reading_runs_loads_no_plotting_library():
    code = "import sys, analysis.report; print({'matplotlib', 'mne', 'scipy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
