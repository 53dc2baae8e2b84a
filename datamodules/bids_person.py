"""A person of a BIDS folder: sessions and runs, and which clip each event is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.bids_files import SUFFIXES
from datamodules.bids_recording import BidsRecording, Event, Processing, samples_of
from datamodules.cohort import IN_MICROVOLT, Person
from eeg.montage import canonical


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
