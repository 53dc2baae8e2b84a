"""A command whose work is a fork of the warm process: its runs, its errors, and how both end."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from studies import head_to_head
from studies.hosted import possible
from tests.conftest import ROOT
from tests.runs import environment

WORDS = ("--config", "configs/simulated.yaml", "--network", "global_context_de", "--trainer.max_epochs=1")
START = [sys.executable, "-c", "from tests import hosted_work; hosted_work.main()"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def start(cache, *words):
    return subprocess.Popen(
        [*START, *map(str, words)], cwd=ROOT, env=environment(cache), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ended(cache, *words):
    process = start(cache, *words)
    said = process.communicate(timeout=300)
    return process.returncode, *said


def test_runs_are_launched_by_a_process_that_knows_no_torch(cache, tmp_path):
    status, said, errors = ended(cache, "run", tmp_path / "run", *WORDS)
    assert status == 0, errors
    assert (tmp_path / "run" / "result.json").is_file()
    assert "torch in the work: True" in said
    assert "torch in the launcher: False" in said


def test_what_a_run_says_at_its_end_reaches_the_work(cache, tmp_path):
    status, said, errors = ended(cache, "survives", tmp_path / "run", *WORDS, f"--axis={tmp_path / 'none.npz'}")
    assert status == 0, errors
    assert f"caught: run {tmp_path / 'run'} failed; the end of its log.txt:" in said


def test_an_error_is_one_line_and_a_status(cache):
    status, said, errors = ended(cache, "refuses")
    assert status == 1
    assert errors.splitlines() == ["error: --loss rsa: no", "(VAXIS_DEBUG=1 shows where)"]
    assert "torch in the launcher" not in said


def test_work_that_somebody_kills_is_an_error(cache):
    status, _, errors = ended(cache, "dies")
    assert status == 1
    assert "was ended by SIGKILL, perhaps for lack of memory" in errors
    assert len(errors.splitlines()) == 2


def test_work_that_is_killed_while_its_runs_train_is_an_error(cache, tmp_path):
    status, _, errors = ended(cache, "dies_meanwhile", tmp_path / "run", *WORDS)
    assert status == 1
    assert "was ended by SIGKILL, perhaps for lack of memory" in errors
    assert (tmp_path / "run" / "result.json").is_file()


def test_work_that_is_told_to_end_cleans_up_and_is_an_error(cache, tmp_path):
    status, _, errors = ended(cache, "is_told_to_end", tmp_path)
    assert status == 1
    assert "was ended by SIGTERM; the same command" in errors
    assert not list(tmp_path.iterdir())


def test_what_a_work_prints_comes_when_it_says_it(cache):
    process = start(cache, "speaks")
    assert process.stdout.readline() == "first\n"
    assert process.poll() is None
    process.kill()
    process.communicate()


class Stream(io.StringIO):
    """One that is the process's own, as far as it says."""

    def __init__(self, number):
        super().__init__()
        self.fileno = lambda: number


def test_work_stays_in_a_process_whose_output_is_somebodys_or_that_is_debugged(monkeypatch):
    for variable in ("VAXIS_PLAIN_PROCESSES", "VAXIS_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    for out, error, expected in (
        (Stream(1), Stream(2), True),
        (io.StringIO(), Stream(2), False),
        (Stream(1), Stream(7), False),
        (None, Stream(2), False),
    ):
        with monkeypatch.context() as only:
            only.setattr(sys, "stdout", out)
            only.setattr(sys, "stderr", error)
            assert possible() is expected
    for variable in ("VAXIS_PLAIN_PROCESSES", "VAXIS_DEBUG"):
        with monkeypatch.context() as only:
            only.setattr(sys, "stdout", Stream(1))
            only.setattr(sys, "stderr", Stream(2))
            assert possible()
            only.setenv(variable, "1")
            assert not possible()


def test_work_whose_server_is_killed_is_an_error(cache):
    status, _, errors = ended(cache, "loses_its_server")
    assert status == 1
    assert "was ended with the fork server" in errors


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_work_ends_with_its_launcher(by, cache, tmp_path):
    process = start(cache, "waits", tmp_path)
    deadline = time.monotonic() + 100
    while not (tmp_path / "alive").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    if by is signal.SIGINT:  # a terminal tells all processes
        os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    _, errors = process.communicate(timeout=20)
    time.sleep(0.3)
    last = (tmp_path / "alive").read_text()
    time.sleep(0.3)
    assert (tmp_path / "alive").read_text() == last
    if by is signal.SIGINT:
        assert errors.splitlines() == ["stopped; the same command goes on where it was"]
        assert [path.name for path in tmp_path.iterdir()] == ["alive"], "it was let clean up"


@pytest.mark.parametrize("may", [True, False])
def test_a_verdict_is_hosted_where_it_may_be(may, monkeypatch):
    here, there = [], []
    monkeypatch.setattr(head_to_head, "possible", lambda: may)
    monkeypatch.setattr(head_to_head, "verdicts", lambda *about: here.append(about))
    monkeypatch.setattr(head_to_head, "hosted", lambda work, *about: there.append(about))
    head_to_head.main(["--seeds", "1"])
    (about,) = there if may else here
    assert not (here if may else there)
    assert about[0].seeds == (1,)


def test_measuring_memory_ends_with_who_asked_for_it(cache, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    measuring = [sys.executable, "-m", "studies.memory", str(tmp_path / "none.yaml")]
    variables = environment(cache, VAXIS_PARENT=str(dead.pid))
    done = subprocess.run(measuring, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", ""), "it has not begun"
