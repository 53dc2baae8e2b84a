"""The table end to end: killed in the middle, resumed, shared arms, and a failing run that stops no other."""

import os
import signal
import subprocess
import sys
import time

from analysis.interventions import compare
from paper.rows import select
from paper.table import Table
from tests.conftest import ROOT
from tests.runs import environment

TINY = ("--config", "configs/simulated.yaml", "--data.n_subjects=9", "--trainer.max_epochs=1", "--planted")
COMMAND = ("-m", "paper", "interventions")


def run(cache, runs, *words):
    return subprocess.run(
        [sys.executable, *COMMAND, *words, f"--run_dir={runs}"],
        cwd=ROOT,
        env=environment(cache),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_killed_resumed_and_extended_around_a_failing_run(tmp_path):
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    words = ("--run", *TINY, "--rows=14,24", "--seeds=1,2")
    process = subprocess.Popen(
        [sys.executable, *COMMAND, *words, f"--run_dir={runs}"], cwd=ROOT, env=environment(cache),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 400
    while not list(runs.glob("*/*/*/result.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = {path: path.stat().st_mtime_ns for path in runs.glob("*/*/*/result.json")}
    assert len(first) < 4
    time.sleep(1)
    mine = [pid for pid in os.listdir("/proc") if pid.isdigit() and _mentions(pid, str(runs))]
    assert not mine, "children die with their parent"

    between = run(cache, runs)
    assert between.returncode == 0, between.stderr
    assert "SIMULATED" in between.stdout, "what is finished is rendered at any time"

    # Something that is no run lies where the strategy of rows 14 and 24 would write its second seed.
    (setting,) = runs.glob("SimulatedFACED-*")
    table = Table.load(setting / "interventions")
    blocked = (table.folder / table.rows["14"]["treated"] / "s2").resolve()
    if blocked.exists():
        subprocess.run(["rm", "-r", str(blocked)], check=True)
    (blocked / "checkpoints").mkdir(parents=True)
    (blocked / "checkpoints" / "last.ckpt").write_text("not a checkpoint")
    (blocked / "config.yaml").write_text("trainer: {max_epochs: 99}\n")
    done = run(cache, runs, *words)
    assert done.returncode == 1
    assert "4 runs under" in done.stdout, "two rows of one configuration and their baseline share all runs"
    lines = {line.asked.id: line for line in compare(Table.load(table.folder).entries(select(["14", "24"])))}
    assert lines["14"].seeds == lines["24"].seeds == (1,), "one failing run stops no other"
    assert (setting / "none" / "s2" / "result.json").exists()
    (said,) = lines["14"].missing
    assert "strategy, seed 2: failed: " in said
    assert "was started with other settings" in said
    for path, changed in first.items():
        if blocked not in path.parents:
            assert path.stat().st_mtime_ns == changed, "a finished run is not run again"

    subprocess.run(["rm", "-r", str(blocked)], check=True)
    again = run(cache, runs, *words)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "3 finished before" in again.stdout
    assert len(list(setting.glob("*/s*/result.json"))) == 4


def _mentions(pid, text):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return text.encode() in file.read()
    except OSError:
        return False
