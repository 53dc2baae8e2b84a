"""Which epoch of a run is kept, with the settings of ``train.py``."""

import pytest
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from lightning_modules.decoder import Decoder
from tests.loss_cases import strategy
from tests.phase_runs import checkpoint, data_for, decoder, fit

pytestmark = pytest.mark.filterwarnings("ignore")


def test_best_is_the_epoch_with_the_highest_score(monkeypatch, tmp_path):
    """Neither the first nor the last nor the lowest."""

    def log_scores(self, split: str, confusion: MulticlassConfusionMatrix) -> None:
        confusion.reset()
        self.log(f"{split}/balanced_accuracy", (0.3, 0.6, 0.2, 0.4)[self.trainer.current_epoch])

    monkeypatch.setattr(Decoder, "_log_scores", log_scores)
    loss, keep = strategy("none"), checkpoint(tmp_path)
    fit(decoder(loss), data_for(loss, tmp_path), tmp_path, keep, epochs=4, limit_val_batches=None)
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert (best["epoch"], float(keep.best_model_score)) == (1, pytest.approx(0.6))
