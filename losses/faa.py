"""Frontal alpha asymmetry: right minus left frontal activity is what aligns with the axis."""

from typing import Literal

import torch
from torch import Tensor, nn

from eeg.bands import PAPER_BANDS
from eeg.differential_entropy import band_power, differential_entropy, log_power_asymmetry
from eeg.montage import channel_indices
from losses.base import Batch, LossSpec, Output, axis_position
from losses.vaxis_mse import VAxisMSE

ALPHA = list(PAPER_BANDS).index("alpha")
POWER_FLOOR = 1e-12


class FAA(VAxisMSE):
    """Regression onto the axis from the difference of right and left frontal electrodes.

    Formula:
        FAA = mean over pairs of ln P_right - ln P_left in the alpha band, in nats.
        token: A = crit(w'd + b, t), in z^2, d the mean over pairs of right minus left tokens.
        physiology: A = mean (w'h + b - z(FAA))^2, z over the batch of all ranks.
        covariate: A = mean (beta FAA + b - t)^2.

    Source:
        Davidson 1992, doi 10.1016/0278-2626(92)90065-T; Coan and Allen 2004, doi 10.1016/j.biopsycho.2004.03.002.

    Published:
        arXiv 2606.00129, row 3: -0.044 (p = 0.006) at weight 0.5. Row 4: -0.018 (p = 0.063) at 0.1.

    Ours:
        It regresses the axis on FAA. That is ``covariate``, a function of the input alone, so the encoder has no
        gradient and the published effect cannot be its. ``token`` is the nearest reading that trains,
        ``physiology`` makes the features carry it.
        Raw signals: power of the trial at 8-13 Hz. Band features: the alpha column, so where channels are
        normalised FAA is the difference of their z-scores. Trials in which augmentation has silenced an electrode
        of a pair do not count.

    Example:
        python train.py --loss faa --loss.mode physiology

    Args:
        weight: factor of the loss; the paper ran 0.1 and 0.5.
        mode: token regresses the axis on the pairs' tokens, physiology FAA on the features, covariate the axis on FAA
            (a control: the network has no gradient).
        pairs: pairs of a right and a left electrode.
        level: regress on the position of the clip or of its class; physiology has no such target.
        criterion: of token: mse, pearson (1 - r over the batch of all ranks) or huber; the other modes have mse.
    """

    right: Tensor
    left: Tensor

    def __init__(
        self,
        *,
        weight: float = 0.1,
        mode: Literal["token", "physiology", "covariate"] = "token",
        pairs: tuple[tuple[str, str], ...] = (("F4", "F3"),),
        level: Literal["stimulus", "class"] = "stimulus",
        criterion: Literal["mse", "pearson", "huber"] = "mse",
    ) -> None:
        super().__init__(weight=weight, level=level, criterion=criterion)
        if mode != "token" and criterion != "mse":
            raise ValueError(f"faa.criterion {criterion} needs mode token; {mode} has mse")
        self.mode, self.pairs = mode, pairs
        self.reads = {"token": ("tokens",), "physiology": ("h", "x"), "covariate": ("x",)}[mode]
        self.needs_electrodes = mode == "token"  # the other two read the electrodes of the signal
        self.couples_samples = criterion == "pearson" or mode != "token"

    def build(self, spec: LossSpec) -> None:
        super().build(spec)
        montage = spec.data.channels
        if self.mode == "token":
            found = [spec.grid.rows_of(pair, reader=self.name) for pair in self.pairs]
        else:
            found = [channel_indices(pair, montage=montage) for pair in self.pairs]
        if not found or any(len(pair) != 2 for pair in found):
            raise ValueError(f"faa.pairs {self.pairs}: each needs two electrodes of the montage {montage}")
        for name, side in zip(("right", "left"), zip(*found)):
            self.constant(name, torch.tensor(side))
        if self.mode != "token" and spec.data.features == "psd":
            raise ValueError(f"faa.mode {self.mode} reads the signal; set --data.features to raw or de")
        self.data = spec.data
        if self.mode == "covariate":
            self.head = nn.Linear(1, 1)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if self.mode == "token":
            channels = output.tokens.mean(dim=2)
            return self.regress((channels[:, self.right] - channels[:, self.left]).mean(dim=1), batch)
        asymmetry, seen = self.asymmetry(batch.x), self.seen(batch.x)
        if self.mode == "physiology":
            predicted, target = self.head(output.h), standardised(asymmetry, seen)
        else:
            predicted = self.head(asymmetry[:, None])
            target = axis_position(batch, v=self.v, v_class=self.v_class, level=self.level)
        return (seen * (predicted.squeeze(1) - target).square()).sum() / seen.sum().clamp_min(1)

    def asymmetry(self, x: Tensor) -> Tensor:
        """(B,) FAA of trials (B, C, T) of raw EEG or (B, C, 5) of differential entropy, nats."""
        right, left = x[:, self.right], x[:, self.left]
        if self.data.features == "raw":
            right, left = (alpha_entropy(side, sampling_rate=self.data.sampling_rate) for side in (right, left))
        else:
            right, left = right[..., ALPHA], left[..., ALPHA]
        return log_power_asymmetry(right, left).mean(dim=1)

    def seen(self, x: Tensor) -> Tensor:
        """(B,) 1 where every electrode of the pairs has a signal, 0 where channel dropout silenced one."""
        return (x[:, torch.cat([self.right, self.left])] != 0).any(dim=2).all(dim=1).to(x.dtype)


def alpha_entropy(x: Tensor, *, sampling_rate: float) -> Tensor:
    """(B, n) differential entropy of raw signals (B, n, T) in the alpha band."""
    power = band_power(x, sampling_rate=sampling_rate, bands={"alpha": PAPER_BANDS["alpha"]})
    return differential_entropy(power.clamp_min(POWER_FLOOR)).squeeze(-1)


def standardised(value: Tensor, counts: Tensor) -> Tensor:
    """z-scores over the trials that count; 0 where they are all equal."""
    total = counts.sum().clamp_min(1)
    centred = value - (counts * value).sum() / total
    return centred / ((counts * centred.square()).sum() / total).sqrt().clamp_min(1e-6)
