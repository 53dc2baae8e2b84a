"""How many directions do the features use? A loss that collapses them shows here before it shows in the accuracy."""

import lightning as L
import numpy as np

from callbacks.trials import TrialCallback, Trials, log_measures
from measures.base import Measure
from measures.effective_rank import effective_rank


class EffectiveRank(TrialCallback):
    """Logs the effective rank of the features of all trials, beside that of features that do not depend on each other.

    exp(entropy of the singular values of the centred features, as shares) (Roy and Vetterli 2007, EUSIPCO): 1 where all
    trials lie on a line, D where every direction is used alike. The null permutes each feature over trials by itself,
    which keeps its spread and undoes what features share; near the null nothing has collapsed.

    Args:
        draws: permutations in the null.
    """

    def __init__(self, *, draws: int = 20) -> None:
        super().__init__()
        self.draws = draws

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        rng = np.random.default_rng(0)
        null = [effective_rank(rng.permuted(trials.h, axis=0)) for _ in range(self.draws)]
        measure = Measure(
            value=effective_rank(trials.h), null_mean=float(np.mean(null)), null_95=float(np.quantile(null, 0.95))
        )
        self.measures[split] = {"effective_rank": measure}
        log_measures(pl_module, split, self.measures[split])
