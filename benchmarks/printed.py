"""Rows of the benchmarks that print: each is run as a user runs it, in small, and its lines are read."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from benchmarks.rows import Row
from tests.conftest import ROOT

SECONDS = 1500  # that one may take; less than a part of the table


def said(module: str, *words: str) -> str:
    """What ``python -m benchmarks.MODULE WORDS`` prints.

    Raises:
        RuntimeError: it failed; with the last line of its error.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout


def labelled(text: str, unit: str) -> dict[str, float]:
    """``label   12.3 unit ...`` lines by label; of equal labels the first."""
    found: dict[str, float] = {}
    for label, number in re.findall(rf"^\s+(\S.*?)\s+([\d,.]+) {re.escape(unit)}\b", text, re.M):
        found.setdefault(label, float(number.replace(",", "")))
    return found


def step(*, quick: bool) -> list[Row]:
    """Our step against a hand-written loop of the same, on a GPU too where there is one."""
    made = []
    for device in ("cpu", "cuda") if _gpu() else ("cpu",):
        found = labelled(said("step", "--epochs", "3" if quick else "8", "--device", device), "ms")
        words: dict[str, Any] = {
            "unit": "ms",
            "today": found.pop("hand-written loop"),
            "today_is": "hand-written loop, same network, loss and batches",
        }
        where = " on a GPU" if device == "cuda" else ""
        made += [Row(what=f"a training step{where}, {label}", ours=ms, **words) for label, ms in found.items()]
    return made


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def vaxis(*, quick: bool) -> list[Row]:
    """Texts read by the bundled model, float32 and bfloat16, against the loop of transformers' examples."""
    text = said("vaxis", "--texts", "8" if quick else "32", "--rounds", "1")
    found = labelled(text, "texts/s")
    today, limit = found["plain loop, one by one"], found["limit: its matrix products alone"]
    words: dict[str, Any] = {
        "unit": "texts/s",
        "today": today,
        "today_is": "transformers, one by one",
        "limit_is": "matrix products",
    }
    low = found["vaxis, bfloat16"]
    return [
        Row(what="texts read by a language model, float32", ours=found["vaxis, float32"], limit=limit, **words),
        Row(what="texts read by a language model, bfloat16", ours=low, note="cosine of states above .999", **words),
    ]


def networks(*, quick: bool) -> list[Row]:
    """A training step of encoders that have a port in braindecode, where that is installed."""
    ports = {"eegnet": "EEGNet", "eeg_conformer": "EEGConformer", **({} if quick else {"cbramod": "CBraMod"})}
    there = find_spec("braindecode") is not None
    names = [name for ours, port in ports.items() for name in (ours, *([f"braindecode:{port}"] if there else []))]
    text = said("networks", "--only", ",".join(names), "--seconds", "0.1" if quick else "1.5")
    lines = {line.split()[0]: line.split() for line in text.splitlines()[2:] if line.strip()}
    return [
        Row(
            what=f"training steps of {ours}, batch 16",
            unit="trials/s",
            ours=float(lines[ours][-1]),
            today=float(lines[f"braindecode:{port}"][-1]) if there else None,
            today_is="braindecode's port" if there else "",
            note="" if there else "braindecode is not installed: pip install braindecode",
        )
        for ours, port in ports.items()
    ]


def sweeps(*, quick: bool) -> list[Row]:
    """Trials of a search against Optuna in one process with ddp_spawn, two ranks each."""
    text = said("sweeps")
    made = []
    for what, pattern in (
        ("processor time", r"([\d.]+) processor seconds$"),
        ("by the clock", r": ([\d.]+) s a trial"),
    ):
        ours, today = (float(re.findall(rf"^{side}.*?{pattern}", text, re.M)[0]) for side in ("processes", "ddp_spawn"))
        row = Row(what=f"a trial of one epoch, {what}", unit="s", ours=ours, today=today, today_is="Optuna, ddp_spawn")
        made.append(row)
    return made


def floor(*, quick: bool) -> list[Row]:
    """The main job on two seeds against the same runs by hand."""
    small = ("--trainer.max_epochs=2", "--model.optimisation.warmup_epochs=1") if quick else ()
    text = said("floor", "--", "--seeds", "42,123", *small)
    ours, today, alone = (
        float(re.findall(pattern, text)[0])
        for pattern in (r"runs: ([\d.]+) pro", r"same \d+: ([\d.]+) pro", r"of the runs alone ([\d.]+)")
    )
    return [
        Row(
            what="the main job on two seeds, processor time",
            unit="s",
            ours=ours,
            today=today,
            today_is="its runs by hand in one process",
            note=f"the runs alone take {alone:.2f} times the loop",
        )
    ]
