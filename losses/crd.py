"""Contrastive representation distillation: a trial tells its text from every other text, one yes or no at a time."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losses._geometry import unit
from losses.base import AlignmentLoss, Batch, LossSpec, Output


class CRD(AlignmentLoss):
    """A critic should tell the text of a trial's clip from the texts of other clips.

    Formula:
        A = mean_i (softplus(-l_ip) + sum_{n in neg(i)} softplus(l_in)) / (N_i + 1), in nats; l = a_i.b / T -
        log(N_i / M).
        a is a unit linear projection of the features, p the text of i, N_i of the M texts its negatives.

    Source:
        Tian, Krishnan and Isola 2020, arXiv 1910.10699. Noise-contrastive estimation: Gutmann and Hyvärinen 2010,
        https://proceedings.mlr.press/v9/gutmann10a.html.

    Published:
        Cited as a source by arXiv 2606.00129, which reports no number for it (no row, no p).

    Ours:
        So few texts need no memory bank: all are enumerated, which makes the original's running constant
        needless, and the factor 1 / (N_i + 1) keeps A of order one. The projection of the texts is random,
        orthogonal and fixed, because a learned one can let all texts collapse. Clips with equal text rows
        (classes, where the axis has no embeddings) are one text.

    Example:
        python train.py --loss crd --loss.negatives class

    Args:
        weight: factor of the loss.
        negatives: all other texts, or only those of other classes.
        temperature: T of the cosines.
        dim: width of the joint space.
    """

    negative: Tensor
    texts: Tensor
    text_of: Tensor

    def __init__(
        self,
        *,
        weight: float = 1.0,
        negatives: Literal["stimulus", "class"] = "stimulus",
        temperature: float = 0.07,
        dim: int = 128,
    ) -> None:
        super().__init__(weight=weight)
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        self.negatives, self.temperature, self.dim = negatives, temperature, dim

    def build(self, spec: LossSpec) -> None:
        rows, text_of = spec.targets.embeddings.unique(dim=0, return_inverse=True)
        class_of = spec.targets.class_of
        belongs = F.one_hot(text_of, len(rows)).bool()
        # A text is of the class of any clip that has it.
        excluded = F.one_hot(class_of).float() @ F.one_hot(class_of).float().T @ belongs.float() > 0
        self.constant("negative", ~(excluded if self.negatives == "class" else belongs))
        self.constant("text_of", text_of)
        turn = nn.init.orthogonal_(rows.new_empty(self.dim, rows.shape[1]), generator=torch.Generator().manual_seed(0))
        self.constant("texts", unit(rows @ turn.T))
        self.eeg_head = nn.Linear(spec.dim, self.dim)
        if not self.negative.any(dim=1).all():
            raise ValueError("crd needs texts that differ between clips; extract an axis with other sentences")

    def forward(self, output: Output, batch: Batch) -> Tensor:
        negative = self.negative[batch.stimulus]
        count = negative.sum(dim=1)
        scores = unit(self.eeg_head(output.h)) @ self.texts.T / self.temperature
        # The critic of noise-contrastive estimation, exp(s) / (exp(s) + N / M), in logits: finite for any score.
        critic = scores - (count.to(scores) / len(self.texts)).log()[:, None]
        own = critic.gather(1, self.text_of[batch.stimulus][:, None]).squeeze(1)
        return ((F.softplus(-own) + (F.softplus(critic) * negative).sum(dim=1)) / (count + 1)).mean()
