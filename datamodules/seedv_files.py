"""Reading one subject's SEED-V files: Neuroscan recordings and differential-entropy archives."""

import re
import warnings
from pathlib import Path

import numpy as np

from datamodules import unpickling
from datamodules.neuroscan import RATE, open_recording
from datamodules.plausibility import check_finite
from eeg.montage import SEEDV_CHANNELS
from records.reading import said

CLIPS = 15
BAND_PASS = (0.3, 75.0)
# Subject and session, or subject, in the name of a file, whatever a browser or a copying tool put around it.
RECORDING = r"(?<![0-9A-Za-z_])(\d{1,2}_[1-3])_"
ARCHIVE = r"(?<![0-9A-Za-z_])(\d{1,2})_123(?![0-9])"


def read_recordings(
    files: tuple[Path, ...],
    *,
    table: tuple[np.ndarray, np.ndarray],
    seconds: int,
    sampling_rate: int,
    notch: float | None,
) -> np.ndarray:
    """All windows of a subject's sessions, (n, 62, samples) float32 in microvolt.

    Args:
        files: the recordings, whose names say of which session each is.
        table: start and end of the clips, (3, 15) seconds each.
        seconds: length of a window.
        sampling_rate: of the result, Hz.
        notch: mains frequency to remove, Hz.
    """
    pieces = []
    for path in files:
        named = re.search(RECORDING, path.name)
        if not named:
            raise ValueError(f"{path}: its name says neither subject nor session; name it as the data set does")
        starts, ends = (times[int(named[1][-1]) - 1] for times in table)
        signal = read_recording(path, sampling_rate=sampling_rate, notch=notch, needed_seconds=float(ends.max()))
        for clip, (start, end) in enumerate(zip(starts, ends), start=1):
            count, first = int((end - start) // seconds), round(start * sampling_rate)
            part = signal[:, first : first + count * seconds * sampling_rate]
            check_finite(part, source=f"{path}, clip {clip}", axes={"channel": tuple(SEEDV_CHANNELS), "sample": None})
            pieces.append(part.reshape(len(part), count, -1).swapaxes(0, 1))
    return np.concatenate(pieces)


def read_recording(path: Path, *, sampling_rate: int, notch: float | None, needed_seconds: float) -> np.ndarray:
    """A whole recording, (62, T) float32 in microvolt, channels in the standard SEED order.

    The order of CBraMod: drop mastoids and eye channels, resample the whole recording (polyphase, with its anti-alias
    filter), then a zero-phase FIR band-pass of 0.3-75 Hz on the whole recording; no re-referencing. That band contains
    the 50 Hz mains unless ``notch`` removes it, and filtering before the split is a mild leak between clips.

    Raises:
        ValueError: unreadable, an electrode is missing, or the recording ends before its last clip.
    """
    import mne

    recording = open_recording(path)
    if recording.seconds < needed_seconds:
        raise ValueError(
            f"{path}: not a whole recording: it ends at {recording.seconds:.0f} s and its last clip at "
            f"{needed_seconds:.0f} s; copy it again or use --data.exclude"
        )
    in_file = {name.upper(): name for name in recording.channels}
    missing = [name for name in SEEDV_CHANNELS if name not in in_file]
    if missing:
        raise ValueError(f"{path}: no channel {', '.join(missing)}; it has {', '.join(recording.channels)}")
    signal = recording.read(tuple(in_file[name] for name in SEEDV_CHANNELS))
    raw = mne.io.RawArray(signal, mne.create_info(list(SEEDV_CHANNELS), RATE, "eeg"), verbose="ERROR")
    if raw.info["sfreq"] != sampling_rate:
        raw.resample(sampling_rate, method="polyphase", verbose="ERROR")
    if notch is not None:
        raw.notch_filter(notch, picks="all", verbose="ERROR")
    raw.filter(*BAND_PASS, picks="all", verbose="ERROR")
    return (1e6 * raw.get_data()).astype(np.float32)


def read_features(
    files: tuple[Path, ...],
    *,
    counts: tuple[int, ...],
    class_of: tuple[int, ...],
    layout: str,
    left_out: frozenset[str] = frozenset(),
) -> np.ndarray:
    """All windows of a subject's feature archive, (n, 62, 5) in nats, clips in catalogue order.

    Args:
        files: the archive, alone.
        counts: windows that each of the 45 clips must have.
        class_of: class that each clip must be labelled with.
        layout: ``channel_major`` or ``band_major``.
        left_out: recordings to skip, as ``7_1``.

    Raises:
        ValueError: damaged archive, or a clip of another length or label than the trial table says.
    """
    (path,) = files
    entries = {name: _entry(path, name) for name in ("data", "label")}
    match, clips = re.search(ARCHIVE, path.name), []
    subject = match[1] if match else path.stem
    for key, (count, label) in enumerate(zip(counts, class_of)):
        if (recording := f"{subject}_{key // CLIPS + 1}") in left_out:
            continue
        if any(key not in found for found in entries.values()):
            raise ValueError(
                f"{path}: data and label must have clips 0 to 44, and there is no {key}; get it again, or leave the "
                f"session out with --data.exclude_recordings '[{recording}]'"
            )
        values, classes = (_numbers(found[key], source=f"{path}: {what}[{key}]") for what, found in entries.items())
        if values.shape != (count, len(SEEDV_CHANNELS) * 5):
            raise ValueError(f"{path}: data[{key}] must be {(count, 310)} after the trial table, found {values.shape}")
        if classes.shape != (count,) or (classes != label).any():
            raise ValueError(f"{path}: label[{key}] must be {count} times class {label}")
        check_finite(values, source=path, axes={"clip " + str(key) + ", window": None, "feature": None})
        clips.append(values)
    values = np.concatenate(clips)
    _warn_of_other_layout(values, path=path, layout=layout)
    if layout == "band_major":
        return values.reshape(-1, 5, len(SEEDV_CHANNELS)).swapaxes(1, 2)
    return values.reshape(-1, len(SEEDV_CHANNELS), 5)


def _numbers(value: object, *, source: str) -> np.ndarray:
    """An array of real numbers.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"{source} must be an array of numbers, found {found}; get the file again")
    return value


def _entry(path: Path, name: str) -> dict:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = archive[name].item()
    except Exception as error:  # a damaged archive can fail in any way at all
        raise ValueError(f"{path}: no readable entry '{name}' ({said(error)}); copy or download it again") from error
    value = unpickling.loads(data, source=f"{path}[{name}]") if isinstance(data, bytes) else None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: entry '{name}' must be a pickled dict keyed 0..44")
    return value


def _warn_of_other_layout(values: np.ndarray, *, path: Path, layout: str) -> None:
    """Entropy falls from delta to gamma along the band axis; the documents do not say which axis that is."""
    mean = values.mean(axis=0)
    falls = {
        "channel_major": np.ptp(mean.reshape(-1, 5).mean(axis=0)),
        "band_major": np.ptp(mean.reshape(5, -1).mean(axis=1)),
    }
    other = next(name for name in falls if name != layout)
    if falls[other] > falls[layout]:
        warnings.warn(f"{path}: bands seem to vary along the {other} axis; see --data.feature_layout", stacklevel=2)
