"""What is killed takes with it what it has started: ranks, also those that have not found each other yet."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from studies.processes import PARENT
from tests.conftest import ROOT
from tests.runs import SMALL, TWO_RANKS, environment

FOLLOW = "from studies.processes import follow_parent; follow_parent()"
CHILD = f"import sys, time; sys.platform = {{!r}}; {FOLLOW}; print(1, flush=True); time.sleep(60)"
STARTER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {!r}]).wait()"


def start(*words: str, **extra: str) -> subprocess.Popen:
    environ = {name: value for name, value in environment(ROOT / ".cache", **extra).items() if value}
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def assert_gone(processes: list[psutil.Process], *, within: float = 5.0) -> None:
    _, alive = psutil.wait_procs(processes, timeout=within)
    alive = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not alive


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_child_dies_with_its_parent(platform):
    parent = start("-c", f"{FOLLOW}; {STARTER.format(CHILD.format(platform))}")
    assert parent.stdout.readline() == "1\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) == 1
    parent.kill()
    assert_gone(children)


def test_child_of_a_parent_that_is_dead_already_does_not_start():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    late = start("train.py", "--help", **{PARENT: str(dead.pid)})
    assert (late.wait(20), late.stdout.read()) == (1, "")


@pytest.mark.parametrize("named", ["", "1"])
def test_launchers_that_are_not_ours_are_not_followed(named):
    """torchrun and srun name no parent; what they start lives on without them, as they want it."""
    parent = start("-c", STARTER.format(CHILD.format("linux")), **{PARENT: named})
    assert parent.stdout.readline() == "1\n"
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    time.sleep(0.5)
    assert child.is_running()
    child.kill()


def test_rank_that_waits_for_a_killed_rank_zero_dies_with_it(tmp_path):
    run = start("train.py", *SMALL, *TWO_RANKS, f"--run_dir={tmp_path}/run")
    rank_zero, deadline = psutil.Process(run.pid), time.monotonic() + 60
    while not (ranks := [p for p in rank_zero.children() if str(tmp_path) in " ".join(p.cmdline())]):
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < deadline, "rank 1 was never started"
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    assert_gone(ranks)


@pytest.mark.slow
def test_torchrun_starts_both_ranks_itself(tmp_path):
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "train.py")
    run = start(*words, *SMALL, *TWO_RANKS, "--trainer.max_epochs=1", f"--run_dir={tmp_path}/run")
    try:
        said, _ = run.communicate(timeout=200)
    finally:
        run.terminate()
    assert run.returncode == 0, said
    assert json.loads((tmp_path / "run" / "result.json").read_text())["world_size"] == 2
