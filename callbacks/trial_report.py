"""A run that is a trial of a sweep: says after each epoch how it does, and stops on every rank when it is told to."""

import math
from typing import Any

import lightning as L

from callbacks.residual_gradient import ResidualGradient
from callbacks.view import callbacks_of, log_every
from records.trial_channel import TrialChannel, trial_number


class TrialReport(L.Callback):
    """Reports each epoch to the worker of a sweep and obeys its answer; nothing where no worker started the run.

    Rank 0 talks (``records.trial_channel``) and the answer goes to all ranks, so none trains on alone. A run that is
    stopped is not tested and has no ``result.json``: the same command could finish it.

    Args:
        patience_seconds: longest wait for an answer after an epoch; a later one is obeyed after the next epoch.
    """

    def __init__(self, *, patience_seconds: float = 10.0) -> None:
        if not patience_seconds >= 0:
            raise ValueError(f"patience_seconds must be >= 0, got {patience_seconds}")
        self.patience_seconds = patience_seconds
        self.active = trial_number() is not None
        self.stopped = self._validated = False

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: object) -> None:
        if self.active and trainer.global_step % log_every(trainer) == 0:
            self._check(trainer, {"train/total": float(outputs["loss"])})

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.active or not self._validated:
            return
        self._validated = False
        values = self._values(trainer)
        stop = False
        self._check(trainer, values)
        if trainer.is_global_zero:
            self._write(trainer, values)
            assert trainer.max_epochs is not None  # the command line counts runs in epochs
            if trainer.current_epoch + 1 < trainer.max_epochs:
                stop = TrialChannel(trainer.default_root_dir).told_to_stop(
                    epoch=trainer.current_epoch, patience_seconds=self.patience_seconds
                )
        if trainer.strategy.broadcast(stop):
            trainer.should_stop = self.stopped = True

    def _check(self, trainer: L.Trainer, values: dict[str, float]) -> None:
        """End a run that can only waste time; the report tells the worker not to try again."""
        if not all(math.isfinite(values.get(name, 0.0)) for name in ("train/total", "train/task")):
            if trainer.is_global_zero:
                self._write(trainer, values)
            raise ValueError(f"the training loss is not finite in epoch {trainer.current_epoch}")

    def _write(self, trainer: L.Trainer, values: dict[str, float]) -> None:
        TrialChannel(trainer.default_root_dir).report(values, epoch=trainer.current_epoch)

    def _values(self, trainer: L.Trainer) -> dict[str, float]:
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith(("val/", "train/"))}
        for callback in callbacks_of(trainer):
            if isinstance(callback, ResidualGradient):
                for source, shares in callback.means.items():
                    values |= {f"grad/{source}_{name}": float(value) for name, value in shares.items()}
        return values
