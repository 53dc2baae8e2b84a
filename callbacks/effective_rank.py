"""How many directions do the features use? A loss that collapses them shows here before it shows in the accuracy."""

from collections.abc import Iterable, Iterator

import lightning as L
import numpy as np

from callbacks.trials import TrialCallback, Trials, log_measures
from measures.base import Measure
from measures.effective_rank import centred, rank_of_centred

LARGEST = 2**23  # indices of four bytes that are kept from one epoch to the next: 32 MB


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
        self._kept: tuple[tuple[int, ...], list[np.ndarray]] = ((), [])  # permutations, and the shape they are of

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        about, rounding = centred(trials.h)
        null = [rank_of_centred(about.take(order), rounding) for order in self._orders(about.shape)]
        mean, high = float(np.mean(null)), float(np.quantile(null, 0.95))
        measure = Measure(value=rank_of_centred(about, rounding), null_mean=mean, null_95=high)
        self.measures[split] = {"effective_rank": measure}
        log_measures(pl_module, split, self.measures[split])

    def _orders(self, shape: tuple[int, ...]) -> Iterable[np.ndarray]:
        """Where each value of permuted features (n, D) stands in the flat ones, of every draw.

        The same in every epoch, for the null has one seed. To draw them anew took most of its time, so they are kept
        where they are no larger than a batch of raw trials.
        """
        if shape != self._kept[0]:
            drawn = _draw(shape, draws=self.draws)
            if self.draws * shape[0] * shape[1] > LARGEST:
                return drawn
            self._kept = (shape, list(drawn))
        return self._kept[1]


def _draw(shape: tuple[int, ...], *, draws: int) -> Iterator[np.ndarray]:
    rows, columns = np.indices(shape, dtype=np.int64, sparse=True)
    rng = np.random.default_rng(0)
    for _ in range(draws):
        order = rng.permuted(np.broadcast_to(rows, shape), axis=0) * shape[1] + columns
        yield order.astype(np.min_scalar_type(-order.size))
