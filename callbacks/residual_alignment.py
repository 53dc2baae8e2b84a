"""The paper's two numbers: what class means share with the axis, and what is left once they are removed."""

from typing import Literal

import lightning as L
import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from callbacks.trials import TrialCallback, Trials, axis_of, log_measures
from callbacks.view import decoder_of
from eeg.batch import DataSpec
from measures.alignment import class_pc1, within_class_residual
from measures.base import Measure


class ResidualAlignment(TrialCallback):
    """Logs class-PC1 |r| and within-class residual |r| (arXiv 2606.00129) beside the 95th percentiles of their nulls.

    The residual component must be picked and measured on different subjects. In a validation epoch every other
    validation subject picks it and the rest measure it. In a test it is picked on all subjects of the last validation
    (``trainer.validate`` on the checkpoint that is tested) and measured on the test subjects.

    Args:
        pick: the residual component that follows the axis best, or always the first.
        draws: permutations of the axis in each null; 1000 take about 5 ms.
    """

    def __init__(self, *, pick: Literal["best", "pc1"] = "best", draws: int = 1000) -> None:
        super().__init__()
        if pick not in ("best", "pc1"):
            raise ValueError(f"pick must be 'best' or 'pc1', got {pick!r}")
        self.pick, self.draws = pick, draws
        self._validation: np.ndarray | None = None

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        spec, (v, class_of) = decoder_of(pl_module).spec, axis_of(pl_module)
        features = trials.features(spec)
        selection: np.ndarray | None
        if split == "val":
            self._validation = features
            selection, evaluation = self._halves(trials, spec)
        else:
            selection, evaluation = self._validation, features
        classes = class_pc1(features, v, class_of, draws=self.draws)
        if selection is None:
            rank_zero_warn("within_class_r needs trainer.validate on the tested checkpoint before trainer.test: NaN")
            residual = Measure(value=float("nan"), detail={"degenerate": "no validation before the test"})
        else:
            residual = within_class_residual(selection, evaluation, v, class_of, pick=self.pick, draws=self.draws)
        self.measures[split] = {"class_pc1": classes, "within_class_residual": residual}
        log_measures(pl_module, split, self.measures[split])

    def _halves(self, trials: Trials, spec: DataSpec) -> tuple[np.ndarray, np.ndarray]:
        subjects = np.unique(trials.subject)
        return trials.features(spec, subjects[::2]), trials.features(spec, subjects[1::2])
