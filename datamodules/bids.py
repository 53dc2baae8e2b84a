"""EEG of your own in BIDS: a folder, a file of emotions, and the column of the events that names the clip."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from datamodules.base import EEGDataModule
from datamodules.bids_files import signal_files
from datamodules.bids_person import Clips, open_person
from datamodules.bids_recording import BidsRecording, Processing
from datamodules.cohort import Cohort
from datamodules.cutting import Cut
from datamodules.splits import Roles, loso, rank_in_class, rotate, split
from datamodules.store import Recipe
from datamodules.trials import Trials
from eeg.bands import FACED_BANDS
from eeg.batch import DataSpec
from vaxis.emotions import Taxonomy, load_taxonomy, read_yaml


@split(apart="subject", folds=5)
def subject_5fold(trials: Trials, fold: int) -> Roles:
    """Every fifth person tests, the next ones validate, the others train."""
    return rotate(trials.subject % 5, fold, 5)


@split(apart="stimulus", folds=3)
def clip_3fold(trials: Trials, fold: int) -> Roles:
    """Every third clip of an emotion tests, the next ones validate: the same people, new clips."""
    return rotate(rank_in_class(trials) % 3, fold, 3)


class BIDS(EEGDataModule):
    """Any EEG data set in BIDS whose events say which clip was shown, with a file of its emotions."""

    montage = ()  # those of the files
    bands = FACED_BANDS
    splits = (subject_5fold, loso, clip_3fold)

    def __init__(
        self,
        *,
        root: str,
        taxonomy: str,
        events_column: str = "trial_type",
        features: Literal["raw", "de"] = "de",
        split: Literal["subject_5fold", "loso", "clip_3fold"] = "subject_5fold",
        window_seconds: int = 10,
        last_seconds: int | None = None,
        duration: float | None = None,
        sampling_rate: int = 200,
        band_pass: tuple[float, float] | None = (0.5, 47.0),
        notch: float | None = None,
        reference: Literal["average", "none"] = "average",
        channels: tuple[str, ...] | None = None,
        task: str | None = None,
        **common: Any,
    ) -> None:
        """Check the arguments and list the people; signals are touched later.

        Args:
            root: folder that holds sub-*/[ses-*/]eeg/*_eeg.bdf (or .edf, .vhdr, .set, .fif) and *_events.tsv.
            taxonomy: YAML file of the emotions and clips (docs/extending/data.md); its entry 'events' lists what
                events_column holds for each clip. Without it the column must hold names of classes of one clip each.
            events_column: column of the events files that names the clip; n/a where a row is none.
            features: raw = signals in microvolt; de = differential entropy, mean over seconds of a piece.
            split: subject_5fold (new people), loso, or clip_3fold (the same people, new clips).
            window_seconds: length of a piece of a clip; what is left over is dropped.
            last_seconds: use only the end of each clip; by default all of it.
            duration: seconds of every clip, where the events files do not say.
            sampling_rate: to which signals are resampled, Hz.
            band_pass: edges of a zero-phase FIR filter, Hz; null leaves it out.
            notch: mains frequency to remove, Hz; none by default.
            reference: average = the mean over all electrodes is subtracted.
            channels: electrodes to use, as the files name them; by default all that everyone has.
            task: use only recordings of this task.
        """
        self.taxonomy = load_taxonomy(taxonomy)
        self.files = {
            f"sub-{label}": paths for label, paths in signal_files(Path(root).expanduser(), task=task).items()
        }
        self.catalogue = tuple(self.files)
        super().__init__(root=root, features=features, split=split, **common)
        self.cut = Cut(seconds=window_seconds, last=last_seconds, features=features, bands=self.bands)
        top = max(high for _, high in self.bands.values())
        if window_seconds < 1 or (last_seconds is not None and last_seconds < window_seconds):
            raise ValueError(f"--data.window_seconds {window_seconds}: at least 1, and at most --data.last_seconds")
        if features == "de" and sampling_rate < 2 * top:
            raise ValueError(f"--data.sampling_rate {sampling_rate}: bands up to {top} Hz need {2 * top} or more")
        self.processing = Processing(
            sampling_rate=sampling_rate, band_pass=band_pass, notch=notch, average=reference == "average"
        )
        self.clips = Clips(column=events_column, values=clip_names(self.taxonomy), duration=duration)
        self.channels = channels

    @cached_property
    def opened(self) -> Cohort:
        """People, electrodes and clips as the files have them."""
        own = {subject: self.files[subject] for subject in self.subjects}
        channels = self.channels or common_channels([path for paths in own.values() for path in paths])
        reopen = partial(open_person, name="", clips=self.clips, processing=self.processing, channels=channels)
        people = tuple(reopen(files, name=subject) for subject, files in own.items())
        parameters = {**vars(self.processing), "column": self.clips.column, "events": self.clips.values}
        parameters["duration"] = self.clips.duration
        return Cohort(people=people, channels=channels, cut=self.cut, reopen=reopen, parameters=parameters)

    @property
    def differences(self) -> tuple[str, ...]:
        return (*self.opened.absent(self.taxonomy), *self.opened.notes)

    @property
    def spec(self) -> DataSpec:
        return self.opened.described(self)

    def recipe(self) -> Recipe:
        return self.opened.recipe(dataset=self.taxonomy.name, class_of=self.taxonomy.class_of)


def clip_names(taxonomy: Taxonomy) -> tuple[str, ...]:
    """What an events file calls each clip: the taxonomy's ``events``, or the class where each has one clip.

    Raises:
        ValueError: neither; says what to write into the file.
    """
    assert taxonomy.file is not None  # it was read from one
    listed = read_yaml(taxonomy.file, "taxonomy").get("events")
    if listed is None and sorted(taxonomy.class_of) == list(range(len(taxonomy.classes))):
        return tuple(taxonomy.classes[k] for k in taxonomy.class_of)
    names = tuple(str(name) for name in listed) if isinstance(listed, list) else ()
    if len(names) != len(taxonomy.class_of) or len(set(names)) < len(names):
        raise ValueError(
            f"{taxonomy.file}: 'events' must list what the events column holds for each of the "
            f"{len(taxonomy.class_of)} clips of 'class_of', in their order and each once; found "
            f"{len(names) or type(listed).__name__}"
        )
    return names


def common_channels(paths: list[Path]) -> tuple[str, ...]:
    """Electrodes that all recordings have, in the order of the first.

    Raises:
        ValueError: there are none; names two files.
    """
    first = BidsRecording(path=paths[0]).channels
    for path in paths[1:]:
        have = set(BidsRecording(path=path).channels)
        if not have & set(first):
            raise ValueError(f"{path} and {paths[0]} have no electrode in common; leave one out with --data.exclude")
        first = tuple(name for name in first if name in have)
    if not first:
        raise ValueError(f"{paths[0]} has no channel of type EEG; correct the type column of its *_channels.tsv")
    return first
