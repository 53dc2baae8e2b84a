"""Centre and scale of every channel (and band): fitted on the trials that may be looked at, applied to each batch."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.store import Store

Normalise = Literal["none", "train", "subject", "projected"]
COMPONENTS = 10  # that ``projected`` takes away
SINGLY = 2**16  # bytes of a trial from which on trials are transformed one by one: the copying outweighs Python


@dataclass(frozen=True, kw_only=True)
class Affine:
    """``(x - centre) / spread``, either one for all trials or one a subject.

    Attributes:
        centre: (1 or subjects, C, 1 or 5) float32.
        spread: the same shape.
        removed: (C * 5, k) orthonormal directions that are taken out of what comes of it; None for none.
    """

    centre: Tensor
    spread: Tensor
    removed: Tensor | None = None

    @cached_property
    def shifts(self) -> bool:
        """False where only the scale changes, which saves a pass over the batch."""
        return bool(self.centre.any())

    def to(self, device: torch.device) -> "Affine":
        removed = None if self.removed is None else self.removed.to(device)
        return Affine(centre=self.centre.to(device), spread=self.spread.to(device), removed=removed)

    def apply_(self, x: Tensor, subject: Tensor) -> Tensor:
        """Change a batch in place and return it; raw batches are tens of megabytes, and copies cost more than sums."""
        if len(self.centre) == 1:
            z = (x.sub_(self.centre) if self.shifts else x).div_(self.spread)
            return z if self.removed is None else z.sub_((z.flatten(1) @ self.removed @ self.removed.T).view_as(z))
        return x.sub_(self.centre[subject]).div_(self.spread[subject])

    def gather(self, x: Tensor, index: Tensor, subject: Tensor, *, out: Tensor) -> Tensor:
        """Trials ``index`` of a store, transformed, in ``out``: the same numbers as ``apply_`` of a copy of them.

        A raw trial is copied and transformed while it is in the processor's cache, so a batch is written once.

        Args:
            x: (n, C, samples or bands) all trials.
            index: (B,) which.
            subject: (B,) whose.
            out: (B, C, samples or bands), overwritten.
        """
        if not len(index) or out[0].nbytes < SINGLY or self.removed is not None:
            return self.apply_(torch.index_select(x, 0, index, out=out), subject)
        of = subject.tolist() if len(self.centre) > 1 else [0] * len(index)
        for row, trial, who in zip(out, index.tolist(), of):
            if self.shifts:
                torch.sub(x[trial], self.centre[who], out=row).div_(self.spread[who])
            else:
                torch.div(x[trial], self.spread[who], out=row)
        return out


def fit(
    store: Store, *, kind: Normalise, train: np.ndarray, raw: bool, scale: float, channels: tuple[str, ...]
) -> Affine:
    """The transform of a store.

    Args:
        store: the cohort.
        kind: ``none`` only divides by ``scale``; ``train`` takes z-scores with statistics of the training trials;
            ``subject`` takes z-scores within each subject over all its trials, test subjects included (transductive).
            ``projected`` is ``train`` without the ten leading directions in which the means of training people differ.
        train: rows of the training trials.
        raw: True pools the statistics of a channel over time; False keeps bands apart.
        scale: divisor for ``none``.
        channels: names, for the warning about constant ones.
    """
    if kind == "none":
        return Affine(centre=torch.zeros(1, 1, 1), spread=torch.full((1, 1, 1), float(scale)))
    if kind == "projected" and raw:
        raise ValueError("--data.normalise projected takes directions out of band features; raw signals have none")
    groups = (
        [train]
        if kind != "subject"
        else [np.flatnonzero(store.trials.subject == s) for s in np.unique(store.trials.subject)]
    )
    centre, spread = (np.stack(part) for part in zip(*(_moments(store.x, rows, pool_time=raw) for rows in groups)))
    flat = spread < 1e-7 * np.maximum(np.abs(centre), 1)
    if flat.any():
        names = sorted({channels[c] for c in np.argwhere(flat)[:, 1]})
        warnings.warn(f"channels {names} are constant where normalisation is fitted; they are left at 0", stacklevel=2)
    spread = np.where(flat, 1.0, spread)
    return Affine(
        centre=torch.tensor(centre, dtype=torch.float32),
        spread=torch.tensor(spread, dtype=torch.float32),
        removed=torch.tensor(_of_people(store, train, spread), dtype=torch.float32) if kind == "projected" else None,
    )


def _of_people(store: Store, train: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(F, k) leading principal directions of the means of the training people, in units of ``spread``."""
    person = store.trials.subject[train]
    means = np.stack([_moments(store.x, train[person == p], pool_time=False)[0] for p in np.unique(person)])
    z = (means / spread).reshape(len(means), -1)
    _, size, directions = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    return directions[: min(COMPONENTS, int((size > 1e-7 * size[0]).sum()))].T


def state(affine: Affine, *, kind: Normalise, channels: tuple[str, ...]) -> dict[str, Any]:
    """A transform as plain values and tensors, for a checkpoint.

    That of ``subject`` is left out: each person is normalised by itself, so other people have their own.
    """
    kept = {} if kind == "subject" else {"centre": affine.centre.cpu(), "spread": affine.spread.cpu()}
    kept |= {} if affine.removed is None else {"removed": affine.removed.cpu()}
    return {"normalise": kind, "channels": channels, **kept}


def restored(state: dict[str, Any], *, kind: Normalise, channels: tuple[str, ...]) -> Affine | None:
    """The transform in a checkpoint; None where it has none to carry over.

    Args:
        state: as the function of that name made it.
        kind: what the data module was asked for.
        channels: of the data that will be transformed.

    Raises:
        ValueError: the checkpoint was trained on data that were normalised otherwise or have other channels.
    """
    if state["normalise"] != kind:
        raise ValueError(f"the checkpoint was trained with --data.normalise {state['normalise']}, not {kind}")
    if tuple(state["channels"]) != channels:
        differ = sorted(set(state["channels"]) ^ set(channels)) or "their order"
        raise ValueError(f"the checkpoint has normalisation statistics of other channels ({differ}); give it the same")
    if kind == "subject":
        return None
    return Affine(centre=state["centre"], spread=state["spread"], removed=state.get("removed"))


def _moments(x: np.ndarray, rows: np.ndarray, *, pool_time: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel (and band), a few hundred trials in memory at a time."""
    axes, count = ((0, 2) if pool_time else (0,)), 0
    total = squares = np.zeros(1)  # takes the shape of the first sum
    for block in np.array_split(rows, -(-len(rows) // 256)):
        values = x[block].astype(np.float64)
        total = total + values.sum(axis=axes, keepdims=True)
        squares = squares + np.square(values).sum(axis=axes, keepdims=True)
        count += values.size // total.size
    mean = total / count
    return mean[0], np.sqrt(np.maximum(squares / count - mean**2, 0))[0]
