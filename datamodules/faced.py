"""FACED: 123 people, 28 film clips, nine emotions (Chen et al. 2023, doi 10.1038/s41597-023-02650-w)."""

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.base import EEGDataModule
from datamodules.faced_files import BANDS, CLIP_SECONDS, CLIPS, SAMPLING_RATE, SHAPES, read_pieces, read_subject
from datamodules.faced_mirrors import ClipPart, FacedMirror, Mirror, folder_of, open_mirror
from datamodules.faced_ratings import Labels, felt, ratings, reported
from datamodules.folders import files_of_recordings, flag_without, only_file, source_folder
from datamodules.splits import SEEN, Roles, loso, numbers, rank_in_class, rotate, split
from datamodules.store import Recipe
from datamodules.trials import Trials
from eeg.bands import FACED_BANDS
from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS
from vaxis.emotions import load_taxonomy

__all__ = ["CLIPS", "CLIP_SECONDS", "FACED", "SAMPLING_RATE", "SHAPES", "SUBJECTS", "read_pieces", "read_subject"]

TAXONOMY = load_taxonomy(Path(__file__).with_suffix(".yaml"))
SUBJECTS = tuple(f"sub{i:03d}" for i in range(123))
FOLDERS = {"raw": "Processed_data", "de": "EEG_Features/DE", "psd": "EEG_Features/PSD"}


@split(apart="subject")
def subject_80_20_23(trials: Trials, fold: int) -> Roles:
    """People sub000-079 / 080-099 / 100-122, the split of CBraMod (arXiv 2412.07236) and arXiv 2606.00129.

    Subjects are disjoint, stimuli shared. Validation and test hold second-cohort recordings only.
    """
    number = numbers(trials)
    return {"train": number < 80, "val": (number >= 80) & (number < 100), "test": number >= 100}


@split(apart="subject", folds=10)
def official_10fold(trials: Trials, fold: int) -> Roles:
    """Ten contiguous blocks of twelve subjects, fifteen in the last (doi 10.1038/s41597-023-02650-w).

    The official script has no validation set and chooses its regularisation on the test block; here the next block
    validates, so that nothing is chosen on the test and each subject validates once.
    """
    return rotate(np.minimum(numbers(trials) // 12, 9), fold, 10)


@split(apart="subject", folds=3, new_clips=True)
def subject_clip_disjoint(trials: Trials, fold: int) -> Roles:
    """The people of subject_80_20_23, and clip ``fold`` of every emotion only in the test: new people, new clips.

    Two clips of an emotion train (of neutral, which has four, two or three). Splits by subject alone let a decoder
    recognise clips: on clips that were not seen, published scores keep a sixth of their height above chance (frozen
    REVE, 30 s windows: .717 seen, .205 new); Gerster 2026 (doi 10.64898/2026.06.12.731889) concludes likewise.
    """
    people = subject_80_20_23.roles(trials, 0)
    held_out = np.minimum(rank_in_class(trials), 2) == fold  # the fourth neutral clip goes with the third
    return {
        "train": people["train"] & ~held_out,
        "val": people["val"] & ~held_out,
        "test": people["test"] & held_out,
        SEEN: people["test"] & ~held_out,
    }


@split(apart="subject", folds=3)
def subject_one_clip(trials: Trials, fold: int) -> Roles:
    """The people of subject_80_20_23 and one clip an emotion: a third of the data, and the clip names the emotion.

    Where this scores higher than all clips together, the decoder recognises clips (Gerster 2026, doi
    10.64898/2026.06.12.731889: .449 against .394 with three times as much data).
    """
    kept = rank_in_class(trials) == fold
    return {role: mask & kept for role, mask in subject_80_20_23.roles(trials, 0).items()}


class FACED(EEGDataModule):
    """FACED from its official folders: pieces of the last 30 s of each clip, raw or as the shipped band features."""

    taxonomy = TAXONOMY
    catalogue = SUBJECTS
    montage = tuple(FACED_CHANNELS)
    bands = FACED_BANDS
    splits = (subject_80_20_23, official_10fold, loso, subject_clip_disjoint, subject_one_clip)

    def __init__(
        self,
        *,
        root: str | None = None,
        features: Literal["raw", "de", "psd"] = "de",
        split: Literal[
            "subject_80_20_23", "official_10fold", "loso", "subject_clip_disjoint", "subject_one_clip"
        ] = "subject_80_20_23",
        window_seconds: int = 10,
        sampling_rate: Literal[200, 250] = 200,
        channels: Literal["all", "scalp"] = "all",
        labels: Labels = "target",
        mirror: Mirror | None = None,
        clip_part: ClipPart = "last_30s",
        **common: Any,
    ) -> None:
        """Check the arguments; files are touched later.

        Args:
            root: folder that holds Processed_data (raw) or EEG_Features (de, psd), or a copy of a mirror; left out
                with mirror hub, which huggingface_hub keeps in its cache.
            features: raw = Processed_data in microvolt; de, psd = mean of the shipped one-second features over a piece.
            split: subject_80_20_23 (train sub000-079, validation 080-099, test 100-122; what CBraMod, EMOD and arXiv
                2606.00129 report), official_10fold (the data set's own article), loso, subject_clip_disjoint (those
                people, and clips that were not seen in training; 3 folds) or subject_one_clip (one clip an emotion).
            window_seconds: length of a piece, a divisor of 30.
            sampling_rate: of raw signals. 250 is as shipped; 200 resamples each 30 s clip in the Fourier domain, as the
                published CBraMod pipeline does (the signal ends at 47 Hz, so nothing is lost). The hub's windows keep
                their own rate.
            channels: all 32 rows, or the 30 on the scalp without the mastoids.
            labels: target = the emotion that the clip was chosen for, as every published score but Gerster's; felt and
                not_felt = those labels, only where the person did or did not report that emotion; self_report = the
                emotion that the person rated highest, neutral where all are low (docs/splits.md). All but target read
                Data/*/After_remarks.mat, or the events of a mirror.
            mirror: hub = braindecode/faced of the Hugging Face Hub, fetched where it is not yet in the cache; bids =
                NEMAR nm000112 in root. By default whatever root is. A mirror is not Processed_data, and every run says
                how it differs; band features are computed from its signals (docs/open_faced.md).
            clip_part: of a mirror's clips, which are whole: last_30s as in the release, or all.
        """
        super().__init__(root=folder_of(root, mirror), features=features, split=split, **common)
        if window_seconds < 1 or CLIP_SECONDS % window_seconds:
            raise ValueError(f"--data.window_seconds {window_seconds} must divide the {CLIP_SECONDS} s of a clip")
        self.window_seconds, self.sampling_rate = window_seconds, sampling_rate
        self.channels = self.montage if channels == "all" else self.montage[:30]
        self.labels, self.mirror, self.clip_part = labels, mirror, clip_part

    @cached_property
    def opened(self) -> FacedMirror | None:
        """The mirror that root is a copy of, opened; None for the official release."""
        return open_mirror(
            Path(self.root),
            asked=self.mirror,
            subjects=self.subjects,
            features=self.features,
            seconds=self.window_seconds,
            part=self.clip_part,
            scalp=len(self.channels) < len(self.montage),
            sampling_rate=self.sampling_rate,
        )

    @property
    def differences(self) -> tuple[str, ...]:
        return self.opened.differences if self.opened else ()

    @property
    def spec(self) -> DataSpec:
        raw = self.features == "raw"
        if self.opened:
            return self.opened.cohort.described(self)
        return self.describe(
            channels=self.channels,
            shape=(len(self.channels), self.window_seconds * self.sampling_rate if raw else BANDS),
            sampling_rate=self.sampling_rate if raw else 1 / self.window_seconds,
            window_seconds=self.window_seconds,
        )

    @cached_property
    def _ratings(self) -> np.ndarray:
        """(people, 28, 12) self-reports."""
        return (
            self.opened.ratings if self.opened else np.stack([ratings(self.root, subject) for subject in self.subjects])
        )

    def labelled(self, trials: Trials) -> tuple[Trials, np.ndarray]:
        everyone = np.ones(len(trials), dtype=bool)
        if self.labels == "target":
            return trials, everyone
        answer = np.stack([(reported if self.labels == "self_report" else felt)(own) for own in self._ratings])
        answer = answer[trials.subject, trials.stimulus]
        if self.labels == "self_report":
            return replace(trials, y=answer), everyone
        return trials, answer if self.labels == "felt" else ~answer

    def recipe(self) -> Recipe:
        if self.labels != "target":
            _ = self._ratings  # what is missing shows before hours of preprocessing
        if self.opened:
            return self.opened.cohort.recipe(dataset=self.taxonomy.name, class_of=self.taxonomy.class_of)
        parameters: dict[str, object] = {
            "features": self.features,
            "channels": self.channels,
            "window_seconds": self.window_seconds,
            "sampling_rate": self.sampling_rate if self.features == "raw" else None,
        }
        if self.features == "raw" and self.sampling_rate != SAMPLING_RATE:
            # Was float64 once: its stores hold other last digits and are made again.
            parameters["resampled_in"] = "float32"
        return Recipe(
            dataset=self.taxonomy.name,
            trials=windows(self.subjects, seconds=self.window_seconds),
            shape=self.spec.shape,
            sources=find_files(self.root, features=self.features, subjects=self.subjects),
            read=partial(
                read_pieces,
                features=self.features,
                channels=len(self.channels),
                seconds=self.window_seconds,
                sampling_rate=self.sampling_rate,
            ),
            parameters=parameters,
        )


def windows(subjects: tuple[str, ...], *, seconds: int) -> Trials:
    """The trial table: every piece of every clip of every subject, clips in catalogue order."""
    clips = np.repeat(np.arange(CLIPS), CLIP_SECONDS // seconds)
    return Trials.of_clips([clips] * len(subjects), subjects=subjects, class_of=TAXONOMY.class_of)


def find_files(root: str | Path, *, features: str, subjects: tuple[str, ...]) -> tuple[tuple[Path, ...], ...]:
    """The file of each subject; feature files end in .pkl.pkl as shipped, or .pkl where another loader renamed them.

    Raises:
        FileNotFoundError: names every subject without a file, as the flag that does without them.
        ValueError: two files of one subject.
    """
    folder = source_folder(root, FOLDERS[features], dataset="FACED", others=FOLDERS)
    files = files_of_recordings(folder, name=r"(?<![0-9A-Za-z])(sub\d{3})(?![0-9A-Za-z])", suffix=".pkl")
    missing = [subject for subject in subjects if subject not in files]
    if missing:
        ending = ".pkl" if features == "raw" else ".pkl.pkl"
        there = [subject for subject in subjects if subject in files]
        if not there:
            some = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
            raise FileNotFoundError(f"{folder} has no {ending} file of {some}; is the download in it, and complete?")
        raise FileNotFoundError(
            f"{folder} has no {ending} file of {len(missing)} of {len(subjects)} people; complete the download, or "
            f"train on the others: {flag_without(missing, there=there)}"
        )
    return tuple((only_file(files[subject]),) for subject in subjects)
