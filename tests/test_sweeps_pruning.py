"""The pruner that knows saturation, the comparison of pruners, and the verdict inside a run."""

import json
import math
import os
import subprocess
import sys

import optuna
import pytest
from optuna.trial import create_trial

from benchmarks.replay import in_orders, replay, table
from callbacks.trial_report import TrialReport
from sweeps.pruning import PRUNERS, SaturationPruner, build, push, share_beyond_chance
from tests.conftest import ROOT
from tests.runs import SMALL, TWO_RANKS, environment


def epoch(*, weight=1.0, share=0.5, norm=1.0, pc1=0.97, residual=0.2) -> dict[str, float]:
    """What a run reports of an epoch; task gradient 1, alignment loss 2."""
    return {
        "train/task": 1.5, "train/alignment": 2.0, "train/total": 1.5 + 2.0 * weight,
        "grad/task_norm": 1.0, "grad/alignment_norm": norm, "grad/alignment_feature_share": share,
        "grad/alignment_feature_chance": 0.25, "val/class_pc1_r": pc1, "val/class_pc1_r_null95": 0.66,
        "val/within_class_r": residual, "val/within_class_r_null95": 0.45,
    }  # fmt: skip


def verdict(pruner, *epochs, values=(0.1, 0.2, 0.3), best=0.5) -> bool:
    """Of the last epoch, in a study whose other trial had ``best`` all along."""
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.add_trial(create_trial(value=best, intermediate_values=dict.fromkeys(range(5), best)))
    trial = study.ask()
    for step, (report, value) in enumerate(zip(epochs, values)):
        trial.set_user_attr(f"epoch {step}", report)
        trial.report(value, step)
    return trial.should_prune()


def test_push_is_the_weighted_gradient_outside_the_span_of_the_class_means():
    assert push(epoch(weight=0.5, share=0.75, norm=2.0)) == pytest.approx(0.5 * 2.0 * 0.5)
    for unknown in ({}, epoch(norm=1e-7), epoch(weight=-0.1), {**epoch(), "train/total": 1.0}):
        assert math.isnan(push(unknown))
    assert share_beyond_chance(epoch(share=0.25)) == 0
    assert share_beyond_chance(epoch(share=1.0)) == 1


def test_only_an_idle_loss_in_a_saturated_basin_is_stopped():
    pruner, idle = SaturationPruner(after=3), epoch(weight=0.01)
    assert verdict(pruner, idle, idle, idle)
    assert not verdict(pruner, idle, idle), "not before its epoch"
    assert not verdict(pruner, *[epoch(weight=0.2)] * 3), "it pushes"
    assert not verdict(pruner, *[epoch(weight=0.01, pc1=0.5)] * 3), "nothing is saturated"
    follows = epoch(weight=0.01, residual=0.6)
    assert verdict(pruner, idle, idle, follows), "an idle loss has not moved the residual"
    assert not verdict(SaturationPruner(after=3, keep_residual=True), idle, idle, follows)
    assert not verdict(pruner, idle, idle, idle, best=0.25), "it leads"
    assert not verdict(pruner, *[{**idle, "train/alignment": 0.0}] * 3), "a push that is not known stops nothing"
    assert not verdict(pruner, *[epoch(norm=1e-8)] * 3), "a loss that reads tokens has no gradient at the features"


def test_reading_by_share_takes_a_strong_loss_for_an_idle_one():
    strong = [epoch(weight=3.0, share=0.95)] * 3
    assert verdict(SaturationPruner(after=3, by_share=True), *strong)
    assert not verdict(SaturationPruner(after=3), *strong)


def recorded(number: int, value: float, weight: float):
    curve = {step: value * (step + 1) / 6 for step in range(6)}
    reports = {f"epoch {step}": epoch(weight=weight) for step in range(6)}
    trial = create_trial(value=value, intermediate_values=curve, user_attrs=reports)
    trial.number = number
    return trial


FOUR = [(0.5, 1.0), (0.3, 0.001), (0.6, 1.0), (0.2, 0.001)]  # value, weight


def test_replay_counts_what_a_pruner_saves_and_loses():
    trials = [recorded(number, *each) for number, each in enumerate(FOUR)]
    result = replay(trials, pruner=SaturationPruner(after=2), epochs=6)
    assert result.pruned == 2
    assert result.saved == pytest.approx(2 * 4 / 24)
    assert (result.best, result.best_pruned) == (0.6, 0.3)
    assert result.best_instead == 0.6, "16 epochs are 2.67 trials"
    assert replay(trials, pruner=build("none", epochs=6, seeds=1), epochs=6).saved == 0


def test_table_says_what_the_same_epochs_give_without_a_pruner():
    trials = [recorded(number, *each) for number, each in enumerate(FOUR)]
    rows = {row.split()[0]: row for row in table(trials, epochs=6, orders=40).splitlines()}
    assert rows.keys() == {"pruner", *PRUNERS}
    assert rows["none"].split()[1:] == "0% [0%, 0%] 0.0000 [0.0000, 0.0000] 0.0000 0%".split()
    saved, loss, instead = (float(rows["saturation"].split()[n].rstrip("%")) for n in (1, 4, 7))
    assert saved > 20
    assert loss == 0
    assert instead > 0.02, "three of four trials in random order miss the best in one of four"
    nulls = [[each.best_instead for each in in_orders(trials, pruner="none", epochs=6, orders=5)] for _ in range(2)]
    assert nulls[0] == nulls[1]
    saved = [[each.saved for each in in_orders(trials, pruner="hyperband", epochs=6, orders=20)] for _ in range(2)]
    assert saved[0] == saved[1]
    assert len(set(saved[0])) > 1, "orders differ"


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_of_the_list_exists(name):
    assert isinstance(build(name, epochs=12, seeds=2), optuna.pruners.BasePruner)


def test_without_a_sweep_the_callback_does_nothing(monkeypatch):
    monkeypatch.delenv("VAXIS_TRIAL", raising=False)
    report = TrialReport()
    report._validated = True
    report.on_train_epoch_end(None, None)
    with pytest.raises(ValueError, match="patience_seconds"):
        TrialReport(patience_seconds=-1)


@pytest.mark.parametrize(
    "ranks", [(), pytest.param(TWO_RANKS, marks=pytest.mark.slow)], ids=["one process", "two ranks"]
)
def test_verdict_stops_all_ranks_after_the_epoch_and_the_run_can_be_finished_later(ranks, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "stop.json").write_text(json.dumps({"epoch": 99, "stop": True}))
    command = [sys.executable, "train.py", *SMALL, *ranks, "--loss=rsa", f"--run_dir={run_dir}"]
    options = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 200}
    done = subprocess.run(command, env=environment(tmp_path / "cache", VAXIS_TRIAL="0"), **options)
    assert done.returncode == 0, done.stderr
    (line,) = (run_dir / "reports.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 0
    assert {"val/balanced_accuracy", "grad/alignment_feature_share", "train/total"} <= json.loads(line).keys()
    assert not (run_dir / "result.json").exists()
    assert (run_dir / "checkpoints" / "last.ckpt").exists()
    again = subprocess.run(command, env=environment(tmp_path / "cache"), **options)
    assert "resuming" in again.stdout
    assert json.loads((run_dir / "result.json").read_text())["epochs"] == 3
    assert len((run_dir / "reports.jsonl").read_text().splitlines()) == 1


def test_worker_is_light():
    code = (
        "import sys, time; start = time.process_time(); import sweeps.worker, re;"
        "kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1];"
        "print(time.process_time() - start, int(kb) / 1024);"
        "assert not {'torch', 'lightning', 'matplotlib', 'scipy', 'pandas'} & sys.modules.keys()"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=os.environ)
    seconds, megabytes = map(float, said.stdout.split())
    assert seconds < 0.5
    assert megabytes < 100
