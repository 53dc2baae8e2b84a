"""One recording of a BIDS folder: its clips, and the signal of each, read and processed through MNE."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.bids_files import read_table
from datamodules.cohort import scale_to_microvolt

NOTHING = ("", "n/a")
GLANCE_SECONDS = 20
POINTER = 4096  # bytes: a file of git-annex that has not been fetched is one line, and no recording is as small


@dataclass(frozen=True, kw_only=True)
class Processing:
    """What happens to a recording before it is cut.

    Attributes:
        sampling_rate: of the result, Hz; by polyphase filtering.
        band_pass: edges in Hz; zero-phase FIR, on each clip with a margin on both sides. None leaves it out.
        notch: mains frequency to remove, Hz.
        average: subtract the mean over all electrodes.
    """

    sampling_rate: float
    band_pass: tuple[float, float] | None
    notch: float | None
    average: bool

    @property
    def margin(self) -> float:
        """Seconds of signal on either side of a clip that the filters see: half the length of the longest."""
        return 0.0 if self.band_pass is None else 1.65 / min(self.band_pass[0] or 2.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A clip in a recording.

    Attributes:
        onset: seconds from the start.
        duration: seconds.
        row: of the events file, for checks.
    """

    onset: float
    duration: float
    row: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class BidsRecording:
    """A signal file and the events beside it.

    Attributes:
        path: of the signal.
    """

    path: Path

    @property
    def events_file(self) -> Path:
        return self._beside("events")

    @property
    def channels_file(self) -> Path:
        return self._beside("channels")

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that the numbers follow from."""
        listed = (self.channels_file,) if self.channels_file.is_file() else ()
        return (self.path, self.events_file, *listed)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.stem.removesuffix('_eeg')}_{suffix}.tsv")

    @cached_property
    def raw(self) -> Any:
        """Opened by MNE, its signal on disk.

        Raises:
            ValueError: unreadable, or the pointer of a file that was not fetched.
        """
        import mne

        if self.path.stat().st_size < POINTER and b"annex/objects" in self.path.read_bytes():
            raise ValueError(f"{self.path} is a git-annex pointer and not yet the file; run: git annex get {self.path}")
        try:
            return mne.io.read_raw(self.path, preload=False, verbose="ERROR")
        except Exception as error:  # each format has its own kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{self.path}: MNE cannot read it ({reason}); copy it again or leave it out") from error

    @property
    def sampling_rate(self) -> float:
        return float(self.raw.info["sfreq"])

    @property
    def channels(self) -> tuple[str, ...]:
        """Electrodes: what MNE or the channels file calls EEG."""
        types = dict(zip(self.raw.ch_names, self.raw.get_channel_types()))
        if self.channels_file.is_file():
            types |= {row.get("name", ""): row.get("type", "").lower() for row in read_table(self.channels_file)}
        return tuple(name for name in self.raw.ch_names if types[name] == "eeg")

    @cached_property
    def scale(self) -> float:
        """To microvolt: MNE takes units that it does not know for volts, and then numbers are a million too large."""
        half = self.raw.n_times // 2
        length = min(half, round(GLANCE_SECONDS / 2 * self.sampling_rate))
        return scale_to_microvolt(self.raw.get_data(picks=list(self.channels), start=half - length, stop=half + length))

    def events(self, column: str, *, duration: float | None) -> list[Event]:
        """Rows whose ``column`` names a clip, in the order of their onset.

        Args:
            column: of the events file.
            duration: of every clip, where the file does not say.

        Raises:
            ValueError: no such file or column, or a row without a time; names file, row and column.
        """
        rows, found = read_table(self.events_file), []
        if rows and column not in rows[0]:
            raise ValueError(
                f"{self.events_file} has no column {column}; set --data.events_column to one of {', '.join(rows[0])}"
            )
        for number, row in enumerate(rows, start=2):  # as an editor counts lines, the header being the first
            if row[column] not in NOTHING:
                onset, length = (self._seconds(row, name, number) for name in ("onset", "duration"))
                length = duration or length
                if not length or length < 0:
                    raise ValueError(
                        f"{self.events_file}, line {number}: duration is {row.get('duration')!r}; write the seconds of "
                        "the clip there, or give --data.duration for all"
                    )
                found.append(Event(onset=onset or 0.0, duration=length, row=row))
        found.sort(key=lambda event: event.onset)
        if found and (late := max(found, key=lambda e: e.onset + e.duration)):
            end, length = late.onset + late.duration, self.raw.n_times / self.sampling_rate
            if late.onset < 0 or round(end * self.sampling_rate) > self.raw.n_times:
                raise ValueError(
                    f"{self.events_file}: the clip at {late.onset:g} s ends at {end:g} s, but {self.path.name} is "
                    f"{length:g} s long; correct onset and duration, or copy the recording again"
                )
        return found

    def _seconds(self, row: dict[str, str], name: str, number: int) -> float | None:
        text = row.get(name, "n/a")
        try:
            value = None if text in NOTHING and name == "duration" else float(text)
        except ValueError:
            value = float("nan")
        if value is not None and not np.isfinite(value):
            raise ValueError(f"{self.events_file}, line {number}: {name} is {text!r}, not a number of seconds")
        return value

    def signal(self, event: Event, *, channels: Sequence[str], processing: Processing) -> np.ndarray:
        """(C, samples) of a clip, processed, in microvolt; it ends with the sample before the event's end.

        Args:
            event: of this recording.
            channels: names as in the file, in the order wanted.
            processing: see there.
        """
        import mne
        from scipy.signal import resample_poly

        rate = self.sampling_rate
        ratio = Fraction(processing.sampling_rate / rate).limit_denominator(10_000)
        start, end = (round(t * rate) for t in (event.onset, event.onset + event.duration))
        margin = round(processing.margin * rate)
        # From the first sample that lies whole output samples before the end, so that resampling keeps the end's place.
        steps = (end - max(0, start - margin)) // ratio.denominator
        first = end - steps * ratio.denominator
        last = min(self.raw.n_times, end + margin)
        rows = [self.raw.ch_names.index(name) for name in channels]
        values = self.scale * self.raw.get_data(picks=rows, start=first, stop=last)
        if ratio != 1:
            # Slow drift is a thousand times the EEG: beyond the ends it goes on, and images of it must be 100 dB down
            # (the default window of 50 dB leaves microvolts of them at 50 Hz when 250 Hz become 200).
            options = {"window": ("kaiser", 10.0), "padtype": "line"}
            values = resample_poly(values, ratio.numerator, ratio.denominator, axis=1, **options)
        if processing.notch is not None:
            values = mne.filter.notch_filter(values, processing.sampling_rate, processing.notch, verbose="ERROR")
        if processing.band_pass is not None:
            low, high = processing.band_pass
            top = high if high < processing.sampling_rate / 2 else None  # resampling ends the band below that already
            values = mne.filter.filter_data(values, processing.sampling_rate, low or None, top, verbose="ERROR")
        if processing.average:
            values = values - values.mean(axis=0)
        stop = steps * ratio.numerator
        return values[:, stop - samples_of(event, rate=rate, sampling_rate=processing.sampling_rate) : stop]


def samples_of(event: Event, *, rate: float, sampling_rate: float) -> int:
    """Length of a clip after resampling.

    Args:
        event: the clip.
        rate: of the recording, Hz.
        sampling_rate: of the result, Hz.
    """
    start, end = (round(t * rate) for t in (event.onset, event.onset + event.duration))
    ratio = Fraction(sampling_rate / rate).limit_denominator(10_000)
    return (end - start) * ratio.numerator // ratio.denominator
