"""What tells training people apart in their signals, so that one person's trial can be given the look of another."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.slices import TrialSlices

Drawn = Literal["people", "gaussian"]
FLOOR = 1e-6  # of an amplitude: a silent electrode has no logarithm
MOST = 10.0  # largest factor, either way, on an amplitude: one broken recording must not drown everyone in turn


@dataclass(frozen=True, kw_only=True)
class People:
    """Baselines of the people who are trained on, and of nobody else.

    Attributes:
        ids: (P,) subject ids in ascending order.
        baseline: (P, C, F). Of band features a person's mean trial; of raw signals the mean log amplitude in F cells of
            about a hertz, from 0 up to half the sampling rate.
        raw: which of the two.
    """

    ids: Tensor
    baseline: Tensor
    raw: bool

    @classmethod
    def of(cls, slices: TrialSlices, train: np.ndarray, *, sampling_rate: float | None) -> "People":
        """Measured on training trials as the network sees them, normalised and without augmentation.

        Args:
            slices: of the cohort.
            train: rows of the training trials.
            sampling_rate: of raw signals; None for band features.
        """
        sums: Tensor = torch.zeros(1, dtype=torch.float64)
        ids, person = np.unique(slices.labels[2][torch.from_numpy(train)].cpu().numpy(), return_inverse=True)
        for rows, place in zip(_blocks(train), _blocks(person)):
            x = slices[rows].x.cpu()
            values = x if sampling_rate is None else log_amplitude(x, cells=int(sampling_rate / 2))
            if sums.ndim == 1:
                sums = torch.zeros(len(ids), *values.shape[1:], dtype=torch.float64)
            sums.index_add_(0, torch.from_numpy(place), values.double())
        means = sums / torch.from_numpy(np.bincount(person))[:, None, None]
        return cls(ids=torch.from_numpy(ids), baseline=means.float(), raw=sampling_rate is not None)

    def to(self, device: torch.device) -> "People":
        return People(ids=self.ids.to(device), baseline=self.baseline.to(device), raw=self.raw)

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {"ids": self.ids.cpu(), "baseline": self.baseline.cpu(), "raw": self.raw}

    def moved(self, x: Tensor, subject: Tensor, *, strength: float | Tensor, drawn: Drawn) -> Tensor:
        """Trials on their way from their person's baseline to another's; class and clip stay what they are.

        Args:
            x: (B, C, T or F) trials of training people.
            subject: (B,) their ids.
            strength: share of the way, (B, 1, 1) or one for all; 1 is all of it.
            drawn: who the other is. ``people``: another training person, each equally likely (now and then the same
                one). ``gaussian``: nobody, a draw from the normal distribution with their mean and covariance.
        """
        own = self.baseline[torch.searchsorted(self.ids, subject)]
        if drawn == "people":
            other = self.baseline[torch.randint(len(self.ids), (len(x),), device=x.device)]
        else:
            # Weights of independent normal numbers on the deviations have exactly their covariance, of any rank.
            mean = self.baseline.mean(dim=0)
            weights = torch.randn(len(x), len(self.ids), device=x.device) / max(len(self.ids) - 1, 1) ** 0.5
            other = mean + torch.einsum("bp,pcf->bcf", weights, self.baseline - mean)
        change = strength * (other - own)
        return filtered(x, change) if self.raw else x + change


def log_amplitude(x: Tensor, *, cells: int) -> Tensor:
    """(B, C, T) to (B, C, F): log amplitude of the spectrum, mean over neighbouring frequencies."""
    log = torch.fft.rfft(x).abs().clamp(min=FLOOR).log()
    return F.adaptive_avg_pool1d(log, max(1, min(cells, log.shape[-1])))


def filtered(x: Tensor, log_gain: Tensor) -> Tensor:
    """Trials (B, C, T) with amplitudes changed by a gain a frequency, smooth between cells; phases are kept.

    Args:
        x: signals.
        log_gain: (B, C, F) natural logarithm of the factor in each cell.
    """
    spectrum = torch.fft.rfft(x)
    limit = float(np.log(MOST))
    smooth = F.interpolate(log_gain, size=spectrum.shape[-1], mode="linear", align_corners=False)
    return torch.fft.irfft(spectrum * smooth.clamp(-limit, limit).exp(), n=x.shape[-1])


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    """A few hundred at a time: the cohort does not fit into memory."""
    return np.array_split(rows, -(-len(rows) // 256))
