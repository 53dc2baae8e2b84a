"""What one training step optimises: a function of output, batch and phase, without Trainer, ranks or log."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from eeg.batch import Batch
from losses.base import AlignmentLoss, Output, Phase


class Losses(NamedTuple):
    """Scalars of one step.

    Attributes:
        task: cross-entropy; 0 in a phase that does not look at labels.
        alignment: unweighted alignment loss, None where no strategy is active.
        total: what is optimised.
    """

    task: Tensor
    alignment: Tensor | None
    total: Tensor


def training_losses(
    output: Output,
    batch: Batch,
    *,
    phase: Phase,
    strategy: AlignmentLoss,
    seen: Callable[[Output, Batch], tuple[Output, Batch]],
    label_smoothing: float,
    progress: float,
    task_loss: Callable[..., Tensor] | None = None,
) -> Losses:
    """Task loss, alignment loss and what the strategy makes of both.

    Args:
        output: of the decoder for the batch.
        batch: its trials.
        phase: which of the two are trained.
        strategy: the alignment loss.
        seen: what the strategy reads of output and batch; called only where it is active, for it may gather ranks.
        label_smoothing: of the cross-entropy.
        progress: completed fraction of the phase.
        task_loss: of tokens and batch, of a head that has one of its own; cross-entropy by default.
    """
    if phase.task and task_loss is not None:
        task = task_loss(output.tokens, batch, label_smoothing=label_smoothing)
    elif phase.task:
        task = F.cross_entropy(output.logits.float(), batch.y, label_smoothing=label_smoothing)
    else:
        task = 0.0 * output.logits.float().sum()  # the classifier takes part, so DDP finds its parameters
    if not (strategy.active and phase.alignment):
        return Losses(task, None, task)
    # Correlations and distances of half precision are noise: strategies compute in float32 whatever the network does.
    with torch.autocast(output.logits.device.type, enabled=False):
        alignment = strategy(*seen(output, batch))
    return Losses(task, alignment, strategy.combine(task=task, alignment=alignment, progress=progress))
