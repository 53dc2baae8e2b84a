"""Is the decoder's leading class direction its valence direction? Logged at the end of every evaluation."""

import lightning as L

from callbacks.trials import TrialCallback, Trials, axis_of, log_measures
from callbacks.view import decoder_of
from measures.alignment import vaxis_cosine


class VAxisCosine(TrialCallback):
    """Logs ``vaxis_cosine`` of validation and test features and the 95th percentile of its permutation null.

    Args:
        draws: permutations of the axis in the null; 1000 take about 4 ms.
    """

    def __init__(self, *, draws: int = 1000) -> None:
        super().__init__()
        self.draws = draws

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        measure = vaxis_cosine(trials.features(decoder_of(pl_module).spec), *axis_of(pl_module), draws=self.draws)
        self.measures[split] = {"vaxis_cosine": measure}
        log_measures(pl_module, split, self.measures[split])
