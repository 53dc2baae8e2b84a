"""A run over two machines, both of them this one: torchrun and Slurm's ``srun``, and what a lost machine costs."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from command_line.settings import RunSettings
from studies import nodes
from tests.conftest import ROOT
from tests.runs import SMALL, TWO_RANKS, environment, train, weights

SETTINGS = (*SMALL[1:-1], "--loss=rsa")  # rsa compares trials of all machines
JOB = ("--nodes=2", "--gpus=0", "--cpus=1", "--")

# What srun does with the shape that sbatch has exported: one process a task, all ended when one of them fails.
SRUN = """\
import os, subprocess, sys, time
nodes, tasks = int(os.environ["SLURM_NNODES"]), int(os.environ["SLURM_NTASKS_PER_NODE"])
command = [word for word in sys.argv[1:] if not word.startswith("--kill-on")]
running = [
    subprocess.Popen(command, env=os.environ | {
        "SLURM_NTASKS": str(nodes * tasks), "SLURM_STEP_NUM_TASKS": str(nodes * tasks),
        "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % tasks),
        "SLURM_NODEID": str(rank // tasks), "SLURM_NODELIST": "127.0.0.1",
    }) for rank in range(nodes * tasks)
]
while None in (ended := [process.poll() for process in running]) and not any(ended):
    time.sleep(0.1)
for process in running:
    process.kill()
sys.exit(any(ended))
"""


def free_port() -> int:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return connection.getsockname()[1]


def job(run_dir: Path, capsys, *words: str) -> str:
    """What ``python -m studies.nodes`` says."""
    nodes.main([*JOB, *SETTINGS, *words, f"--run_dir={run_dir}"])
    return capsys.readouterr().out


def test_script_asks_for_one_task_a_device(tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / "my run"
    flags = ["--nodes=2", "--gpus=4", "--sbatch=--partition=a100", "--"]
    nodes.main([*flags, *SETTINGS, f"--run_dir={run_dir}"])
    said = capsys.readouterr().out
    lines = (run_dir / "job.sbatch").read_text().splitlines()
    for line in ("--nodes=2", "--ntasks-per-node=4", "--gpus-per-node=4", "--partition=a100", "--requeue"):
        assert f"#SBATCH {line}" in lines
    assert "--trainer.devices=4" in lines[-1], "Lightning refuses devices other than ntasks-per-node"
    assert "--trainer.num_nodes=2" in lines[-1]
    assert not any("gpus-per-task" in line for line in lines), "each task would see one device and ask for four"
    assert subprocess.run(["bash", "-n", run_dir / "job.sbatch"]).returncode == 0
    assert "--nnodes 2 --nproc-per-node 4 --node-rank N" in said
    run = RunSettings.load(run_dir / "settings.yaml")
    assert run == RunSettings.parse([*SETTINGS, f"--run_dir={run_dir}"]), "a file that changes later changes no job"


def test_wrong_flags_are_told_before_the_queue(tmp_path):
    with pytest.raises(ValueError, match="--run_dir"):
        nodes.main([*JOB, *SETTINGS])
    with pytest.raises(ValueError, match="batch_size 64 must be a multiple of the 6 processes"):
        nodes.main(["--nodes=3", "--gpus=2", "--", *SETTINGS, f"--run_dir={tmp_path / 'run'}"])
    with pytest.raises(ValueError, match="must be >= 1"):
        nodes.main(["--nodes=0", "--", *SETTINGS, f"--run_dir={tmp_path / 'run'}"])
    with pytest.raises(ValueError, match=r"Did you mean 'weight'\?"):
        nodes.main([*JOB, *SETTINGS, "--loss.wieght=1", f"--run_dir={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def one_machine(cache, tmp_path_factory):
    """The same run with two ranks on one machine."""
    run_dir = tmp_path_factory.mktemp("one") / "run"
    train(*SMALL, "--loss=rsa", *TWO_RANKS, f"--run_dir={run_dir}", cache=cache)
    return run_dir


def start(command: str, cache: Path, **extra: str) -> subprocess.Popen:
    return subprocess.Popen(
        shlex.split(command), cwd=ROOT, env=environment(cache, **extra), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def start_torchrun(said: str, cache: Path) -> list[subprocess.Popen]:
    """The printed command, once a machine."""
    command = said.strip().splitlines()[-1].replace("HOST", "127.0.0.1").replace("29500", str(free_port()))
    return [start(command.replace("--node-rank N", f"--node-rank {rank}"), cache) for rank in (0, 1)]


def switch_off(process: subprocess.Popen) -> None:
    """End a machine: the process and all below it, which may lead groups of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for each in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
    process.wait()


def ended(processes: list[subprocess.Popen], *, seconds: float = 120) -> list[int]:
    """Exit codes; whatever is left then is ended."""
    try:
        said = [process.communicate(timeout=seconds)[0] for process in processes]
        print("\n".join(said))  # pytest shows it where the test fails
        return [process.returncode for process in processes]
    finally:
        for process in processes:
            switch_off(process)


def wait_for_an_epoch(run_dir: Path, process: subprocess.Popen, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not (run_dir / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the run never got that far"
        time.sleep(0.02)


def assert_same_run(run_dir: Path, expected: Path) -> None:
    """Bit for bit: the same ranks add the same numbers in the same order, wherever they are."""
    assert [path.parent for path in run_dir.parent.rglob("result.json")] == [run_dir]
    one, two = weights(expected), weights(run_dir)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    before, after = (json.loads((folder / "result.json").read_text()) for folder in (expected, run_dir))
    assert after["world_size"] == 2
    for name in ("val", "test", "residual_gradient", "seed"):
        assert after[name] == before[name], name


@pytest.mark.slow
def test_two_torchrun_machines_are_one_run(one_machine, tmp_path, capsys):
    run_dir = tmp_path / "run"
    fresh = tmp_path / "cache"  # both machines find no cohort and make one
    assert ended(start_torchrun(job(run_dir, capsys), fresh)) == [0, 0]
    assert_same_run(run_dir, one_machine)
    assert (run_dir / "metrics.csv").read_text() == (one_machine / "metrics.csv").read_text()
    assert ended(start_torchrun(job(run_dir, capsys), fresh)) == [1, 1], "a finished run is not overwritten"
    assert_same_run(run_dir, one_machine)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_machine_ends_the_other_and_the_same_commands_go_on(lost, one_machine, cache, tmp_path, capsys):
    run_dir = tmp_path / "run"
    said = job(run_dir, capsys)
    machines = start_torchrun(said, cache)
    try:
        wait_for_an_epoch(run_dir, machines[0])
    finally:
        switch_off(machines[lost])
    assert ended([machines[1 - lost]], seconds=60) == [1]
    assert not (run_dir / "result.json").exists()
    assert ended(start_torchrun(said, cache)) == [0, 0]
    assert_same_run(run_dir, one_machine)


@pytest.mark.slow
def test_a_requeued_slurm_job_goes_on(one_machine, cache, tmp_path, capsys):
    run_dir, bin_dir = tmp_path / "run", tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "srun").write_text(f"#!{sys.executable}\n{SRUN}")
    (bin_dir / "srun").chmod(0o700)
    job(run_dir, capsys)
    text = (run_dir / "job.sbatch").read_text()
    asked = dict(
        line.removeprefix("#SBATCH --").split("=") for line in text.splitlines() if line.startswith("#SBATCH --n")
    )
    slurm = {
        "PATH": f"{bin_dir}:{os.environ['PATH']}", "SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "run-run",
        "SLURM_NNODES": asked["nodes"], "SLURM_NTASKS_PER_NODE": asked["ntasks-per-node"],
        "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    command = f"bash {shlex.quote(str(run_dir / 'job.sbatch'))}"
    first = start(command, cache, **slurm)
    try:
        wait_for_an_epoch(run_dir, first)
    finally:
        switch_off(first)
    assert not (run_dir / "result.json").exists()
    slurm |= {"SLURM_RESTART_COUNT": "1", "MASTER_PORT": str(free_port())}
    again = start(command, cache, **slurm)
    said, _ = again.communicate(timeout=150)
    assert again.returncode == 0, said
    assert "resuming" in said
    assert said.count("resuming") == 1, "rank 0 alone speaks"
    assert_same_run(run_dir, one_machine)
