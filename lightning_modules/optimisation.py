"""Optimiser and learning-rate schedule: linear warm-up, then a cosine."""

import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How parameters are updated; the defaults suit the default network, with which thirty epochs converge.

    Three recipes are published for EMOD and disagree; ``configs/recipe_*.yaml`` has each. The appendix of arXiv
    2606.00129: AdamW at 1e-3, weight decay 1e-2, five warm-up epochs of 100. An earlier draft (archive) and EMOD's own
    fine-tuning (official, arXiv 2511.05863): Adam, weight decay 1e-4, no warm-up, encoder at half the rate, cosine to
    1e-6.

    Gradient clipping is the Trainer's (``trainer.gradient_clip_val``).

    Args:
        algorithm: ``adamw`` decouples weight decay from the gradient, ``adam`` adds it to the gradient.
        lr: highest learning rate.
        betas: decay of the two gradient averages.
        weight_decay: on all parameters, biases and norms too, as PyTorch does; no recipe says otherwise.
        warmup_epochs: length of the linear warm-up, in epochs; may be a fraction, 0 for none.
        min_lr: learning rate at the end of the cosine, the same for all parameters.
        encoder_lr_scale: learning rate of the network relative to ``lr``; heads and alignment always have ``lr``. 0
            freezes the network: it runs as in evaluation, and no gradient of it is computed.
        layer_decay: each block of the network learns at this share of the rate of the block above it, and what comes
            before the first block at one share less; 1 gives all the same. BEiT's rule (arXiv 2106.08254), which
            LaBraM fine-tunes EEG with at 0.65 (arXiv 2405.18765).
    """

    algorithm: Literal["adamw", "adam"] = "adamw"
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    warmup_epochs: float = 2
    min_lr: float = 0.0
    encoder_lr_scale: float = 1.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        for name in ("weight_decay", "warmup_epochs", "min_lr", "encoder_lr_scale"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"optimisation.{name} must be >= 0, got {getattr(self, name)}")
        if not self.lr > 0:
            raise ValueError(f"optimisation.lr must be > 0, got {self.lr}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"optimisation.layer_decay must be above 0 and at most 1, got {self.layer_decay}")
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"optimisation.algorithm must be one of {sorted(ALGORITHMS)}, got '{self.algorithm}'")


BLOCK = re.compile(r"^network\.blocks\.(\d+)\.")  # where an encoder keeps its layers, in order
SMALL = 2**14  # numbers of a parameter, on average
ALGORITHMS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def configure(
    optimisation: Optimisation,
    *,
    encoder_params: Iterable[Parameter],
    other_params: Iterable[Parameter],
    steps_per_epoch: int,
    epochs: int,
    encoder_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Optimiser and per-step schedule, in the form a LightningModule returns.

    Args:
        optimisation: the recipe.
        encoder_params: parameters of the network; may be empty (frozen encoder).
        other_params: parameters of head and alignment strategy.
        steps_per_epoch: optimiser steps an epoch.
        epochs: length of the cosine including the warm-up.
        encoder_names: of the parameters of the network in the decoder, which ``layer_decay`` tells the depth by.
    """
    total, warmup = epochs * steps_per_epoch, round(optimisation.warmup_epochs * steps_per_epoch)
    if warmup >= total:
        warnings.warn(
            f"the run of {epochs} epochs ends within its warm-up of {optimisation.warmup_epochs:g}: the full learning "
            "rate is not kept for any epoch; lower model.optimisation.warmup_epochs",
            stacklevel=2,
        )
    encoder, rest = list(encoder_params), list(other_params)
    shares = layer_shares(encoder_names, decay=optimisation.layer_decay) if encoder else {}
    groups: list[dict[str, Any]] = [
        {
            "params": [encoder[i] for i in rows] if rows else encoder,
            "lr": optimisation.lr * optimisation.encoder_lr_scale * share,
            "name": name,
        }
        for name, (share, rows) in (shares or {"encoder": (1.0, [])}).items()
        if encoder
    ]
    if rest:
        groups.append({"params": rest, "lr": optimisation.lr, "name": "other"})
    optimizer = ALGORITHMS[optimisation.algorithm](
        groups,
        betas=optimisation.betas,
        weight_decay=optimisation.weight_decay,
        **kernels([parameter for group in groups for parameter in group["params"]]),
    )
    schedule = [
        warmup_cosine(warmup=warmup, total=total, floor=optimisation.min_lr / group["lr"] if group["lr"] else 0.0)
        for group in groups
    ]
    scheduler = LambdaLR(optimizer, schedule)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def layer_shares(names: Sequence[str], *, decay: float) -> dict[str, tuple[float, list[int]]]:
    """Name of a group to its share of the encoder's learning rate and the rows of its parameters; empty without decay.

    Block i of ``blocks`` is layer i + 1, all else (tokeniser, positions, electrode tables) layer 0. The last block has
    the share ``decay``: the whole is one geometric row down from the head, which has 1.

    Raises:
        ValueError: the network has no blocks.
    """
    if decay == 1:
        return {}
    depth = [int(found[1]) + 1 if (found := BLOCK.match(name)) else 0 for name in names]
    top = max(depth, default=0) + 1
    if top == 1:
        raise ValueError("model.optimisation.layer_decay needs a network with blocks that learn; set it to 1")
    rows = {layer: [i for i, found in enumerate(depth) if found == layer] for layer in sorted(set(depth))}
    return {f"encoder {layer}": (decay ** (top - layer), found) for layer, found in rows.items()}


def kernels(parameters: Sequence[Parameter]) -> dict[str, bool]:
    """How parameters are updated: by one kernel on a CUDA device, all at once where they are small, else one by one.

    All at once is a seventh faster for the default network, a quarter for AxialDE, the same bit for bit, and a little
    slower where parameters are large. The fused kernel is not for a processor: it rounds otherwise there, and results
    repeat bit for bit across versions.
    """
    devices = {parameter.device.type for parameter in parameters}
    if devices == {"cuda"}:
        return {"fused": True}
    small = sum(parameter.numel() for parameter in parameters) < SMALL * len(parameters)
    return {"foreach": True} if devices == {"cpu"} and small else {}


def warmup_cosine(*, warmup: int, total: int, floor: float) -> Callable[[int], float]:
    """Factor of the highest learning rate at a step, counted from 0.

    It rises as (step + 1) / warmup, so that the first step moves too, is 1 at step ``warmup`` and falls along half a
    cosine to ``floor`` at step ``total``, where it stays.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, total - warmup))
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return factor
