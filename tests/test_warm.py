"""Runs that are forks of one warm process: the numbers, the ends and the deaths of plain ones."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from command_line.settings import RunSettings
from studies.jobs import Job, RunFailed, Slot, launch
from studies.processes import physical_cores
from studies.warm import _threads
from tests.conftest import ROOT
from tests.runs import environment, weights, writing_into

WORDS = ("--config", "configs/simulated.yaml", "--network", "global_context_de", "--trainer.max_epochs=1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache, monkeypatch):
    for name, value in environment(cache).items():
        monkeypatch.setenv(name, value)


def job(run_dir: Path, *words: str) -> Job:
    return Job(settings=RunSettings.parse([*WORDS, *words]), run_dir=run_dir)


def test_what_a_warm_process_imports_starts_no_thread_and_asks_for_no_device():
    watch = (
        "import os, torch\n"
        "def asked(*_): raise SystemExit('CUDA was asked for while importing')\n"
        "torch.cuda.is_available = torch.cuda.device_count = torch.cuda.init = torch.cuda._lazy_init = asked\n"
        "import studies.warm_imports\n"
        "threads = len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 1\n"
        "assert threads == 1, f'{threads} threads'\n"
    )
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", watch], cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_warm_run_has_the_numbers_of_a_plain_one(cached, tmp_path, monkeypatch):
    runs = {name: job(tmp_path / name, "--loss", "vaxis_mse") for name in ("warm", "plain")}
    with monkeypatch.context() as only:
        only.setattr("studies.jobs.start_plainly", lambda *_, **__: pytest.fail("started plainly"))
        launch([runs["warm"]], on=[Slot(threads=1)])
    monkeypatch.setenv("VAXIS_PLAIN_PROCESSES", "1")
    monkeypatch.setattr("studies.jobs.start_warm", lambda *_, **__: pytest.fail("started warm"))
    launch([runs["plain"]], on=[Slot(threads=1)])
    ours, theirs = (weights(run.run_dir) for run in runs.values())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    results = [json.loads(run.files.result.read_text()) for run in runs.values()]
    assert results[0]["test"] == results[1]["test"]
    assert "vaxis" in runs["warm"].files.log.read_text().lower()


def test_a_warm_run_that_fails_shows_the_end_of_its_log(cached, tmp_path):
    with pytest.raises(RunFailed, match=r"bad failed(.|\n)*no axis at .*none\.npz"):
        launch([job(tmp_path / "bad", f"--axis={tmp_path / 'none.npz'}")], on=[Slot(threads=1)])


def test_a_run_that_dies_before_it_has_a_log_is_told(tmp_path, monkeypatch):
    ended = SimpleNamespace(poll=lambda: 1, returncode=1)
    monkeypatch.setattr("studies.jobs.start", lambda *_, **__: ended)
    with pytest.raises(RunFailed, match=r"run .*early failed before it could say why \(.*log\.txt"):
        launch([job(tmp_path / "early")], on=[Slot(threads=1)])


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 4),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "99"}, 8),
        ({"OMP_NUM_THREADS": "0"}, 4),
        ({"OMP_NUM_THREADS": "2,1"}, 4),
    ],
)
def test_a_run_has_the_threads_that_it_is_told_at_most_or_a_core_each(environment, expected, monkeypatch):
    monkeypatch.setattr("studies.warm.cores", lambda: 8)
    monkeypatch.setattr("studies.warm.physical_cores", lambda: 4)
    assert _threads(environment) == expected


def test_two_threads_of_one_core_count_once(tmp_path, monkeypatch):
    for core in range(4):
        (tmp_path / f"cpu{core}").write_text(f"{core // 2}\n")
    monkeypatch.setattr("studies.processes.SIBLINGS", str(tmp_path / "cpu{}"))
    for allowed, expected in (({0, 1, 2, 3}, 2), ({0, 1}, 1), ({0, 2}, 2)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, allowed=allowed: allowed, raising=False)
        assert physical_cores() == expected
    (tmp_path / "cpu0").unlink()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr("psutil.cpu_count", lambda *, logical: 2)
    assert physical_cores() == 2


LAUNCHER = """
import sys
from pathlib import Path
from command_line.settings import RunSettings
from studies.jobs import Job, Slot, launch
if __name__ == "__main__":
    run = RunSettings.parse(sys.argv[2:])
    launch([Job(settings=run.with_seed(s), run_dir=Path(sys.argv[1]) / f"s{s}") for s in (1, 2)], on=[Slot(), Slot()])
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_warm_runs_end_with_their_launcher(by, cache, tmp_path):
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    words = [str(tmp_path / "runs"), *WORDS[:-1], "--trainer.max_epochs=500"]
    variables = environment(cache) | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "launcher.py"), *words], cwd=ROOT, env=variables,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while len(list(tmp_path.glob("runs/*/checkpoints/last.ckpt"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(writing_into(tmp_path)) == 2
    process.send_signal(by)
    process.wait(20)
    time.sleep(1)
    assert not writing_into(tmp_path), "children die with their parent"


def test_the_launchers_own_folder_does_not_matter(cache, tmp_path):
    """Started from elsewhere, the warm process still finds what to import; cold runs would take seconds longer."""
    line = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from studies.warm import _server\n"
        "from tests.warm_probe import imported\n"
        "if __name__ == '__main__':\n"
        "    with _server().Pool(1) as pool: print(pool.apply(imported))\n"
    )
    script = tmp_path / "elsewhere.py"
    script.write_text(line)
    done = subprocess.run(
        [sys.executable, str(script), str(ROOT)], cwd=tmp_path, env=environment(cache), capture_output=True, text=True
    )
    assert done.stdout.strip() == "True", done.stderr
