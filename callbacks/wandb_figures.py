"""Two pictures of the decoder for W&B: its confusions, and the stimuli along its leading class direction."""

from typing import TYPE_CHECKING

import lightning as L
import numpy as np
from lightning.pytorch.trainer.states import TrainerFn

from callbacks.drawing import worth_pictures
from callbacks.trials import TrialCallback, Trials, axis_of
from callbacks.view import decoder_of
from eeg.batch import DataSpec
from measures.alignment import leading_direction, score_cosine
from measures.scores import confusion_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class WandbFigures(TrialCallback):
    """Logs a confusion matrix and a scatter of decoder position against axis position; nothing without W&B.

    Nor for trials of a sweep and short runs of a study, which are looked at together: a small one would spend as long
    on pictures as on itself.

    Args:
        every_n_epochs: while training, draw after each n-th validation; the final evaluations are always drawn.
    """

    def __init__(self, *, every_n_epochs: int = 10) -> None:
        super().__init__()
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be >= 1, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs
        self._worth = True

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._worth = worth_pictures(trainer)

    def wanted(self, trainer: L.Trainer) -> bool:
        skipped = trainer.state.fn == TrainerFn.FITTING and (trainer.current_epoch + 1) % self.every_n_epochs
        drawable = any(hasattr(logger, "log_image") for logger in trainer.loggers)
        return self._worth and drawable and not skipped and super().wanted(trainer)

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        if not trainer.is_global_zero:
            return
        import matplotlib.pyplot  # noqa: F401  # a W&B logger of the user's own takes it for imported

        spec, (v, class_of) = decoder_of(pl_module).spec, axis_of(pl_module)
        figures = {
            "confusion": confusion_figure(trials, spec),
            "leading_direction": direction_figure(trials.features(spec), v, class_of, spec),
        }
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                for name, figure in figures.items():
                    logger.log_image(f"{split}/{name}", [figure])


def confusion_figure(trials: Trials, spec: DataSpec) -> "Figure":
    """How many trials of each class (rows) were taken for each (columns); the colour is their share of the row."""
    from matplotlib.figure import Figure  # not pyplot: nothing to close, no display needed

    k = len(spec.classes)
    counts = confusion_matrix(trials.y, trials.logits.argmax(axis=1), n_classes=k)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(0.52 * k + 2.2, 0.45 * k + 1.6), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(shares, vmin=0, vmax=100, cmap="Blues", aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 55 else "#333333"
        ax.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)
    ax.set_xticks(range(k), spec.classes, rotation=40, ha="right")
    ax.set_yticks(range(k), spec.classes)
    ax.set(xlabel="decoded", ylabel="shown", title=_title(f"{counts.sum():.0f} trials", spec))
    figure.colorbar(image, shrink=0.8).set_label("% of the trials of the class shown")
    return figure


def direction_figure(features: np.ndarray, v: np.ndarray, class_of: np.ndarray, spec: DataSpec) -> "Figure":
    """Stimuli: axis position against score on the first principal direction of the class means."""
    from matplotlib.figure import Figure

    there = np.isfinite(features).all(axis=1)
    features, v, class_of = features[there], v[there], class_of[there]
    scores = (features - features.mean(axis=0)) @ leading_direction(features, class_of)[0]
    r = score_cosine(scores, v)
    scores, r = (scores, r) if r >= 0 else (-scores, -r)  # the sign of a principal direction means nothing
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    ax = figure.subplots()
    for k, name in enumerate(spec.classes):
        ax.scatter(v[class_of == k], scores[class_of == k], s=18, color=f"C{k}", label=name)
    ax.set(xlabel="axis position (z)", ylabel="score on leading class direction")
    ax.set_title(_title(f"|r| = {r:.2f}, n = {len(v)} stimuli", spec))
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    return figure


def _title(text: str, spec: DataSpec) -> str:
    return f"{text} (simulated EEG)" if spec.simulated else text
