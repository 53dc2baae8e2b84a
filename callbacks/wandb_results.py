"""The result of a finished run in its W&B summary; checkpoint and axis as artifacts where a server takes them."""

import json
from pathlib import Path
from typing import Any

import lightning as L

from callbacks.run_writer import RunWriter
from callbacks.view import callbacks_of, decoder_of
from measures.names import known
from records.layout import RunDirectory
from records.result import SPLITS
from tracking.run_logger import run_loggers
from tracking.server import why_offline


class WandbResults(L.Callback):
    """Puts ``result.json`` into the W&B summary as ``final/...``; nothing without W&B.

    The last row that an epoch logs is not the result: ``final`` holds the scores of the epoch that validation chose,
    on validation and on test, so a picture of many runs shows each at its own best epoch.

    Args:
        artifacts: upload the chosen checkpoint and the axis; only where W&B is online.
    """

    def __init__(self, *, artifacts: bool = True) -> None:
        self.artifacts = artifacts

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """After ``on_test_end`` of every callback, so after the result has been written."""
        writers = [callback for callback in callbacks_of(trainer) if isinstance(callback, RunWriter)]
        loggers = run_loggers(trainer)
        if stage != "test" or not (trainer.is_global_zero and loggers and writers):
            return
        files = RunDirectory(Path(str(writers[0].run_dir)))
        if not files.result.is_file():  # the test was interrupted
            return
        values = final(json.loads(files.result.read_text(encoding="utf-8")))
        for logger in loggers:
            logger.experiment.summary.update(values)
            if self.artifacts and not logger.offline:
                _try_upload(logger.experiment, folder=files.path, axis=Path(decoder_of(pl_module).axis))


def final(result: dict[str, Any]) -> dict[str, Any]:
    """Flat numbers of a ``result.json``, named as the curves are: ``final/val/class_pc1_r`` and the like."""
    found = {name: result[name] for name in ("best_epoch", "epochs", "wall_seconds", "simulated", "axis", "device")}
    for split in SPLITS:
        scores = result.get(split) or {}
        found |= {f"{split}/chance": scores["chance"]} if "chance" in scores else {}
        for row in known().values():
            name, score = f"{split}/{row.logged}", scores.get(row.key)
            if isinstance(score, dict):
                found |= {name: score["value"], f"{name}_null95": score["null_95"]}
            elif score is not None:
                found[name] = score
    for source, shares in result["residual_gradient"].items():
        found |= {f"grad/{source}_{name}": value for name, value in shares.items()}
    return {f"final/{name}": value for name, value in found.items() if value is not None}


def _try_upload(run: Any, *, folder: Path, axis: Path) -> None:
    """Whatever a server does, the run is finished and its files are there: no error, and no wait for a dead one."""
    try:
        if (reason := why_offline()) is None:
            return _upload(run, folder=folder, axis=axis)
    except Exception as error:
        reason = str(error).splitlines()[0]
    print(f"W&B did not take checkpoint and axis ({reason}); they are in {folder} and {axis}. If rows are missing")
    print(f"there, too: wandb sync --include-online {folder}/wandb/run-2*", flush=True)


def _upload(run: Any, *, folder: Path, axis: Path) -> None:
    import wandb

    for kind, path in (("model", RunDirectory(folder).best), ("axis", axis)):
        if path.is_file():
            artifact = wandb.Artifact(name=f"{kind}-{run.id}", type=kind, metadata={"run": run.name})
            artifact.add_file(str(path))
            run.log_artifact(artifact)
