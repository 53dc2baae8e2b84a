"""Classification scores of a confusion matrix, beside the score of guessing."""

import torch
from torch import Tensor


def scores(confusion: Tensor) -> dict[str, Tensor]:
    """Balanced accuracy, Cohen's kappa and weighted F1 of a (K, K) count matrix, rows = true classes.

    Classes without a trial are left out of the balanced accuracy; ``chance`` is one over the number of classes present.
    """
    counts = confusion.double()
    support, predicted, hits = counts.sum(dim=1), counts.sum(dim=0), counts.diagonal()
    total, present = counts.sum(), support > 0
    recall = hits[present] / support[present]
    agreement, expected = hits.sum() / total, (support * predicted).sum() / total**2
    f1 = 2 * hits / (support + predicted).clamp_min(1)
    values = {
        "balanced_accuracy": recall.mean(),
        "kappa": (agreement - expected) / (1 - expected).clamp_min(1e-12),
        "weighted_f1": (f1 * support).sum() / total,
        "chance": 1 / present.sum(),
    }
    return {name: value.to(torch.float32) for name, value in values.items()}
