"""Where on the scalp does the decoder's leading class direction follow the axis? One map of electrodes for W&B."""

import logging
from typing import TYPE_CHECKING

import lightning as L
import numpy as np
import torch
from torch import Tensor

from callbacks.drawing import worth_pictures
from callbacks.trials import axis_of
from callbacks.view import decoder_of
from eeg.batch import DataSpec
from figures.scalp import topomap_figure
from measures.alignment import leading_direction
from tracking.run_logger import run_loggers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)


class WandbScalp(L.Callback):
    """Logs ``test/scalp`` after the test; nothing without W&B, nor of a network whose tokens belong to no electrode.

    The score of an electrode is the mean of its tokens along the leading principal direction of the class means of the
    features (features are the mean of all tokens, so the direction is that of ``class_pc1``). Drawn is its Pearson r
    with the axis over stimuli. Trials count alike here, and those that DDP repeats count twice.
    """

    _worth = True

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._worth = worth_pictures(trainer)

    def wanted(self, trainer: L.Trainer, pl_module: L.LightningModule) -> bool:
        """True in the test of a run worth pictures that W&B records, where rows of the tokens are electrodes."""
        electrodes = decoder_of(pl_module).network.keeps_electrodes
        return trainer.testing and electrodes and bool(run_loggers(trainer)) and self._worth

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._sums: Tensor | None = None
        self._counts: Tensor | None = None

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not self.wanted(trainer, pl_module) or dataloader_idx:  # the map is of the test, not of clips seen before
            return
        decoder = decoder_of(pl_module)
        record, stimuli = decoder.record, len(decoder.spec.class_of)
        assert record is not None  # every test step leaves one
        tokens = record.tokens.detach().float().mean(dim=2)  # (B, C, D)
        if self._sums is None or self._counts is None:
            self._sums, self._counts = tokens.new_zeros(stimuli, *tokens.shape[1:]), tokens.new_zeros(stimuli)
        self._sums.index_add_(0, record.batch.stimulus, tokens)
        self._counts += torch.bincount(record.batch.stimulus, minlength=stimuli)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.wanted(trainer, pl_module) or self._sums is None:
            return
        sums, counts = (trainer.strategy.reduce(part, reduce_op="sum") for part in (self._sums, self._counts))
        self._sums = None
        if trainer.is_global_zero:
            seen = counts > 0
            means = (sums[seen] / counts[seen, None, None]).cpu().double().numpy()
            v, class_of = (part[seen.cpu().numpy()] for part in axis_of(pl_module))
            if len(means) > 2:
                self._log_figure(trainer, electrode_r(means, v, class_of), decoder_of(pl_module).spec)

    def _log_figure(self, trainer: L.Trainer, r: np.ndarray, spec: DataSpec) -> None:
        try:
            figure = scalp_figure(r, spec)
        except ValueError as error:  # electrodes that no map has a place for: the run itself is sound
            _log.warning("no test/scalp: %s", error)
            return
        for logger in run_loggers(trainer):
            logger.log_image("test/scalp", [figure], step=trainer.global_step)


def electrode_r(means: np.ndarray, v: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """(C,) Pearson r over S stimuli of the electrodes' scores with the axis, the sign that of the mean over electrodes.

    Args:
        means: (S, C, D) mean token of each stimulus and electrode.
        v: (S,) axis positions.
        class_of: (S,) class ids.
    """
    scores = means @ leading_direction(means.mean(axis=1), class_of)[0]  # (S, C)
    scores, axis = scores - scores.mean(axis=0), v - v.mean()
    norms = np.sqrt((scores**2).sum(axis=0) * (axis**2).sum())
    r = np.divide(axis @ scores, norms, out=np.full(len(norms), np.nan), where=norms > 0)
    return r if axis @ scores.mean(axis=1) >= 0 else -r  # the sign of a principal direction means nothing


def scalp_figure(r: np.ndarray, spec: DataSpec) -> "Figure":
    """Electrodes seen from above, each named in a cell of its colour; those without a place on the scalp are left out.

    Cells and not a smooth map: neighbours share no value here, and what lies between electrodes was not measured.

    Args:
        r: (C,) one value an electrode.
        spec: of the data.
    """
    from scipy.stats import t as student

    n = len(spec.class_of)
    bound = student.ppf(0.975, n - 2) / np.sqrt(n - 2 + student.ppf(0.975, n - 2) ** 2)
    return topomap_figure(
        {"Class direction, by electrode" + (" (simulated EEG)" if spec.simulated else ""): r},
        channels=spec.channels,
        label=f"r with the axis; 95 % of unrelated |r| < {bound:.2f}",
        limit=1.0,
        names=True,
    )
