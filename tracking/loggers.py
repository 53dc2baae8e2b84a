"""CSV and W&B loggers of a run: nothing is lost on resume, nothing ever waits for a login or a network."""

import csv
import os
from pathlib import Path
from typing import cast

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.csv_logs import CSVLogger, ExperimentWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from records.files import atomic, room_named
from records.reading import read_rows, refusing
from records.trial_channel import trial_number
from tracking.server import prepare_environment, stays_offline, why_offline


class ResumableWriter(ExperimentWriter):
    """Appends to the rows of an interrupted run; Lightning's own writer deletes them."""

    def _check_log_dir_exists(self) -> None:
        if os.path.exists(self.metrics_file_path):
            remedy = "delete the run's folder to start it again: its curve is damaged"
            path = self.metrics_file_path
            with refusing(path, what="CSV", remedy=remedy), open(path, newline="", encoding="utf-8") as file:
                self.metrics_keys = next(csv.reader(file), [])

    def save(self) -> None:
        with room_named(self.metrics_file_path):
            super().save()

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        rows = read_rows(self.metrics_file_path, remedy="delete the run's folder to start it again")
        with atomic(self.metrics_file_path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=fieldnames)
            writer.writeheader()
            writer.writerows(rows)


class ResumableCSVLogger(CSVLogger):
    """``metrics.csv`` in the run directory itself; a resumed run goes on where the file ends.

    Args:
        save_dir: the run directory.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir=save_dir, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = ResumableWriter(log_dir=self.log_dir)
        return cast(ExperimentWriter, self._experiment)


def logger_configs(*, run_dir: str, online: bool, project: str, group: str, job_type: str, tags: list[str]) -> list:
    """Loggers as configuration (never instances: each rank makes its own); CSV first, it gives the run its folder."""
    configs = [{"class_path": "tracking.loggers.ResumableCSVLogger", "init_args": {"save_dir": run_dir}}]
    if os.environ.get("WANDB_MODE") == "disabled":
        return configs
    prepare_environment()
    asked = online and getattr(rank_zero_only, "rank", 0) == 0  # Lightning sets it on the function when it is imported
    reason = why_offline() if asked else "not asked for"
    if asked and reason:
        print(stays_offline(Path(run_dir), reason), flush=True)
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    options = {
        "save_dir": run_dir,
        "project": project,
        "group": group,
        "job_type": "trial" if trial_number() is not None else job_type,
        "tags": tags,
        "offline": bool(reason),
    }
    return [*configs, {"class_path": "tracking.run_logger.RunLogger", "init_args": options}]
