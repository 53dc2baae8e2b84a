"""CLIP: trials and texts find each other in a joint space."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losses._geometry import membership, unit
from losses.base import AlignmentLoss, Batch, LossSpec, Output


class ClipInfoNCE(AlignmentLoss):
    """Trials should find the text of their clip among the texts, and texts their trials among the trials.

    Formula:
        A = (e + t) / 2, in nats, with unit linear projections a, b of features and texts and k learned up to 100.
        e = mean_i -log softmax_u(k a_i.b_u) at u = text of i; t = mean_u mean_{i of u} -log softmax_i(k a_i.b_u).

    Source:
        van den Oord et al. 2018, arXiv 1807.03748; Radford et al. 2021, arXiv 2103.00020.

    Published:
        arXiv 2606.00129, figure: about -0.03 (no p; 0.135 from 0.167), a contrastive-only run (task_weight 0)
        that it calls broken.

    Ours:
        Naive pairing makes negatives of other trials of the clip: with 128 trials of 28 clips no model gets below
        about 1.6 nats. Merged pairing is the default; the floor of t is then mean log n_u for n_u trials of a
        text. For the same reason clips with equal text rows (classes, where the axis has no embeddings) are one
        text here.

    Example:
        python train.py --loss clip_infonce --loss.task_weight 0 --loss.false_negatives naive

    Args:
        weight: factor of the loss.
        text: embedding of the clip's text, or 16 Gaussian features (width 0.5 z) of its axis position alone.
        dim: width of the joint space.
        negatives: texts a trial must tell apart, those of the batch or all.
        false_negatives: merge pairs each trial with its text, naive pairs row with row.
        task_weight: factor of the task loss.
    """

    texts: Tensor
    text_of: Tensor
    couples_samples = True

    def __init__(
        self,
        *,
        weight: float = 0.5,
        text: Literal["embedding", "rbf"] = "embedding",
        dim: int = 128,
        negatives: Literal["batch", "all"] = "batch",
        false_negatives: Literal["merge", "naive"] = "merge",
        task_weight: float = 1.0,
    ) -> None:
        super().__init__(weight=weight)
        self.text, self.dim, self.negatives = text, dim, negatives
        self.false_negatives, self.task_weight = false_negatives, task_weight

    def build(self, spec: LossSpec) -> None:
        rows = spec.targets.embeddings if self.text == "embedding" else position_features(spec.targets.v)
        texts, text_of = rows.unique(dim=0, return_inverse=True)
        self.constant("texts", texts)
        self.constant("text_of", text_of)
        self.eeg_head = nn.Linear(spec.dim, self.dim)
        self.text_head = nn.Linear(texts.shape[1], self.dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        text = self.text_of[batch.stimulus]
        eeg, texts = unit(self.eeg_head(output.h)), unit(self.text_head(self.texts))
        scores = self.log_scale.exp().clamp(max=100) * eeg @ texts.T
        own = membership(text, count=len(texts))
        trials = own.sum(dim=0)
        # With one text there is nothing to tell apart, whatever the negatives are.
        several = (trials > 0).sum() > 1
        if self.false_negatives == "naive":
            scores, rows = scores[:, text], torch.arange(len(text), device=text.device)
            value = (F.cross_entropy(scores, rows) + F.cross_entropy(scores.T, rows)) / 2
            return self.where_defined(several, value)
        among = scores if self.negatives == "all" else scores.masked_fill(trials == 0, -torch.inf)
        # A text has several trials, and each is a right answer: the mean over them, for every text alike.
        shares = (scores.log_softmax(dim=0) * own).sum(dim=0) / trials.clamp_min(1)
        to_trials = -shares.sum() / (trials > 0).sum()
        return self.where_defined(several, (F.cross_entropy(among, text) + to_trials) / 2)

    def task_factor(self, *, progress: float) -> float:
        return self.task_weight


def position_features(v: Tensor, *, count: int = 16, width: float = 0.5) -> Tensor:
    """Gaussian features (S, count) of axis positions (S,), centred on their quantiles; a bare number has no cosine."""
    centres = v.quantile(torch.linspace(0, 1, count, dtype=v.dtype, device=v.device))
    return torch.exp(-((v[:, None] - centres) ** 2) / (2 * width**2))
