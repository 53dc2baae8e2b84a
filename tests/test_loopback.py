"""Where the ranks of a run on one machine listen."""

import os
import pickle
import subprocess
import sys
import time

import psutil
import pytest

from command_line.loopback import Loopback, interfaces, loopback
from tests.conftest import ROOT
from tests.runs import SMALL, TWO_RANKS, environment

VARIABLES = ("TORCHELASTIC_USE_AGENT_STORE", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    """Address and port of every socket of a process that waits for connections."""
    return {tuple(c.laddr) for c in process.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN}


@pytest.fixture
def clean(monkeypatch):
    for name in (*VARIABLES, "LOCAL_RANK", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.environ", os.environ.copy())


def test_the_meeting_point_is_on_loopback_alone_and_its_port_is_held(clean):
    before = listening(psutil.Process())
    meeting = Loopback()
    port = meeting.main_port
    assert listening(psutil.Process()) - before == {("127.0.0.1", port)}
    assert meeting.main_port == port
    assert pickle.loads(pickle.dumps(meeting)).main_port == port, "spawned ranks go to the same place"
    assert os.environ["GLOO_SOCKET_IFNAME"].startswith("lo")


def test_an_interface_that_the_user_names_is_kept(clean, monkeypatch):
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ib0")
    assert set(interfaces()) == {"GLOO_SOCKET_IFNAME"}


def test_several_nodes_and_ranks_that_others_start_are_left_to_them(clean, monkeypatch):
    assert len(loopback(nodes=1)) == 1
    assert not loopback(nodes=2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not loopback(nodes=1)


@pytest.mark.slow
def test_no_rank_of_a_run_listens_on_another_interface(tmp_path):
    words = [*SMALL, *TWO_RANKS, "--trainer.max_epochs=1", f"--run_dir={tmp_path / 'run'}"]
    run = subprocess.Popen([sys.executable, "train.py", *words], cwd=ROOT, env=environment(tmp_path / "cache"))
    found: set[tuple[str, int]] = set()
    while run.poll() is None:
        try:
            for process in (psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)):
                found |= listening(process)
        except psutil.Error:
            pass  # it ended meanwhile
        time.sleep(0.05)
    assert run.returncode == 0
    assert found
    assert {address for address, _ in found} <= {"127.0.0.1", "::1"}
