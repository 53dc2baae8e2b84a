"""Two tables of a tested decoder for W&B: the recall of each class, and single trials to look at."""

import lightning as L
import numpy as np
import torch

from callbacks.trials import TrialCallback, Trials
from callbacks.view import decoder_of
from eeg.batch import DataSpec
from measures.scores import classification_scores, confusion_matrix
from records.trial_channel import trial_number
from tracking.run_logger import run_loggers

Table = tuple[list[str], list[list]]


class WandbTables(TrialCallback):
    """Logs ``test/recall`` and ``test/predictions`` after the test; nothing without W&B, nor for trials of a sweep.

    The run directory has all of it: recalls in ``result.json``, every trial in ``predictions.npz``.

    Args:
        predictions: how many trials the second table shows, drawn evenly from the split.
    """

    def __init__(self, *, predictions: int = 200) -> None:
        super().__init__()
        if predictions < 1:
            raise ValueError(f"predictions must be >= 1, got {predictions}")
        self.predictions = predictions

    def wanted(self, trainer: L.Trainer) -> bool:
        return trainer.testing and trial_number() is None and bool(run_loggers(trainer)) and super().wanted(trainer)

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        spec = decoder_of(pl_module).spec
        tables = {
            "recall": recall_table(trials, spec),
            "predictions": predictions_table(trials, spec, rows=self.predictions),
        }
        for logger in run_loggers(trainer):
            for name, (columns, data) in tables.items():
                logger.log_table(f"{split}/{name}", columns=columns, data=data, step=trainer.global_step)


def recall_table(trials: Trials, spec: DataSpec) -> Table:
    """One row a class: its recall, how often guessing alike among all classes would hit, and its trials."""
    confusion = confusion_matrix(trials.y, trials.logits.argmax(axis=1), n_classes=len(spec.classes))
    scores = classification_scores(confusion, classes=spec.classes)
    counts = dict(zip(spec.classes, confusion.sum(axis=1).tolist()))
    rows = [[name, recall, scores["chance"], counts[name]] for name, recall in scores["per_class_recall"].items()]
    return ["class", "recall", "chance", "trials"], rows


def predictions_table(trials: Trials, spec: DataSpec, *, rows: int) -> Table:
    """Trials at even distances in the order of the cohort, so that every subject is among them."""
    chosen = np.unique(np.linspace(0, len(trials.index) - 1, min(rows, len(trials.index))).round().astype(int))
    probability = torch.from_numpy(trials.logits[chosen]).double().softmax(dim=1).numpy()
    data = [
        [
            int(trials.index[i]),
            spec.subjects[trials.subject[i]],
            int(trials.stimulus[i]),
            spec.classes[trials.y[i]],
            spec.classes[p.argmax()],
            bool(p.argmax() == trials.y[i]),
            float(p[trials.y[i]]),
        ]
        for i, p in zip(chosen, probability)
    ]
    return ["trial", "subject", "stimulus", "shown", "decoded", "right", "probability of shown"], data
