"""How many whole clips are decoded, rather than windows of them? Logged at the end of every evaluation."""

import lightning as L

from callbacks.trials import TrialCallback, Trials
from callbacks.view import decoder_of
from measures.names import CLIP_ACCURACY


class ClipAccuracy(TrialCallback):
    """Logs the balanced accuracy of clips: all windows that a person saw of a clip vote on it with their probabilities.

    It is the score of papers that decode whole clips. ``RunWriter`` writes that of the chosen epoch.
    """

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        value = trials.clip_balanced_accuracy(n_classes=len(decoder_of(pl_module).spec.classes))
        # Equal on all ranks already; averaging it again only tells Lightning so.
        pl_module.log(f"{split}/{CLIP_ACCURACY.logged}", value, sync_dist=True)
