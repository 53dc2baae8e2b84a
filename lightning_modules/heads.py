"""Classifier heads: tokens (B, C', N, D) to logits (B, K), C' rows of N tokens as the network states them."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import Batch

HeadName = Literal["mean_linear", "folded_clips", "emod", "flatten_mlp", "flatten_two", "flatten_linear", "conformer"]

_log = logging.getLogger(__name__)


class MeanLinear(nn.Module):
    """One linear layer on ``h``, the mean of all tokens."""

    def __init__(self, *, dim: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.linear(tokens.mean(dim=(1, 2)))


class FoldedClips(nn.Module):
    """One linear layer from ``h`` to the clips; the probability of a class is the sum over its clips.

    It asks which clip was seen, of which class that follows: what a decoder gains by it on clips of the training and
    not on new ones is clip identity.

    Args:
        dim: D.
        class_of: (S,) class of each clip; each class has a clip.
    """

    member: Tensor

    def __init__(self, *, dim: int, class_of: Sequence[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, len(class_of))
        classes = torch.arange(max(class_of) + 1)
        self.register_buffer("member", torch.tensor(class_of) == classes[:, None], persistent=False)

    def clips(self, tokens: Tensor) -> Tensor:
        """Logits (B, S) of the clips."""
        return self.linear(tokens.mean(dim=(1, 2)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Log probabilities (B, K) of the classes."""
        return self.folded(self.clips(tokens).float())

    def folded(self, clips: Tensor) -> Tensor:
        """Log probabilities (B, K) of the classes from logits of the clips."""
        of_others = torch.where(self.member, 0.0, -1e9)  # not infinite: its gradient is no number
        return (clips.log_softmax(dim=1)[:, None] + of_others).logsumexp(dim=2)

    def task_loss(self, tokens: Tensor, batch: Batch, *, label_smoothing: float) -> Tensor:
        """-log p(class), plus the cross-entropy of the clips, without which nothing would tell them apart."""
        clips = self.clips(tokens).float()
        identity = F.cross_entropy(clips, batch.stimulus, label_smoothing=label_smoothing)
        return F.nll_loss(self.folded(clips), batch.y) + identity


class ChannelPool(nn.Module):
    """Weighted mean over rows: softmax of one learned score a token, weights themselves under dropout."""

    def __init__(self, *, dim: int, dropout: float) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, C', N, D) to (B, N, D)."""
        weights = self.dropout(self.score(tokens).softmax(dim=1))
        return torch.einsum("bcn,bcnd->bnd", weights.squeeze(-1), tokens)


def _mlp(sizes: list[int], *, dropout: float) -> nn.Sequential:
    """Linear layers with ELU and dropout between them."""
    layers: list[nn.Module] = [nn.Linear(sizes[0], sizes[1])]
    for width, following in pairwise(sizes[1:]):
        layers += [nn.ELU(), nn.Dropout(dropout), nn.Linear(width, following)]
    return nn.Sequential(*layers)


def check_labels(head: HeadName, *, labels: str | None) -> None:
    """Refuse a head that reads classes off clips where the label is not the clip's but what its viewer reported."""
    if head == "folded_clips" and labels == "self_report":
        raise ValueError("--model.head folded_clips reads classes off clips: it has no use for self-reports")


def build_head(
    name: HeadName,
    *,
    rows: int,
    n_tokens: int,
    dim: int,
    n_classes: int,
    dropout: float,
    class_of: Sequence[int] | None = None,
) -> nn.Module:
    """Size a head.

    Args:
        name: which one. ``mean_linear``: linear on the mean token. ``folded_clips``: the same to clips, whose
            probabilities are summed to classes. These two read just ``h``. ``emod``: the FACED head of
            EMOD (arXiv 2511.05863): channel pool, flatten, two hidden layers; 3,344,266 parameters there.
            Of a single row there is nothing to pool (a softmax over one score is 1), so the pool is left out there.
            ``flatten_mlp``: the default head of CBraMod (arXiv 2412.07236), all tokens flattened; 128,404,009 on FACED.
            ``flatten_two``: one hidden layer of width D instead of two, CBraMod's second; 12,802,009 on FACED.
            ``flatten_linear``: none, CBraMod's third and the classifier of EEGNet; 576,009 of CBraMod on FACED.
            ``conformer``: hidden layers of 256 and 32, EEG-Conformer (doi 10.1109/TNSRE.2022.3230250).
        rows: C', the electrodes unless the network has mixed them.
        n_tokens: N, tokens a row.
        dim: D.
        n_classes: K.
        dropout: on the hidden layers and pooling weights; 0.25 in EMOD, 0.1 in CBraMod. ``mean_linear`` has none.
        class_of: (S,) class of each clip, for ``folded_clips``.
    """
    if name == "folded_clips":
        if class_of is None or set(class_of) != set(range(n_classes)):
            raise ValueError("model.head folded_clips needs data that say which clips each class has")
        return FoldedClips(dim=dim, class_of=class_of)
    if name == "mean_linear":
        return MeanLinear(dim=dim, n_classes=n_classes)
    if name == "emod":
        mlp = _mlp([n_tokens * dim, 4 * dim, dim, n_classes], dropout=dropout)
        if rows > 1:
            return nn.Sequential(ChannelPool(dim=dim, dropout=dropout), nn.Flatten(), nn.Dropout(dropout), *mlp)
        # A pool there would be two dead parameters and a dropout of whole tokens that no paper has.
        _log.warning("model.head emod: the network has one row of tokens, so its channel pool is left out")
        return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), *mlp)
    # First hidden width of CBraMod: 10 D on FACED (N = 10), 4 D on SEED-V (N = 1); between them is our reading.
    hidden: dict[str, list[int]] = {
        "flatten_mlp": [max(n_tokens, 4) * dim, dim],
        "flatten_two": [dim],
        "flatten_linear": [],
        "conformer": [256, 32],
    }
    if name in hidden:
        return nn.Sequential(nn.Flatten(), *_mlp([rows * n_tokens * dim, *hidden[name], n_classes], dropout=dropout))
    raise ValueError(f"model.head '{name}' is not one of {get_args(HeadName)}")
