"""A search ends with what its best trial must be read beside: no loss at all, and the command of a verdict."""

import json
import shlex

import pytest

from command_line.settings import RunSettings
from studies.losses import runs_of, words_of_each
from studies.plan import Plan
from sweeps import beside, search
from sweeps.sweep import Sweep
from tests.sweep_runs import QUICK, Search

ARGV = ["--config", "configs/simulated.yaml", "--trainer.max_epochs=3"]


def sweep_in(folder, **changes) -> Sweep:
    settings = RunSettings.parse([*ARGV, "--loss", "rsa"])
    space = {"rsa": {"loss.weight": {"type": "float", "low": 0.1, "high": 10.0}}}
    facts = {"argv": ARGV, "space": space, "objectives": ["val/balanced_accuracy"], "seeds": [42, 123], "epochs": 3}
    return Sweep(
        **(facts | {"pruner": "none", "folder": str(folder), "settings": {"rsa": dict(settings.content)}} | changes)
    )


def test_the_runs_without_a_loss_differ_from_a_trial_by_the_loss_alone(tmp_path):
    sweep = sweep_in(tmp_path)
    jobs = beside.none_jobs(sweep)
    assert [job.settings.seed for job in jobs] == sweep.seeds
    for job in jobs:
        trial = sweep.run({"loss.weight": 1.0}, seed=job.settings.seed)
        assert job.settings.plain
        assert job.settings.rest == trial.rest


def test_the_best_stands_beside_no_loss(tmp_path):
    sweep = sweep_in(tmp_path)
    told = beside.closing(sweep, best=[0.4], params={"loss.weight": 2.5})
    assert len(told) == 1, "nothing is said of runs that are not there"
    for job, value in zip(beside.none_jobs(sweep), (0.30, 0.34)):
        job.run_dir.mkdir(parents=True)
        (job.run_dir / "result.json").write_text(json.dumps({"val": {"balanced_accuracy": value}}))
    told = beside.closing(sweep, best=[0.4], params={"loss.weight": 2.5})
    assert "0.3200 without a loss" in told[0]
    assert "+0.0800" in told[0]
    assert told[-1].startswith("verdict  python train.py --config")


@pytest.mark.parametrize(("data", "planted"), [([], True), (["--data.axis=a.npz"], False)])
def test_the_last_line_is_a_command_that_compares_the_best_with_its_baseline(tmp_path, data, planted, monkeypatch):
    settings = RunSettings.parse([*ARGV, "--loss", "rsa"])
    settings = settings.with_value("data.axis", "a.npz") if data else settings
    sweep = sweep_in(tmp_path, argv=[*ARGV, *data], settings={"rsa": dict(settings.content)})
    python, script, *words = shlex.split(beside.verdict_command(sweep, {"loss.weight": 2.5}))
    assert (python, script) == ("python", "train.py")
    plan, rest = Plan.parse(words)
    assert plan.planted == planted
    (run,) = runs_of(words_of_each([word for word in rest if word not in data]))
    assert run.value("loss.weight") == 2.5
    assert run.epochs == 3


@pytest.mark.slow
def test_a_search_trains_the_runs_without_a_loss_and_says_how_they_do(tmp_path):
    search_of_two = Search(tmp_path, tmp_path / "cache", "--loss=rsa", *QUICK[:-1], "--trials=2", "--workers=1")
    said = search_of_two.run()
    assert "without a loss on the same seeds" in said
    assert said.strip().splitlines()[-1].startswith("verdict  python train.py ")
    assert (tmp_path / "study" / "none" / "s42" / "result.json").is_file()
    assert not search.parse(["--loss=rsa"])[0].no_none
