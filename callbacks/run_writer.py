"""The record of a finished run: predictions, features and one ``result.json`` that everything later reads."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.residual_gradient import ResidualGradient
from callbacks.trials import TrialCallback, Trials
from callbacks.view import LossView, callbacks_of, data_of, decoder_of
from measures.scores import classification_scores, confusion_matrix
from records import heard, result
from records.code import code_version, versions
from records.files import atomic
from records.layout import RunDirectory


class RunWriter(TrialCallback):
    """Writes a run once it has been tested, so a folder with a ``result.json`` is a run that finished.

    ``trainer.fit``, then ``trainer.validate`` and ``trainer.test`` on the best checkpoint. The files hold the trials of
    all ranks, each once, in the order of their index; arrays are prefixed ``val_`` and ``test_``, and ``test_seen_``
    where the split of the data holds clips back. The numbers of the other callbacks are taken from their ``measures``
    and ``means``.

    Args:
        run_dir: folder of the run; by default the Trainer's ``default_root_dir``.
    """

    def __init__(self, *, run_dir: str | None = None) -> None:
        super().__init__()
        self.run_dir = Path(run_dir) if run_dir else None
        self._splits: dict[str, Trials] = {}
        self._started = time.monotonic()
        self._code: dict[str, str | bool | None] | None = None
        self._epochs = 0
        self._loaded_epoch: int | None = None
        self._fitted = False

    def wanted(self, trainer: L.Trainer) -> bool:
        return trainer.state.fn in (TrainerFn.VALIDATING, TrainerFn.TESTING)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.run_dir = self.run_dir or Path(trainer.default_root_dir)
        if trainer.is_global_zero and self._code is None:  # before training: the checkout may move meanwhile
            self._code = code_version()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started, self._fitted = time.monotonic(), True
        if trainer.is_global_zero:
            # A run that is killed from here on must not keep the result of an earlier one in its folder.
            self._files().result.unlink(missing_ok=True)
            self._files().sums.unlink(missing_ok=True)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epochs = trainer.current_epoch

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict) -> None:
        if self.wanted(trainer):
            self._loaded_epoch = checkpoint["epoch"]

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        self._splits[split] = trials

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        files = self._files()
        if self._fitted:
            _save(files.predictions, self._splits, Trials.predictions)
            _save(files.features, self._splits, lambda trials: {"h": trials.h, "index": trials.index})
        # A test of some checkpoint is not the result of the run in whose folder it may happen.
        if self._fitted:
            beside = (files.config, files.metrics, files.predictions, files.features)
            result.write(files.result, self._result(trainer, pl_module), beside=beside)
        else:
            result.write(files.evaluation, self._result(trainer, pl_module))

    def state_dict(self) -> dict[str, Any]:
        """Warnings that a run gave before it was interrupted are warnings of the run."""
        return {"warnings": heard.so_far()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        heard.add(state_dict.get("warnings", ()))

    def _ended(self, loss: LossView) -> list[str]:
        """What is known when training is over: that it may have been too short, and where the loss taught nothing."""
        last = self._fitted and self._epochs > 1 and self._loaded_epoch == self._epochs - 1
        undefined = sum(int(getattr(part, "degenerate_batches", 0)) for part in loss.modules())
        return [
            *([heard.BEST_IS_LAST] if last else []),
            *([f"the loss was not defined on {undefined} batches and taught nothing there"] if undefined else []),
        ]

    def _files(self) -> RunDirectory:
        assert self.run_dir is not None  # set by setup, which comes first
        return RunDirectory(self.run_dir)

    def _result(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        decoder, seed = decoder_of(pl_module), os.environ.get("PL_GLOBAL_SEED")
        spec, loss = decoder.spec, decoder.loss
        gradients = [callback.means for callback in callbacks_of(trainer) if isinstance(callback, ResidualGradient)]
        return {
            "simulated": spec.simulated,
            "dataset": spec.dataset,
            "features": spec.features,
            "network": _name(decoder.network),
            "loss": loss.name,
            "weight": loss.weight,
            "seed": None if seed is None else int(seed),
            "axis": decoder.axis_artifact.fingerprint,
            "positions": decoder.targets.source,
            "control": decoder.control_name,
            "data": getattr(data_of(trainer), "fingerprint", None),
            "labels": getattr(data_of(trainer), "labels", None),
            "splits": _splits(data_of(trainer)),
            "differences": list(getattr(data_of(trainer), "differences", ())),  # of the files from the official release
            "world_size": trainer.world_size,
            "device": _device(trainer.strategy.root_device),
            "epochs": self._epochs - sum(phase.epochs for phase in decoder.phases[:-1]),
            "phases": [vars(phase) | {"trains": None} for phase in decoder.phases],
            "frozen": decoder.resting(),
            "best_epoch": self._loaded_epoch,
            "wall_seconds": round(time.monotonic() - self._started, 1),
            "code": self._code,
            "versions": versions(),
            "warnings": [*heard.so_far(), *self._ended(loss)],
            **{split: self._scores(trainer, pl_module, split) for split in result.SPLITS},
            "residual_gradient": {key: value for means in gradients for key, value in means.items()},
        }

    def _scores(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str) -> dict[str, Any] | None:
        """Scores and alignment measures of a split; None where there is none or this process did not evaluate it."""
        trials = self._splits.get(split)
        if trials is None:
            return None
        classes = decoder_of(pl_module).spec.classes
        confusion = confusion_matrix(trials.y, trials.logits.argmax(axis=1), n_classes=len(classes))
        scores: dict[str, Any] = classification_scores(confusion, classes=classes)
        scores["clip_balanced_accuracy"] = trials.clip_balanced_accuracy(n_classes=len(classes))
        for callback in callbacks_of(trainer):
            if isinstance(callback, TrialCallback):
                scores |= {name: measure.as_dict() for name, measure in callback.measures.get(split, {}).items()}
        return scores


def _save(path: Path, splits: dict[str, Trials], arrays: Callable[[Trials], dict[str, np.ndarray]]) -> None:
    # Any and not ndarray: the stub of savez takes names for its own switch, allow_pickle, too.
    named: dict[str, Any] = {
        f"{split}_{k}": array for split, trials in splits.items() for k, array in arrays(trials).items()
    }
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez(file, **named)


def _splits(data: Any) -> dict[str, dict[str, int]] | None:
    """How many trials and people each split of the data has; None where the data module keeps no such list."""
    data = getattr(data, "target", data)
    indices, store = getattr(data, "indices", None), getattr(data, "store", None)
    if not indices or store is None:
        return None
    subject = store.trials.subject
    return {name: {"trials": len(rows), "people": len(set(subject[rows].tolist()))} for name, rows in indices.items()}


def _name(part: object) -> str:
    """Name of the file that defines a loss or network, which is its name everywhere else."""
    return type(part).__module__.rpartition(".")[2]


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
