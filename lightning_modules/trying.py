"""One batch through a decoder as training and validation would take it: what a plug-in gets wrong shows in seconds."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from eeg.batch import Batch, SourceBatch
from lightning_modules.decoder import Decoder
from lightning_modules.step import training_losses
from losses.base import AlignmentLoss

ROOT = Path(__file__).resolve().parents[1]


# Name of each part of a strategy to the constants that it was built with.
Taught = dict[str, dict[str, Tensor]]


def constants(loss: AlignmentLoss) -> Taught:
    """What the parts of a strategy were built with, by the name of the part; most of it is targets."""
    parts = [part for part in loss.modules() if isinstance(part, AlignmentLoss)]
    kept = {part.name: {name: value.clone() for name, value in part.named_buffers(recurse=False)} for part in parts}
    return {name: values for name, values in kept.items() if values}


def try_out(decoder: Decoder, *, training: Callable[[str], list[Batch]], validation: Batch) -> None:
    """Train every phase on a batch and score another; the decoder is of no use afterwards.

    Args:
        decoder: built.
        training: data of a phase (``main``, ``source`` or ``both``) to a batch of each kind that it trains on.
        validation: trials to score.

    Raises:
        ValueError: a loss is no scalar or not finite, or logits have another shape than (trials, classes).
        Exception: whatever the plug-ins raise.
    """
    decoder.train()
    for index in range(len(decoder.phases)):
        decoder.go_to(index)
        if index:
            decoder.loss.enter(decoder)
        for batch in training(decoder.phase.data):
            decoder.zero_grad()
            _train(decoder, batch)
    decoder.eval()
    with torch.no_grad():
        output = decoder.output(validation.x, decoder.classifier)
    _check_logits(decoder, output.logits, trials=len(validation.y))


def _train(decoder: Decoder, batch: Batch) -> None:
    second = isinstance(batch, SourceBatch)
    output = decoder.output(batch.x, decoder.source_classifier if second else decoder.classifier)
    losses = training_losses(
        output,
        batch,
        phase=decoder.phase,
        strategy=decoder.loss,
        seen=decoder.seen_by_loss,
        label_smoothing=decoder.label_smoothing,
        progress=0.0,
    )
    if losses.alignment is not None:
        _check_scalar(losses.alignment, _place(type(decoder.loss).forward))
    _check_scalar(losses.total, _place(type(decoder.loss).combine))
    if not losses.total.requires_grad:
        raise ValueError(
            f"--loss {decoder.loss.name}: nothing that trains has a gradient in phase {decoder.phase.name}"
        )
    losses.total.backward()
    for name, parameter in decoder.trained_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise ValueError(f"--loss {decoder.loss.name}: the gradient of {name} is not finite in the first batch")


def _place(function: Callable[..., object]) -> str:
    """Where a hook of a strategy is written, and its name: what it returns is known behind its last line only."""
    code = function.__code__
    file = Path(code.co_filename).resolve()
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return f"{shown}:{code.co_firstlineno}: {function.__qualname__}"


def _check_scalar(value: object, what: str) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} returns {type(value).__name__}; it must return a tensor with one number")
    if value.ndim:
        raise ValueError(f"{what} returns a tensor of shape {tuple(value.shape)}; it must be a scalar, such as a mean")
    if not value.isfinite():
        raise ValueError(f"{what} returns {value.item()} for the first batch; it must be finite")


def _check_logits(decoder: Decoder, logits: Tensor, *, trials: int) -> None:
    assert decoder.spec is not None  # it has been built
    wanted = (trials, len(decoder.spec.classes))
    if tuple(logits.shape) != wanted:
        raise ValueError(f"--network {decoder.network.name}: logits have shape {tuple(logits.shape)}, wanted {wanted}")
    if not logits.isfinite().all():
        raise ValueError(f"--network {decoder.network.name}: logits of the first validation batch are not finite")
