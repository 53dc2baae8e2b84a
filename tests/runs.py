"""Starts ``train.py`` the way a user does, on the small simulated cohort; shared by the end-to-end tests."""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from tests.conftest import ROOT

SMALL = ("fit", "--config", "configs/simulated.yaml", "--trainer.enable_progress_bar=false")
TWO_RANKS = ("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.accelerator=cpu")


def environment(cache: Path, **extra: str) -> dict[str, str]:
    """A user's environment without W&B and with a cache of its own."""
    return os.environ | {"VAXIS_CACHE": str(cache), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", **extra}


def train(*words: str, cache: Path, check: bool = True, **extra: str) -> subprocess.CompletedProcess:
    """Run to the end; on failure the assertion shows what the run said."""
    done = subprocess.run(
        [sys.executable, "train.py", *words],
        cwd=ROOT,
        env=environment(cache, **extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,  # on a machine that does much else, too
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def killed_after(condition, *words: str, cache: Path) -> None:
    """Start a run in a process group of its own and kill -9 the group once the condition holds."""
    process = subprocess.Popen(
        [sys.executable, "train.py", *words],
        cwd=ROOT,
        env=environment(cache),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never got that far"
        time.sleep(0.02)
    os.killpg(process.pid, 9)
    process.wait()


def weights(run_dir: Path, name: str = "last") -> dict[str, torch.Tensor]:
    """Parameters in a checkpoint of a run."""
    return torch.load(run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def writing_into(folder: Path) -> set[int]:
    """Living processes whose output goes into a folder; the words of a fork are not those of its run."""
    found = set()
    for fd in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if Path(os.readlink(fd)).is_relative_to(folder):
                found.add(int(fd.parts[2]))
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found
