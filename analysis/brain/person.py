"""One person: band features of each clip, their course, and what electrodes and rhythms do together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eeg.bands import Bands
from eeg.montage import canonical

# Electrodes whose gamma arXiv 2606.00129 (section 2) finds to go together, mean r 0.675.
NETWORK = ("PO3", "F7", "O1", "P3", "Oz", "O2", "P4", "PO4")
STRETCHES = 10  # of a clip in its time course
FEWEST = 5  # windows of a clip that a correlation over them is made from
# Of the median power over electrodes and bands: a flat electrode has none, and its logarithm must be finite.
FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip as one person's brain answered it: (W, C, F) windows, and (C,) coupling where there are raw signals."""

    windows: np.ndarray
    coupling: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """What ``Cohort`` is stacked from, of one person; its fields are named alike.

    Attributes:
        windows: number of windows of each clip.
    """

    clips: np.ndarray
    course: np.ndarray | None
    links: np.ndarray | None
    network: np.ndarray | None
    coupling: np.ndarray | None
    windows: tuple[int, ...]


def band_windows(x: np.ndarray) -> Clip:
    """A clip from its (W, C, F) band features, in the order of time."""
    return Clip(windows=np.asarray(x, dtype=np.float64))


def whole_clip(x: np.ndarray, *, sampling_rate: float, bands: Bands) -> Clip:
    """A clip from its (W, C, T) pieces of raw signal, which follow each other without a gap.

    Filtered as a whole, then cut into windows of one second: differential entropy as FACED ships it.
    """
    import torch

    from eeg.differential_entropy import band_power, differential_entropy

    signal = torch.from_numpy(np.concatenate(list(np.asarray(x, dtype=np.float32)), axis=-1))
    power = band_power(signal, sampling_rate=sampling_rate, bands=bands, window_seconds=1.0)  # (C, W, F)
    floor = FLOOR * power.median().clamp_min(torch.finfo(power.dtype).tiny / FLOOR)
    entropy = differential_entropy(power.maximum(floor)).transpose(0, 1)
    both = {"theta", "gamma"} <= set(bands)
    coupling = phase_amplitude(signal.numpy(), sampling_rate=sampling_rate, bands=bands) if both else None
    return Clip(windows=entropy.double().numpy(), coupling=coupling)


def phase_amplitude(signal: np.ndarray, *, sampling_rate: float, bands: Bands) -> np.ndarray:
    """How the size of gamma goes with the phase of theta, (C,) in [0, 1].

    Length of the mean of amplitude times unit phase vector (Canolty 2006, doi 10.1126/science.1128115), divided by what
    the amplitudes allow (Ozkurt and Schnitzler 2011, doi 10.1016/j.jneumeth.2011.08.014), so that loud gamma is not
    taken for coupled gamma. It shrinks with the root of the length: compare clips of one length only.

    Args:
        signal: (C, T).
        sampling_rate: Hz.
        bands: with ``theta`` and ``gamma``.
    """
    theta, gamma = (_analytic(signal, band=bands[name], rate=sampling_rate) for name in ("theta", "gamma"))
    size = np.abs(gamma)
    phase = theta / np.maximum(np.abs(theta), 1e-30)
    norm = np.sqrt(signal.shape[-1] * (size**2).sum(axis=-1))
    return np.abs((size * phase).sum(axis=-1)) / np.maximum(norm, 1e-30)


def _analytic(signal: np.ndarray, *, band: tuple[float, float], rate: float) -> np.ndarray:
    """Band-passed signal without its negative frequencies: its size is the envelope, its angle the phase."""
    spectrum = np.fft.fft(signal, axis=-1)
    frequencies = np.fft.fftfreq(signal.shape[-1], d=1 / rate)
    return np.fft.ifft(2 * spectrum * ((frequencies >= band[0]) & (frequencies < band[1])), axis=-1)


def from_windows(clips: Sequence[Clip], *, channels: Sequence[str], bands: tuple[int, int] | None) -> Person:
    """Everything that is known of a person.

    Args:
        clips: S of them.
        channels: C electrode names.
        bands: positions of theta and gamma; None where the data set has others.
    """
    counts = tuple(len(clip.windows) for clip in clips)
    links = network = None
    if bands and min(counts) >= FEWEST:
        gamma = [clip.windows[:, :, bands[1]] for clip in clips]
        place = [i for i, name in enumerate(channels) if canonical(name) in {canonical(n) for n in NETWORK}]
        links = np.array([_mean_link(values[:, place]) for values in gamma]) if len(place) > 2 else None
        # Within clips: what differs between clips is the answer to them, not how electrodes go together.
        network = _links(np.concatenate([values - values.mean(axis=0) for values in gamma]))
    coupling = [clip.coupling for clip in clips if clip.coupling is not None]
    return Person(
        clips=np.stack([clip.windows.mean(axis=0) for clip in clips]),
        course=np.stack([_course(clip.windows) for clip in clips]) if min(counts) >= STRETCHES else None,
        links=links,
        network=network,
        coupling=np.stack(coupling) if len(coupling) == len(clips) else None,
        windows=counts,
    )


def _course(windows: np.ndarray) -> np.ndarray:
    """Means (B, C, F) over stretches of a clip that are as equal as its windows allow."""
    return np.stack([part.mean(axis=0) for part in np.array_split(windows, STRETCHES)])


def _links(values: np.ndarray) -> np.ndarray:
    """Pearson r (C, C) of electrodes over windows; 0 of an electrode that does not move."""
    centred = values - values.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(norms > 1e-12, norms, np.inf)
    return scaled.T @ scaled


def _mean_link(values: np.ndarray) -> float:
    return float(_links(values)[np.triu_indices(values.shape[1], k=1)].mean())
