"""Recordings and events of a BIDS folder (bids-specification.readthedocs.io), read through MNE clip by clip."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.cohort import IN_MICROVOLT, Person, scale_to_microvolt
from eeg.montage import canonical

SUFFIXES = (".bdf", ".edf", ".vhdr", ".set", ".fif", ".cnt")
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


@dataclass(frozen=True, kw_only=True)
class BidsPerson(Person):
    """A person of a BIDS folder.

    Attributes:
        recordings: sessions and runs, in their order.
        events: the clips of each of them.
        picks: names in the files of the electrodes in ``channels``.
        processing: see there.
    """

    recordings: tuple[BidsRecording, ...]
    events: tuple[tuple[Event, ...], ...]
    picks: tuple[tuple[str, ...], ...]
    processing: Processing

    def signals(self) -> Iterator[np.ndarray]:
        for recording, events, picks in zip(self.recordings, self.events, self.picks):
            for event in events:
                yield recording.signal(event, channels=picks, processing=self.processing)


@dataclass(frozen=True, kw_only=True)
class Clips:
    """How a row of an events file names a clip.

    Attributes:
        column: of the events file.
        values: what it holds, in the order of clip ids.
        spelling: our name of an electrode that the files call otherwise.
        duration: seconds of every clip, where files do not say.
    """

    column: str
    values: tuple[str, ...]
    spelling: tuple[tuple[str, str], ...] = ()
    duration: float | None = None

    def number(self, event: Event, *, file: Path) -> int:
        """The clip id of an event.

        Raises:
            ValueError: a value that no clip has; names the nearest ones.
        """
        text = event.row[self.column].strip()
        if text not in self.values:
            some = ", ".join(self.values[:6]) + (" ..." if len(self.values) > 6 else "")
            raise ValueError(
                f"{file}: {self.column} is {text!r} at {event.onset:g} s, which is no clip of the taxonomy ({some}); "
                "list it there under 'events', or write n/a"
            )
        return self.values.index(text)

    def name(self, channel: str) -> str:
        """Our name of an electrode."""
        return dict(self.spelling).get(canonical(channel), channel)


def open_person(
    files: tuple[Path, ...], *, name: str, clips: Clips, processing: Processing, channels: tuple[str, ...] | None = None
) -> BidsPerson:
    """A person from signal files; nothing but headers, events and a glance at the signal is read.

    Args:
        files: sources of the person; signals among them in the order of sessions and runs.
        name: as the data module calls the person; of files alone (in another process) it does not matter.
        clips: which rows of the events are clips.
        processing: see there.
        channels: wanted electrodes, in their order and our names; by default those that all recordings have.

    Raises:
        ValueError: files do not agree with each other; names what to do.
    """
    recordings = tuple(BidsRecording(path=path) for path in files if path.suffix in SUFFIXES)
    found = [{clips.name(channel): channel for channel in recording.channels} for recording in recordings]
    wanted = channels or tuple(name for name in found[0] if all(name in names for names in found))
    for recording, names in zip(recordings, found):
        if missing := [channel for channel in wanted if channel not in names]:
            raise ValueError(
                f"{recording.path} has no electrode {', '.join(missing)}; leave it out of --data.channels, or the "
                "subject with --data.exclude"
            )
    events = tuple(tuple(r.events(clips.column, duration=clips.duration)) for r in recordings)
    rows = [
        (
            clips.number(event, file=recording.events_file),
            session,
            samples_of(event, rate=recording.sampling_rate, sampling_rate=processing.sampling_rate),
        )
        for session, (recording, own) in enumerate(zip(recordings, events))
        for event in own
    ]
    if not rows:
        raise ValueError(f"{recordings[0].events_file}: no row has a {clips.column}; leave the subject out")
    clip, session, samples = np.array(rows, dtype=np.int64).T
    return BidsPerson(
        name=name,
        sources=tuple(file for recording in recordings for file in recording.files),
        channels=wanted,
        sampling_rate=processing.sampling_rate,
        clip=clip,
        session=session,
        samples=samples,
        notes=(IN_MICROVOLT,) if any(recording.scale == 1 for recording in recordings) else (),
        recordings=recordings,
        events=events,
        picks=tuple(tuple(names[channel] for channel in wanted) for names in found),
        processing=processing,
    )


def signal_files(root: Path, *, task: str | None = None) -> dict[str, tuple[Path, ...]]:
    """Signals of each person, sessions and runs in their order; persons by the label behind ``sub-``.

    Args:
        root: top of the BIDS folder.
        task: only recordings of it.

    Raises:
        FileNotFoundError: no such folder, or none of its files are EEG that MNE reads.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"--data.root {root} does not exist; give the BIDS folder that holds sub-*")
    found: dict[str, list[Path]] = {}
    paths = [*root.glob("sub-*/eeg/*_eeg.*"), *root.glob("sub-*/ses-*/eeg/*_eeg.*")]
    for path in sorted((path for path in paths if path.suffix in SUFFIXES), key=_natural):
        entities = dict(re.findall(r"(sub|task)-([^_]+)", path.stem))
        if task in (None, entities.get("task")):
            found.setdefault(entities["sub"], []).append(path)
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise FileNotFoundError(
            f"{root} has no sub-*/[ses-*/]eeg/*{f'_task-{task}' if task else ''}_eeg with {kinds}; is it the top of a "
            "BIDS data set?"
        )
    return {name: tuple(files) for name, files in found.items()}


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file, with or without a byte-order mark; quotes and backslashes stand for themselves.

    Raises:
        ValueError: missing, not text, or a row of another length than the header; names file and line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a table ({error}); copy it again") from error
    if not lines:
        raise ValueError(f"{path} is empty; copy it again")
    header, *rows = lines
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            raise ValueError(f"{path}, line {number}: {len(row)} fields under a header of {len(header)}; mend the tabs")
    return [dict(zip(header, row)) for row in rows if row]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Session 2 before session 10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", str(path))]
