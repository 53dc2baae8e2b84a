"""What a trial of a sweep costs: warm against plain processes, and both ranks of DDP against ``ddp_spawn``.

``python -m benchmarks.sweeps`` first searches twelve people for one epoch, where starting is nearly everything, with
trials that are forks of a warm process and with plain ones. Then it trains three configurations on two ranks each, as a
search does and by Optuna inside one process with ``ddp_spawn``. Processor seconds are of all processes together and say
more than wall time on a machine that does other things. The search also validates and tests its best checkpoint and
writes a run directory; the other one only fits.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.processor import measured
from sweeps import show
from tests.conftest import ROOT
from tests.runs import SMALL, environment, train
from tests.sweep_runs import QUICK, Search

TRIALS = 3
TINY = 8
IN_PROCESS = """
import sys, optuna
from command_line.parser import parse
from command_line.words import normalise

def objective(trial):
    weight = trial.suggest_float("weight", 0.01, 10, log=True)
    cli = parse(normalise(["--loss", "rsa", f"--loss.weight={weight}", "--config", "configs/simulated.yaml",
        "--trainer.max_epochs=1", "--trainer.devices=2", "--trainer.strategy=ddp_spawn", "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false", f"--run_dir={sys.argv[1]}-{trial.number}"]))
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return float(cli.trainer.callback_metrics["val/balanced_accuracy"])

if __name__ == "__main__":
    study = optuna.create_study(direction="maximize", storage=f"sqlite:///{sys.argv[1]}.db")
    study.optimize(objective, n_trials=int(sys.argv[2]))
"""


def worker_import() -> str:
    code = (
        "import time; start = time.process_time(); import sweeps.worker, re;"
        "kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1];"
        "print(time.process_time() - start, int(kb) / 1024)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return "{:.2f} processor seconds, {:.0f} MB".format(*map(float, said.split()))


def tiny(folder: Path, cache: Path) -> None:
    """A search of one worker over tiny trials, warm and plain, of one run each; the start of the search is counted."""
    costs = {}
    for name, plain in (("plain", "1"), ("warm", "0")):
        words = ("--loss=rsa", f"--trials={TINY}", "--workers=1", *QUICK, "--data.n_subjects=12")
        search = Search(folder / name, cache, *words, VAXIS_PLAIN_PROCESSES=plain)
        wall, used = costs[name] = measured(search.run)
        print(f"{name}: {wall / TINY:.1f} s a tiny trial, {used / TINY:.2f} processor seconds", flush=True)
    ratios = [plain / warm for plain, warm in zip(costs["plain"], costs["warm"])]
    print(f"ratio (plain / warm): wall {ratios[0]:.1f}, processor {ratios[1]:.1f}", flush=True)


def in_process(folder: Path, cache: Path) -> None:
    script = folder / "in_process.py"
    script.write_text(IN_PROCESS, encoding="utf-8")
    command = [sys.executable, str(script), str(folder / "other"), str(TRIALS)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(cache, PYTHONPATH=str(ROOT)), stdin=subprocess.DEVNULL, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"worker import: {worker_import()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        train(*SMALL, "--trainer.fast_dev_run=1", cache=cache)
        tiny(folder, cache)
        words = ("--loss=rsa", f"--trials={TRIALS}", "--workers=1", "--devices_per_trial=2")
        search = Search(folder, cache, *words, *QUICK)
        wall, used = measured(search.run)
        print(f"processes: {wall / TRIALS:.1f} s a trial, {used / TRIALS:.1f} processor seconds")
        print(f"  {re.findall(r'[0-9.]+ s between trials', show.summary(search.study(), best=1))[0]}", flush=True)
        spawn_wall, spawn_used = measured(lambda: in_process(folder, cache))
        print(f"ddp_spawn: {spawn_wall / TRIALS:.1f} s a trial, {spawn_used / TRIALS:.1f} processor seconds")
        print(f"ratio (processes / ddp_spawn): wall {wall / spawn_wall:.2f}, processor {used / spawn_used:.2f}")


if __name__ == "__main__":
    main()
