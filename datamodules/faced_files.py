"""Reading one subject's FACED file; imports little, since each process that preprocesses imports it anew."""

from pathlib import Path

import numpy as np

from datamodules import unpickling
from datamodules.plausibility import check_finite
from eeg.montage import FACED_CHANNELS

CLIPS = 28
CLIP_SECONDS = 30  # the last 30 s of each clip
SAMPLING_RATE = 250
BANDS = 5
SHAPES = {
    "raw": (CLIPS, len(FACED_CHANNELS), CLIP_SECONDS * SAMPLING_RATE),
    "de": (CLIPS, len(FACED_CHANNELS), CLIP_SECONDS, BANDS),
    "psd": (CLIPS, len(FACED_CHANNELS), CLIP_SECONDS, BANDS),
}


def read_subject(path: str | Path, *, features: str) -> np.ndarray:
    """One subject's array as shipped, checked: (28, 32, 7500) in microvolt or (28, 32, 30, 5).

    Raises:
        ValueError: not that shape, not finite, not numbers, or not a pickle of an array.
    """
    values = _opened(path, features=features)
    for number, clip in enumerate(values, start=1):
        _check(clip, path=path, number=number)
    return values


def read_pieces(
    files: tuple[Path, ...], *, features: str, channels: int, seconds: int, sampling_rate: int
) -> np.ndarray:
    """One subject's trials, (28 * 30 / seconds, channels, samples or 5), in the order of its clips."""
    pieces = CLIP_SECONDS // seconds
    if features != "raw":
        values = read_subject(files[0], features=features)[:, :channels]
        means = values.reshape(CLIPS, channels, pieces, seconds, BANDS).mean(axis=3)
        return means.swapaxes(1, 2).reshape(-1, channels, BANDS)
    values = _opened(files[0], features=features)
    trials = np.empty((CLIPS, pieces, channels, seconds * sampling_rate), dtype=np.float32)
    # Clip by clip: a megabyte stays in the processor's cache, and only the file itself is in memory in its float64.
    for clip, signal in enumerate(values):
        with np.errstate(over="ignore"):  # too large for float32 is infinite there, which the check names
            signal = signal.astype(np.float32)
        _check(signal, path=files[0], number=clip + 1)
        trials[clip] = _at(signal[:channels], sampling_rate).reshape(channels, pieces, -1).swapaxes(0, 1)
    return trials.reshape(CLIPS * pieces, channels, -1)


def _at(signal: np.ndarray, sampling_rate: int) -> np.ndarray:
    """A clip's signal (C, T) at another rate, in its own precision."""
    if sampling_rate == SAMPLING_RATE:
        return signal
    from scipy.signal import resample

    return resample(signal, CLIP_SECONDS * sampling_rate, axis=-1)


def _opened(path: str | Path, *, features: str) -> np.ndarray:
    values = unpickling.load(path)
    if isinstance(values, np.ndarray) and values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: expected real numbers, found an array of {values.dtype}; get the file again")
    if not isinstance(values, np.ndarray) or values.shape != SHAPES[features]:
        shape = getattr(values, "shape", type(values).__name__)
        raise ValueError(f"{path}: expected an array {SHAPES[features]} of FACED {features}, found {shape}")
    return values


def _check(clip: np.ndarray, *, path: str | Path, number: int) -> None:
    axes = {"clip": (str(number),), "channel": tuple(FACED_CHANNELS), "position": None}
    check_finite(clip[None], source=path, axes=axes)
