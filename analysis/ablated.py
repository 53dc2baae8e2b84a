"""What a decoder answers when a direction is removed from, or amplified in, every token of its encoder's output."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch.plugins import Precision
from torch import Tensor

from eeg.batch import Batch
from lightning_modules.decoder import Decoder
from lightning_modules.heads import MeanLinear

ACTIONS = {"removed": -1.0, "amplified": 1.0}  # z -> z + sign (z . q) q, losses.md of the paper: arXiv 2606.00129


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Right or wrong, trial by trial.

    Attributes:
        plain: (n,) bool, with the tokens as they are.
        changed: by action, (n, m) bool, one column a direction.
        y: (n,) true classes.
        subject: (n,) ids.
    """

    plain: np.ndarray
    changed: dict[str, np.ndarray]
    y: np.ndarray
    subject: np.ndarray

    def by_person(self) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Ids (P,), and the balanced accuracy of each person: plain (P,) and by action (P, m).

        A person's balanced accuracy is the mean recall over the classes that the person has trials of; where all have
        the same clips, its mean over people is the balanced accuracy of all trials.
        """
        people = np.unique(self.subject)
        weights = np.zeros((len(people), len(self.y)))
        for row, person in enumerate(people):
            own = np.flatnonzero(self.subject == person)
            _, of, counts = np.unique(self.y[own], return_inverse=True, return_counts=True)
            weights[row, own] = 1 / (len(counts) * counts[of])
        changed = {action: weights @ right.astype(np.float64) for action, right in self.changed.items()}
        return people, weights @ self.plain.astype(np.float64), changed


@torch.inference_mode()
def answers(decoder: Decoder, batches: Iterable[Batch], directions: np.ndarray, *, precision: Precision) -> Answers:
    """Ask the unchanged classifier about changed tokens; the encoder runs once.

    Removing a direction from every token removes it from their mean, so for the head that reads only the mean all
    directions cost one product; other heads are asked once a direction and action.

    Args:
        decoder: in evaluation mode.
        batches: trials, each once.
        directions: (m, D) unit directions.
        precision: of the run.
    """
    unit = torch.as_tensor(directions, dtype=torch.float32, device=decoder.device)
    parts: list[dict[str, Any]] = []
    with precision.forward_context():
        for batch in batches:
            batch = Batch(*(column.to(decoder.device) for column in batch))
            tokens = decoder.network(precision.convert_input(batch.x))
            part: dict[str, Any] = {"plain": decoder.classifier(tokens).argmax(dim=1) == batch.y}
            for action, called in classes(decoder.classifier, tokens, unit).items():
                part[action] = called == batch.y[:, None]
            parts.append(part | {"y": batch.y, "subject": batch.subject, "index": batch.index})
    whole = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
    first = np.unique(whole["index"], return_index=True)[1]
    return Answers(
        plain=whole["plain"][first],
        changed={action: whole[action][first] for action in ACTIONS},
        y=whole["y"][first],
        subject=whole["subject"][first],
    )


def classes(head: torch.nn.Module, tokens: Tensor, unit: Tensor) -> dict[str, Tensor]:
    """What a head calls changed tokens (B, C', N, D): by action, classes (B, m) for m unit directions (m, D)."""
    if isinstance(head, MeanLinear):
        return {action: _of_the_mean(head, tokens, unit, sign) for action, sign in ACTIONS.items()}
    return {action: _one_by_one(head, tokens, unit, sign) for action, sign in ACTIONS.items()}


def _of_the_mean(head: MeanLinear, tokens: Tensor, unit: Tensor, sign: float) -> Tensor:
    """Classes (B, m) of the linear head on the mean token: W (h + sign (h . q) q) + b for all q at once."""
    h, weight = tokens.mean(dim=(1, 2)).float(), head.linear.weight.float()
    logits = h @ weight.T + head.linear.bias.float()
    shift = (h @ unit.T)[..., None] * (unit @ weight.T)
    return (logits[:, None] + sign * shift).argmax(dim=2)


def _one_by_one(head: torch.nn.Module, tokens: Tensor, unit: Tensor, sign: float) -> Tensor:
    """Classes (B, m) of any head."""
    called = []
    for direction in unit.to(tokens.dtype):
        called.append(head(tokens + sign * (tokens @ direction)[..., None] * direction).argmax(dim=1))
    return torch.stack(called, dim=1)
