"""Searches as a user starts them: every trial once, whatever is killed."""

import json
import os
import signal
import subprocess
import sys

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from studies.jobs import Slot
from sweeps import worker
from sweeps.storage import Store
from sweeps.sweep import Sweep
from tests.conftest import ROOT
from tests.runs import environment
from tests.sweep_runs import QUICK, Search, kill_everything


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_two_losses_survive_a_killed_worker_and_a_killed_search(cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa,vaxis_mse", "--trials=3", "--workers=2", *QUICK)
    first = search.start()
    search.wait(lambda: len(search.training()) == 2, first)
    search.workers(first)[0].kill()
    search.wait(lambda: search.results() and search.training(), first)
    kill_everything(first)
    search.assert_nobody_left()
    finished = search.results()
    params = {t.number: t.params for t in search.trials() if t.params}
    assert len(search.trials()) == 3
    assert search.trials(TrialState.RUNNING), "as a kill leaves it"

    said = search.run()
    assert "3 trials: 3 complete" in said
    trials = search.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 3
    assert all(trials[number].params == before for number, before in params.items()), "the same parameters again"
    assert [t.params["loss"] for t in trials[:2]] == ["rsa", "vaxis_mse"], "each loss as it comes is tried first"
    for path, changed in finished.items():
        assert path.stat().st_mtime_ns == changed, "a finished run is not run again"
    for trial in trials:
        result = json.loads((search.folder / f"trial-{trial.number:04d}" / "result.json").read_text())
        assert trial.value == result["val"]["balanced_accuracy"]
        assert result["loss"] == trial.params["loss"]
        assert result["weight"] == trial.params[f"{result['loss']}:loss.weight"]
    search.assert_nobody_left()
    assert "3 trials: 3 complete" in search.run(), "nothing is left to do"
    assert search.results().keys() == {search.folder / f"trial-{n:04d}" / "result.json" for n in range(3)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--loss=rsa", "--objective=test/balanced_accuracy"], "never looks at test data"),
        (["--loss=rsa", "--loss.wieght=1"], "Did you mean 'weight'?"),
        (["--loss=rsa", "--storage=mysql://x"], "give sqlite:///FILE"),
        (["--loss=rsa", "--seeds=0"], "at least one seed"),
    ],
)
def test_bad_input_is_one_line(words, said, cache, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sweeps.search", *words, f"--folder={tmp_path}", *QUICK[:2]],
        cwd=ROOT, env=environment(cache), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# Scores .6 in every epoch and obeys the answer, as callbacks/trial_report.py does; knows the files by name, so a
# renamed one shows.
RUN = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
for epoch in range(4):
    with open(folder / "reports.jsonl", "a") as file:
        print(json.dumps({"epoch": epoch, "val/balanced_accuracy": 0.6}), file=file)
    verdict = {"epoch": -1}
    while verdict["epoch"] < epoch:
        time.sleep(0.01)
        verdict = json.loads((folder / "stop.json").read_text()) if (folder / "stop.json").exists() else verdict
    if verdict["stop"]:
        sys.exit()
"""


def test_median_pruner_lets_a_trial_go_on_and_then_stops_it(tmp_path, monkeypatch):
    """The pruner answers with numpy's booleans, and the answer is JSON."""

    def start(job, *_, **__):
        job.run_dir.mkdir()
        assert (job.settings.seed, job.settings.value("group")) == (42, "study")
        return subprocess.Popen([sys.executable, "-c", RUN, job.run_dir], start_new_session=True)

    monkeypatch.setattr(worker, "start", start)
    store = Store(f"sqlite:///{tmp_path}/study.db")
    study = optuna.create_study(storage=store.storage, study_name="study", direction="maximize")
    shared = {"argv": [], "objectives": ["val/balanced_accuracy"], "seeds": [42], "folder": str(tmp_path)}
    shared["settings"] = {"rsa": {"seed_everything": 1, "group": None}}
    Sweep(**shared, space={"rsa": {}}, epochs=4, pruner="median").save(study)
    for _ in range(5):
        study.add_trial(create_trial(value=0.5, intermediate_values={0: 0.5, 1: 0.5, 2: 0.9, 3: 0.9}))
    study.enqueue_trial({})
    worker.Worker(store, "study", slot=Slot(), beat_seconds=15).work()
    assert study.trials[-1].state == TrialState.PRUNED
    assert sorted(study.trials[-1].intermediate_values) == [0, 1, 2], "epoch 1 is above the median"
    assert json.loads((tmp_path / "trial-0005" / "stop.json").read_text()) == {"epoch": 2, "stop": True}


def test_ctrl_c_stops_soon_and_leaves_nothing_behind(cache, tmp_path):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=2", "--workers=1", *QUICK)
    process = search.start()
    search.wait(search.training, process)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=40)  # ten seconds on a machine that does nothing else
    assert "stopped; the same command goes on" in said
    search.assert_nobody_left(within=0.5)
    assert [t.state for t in search.trials()] == [TrialState.WAITING] * 2
