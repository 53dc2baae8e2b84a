"""Band power and differential entropy of EEG, differentiable, on whatever device the signal is."""

import math

import numpy as np
import torch
from torch import Tensor

from eeg.bands import Bands


def band_pass(x: Tensor, *, band: tuple[float, float], sampling_rate: float) -> Tensor:
    """Keep the frequencies low <= f < high by masking the Fourier transform of the whole signal.

    A mask and not an FIR filter: the edges are exact, so power in white noise has a closed form, nothing is delayed and
    gradients pass. The price is that the signal is taken as periodic; pass whole clips, not single windows.

    Args:
        x: (..., T) signal.
        band: low and high edge, Hz.
        sampling_rate: Hz.

    Raises:
        ValueError: the band holds no frequency of a signal that short, or reaches above half the sampling rate.
    """
    inside = _inside(x, band=band, sampling_rate=sampling_rate)
    return torch.fft.irfft(torch.fft.rfft(x) * inside, n=x.shape[-1])


def _inside(x: Tensor, *, band: tuple[float, float], sampling_rate: float) -> Tensor:
    """Which frequencies of the transform of a signal lie in a band; see ``band_pass``."""
    low, high = band
    if not 0 <= low < high <= sampling_rate / 2:
        raise ValueError(f"band {low}-{high} Hz must lie within 0-{sampling_rate / 2} Hz, half the sampling rate")
    samples = x.shape[-1]
    # On the processor first: to ask a tensor on a GPU for its truth would hold up every step of a loss that reads this.
    known = np.fft.rfftfreq(samples, d=1 / sampling_rate)
    if not ((known >= low) & (known < high)).any():
        raise ValueError(f"{samples} samples at {sampling_rate} Hz resolve no frequency in {low}-{high} Hz")
    frequencies = torch.fft.rfftfreq(samples, d=1 / sampling_rate, device=x.device, dtype=torch.float64)
    inside = (frequencies >= low) & (frequencies < high)
    return inside


def band_power(x: Tensor, *, sampling_rate: float, bands: Bands, window_seconds: float | None = None) -> Tensor:
    """Variance of the band-passed signal in each window and band, in the unit of ``x`` squared.

    Args:
        x: (..., T) signal, band-passed as a whole before it is cut.
        sampling_rate: Hz.
        bands: F named bands.
        window_seconds: length of the non-overlapping windows (a rest at the end is left out); None = one for all of T.

    Returns:
        (..., N, F) with a window length, (..., F) without.
    """
    length = x.shape[-1] if window_seconds is None else round(window_seconds * sampling_rate)
    count = x.shape[-1] // length
    if count == 0:
        raise ValueError(f"{x.shape[-1]} samples are shorter than one window of {window_seconds} s")
    spectrum, powers = torch.fft.rfft(x), []  # one transform for all bands; the values are those of ``band_pass``
    for band in bands.values():
        inside = _inside(x, band=band, sampling_rate=sampling_rate)
        passed = torch.fft.irfft(spectrum * inside, n=x.shape[-1])[..., : count * length]
        powers.append(passed.unflatten(-1, (count, length)).var(dim=-1, correction=0))
    power = torch.stack(powers, dim=-1)
    return power.squeeze(-2) if window_seconds is None else power


def differential_entropy(power: Tensor) -> Tensor:
    """Entropy of a Gaussian band signal in nats: half the log of 2 pi e times its variance; -inf without power.

    Source: arXiv 2606.00129 and the feature script of FACED, doi 10.1038/s41597-023-02650-w.
    """
    return 0.5 * torch.log(2 * math.pi * math.e * power)


def log_power_asymmetry(right: Tensor, left: Tensor) -> Tensor:
    """ln P_right - ln P_left from two differential entropies: exactly twice their difference, in nats."""
    return 2 * (right - left)
