"""Many short runs on one GPU: one after the other, several at a time, under MPS, stacked, and on the cores instead.

``python -m benchmarks.gpu_runs [--runs 16] [--epochs 6] [--at_once 1,4,8,16] [--batch_size 128]``. The default network
has steps of a millisecond, which leave a GPU idle; this says what fills it. Runs are those of ``train.py fit`` by the
launcher of a verdict, warm and with all callbacks; the clock counts from the first start to the last result. MPS is
NVIDIA's daemon that lets kernels of several processes run side by side; it is started for its row and ended after it.
The stacked row is a loop by hand (``benchmarks.band_decoders``): networks of all seeds in one process and one kernel,
without files, measures or callbacks, so that it bounds what stacking could bring.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rows import Row
from console.arguments import Arguments

if TYPE_CHECKING:
    from studies.jobs import Job


def jobs(folder: Path, *, runs: int, epochs: int, flags: list[str]) -> "list[Job]":
    """That many runs of the default network, one a seed, cohort and axis ready."""
    from command_line.settings import RunSettings
    from command_line.words import normalise
    from studies.arms import prepare

    words = [*flags, f"--trainer.max_epochs={epochs}", "--model.optimisation.warmup_epochs=1"]
    conditions = prepare(RunSettings.parse(normalise(words)), planted=True, root=folder, quiet=True)
    return conditions.arm().jobs(range(runs))


def seconds(name: str, *, runs: int, epochs: int, flags: list[str], devices: list[str], at_once: int) -> float:
    """By the clock, for all runs of a fresh folder."""
    from studies.jobs import launch
    from studies.slots import slots

    with tempfile.TemporaryDirectory() as folder:
        todo = jobs(Path(folder), runs=runs, epochs=epochs, flags=flags)
        on = slots(devices=devices, jobs=len(todo), per_device=at_once)
        started = time.perf_counter()
        launch(todo, on=on)
        took = time.perf_counter() - started
    print(f"  {name:<34} {took:8.1f} s   {took / runs:6.2f} s a run", flush=True)
    return took


def under_mps(**options: Any) -> float | None:
    """The same with NVIDIA's daemon running; None where there is none."""
    if shutil.which("nvidia-cuda-mps-control") is None:
        print("  MPS: no nvidia-cuda-mps-control on this machine", flush=True)
        return None
    with tempfile.TemporaryDirectory() as folder:
        pipes = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        os.environ |= pipes
        try:
            subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True, timeout=20)
            return seconds("", **options)
        except (OSError, subprocess.SubprocessError, RuntimeError) as error:
            print(f"  MPS: {str(error).splitlines()[0]}", flush=True)
            return None
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", timeout=20, check=False)
            for name in pipes:
                del os.environ[name]


def stacked(*, runs: int, epochs: int, device: str) -> float:
    """The networks of all seeds in one loop by hand."""
    import torch

    from benchmarks.band_decoders import draw, fitted
    from datamodules.simulation.faced_files import faced_cohort
    from datamodules.simulation.truth import planted_axis
    from vaxis.emotions import FACED

    parts = draw(faced_cohort(planted_axis(FACED, seed=0), snr=0.8, seed=0))
    train, val, test = (type(part)(*(column.to(device) for column in part)) for part in parts)
    moved = train, val, test
    fitted(moved, seeds=range(runs), epochs=1)
    started = time.perf_counter()
    fitted(moved, seeds=range(runs), epochs=epochs)
    if device == "cuda":
        torch.cuda.synchronize()
    took = time.perf_counter() - started
    print(f"  {'stacked by torch.func, ' + device:<34} {took:8.1f} s   {took / runs:6.2f} s a run", flush=True)
    return took


def rows(*, quick: bool = False) -> list[Row]:
    """Several runs on a GPU against one after the other; no row where there is no GPU."""
    import torch

    if not torch.cuda.is_available():
        return []
    found = measured(runs=2 if quick else 16, epochs=1 if quick else 6, at_once=[1, 2] if quick else [1, 4, 8, 16])
    alone = found.pop("1 at a time")
    return [
        Row(what=f"runs on one GPU, {name}", unit="s", ours=took, today=alone, today_is="one after the other")
        for name, took in found.items()
    ]


def measured(*, runs: int, epochs: int, at_once: list[int], flags: list[str] | None = None) -> dict[str, float]:
    """Seconds for all runs, by the way of running them."""
    import torch

    from studies.processes import cores

    options: dict[str, Any] = {"runs": runs, "epochs": epochs}
    flags = flags or []
    found = {}
    seconds("(first, to start the warm process)", devices=[], at_once=1, flags=flags, runs=1, epochs=1)
    if torch.cuda.is_available():
        for number in at_once:
            name = f"{number} at a time"
            found[name] = seconds(name, devices=["0"], at_once=number, flags=flags, **options)
        name = f"{max(at_once)} at a time, MPS"
        if (took := under_mps(devices=["0"], at_once=max(at_once), flags=flags, **options)) is not None:
            found[name] = took
        found["stacked, by hand"] = stacked(runs=runs, epochs=epochs, device="cuda")
    flags = [*flags, "--trainer.accelerator=cpu"]
    name = "one a core, without GPU"
    found[name] = seconds(name, devices=[], at_once=cores(), flags=flags, **options)
    found["stacked on one core, by hand"] = stacked(runs=runs, epochs=epochs, device="cpu")
    return found


def main() -> int:
    parser = Arguments("python -m benchmarks.gpu_runs", about=__doc__)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--at_once", default="1,4,8,16")
    args, flags = parser.parse_known_args()
    at_once = [int(number) for number in args.at_once.split(",")]
    print(f"{args.runs} runs of {args.epochs} epochs {' '.join(flags)}", flush=True)
    measured(runs=args.runs, epochs=args.epochs, at_once=at_once, flags=flags)
    return 0


if __name__ == "__main__":
    sys.exit(main())
