"""Epochs that are kept with their features, for analyses of what changes over training."""

from pathlib import Path

import lightning as L
import numpy as np
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.trials import TrialCallback, Trials
from records.files import atomic
from records.layout import RunDirectory


class KeptEpochs(TrialCallback):
    """Keeps every n-th epoch: ``epochs/0004.ckpt``, and beside it ``epochs/0004.npz`` with its validation trials.

    Epochs count from 0 as in metrics.csv, over all phases. Which checkpoint is the best or the last one does not depend
    on it: ``RunCheckpoint`` hands its hooks on to this and writes the last checkpoint after, so an epoch that was
    killed while it was being kept is trained and kept again.

    Args:
        every: epochs between two that are kept; 0 keeps none.

    Raises:
        ValueError: it is negative or, once training starts, falls on epochs without validation.
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        if every < 0:
            raise ValueError(f"checkpoint.keep_every must be >= 0, got {every}")
        self.every = every
        self._trials: Trials | None = None

    def check(self, trainer: L.Trainer) -> None:
        """Say now, and not after hours, that an epoch could not be kept."""
        between = trainer.check_val_every_n_epoch or 1
        if self.every % between or (self.every and not trainer.limit_val_batches):
            raise ValueError(
                f"--checkpoint.keep_every {self.every} keeps validation features and {between} epochs lie between two "
                f"validations (limit_val_batches {trainer.limit_val_batches}); make it a multiple"
            )

    def wanted(self, trainer: L.Trainer) -> bool:
        due = bool(self.every) and (trainer.current_epoch + 1) % self.every == 0
        # The final validation of the chosen epoch happens outside of training and belongs to no epoch of its own.
        return due and trainer.state.fn == TrainerFn.FITTING and super().wanted(trainer)

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        self._trials = trials

    def keep(self, trainer: L.Trainer) -> None:
        """Write the epoch that has just been validated, where its turn has come; called on every rank."""
        if self._trials is None:
            return
        file = RunDirectory(Path(trainer.default_root_dir)).kept(trainer.current_epoch)
        if trainer.is_global_zero:
            with atomic(file.with_suffix(".npz")) as partial, open(partial, "wb") as handle:
                np.savez(handle, **self._trials._asdict())
        trainer.save_checkpoint(file)  # collective; second, so a kept checkpoint always has its features
        self._trials = None
