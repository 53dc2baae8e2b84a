"""The W&B run of a run directory: what it is grouped by, the axes of its curves, and what happens without a server."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from records.files import atomic
from records.result import SPLITS
from records.trial_channel import trial_number
from tracking.packages import save_packages
from tracking.server import stays_offline

STEP = "trainer/global_step"
SETTINGS: dict[str, Any] = {
    "silent": True,
    "console": "off",
    "init_timeout": 8.0,  # for a server to open a run
    "finish_timeout": 10.0,  # for it to take the last rows; what it did not take stays on disk
    "x_save_requirements": False,  # they are: ``save_packages`` lists them once for all forks of a process
    "x_transaction_log_flush_interval": 1.0,  # a kill of everything loses a second of the record, not fifteen
}


class RunLogger(WandbLogger):
    """One W&B run a run directory: a resumed run goes on in it, and a server that fails leaves an offline record.

    Scores have the epoch as their axis, losses and gradient shares the step. W&B is imported when the first value is
    logged, on rank 0 only.

    Args:
        save_dir: the run directory.
        project: W&B project.
        group: W&B group.
        job_type: what kind of run it is.
        tags: for filters.
        offline: write a record for ``wandb sync`` and contact nobody.
    """

    def __init__(
        self, *, save_dir: str, project: str, group: str, job_type: str, tags: list[str], offline: bool = True
    ) -> None:
        options: dict[str, Any] = {"name": Path(save_dir).name, "group": group, "job_type": job_type, "tags": tags}
        super().__init__(project=project, save_dir=save_dir, offline=offline, **options)
        self._wandb_init.pop("anonymous", None)  # only makes W&B print a warning

    @property
    def offline(self) -> bool:
        """False while a server takes the rows."""
        return self._offline

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._open()
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """The whole configuration, and beside it what runs are grouped by, under names without dots."""
        super().log_hyperparams(params)
        self.experiment.config.update(facts(params) if "loss" in params else {}, allow_val_change=True)

    def _open(self) -> None:
        import matplotlib.pyplot  # noqa: F401  # W&B takes pyplot for imported wherever it is given a figure
        import wandb

        folder = Path(str(self._save_dir))
        # Tables wait for their upload there; by default in the home folder, which another machine does not have.
        os.environ["WANDB_DATA_DIR"] = os.environ.get("WANDB_DATA_DIR") or str(folder.absolute() / "wandb" / "data")
        self._wandb_init |= {"id": _run_id(folder), "settings": wandb.Settings(**SETTINGS)}
        try:
            self._experiment = super().experiment
        except wandb.errors.Error as error:
            if self._offline:
                raise
            print(stays_offline(folder, str(error).splitlines()[0]), flush=True)
            self._offline = True
            # A new id, for the failed attempt holds the old one; the mode, for the environment is read once only.
            self._wandb_init |= {"id": _run_id(folder, new=True), "mode": "offline"}
            self._experiment = super().experiment
        save_packages(self._experiment)
        axes = dict.fromkeys((f"{split}/*" for split in SPLITS), "epoch") | {"train/*": STEP, "grad/*": STEP}
        for names, axis in axes.items():
            self._experiment.define_metric(names, step_metric=axis)


def run_loggers(trainer: L.Trainer) -> list[RunLogger]:
    """The W&B loggers of a run; none where W&B is switched off."""
    return [logger for logger in trainer.loggers if isinstance(logger, RunLogger)]


def facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What runs are grouped, filtered and searched by, from the configuration that the command line dumps.

    Args:
        settings: of one run of ``train.py fit``, nested.
    """
    data, network, parts = settings["data"], settings["network"], _parts(settings["loss"])
    found = {
        "kind": "trial" if trial_number() is not None else "train",
        "dataset": data["class_path"].rsplit(".", 1)[-1],
        "network_name": _file(network),
        "strategy": "+".join(_file(part) for part in parts),
        "study": settings.get("group") or "",
        "seed": settings.get("seed_everything"),
        "trial": trial_number(),
    }
    for part in parts:
        prefix = "loss" if len(parts) == 1 else f"loss_{_file(part)}"
        values = part.get("init_args") or {}
        found |= {f"{prefix}_{name}": value for name, value in values.items() if isinstance(value, (int, float, str))}
    return found


def _parts(loss: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (loss.get("init_args") or {}).get("parts") or [loss]


def _file(plugin: Mapping[str, Any]) -> str:
    return plugin["class_path"].split(".")[-2]


def _run_id(folder: Path, *, new: bool = False) -> str:
    """The same in every piece of a run that was interrupted, so that W&B puts them together."""
    file = folder / "wandb" / "run-id.txt"
    if new or not file.exists():
        with atomic(file) as partial:
            partial.write_text(uuid.uuid4().hex[:8], encoding="utf-8")
    return file.read_text(encoding="utf-8")
