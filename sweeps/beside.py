"""What a search must be read beside: the same runs without a loss, and the verdict that its best trial deserves."""

import json
import shlex
from pathlib import Path
from statistics import mean
from typing import Any

from command_line.settings import NO_LOSS, RunSettings
from studies.jobs import Job, Slot, launch
from sweeps.sweep import Sweep, scores


def train_none(sweep: Sweep, *, on: list[Slot], study: str) -> None:
    """Train the decoder without a loss on the seeds of the trials; finished runs are not repeated.

    Args:
        sweep: of the study.
        on: where the runs compute.
        study: its name, the W&B group of the runs.
    """
    launch(none_jobs(sweep, group=study), on=on)


def none_jobs(sweep: Sweep, *, group: str | None = None) -> list[Job]:
    """The runs without a loss, one a seed, in ``none`` in the folder of the study."""
    # Not with_loss: it asks the parser, which would bring torch into the process of the search.
    none = {"loss": {"class_path": NO_LOSS, "init_args": {}}, "source": None}
    run = RunSettings({**next(iter(sweep.settings.values())), **none}).with_value("group", group)
    return [Job(settings=run.with_seed(seed), run_dir=Path(sweep.folder) / "none" / f"s{seed}") for seed in sweep.seeds]


def none_values(sweep: Sweep) -> list[float] | None:
    """Objectives without a loss, the mean over seeds as of a trial; None where a run is missing or measures none."""
    if not sweep.settings:  # of an earlier version
        return None
    jobs = none_jobs(sweep)
    if not all(job.finished for job in jobs):
        return None
    try:
        found = [scores(json.loads(job.files.result.read_text(encoding="utf-8")), sweep.objectives) for job in jobs]
    except (OSError, ValueError, KeyError):
        return None
    return [mean(column) for column in zip(*found)]


def closing(sweep: Sweep, *, best: list[float], params: dict[str, Any]) -> list[str]:
    """The last lines of a search: the best trial beside no loss at all, and the command that judges it.

    Args:
        sweep: of the study.
        best: objectives of the best trial.
        params: its configuration.
    """
    lines = []
    if (none := none_values(sweep)) is not None:
        for name, with_loss, without in zip(sweep.objectives, best, none):
            change = f"the best trial has {with_loss - without:+.4f}"
            lines.append(f"none     {name} {without:.4f} without a loss on the same seeds; {change}")
        lines.append("         The best of many is too good by selection alone; whether it helps, a verdict says:")
    return [*lines, f"verdict  {verdict_command(sweep, params)}"]


def verdict_command(sweep: Sweep, params: dict[str, Any]) -> str:
    """The command that compares a configuration with its baseline on paired seeds, on the data of the search.

    Args:
        sweep: of the study.
        params: the configuration.
    """
    loss, values = sweep.chosen(params)
    flags = [f"--{flag}={v if isinstance(v, str) else json.dumps(v)}" for flag, v in values.items()]
    planted = ["--planted"] if _planted(sweep.settings.get(loss)) else []
    return shlex.join(["python", "train.py", *sweep.argv, f"--loss={loss}", *flags, *planted])


def _planted(settings: dict[str, Any] | None) -> bool:
    """Whether the trials had a simulated cohort with an axis of its own, which a verdict must be told to keep."""
    arguments = ((settings or {}).get("data") or {}).get("init_args") or {}
    return "axis" in arguments and arguments["axis"] is None
