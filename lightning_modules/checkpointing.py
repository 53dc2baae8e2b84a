"""Checkpoints that are whole or absent, and what a run may be resumed from."""

import contextlib
import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_modules import contents
from lightning_modules.kept_epochs import KeptEpochs
from records.files import atomic
from records.layout import CONFIG, RunDirectory
from records.lock import Taken
from records.reading import read_yaml

# What may differ between the start of a run and its resumption without making it another run.
FREE = (
    *("ckpt_path", "weights_only", "online", "project", "group", "checkpoint.keep_every"),
    *("trainer.logger", "trainer.enable_progress_bar", "trainer.default_root_dir"),
)

HANDED_OVER = ".temp.ckpt"  # Lightning's name for it


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning writes to the temporary folder and copies where that is another file system, so a kill or a full disk
    could leave half a ``last.ckpt``.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        with atomic(path) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(self, path: str | Path, *options: Any, **named: Any) -> dict[str, Any]:
        """Read what ``save_checkpoint`` wrote, every bit of it, whatever Lightning wants it for.

        Strategies that spawn their ranks (``ddp_spawn``) hand the last weights over in a file of their own, which is a
        bare state dict and no checkpoint.

        Raises:
            FileNotFoundError: there is none.
            DamagedFile: it is damaged or no checkpoint of Lightning; names the file.
        """
        if Path(path).name == HANDED_OVER:
            return torch.load(path, map_location="cpu", weights_only=True)
        return contents.load(path, has=contents.OF_A_TRAINING)


class RunCheckpoint(ModelCheckpoint):
    """The best epoch of the last phase, and the last epoch whatever its score.

    Lightning's own writes ``last.ckpt`` only when it writes a best one, so a run on a plateau would lose all its epochs
    to a kill; and it would let an epoch of pretraining be the best.

    Args:
        dirpath: folder of the checkpoints; by default ``checkpoints`` in the run directory.
        keep_every: also keep every n-th epoch with its validation features in ``epochs/``, for analyses over training;
            0 keeps none. (``every_n_epochs`` is Lightning's: between two choices of the best.)
        kwargs: of Lightning's ModelCheckpoint.
    """

    validated = False

    def __init__(self, dirpath: str | Path | None = None, *, keep_every: int = 0, **kwargs: Any) -> None:
        super().__init__(dirpath, **kwargs)
        self.kept = KeptEpochs(keep_every)
        if not (self._every_n_train_steps or self._train_time_interval):
            vars(self)["on_train_batch_end"] = None  # Lightning's asks at every step what follows from these two

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.kept.check(trainer)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.kept.on_validation_epoch_start(trainer, pl_module)

    def on_validation_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *batch: Any) -> None:
        self.kept.on_validation_batch_end(trainer, pl_module, *batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.kept.on_validation_epoch_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._should_skip_saving_checkpoint(trainer):
            return
        self.kept.keep(trainer)
        candidates = self._monitor_candidates(trainer)
        if pl_module.in_last_phase and self.validated:
            self._save_topk_checkpoint(trainer, candidates)
        self._save_last_checkpoint(trainer, candidates)

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        """Write it, or where this very step has just been written as the best one, give that file a second name.

        Either is written beside its place and renamed, so what becomes of one name never changes the other.
        """
        written = self._last_checkpoint_saved if self._last_global_step_saved == trainer.global_step else ""
        if written and written != filepath and Path(written) == Path(self.best_model_path):
            linked = False
            if trainer.is_global_zero:
                with contextlib.suppress(OSError), atomic(filepath) as partial:  # some file systems have no hard links
                    os.link(written, partial)
                    linked = True
            if trainer.strategy.broadcast(linked):
                return
        super()._save_checkpoint(trainer, filepath)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.validated = False  # where not every epoch is validated, the score that stands there is of an earlier one

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save nothing yet: written after the callbacks of the epoch, a checkpoint holds all that they know."""
        self.validated = True


def resumable(run_dir: Path, settings: dict, *, config: str = CONFIG) -> Path | None:
    """The last checkpoint of an interrupted run with these settings; None where there is none.

    Args:
        run_dir: folder of the run.
        settings: resolved, of now.
        config: name of the file with those that it was started with.

    Raises:
        ValueError: the run is finished, was started with other settings, or its checkpoint is damaged.
    """
    files = RunDirectory(run_dir)
    if files.result.exists():
        raise Taken(f"{run_dir} holds a finished run; delete it or name another folder with --run_dir")
    last = files.last
    if not last.exists():
        return None
    remedy = "delete the folder to start this run again, or name another with --run_dir"
    started = read_yaml(run_dir / config, remedy=remedy)
    if other := differences(flat(started), flat(settings)):
        raise ValueError(
            f"{run_dir} was started with other settings ({'; '.join(other[:3])}); repeat those, delete the folder, or "
            "name another with --run_dir"
        )
    contents.load(last, has=contents.OF_A_TRAINING, remedy="delete it to start this run again")
    return last


def flat(settings: dict, prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted names, without what is free to change."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if path in FREE:
            continue
        found |= flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return found


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What stands differently in two such tables, a phrase each."""
    names = sorted(before.keys() | now.keys())
    return [f"{n} was {before.get(n)}, now {now.get(n)}" for n in names if before.get(n) != now.get(n)]
