"""CSV and W&B loggers of a run: nothing is lost on resume, nothing ever waits for a login or a network."""

import csv
import netrc
import os
import socket
from pathlib import Path
from urllib.parse import urlparse

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.csv_logs import CSVLogger, ExperimentWriter

from eeg.files import atomic


class ResumableWriter(ExperimentWriter):
    """Appends to the rows of an interrupted run; Lightning's own writer deletes them."""

    def _check_log_dir_exists(self) -> None:
        if os.path.isfile(self.metrics_file_path):
            with open(self.metrics_file_path, newline="") as file:
                self.metrics_keys = next(csv.reader(file), [])

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with open(self.metrics_file_path, newline="") as file:
            rows = list(csv.DictReader(file))
        with atomic(self.metrics_file_path) as partial, open(partial, "w", newline="") as file:
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
        return self._experiment


def logger_configs(*, run_dir: str, online: bool, project: str, group: str, job_type: str, tags: list[str]) -> list:
    """Loggers as configuration (never instances: each rank makes its own); CSV first, it gives the run its folder."""
    configs = [{"class_path": "callbacks.loggers.ResumableCSVLogger", "init_args": {"save_dir": run_dir}}]
    if os.environ.get("WANDB_MODE") == "disabled":
        return configs
    if not os.environ.get("WANDB_MODE"):
        os.environ.pop("WANDB_MODE", None)  # set but empty is an error to wandb
    reason = _why_offline() if online else "not asked for"
    if online and reason:
        print(f"W&B stays offline: {reason}; upload later with: wandb sync {run_dir}/wandb/offline-run-*", flush=True)
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    wandb_logger = {
        "class_path": "lightning.pytorch.loggers.WandbLogger",
        "init_args": {
            "project": project,
            "name": Path(run_dir).name,
            "save_dir": run_dir,
            "offline": bool(reason),
            "group": group,
            "job_type": job_type,
            "tags": tags,
            "settings": {"class_path": "wandb.Settings", "init_args": {"silent": True, "console": "off"}},
        },
    }
    return [*configs, wandb_logger]


def _why_offline() -> str | None:
    """Reason not to talk to the W&B server, or None; takes at most two seconds and never asks anything.

    The key is looked up here because ``wandb.login(prompt=False)`` without one makes a later offline run fail.
    """
    address = urlparse(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai")
    if not (os.environ.get("WANDB_API_KEY") or _netrc_has(address.hostname or "")):
        return "no API key (run: wandb login)"
    try:
        with socket.create_connection((address.hostname, address.port or 443), timeout=2):
            return None
    except OSError as error:
        return f"no connection to {address.hostname} ({error})"


def _netrc_has(host: str) -> bool:
    """True when ``wandb login`` has left a key for the host."""
    for name in filter(None, (os.environ.get("NETRC"), "~/.netrc", "~/_netrc")):
        try:
            if netrc.netrc(os.path.expanduser(name)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
