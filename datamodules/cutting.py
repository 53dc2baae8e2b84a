"""From the signal of a whole clip to trials: which part of it, how long the pieces are, and what a piece holds."""

from dataclasses import dataclass

import numpy as np
import torch

from eeg.bands import Bands
from eeg.batch import Features
from eeg.differential_entropy import band_power, differential_entropy

# Of the power of a band, relative to the median over electrodes, seconds and bands of the clip: an electrode without a
# signal has no power, and its logarithm must not be minus infinity.
FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How clips of any length become trials of one length.

    Attributes:
        seconds: length of a piece.
        last: take only so many seconds, those before the clip ends; None takes every whole piece from its start.
        features: ``raw`` or ``de``.
        bands: of the differential entropy.
        entropy_seconds: length of the windows that the variance is taken in; a piece holds their mean entropy.
    """

    seconds: int
    last: int | None
    features: Features
    bands: Bands
    entropy_seconds: int = 1

    def counts(self, samples: np.ndarray, *, sampling_rate: float) -> np.ndarray:
        """Trials of clips of so many samples, (n,)."""
        whole = np.asarray(samples) // round(self.seconds * sampling_rate)
        return whole if self.last is None else np.minimum(whole, self.last // self.seconds)

    def trials(self, signal: np.ndarray, *, sampling_rate: float) -> np.ndarray:
        """The trials of a clip, (n, C, samples) as the signal or (n, C, F) in nats, float32.

        Args:
            signal: (C, T) of the whole clip, microvolt.
            sampling_rate: Hz.
        """
        count = int(self.counts(np.array(signal.shape[1]), sampling_rate=sampling_rate))
        samples = round(self.seconds * sampling_rate)
        start = 0 if self.last is None else signal.shape[1] - count * samples
        part = signal[:, start : start + count * samples]
        if self.features != "raw":
            return self._entropy(part, count, sampling_rate)
        return part.reshape(len(part), count, samples).swapaxes(0, 1).astype(np.float32)

    def _entropy(self, part: np.ndarray, count: int, sampling_rate: float) -> np.ndarray:
        """Band-passed as a whole and then cut, as the feature script of FACED does it."""
        if not count:
            return np.zeros((0, len(part), len(self.bands)), np.float32)
        power = band_power(
            torch.from_numpy(np.ascontiguousarray(part, dtype=np.float64)),
            sampling_rate=sampling_rate,
            bands=self.bands,
            window_seconds=self.entropy_seconds,
        )
        floor = FLOOR * power.median().clamp_min(torch.finfo(torch.float32).tiny / FLOOR)
        entropy = differential_entropy(power.maximum(floor)).numpy()
        return entropy.reshape(len(part), count, -1, len(self.bands)).mean(axis=2).swapaxes(0, 1).astype(np.float32)
