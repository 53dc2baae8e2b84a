"""The main job and its process pool: from flags to verdict, through crashes and interruptions."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from command_line.settings import RunSettings
from datamodules.simulation.faced_files import write_faced
from studies.arms import prepare
from studies.jobs import Job, RunFailed, launch
from studies.plan import Plan
from studies.slots import Slot, slots
from studies.study import Study
from tests.conftest import ROOT
from tests.runs import environment, train, writing_into

STUDY = (
    "--config", "configs/simulated.yaml", "--planted", "--seeds=1,2", "--loss", "rsa", "--trainer.max_epochs=2",
    "--network", "global_context_de",
)  # fmt: skip
BESIDE = ("--lengths=1,2", "--new_clips", "--new_clips_seeds=1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_verdict_after_a_kill_in_the_middle(cache, tmp_path):
    words = (*STUDY, f"--run_dir={tmp_path}")
    process = subprocess.Popen(
        [sys.executable, "train.py", *words], cwd=ROOT, env=environment(cache), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("*/*/result.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/result.json")}
    time.sleep(1)
    assert not writing_into(tmp_path), "children die with their parent"

    done = train(*words, *BESIDE, cache=cache)
    assert "VERDICT: rsa at weight 1" in done.stdout
    assert "SIMULATED" in done.stdout
    assert "chance 0.111" in done.stdout
    for path, changed in first.items():
        assert path.stat().st_mtime_ns == changed, "a finished run is not run again"
    (folder,) = tmp_path.glob("rsa-*")
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["judgement"] in ("helps", "hurts", "equivalent", "unresolved")
    assert verdict["seeds"] == [1, 2]
    assert [control["name"] for control in verdict["controls"]] == ["random"]
    assert [length["epochs"] for length in verdict["lengths"]["at"]] == [1, 2]
    assert [fold["name"] for fold in verdict["new_clips"]["folds"]] == ["0", "1", "2"]
    assert {"ridge", "logistic", "clips", "ridge_person"} < {model["name"] for model in verdict["baselines"]}
    controls = [json.loads(file.read_text()) for file in tmp_path.glob("control-rsa-*/*/result.json")]
    assert [(run["control"], run["loss"]) for run in controls] == [("random", "rsa")] * 2
    assert json.loads((folder / "s1" / "result.json").read_text())["control"] is None
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 5
    assert 'alt="scalp maps of r with the axis: without, with"' in page
    assert "alpha 8–14 Hz" in page
    assert "<td>train</td>" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert {path.name for path in (tmp_path / "none").iterdir()} == {"s1", "s2"}

    again = train(*words, cache=cache)
    assert "6 finished before" in again.stdout
    assert again.stdout.index("VERDICT: ") < again.stdout.index("=====")


def test_seeds_must_be_numbers(cache):
    done = train("--seeds=one,two", cache=cache, check=False)
    assert done.returncode == 1
    assert "whole numbers" in done.stderr


def test_mistyped_loss_fails_before_anything_is_made(tmp_path):
    done = train("--loss", "rsaa", cache=tmp_path / "none", check=False)
    assert "Did you mean 'rsa'?" in done.stderr
    assert not (tmp_path / "none").exists()


def prepared(run, *, planted):
    conditions = prepare(run, planted=planted, folder=run.run_dir)
    return Study.prepare(run, plan=Plan(seeds=(1,), planted=planted), conditions=conditions)


def test_a_loss_whose_file_changed_gets_runs_of_its_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "edited_loss.py"
    file.write_text('from losses.vaxis_mse import VAxisMSE\n\nclass Edited(VAxisMSE):\n    """Mine."""\n')
    words = ["--config", "configs/simulated.yaml", "--loss", "edited_loss.Edited", f"--data.cache={tmp_path}"]
    words.append(f"--data.root={tmp_path / 'cohort'}")
    before = prepared(RunSettings.parse(words), planted=True)
    file.write_text(file.read_text() + "    factor = 100\n")
    after = prepared(RunSettings.parse(words), planted=True)
    assert after.pair.treated.run_dir(1) != before.pair.treated.run_dir(1)
    assert after.pair.baseline.run_dir(1) == before.pair.baseline.run_dir(1)


def test_a_simulated_cohort_read_as_faced_keeps_its_own_axis(tmp_path):
    write_faced(tmp_path / "cohort", n_subjects=24)
    names = sorted(path.name.split(".")[0] for path in (tmp_path / "cohort" / "EEG_Features" / "DE").iterdir())
    words = ["--data", "datamodules.faced.FACED", f"--data.root={tmp_path / 'cohort'}", f"--data.cache={tmp_path}"]
    run = RunSettings.parse([*words, f"--data.subjects={json.dumps(names)}", "--loss=rsa"])
    study = prepared(run, planted=False)
    assert study.conditions.axis_path == tmp_path / "cohort" / "axis.npz"


class Stand(Slot):
    """Runs a line of Python in the place of ``train.py``."""

    def command(self, job: Job) -> list[str]:
        return [sys.executable, "-c", job.settings.value("line"), str(job.run_dir)]


def job(line: str, run_dir, *, epochs: int = 1) -> Job:
    """A run that ``Stand`` makes of a line."""
    return Job(settings=RunSettings({"line": line, "trainer": {"max_epochs": epochs}}), run_dir=run_dir)


FINISH = "import sys, pathlib; pathlib.Path(sys.argv[1], 'result.json').write_text('{}')"


class TestLaunch:
    def test_all_jobs_run_and_finished_ones_do_not(self, tmp_path):
        jobs = [job(FINISH, tmp_path / str(n)) for n in range(3)]
        broken = "raise SystemExit('must not run')"
        done = job(broken, tmp_path / "done")
        done.run_dir.mkdir()
        (done.run_dir / "result.json").write_text("{}")
        launch([*jobs, done], on=[Stand(), Stand()])
        assert all(each.finished for each in jobs)

    def test_a_failing_run_stops_no_other_and_shows_the_end_of_its_log(self, tmp_path):
        bad = job("raise SystemExit('out of memory')", tmp_path / "bad")
        good = job(FINISH, tmp_path / "good")
        with pytest.raises(RunFailed, match=r"bad failed(.|\n)*out of memory"):
            launch([bad, good], on=[Stand()])
        assert good.finished

    def test_a_run_that_ends_without_a_result_has_failed(self, tmp_path):
        with pytest.raises(RunFailed):
            launch([job("pass", tmp_path / "empty")], on=[Stand()])

    def test_two_slots_run_side_by_side(self, tmp_path):
        meet = (
            "import sys, pathlib, time; me = pathlib.Path(sys.argv[1]); (me / 'here').touch(); end = time.time() + 20\n"
            "while len(list(me.parent.glob('*/here'))) < 2 and time.time() < end: time.sleep(0.05)\n"
            "assert len(list(me.parent.glob('*/here'))) == 2; (me / 'result.json').write_text('{}')"
        )
        launch([job(meet, tmp_path / n) for n in "ab"], on=[Stand(), Stand()])

    def test_more_devices_a_run_than_there_are(self):
        for devices, per_run in ((["0", "1"], 3), ((), 2), (["0"], 0)):
            with pytest.raises(ValueError, match="devices_per_run"):
                slots(devices=devices, per_run=per_run)

    def test_slots(self):
        assert slots(devices=["0", "1", "2", "3"], per_run=2) == [Slot(devices=("0", "1")), Slot(devices=("2", "3"))]
        assert len(slots(jobs=1)) == 1
        assert len(slots(jobs=10**6)) == len(os.sched_getaffinity(0))
        words = Slot(devices=("0", "1")).command(job("", ROOT / "run"))
        assert f"--config={ROOT / 'run' / 'settings.yaml'}" in words
        assert "--trainer.devices=2" in words
        assert Slot(devices=("3",)).environment()["CUDA_VISIBLE_DEVICES"] == "3"

    def test_progress_is_read_from_the_log(self, tmp_path):
        run = job("", tmp_path, epochs=5)
        assert run.epochs_done == 0
        (tmp_path / "metrics.csv").write_text(
            "epoch,step,train/task,val/balanced_accuracy\n0,4,2.1,\n0,9,,0.3\n1,12,2.0,\n"
        )
        assert run.epochs_done == 1
        (tmp_path / "result.json").write_text("{}")
        assert run.epochs_done == 5
