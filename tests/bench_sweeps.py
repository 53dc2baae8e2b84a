"""A sweep whose trials are processes against Optuna inside one process with ``ddp_spawn``, two ranks each.

``python -m tests.bench_sweeps`` trains the same two configurations both ways for one epoch on the simulated cohort.
Processor seconds are of all processes together and say more than wall time on a machine that does other things.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna

from sweeps import show
from tests.conftest import ROOT
from tests.runs import environment
from tests.sweep_runs import QUICK, Search

TRIALS = 2
IN_PROCESS = """
import sys, optuna
from lightning_modules.cli import parse
from lightning_modules.command_line import normalise

def objective(trial):
    weight = trial.suggest_float("weight", 0.01, 10, log=True)
    cli = parse(normalise(["--loss", "rsa", f"--loss.weight={weight}", "--config", "configs/simulated.yaml",
        "--trainer.max_epochs=1", "--trainer.devices=2", "--trainer.strategy=ddp_spawn", "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false"]))
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return float(cli.trainer.callback_metrics["val/balanced_accuracy"])

if __name__ == "__main__":
    study = optuna.create_study(direction="maximize", storage="sqlite:///" + sys.argv[1])
    study.optimize(objective, n_trials=int(sys.argv[2]))
"""


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(action) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, used = time.perf_counter(), children_seconds()
    action()
    return time.perf_counter() - wall, children_seconds() - used


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        code = (
            "import time; start = time.process_time(); import sweeps.worker, re;"
            "kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1];"
            "print(time.process_time() - start, int(kb) / 1024)"
        )
        said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        print("worker import: {:.2f} processor seconds, {:.0f} MB".format(*map(float, said.split())))
        words = ("--loss=rsa", f"--trials={TRIALS}", "--workers=1", "--devices-per-trial=2")
        search = Search(Path(folder), cache, *words, *QUICK)
        wall, used = measured(search.run)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        print(
            f"processes: {wall / TRIALS:.1f} s a trial, {used / TRIALS:.1f} processor seconds (validation and test too)"
        )
        print(show.summary(search.study(), best=1).split("epochs trained ")[1].splitlines()[0])
        script = Path(folder) / "in_process.py"
        script.write_text(IN_PROCESS)
        command = [sys.executable, str(script), f"{folder}/other.db", str(TRIALS)]
        env = environment(cache, PYTHONPATH=str(ROOT))
        wall, used = measured(lambda: subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL))
        print(f"ddp_spawn: {wall / TRIALS:.1f} s a trial, {used / TRIALS:.1f} processor seconds (fit only)")


if __name__ == "__main__":
    os.environ.setdefault("WANDB_MODE", "disabled")
    main()
