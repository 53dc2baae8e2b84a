"""SEED-V: 16 people, 3 sessions of 15 film clips, five emotions (Liu et al. 2022, doi 10.1109/TCDS.2021.3071170)."""

import re
import warnings
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from datamodules.base import EEGDataModule
from datamodules.folders import files_of_recordings, is_simulated, only_file, source_folder
from datamodules.seedv_files import ARCHIVE, RECORDING, read_features, read_recordings
from datamodules.seedv_mirror import Mirror, SeedvMirror, folder_of, open_mirror
from datamodules.splits import ROLES, Roles, loso, numbers, split
from datamodules.store import Recipe
from datamodules.trials import Trials
from eeg.bands import SEEDV_BANDS
from eeg.batch import DataSpec
from eeg.montage import SEEDV_CHANNELS
from vaxis.emotions import load_taxonomy

TAXONOMY = load_taxonomy(Path(__file__).with_suffix(".yaml"))
SUBJECTS = tuple(str(i) for i in range(1, 17))
SESSIONS, CLIPS = 3, 15
FEATURE_SECONDS = 4  # the shipped differential entropy comes in windows of 4 s without overlap
SAMPLING_RATE = 200
FOLDERS = {"raw": "EEG_raw", "de": "EEG_DE_features"}
TIMESTAMPS = "trial_start_end_timestamp.txt"


class TrialTable(NamedTuple):
    """When each clip plays, in seconds from the start of the recording; (3, 15) each."""

    start: np.ndarray
    end: np.ndarray


# As printed in the data set's trial_start_end_timestamp.txt.
OFFICIAL = TrialTable(
    start=np.array(
        [
            [30, 132, 287, 555, 773, 982, 1271, 1628, 1730, 2025, 2227, 2435, 2667, 2932, 3204],
            [30, 299, 548, 646, 836, 1000, 1091, 1392, 1657, 1809, 1966, 2186, 2333, 2490, 2741],
            [30, 353, 478, 674, 825, 908, 1200, 1346, 1451, 1711, 2055, 2307, 2457, 2726, 2888],
        ]
    ),
    end=np.array(
        [
            [102, 228, 524, 742, 920, 1240, 1568, 1697, 1994, 2166, 2401, 2607, 2901, 3172, 3359],
            [267, 488, 614, 773, 967, 1059, 1331, 1622, 1777, 1908, 2153, 2302, 2428, 2709, 2817],
            [321, 418, 643, 764, 877, 1147, 1284, 1418, 1679, 1996, 2275, 2425, 2664, 2857, 3066],
        ]
    ),
)


@split(apart="stimulus", folds=3)
def trial_5_5_5(trials: Trials, fold: int) -> Roles:
    """Clips 0-4 / 5-9 / 10-14 of every session, the split of CBraMod (arXiv 2412.07236).

    Clips are disjoint, subjects are NOT: everyone is in all three sets. Folds 1 and 2 rotate the roles of the three
    blocks, so that the three folds are the data set's classic cross-validation.
    """
    block = (trials.trial // 5 - fold) % 3
    return {role: block == i for i, role in enumerate(ROLES)}


@split(apart="subject")
def subject_10_3_3(trials: Trials, fold: int) -> Roles:
    """Subjects 1-10 / 11-13 / 14-16; subject-disjoint and much harder than, not comparable to, trial_5_5_5."""
    number = numbers(trials)
    return {"train": number <= 10, "val": (number > 10) & (number <= 13), "test": number > 13}


class SEEDV(EEGDataModule):
    """SEED-V from its official folders: one-second pieces of raw EEG, or the shipped 4 s differential entropy."""

    taxonomy = TAXONOMY
    catalogue = SUBJECTS
    montage = tuple(SEEDV_CHANNELS)
    bands = SEEDV_BANDS
    splits = (trial_5_5_5, subject_10_3_3, loso)

    def __init__(
        self,
        *,
        root: str | None = None,
        features: Literal["raw", "de"] = "de",
        split: Literal["trial_5_5_5", "subject_10_3_3", "loso"] = "trial_5_5_5",
        window_seconds: int | None = None,
        notch: float | None = None,
        feature_layout: Literal["channel_major", "band_major"] = "channel_major",
        mirror: Mirror | None = None,
        exclude_recordings: tuple[str | int, ...] = (),
        **common: Any,
    ) -> None:
        """Check the arguments; files are touched later.

        Args:
            root: folder that holds EEG_raw (raw) or EEG_DE_features (de), or a copy of the mirror; left out with mirror
                hub, which huggingface_hub keeps in its cache.
            features: raw = EEG_raw/*.cnt in microvolt at 200 Hz, 0.3-75 Hz; de = EEG_DE_features/*.npz.
            split: trial_5_5_5 (clips 0-4, 5-9, 10-14 of each session; people are in all three sets), subject_10_3_3
                or loso.
            window_seconds: length of a raw piece, 1 by default; the rest of a clip is left out. Always 4 for de.
            notch: mains frequency to remove from raw signals, Hz; none by default, as in the published pipelines.
            feature_layout: how the 310 numbers of a window unfold: 62 channels of 5 bands, or 5 bands of 62 channels.
            mirror: hub = braindecode/seed-v of the Hugging Face Hub, fetched where it is not yet in the cache; by
                default whatever root is. It is not the official release, and every run says how it differs.
            exclude_recordings: leave these out and keep the person's others, by subject and session as in the names of
                the files, for example '[7_1]' where that file is broken or missing.
        """
        super().__init__(root=folder_of(root, mirror), features=features, split=split, **common)
        self.window_seconds = window_seconds or (1 if features == "raw" else FEATURE_SECONDS)
        if self.window_seconds < 1 or (features == "de" and self.window_seconds != FEATURE_SECONDS):
            raise ValueError(f"--data.window_seconds {window_seconds}: whole seconds for raw, {FEATURE_SECONDS} for de")
        self.notch, self.feature_layout, self.mirror = notch, feature_layout, mirror
        self.left_out = _recordings(exclude_recordings, subjects=self.subjects)

    @cached_property
    def opened(self) -> SeedvMirror | None:
        """The mirror that root is a copy of, opened; None for the official release."""
        mirror = open_mirror(
            Path(self.root),
            asked=self.mirror,
            subjects=self.subjects,
            features=self.features,
            seconds=self.window_seconds,
            table=OFFICIAL,
        )
        if mirror and (self.notch is not None or self.left_out):
            raise ValueError("--data.notch and --data.exclude_recordings are for the official files; leave them out")
        return mirror

    @property
    def differences(self) -> tuple[str, ...]:
        return self.opened.differences if self.opened else ()

    @property
    def spec(self) -> DataSpec:
        raw = self.features == "raw"
        if self.opened:
            return self.opened.cohort.described(self)
        return self.describe(
            shape=(len(self.montage), self.window_seconds * SAMPLING_RATE if raw else len(self.bands)),
            sampling_rate=SAMPLING_RATE if raw else 1 / self.window_seconds,
            window_seconds=self.window_seconds,
        )

    def recipe(self) -> Recipe:
        if self.opened:
            return self.opened.cohort.recipe(dataset=self.taxonomy.name, class_of=self.taxonomy.class_of)
        raw = self.features == "raw"
        if raw:
            sources = find_recordings(self.root, subjects=self.subjects, left_out=self.left_out)
        else:
            sources = find_features(self.root, subjects=self.subjects)
        table = trial_table(self.root)
        if raw:
            rows = (table.start, table.end)  # plain: a process that preprocesses need not import this file
            read = partial(
                read_recordings, table=rows, seconds=self.window_seconds, sampling_rate=SAMPLING_RATE, notch=self.notch
            )
        else:
            counts = tuple(window_counts(table, seconds=FEATURE_SECONDS).tolist())
            read = partial(
                read_features,
                counts=counts,
                class_of=self.taxonomy.class_of,
                layout=self.feature_layout,
                left_out=self.left_out,
            )
        return Recipe(
            dataset=self.taxonomy.name,
            trials=windows(table, seconds=self.window_seconds, subjects=self.subjects, left_out=self.left_out),
            shape=self.spec.shape,
            sources=sources,
            read=read,
            parameters={
                "features": self.features,
                "window_seconds": self.window_seconds,
                "table": np.array(table, dtype=float).tolist(),
                **({"notch": self.notch} if raw else {"layout": self.feature_layout}),
            },
        )


def trial_table(root: str | Path) -> TrialTable:
    """The data set's own trial table, checked; the official one where the file was not copied along.

    Raises:
        ValueError: the file is not three sessions of 15 starts and ends in order.
    """
    path = Path(root) / TIMESTAMPS
    if not path.is_file():
        return OFFICIAL
    text = path.read_text(encoding="utf-8", errors="replace")
    found = {
        key: [
            [float(n) for n in re.findall(r"[\d.]+", row)]
            for row in re.findall(rf"{key}_second\s*:\s*\[([^\]]*)\]", text)
        ]
        for key in ("start", "end")
    }
    if any([len(row) for row in rows] != [CLIPS] * SESSIONS for rows in found.values()):
        raise ValueError(
            f"{path}: expected 'start_second: [15 numbers]' and 'end_second: [...]' for each of 3 sessions"
        )
    table = TrialTable(np.array(found["start"]), np.array(found["end"]))
    if (table.end <= table.start).any() or (table.start[:, 1:] < table.end[:, :-1]).any():
        raise ValueError(f"{path}: clips must follow each other, each ending after its start")
    if not is_simulated(root) and not np.array_equal(table, OFFICIAL):
        warnings.warn(f"{path} differs from the published trial table; it is used as it stands", stacklevel=2)
    return table


def window_counts(table: TrialTable, *, seconds: int) -> np.ndarray:
    """Whole windows in each of the 45 clips."""
    return ((table.end - table.start) // seconds).astype(np.int64).ravel()


def windows(
    table: TrialTable,
    *,
    seconds: int,
    subjects: tuple[str, ...] = SUBJECTS,
    left_out: frozenset[str] = frozenset(),
) -> Trials:
    """The trial table of the windows: every whole window of every clip of every recording that is not left out."""
    counts = window_counts(table, seconds=seconds)
    clips = np.repeat(np.arange(len(counts)), counts)
    kept = [clips[~np.isin(clips // CLIPS, _sessions_of(subject, left_out))] for subject in subjects]
    return Trials.of_clips(kept, subjects=subjects, class_of=TAXONOMY.class_of, clips_per_session=CLIPS)


def _sessions_of(subject: str, recordings: frozenset[str]) -> list[int]:
    """Sessions of a person among recordings, from 0."""
    return [s for s in range(SESSIONS) if f"{subject}_{s + 1}" in recordings]


def _recordings(given: tuple[str | int, ...], *, subjects: tuple[str, ...]) -> frozenset[str]:
    """Recordings to leave out, checked.

    Raises:
        ValueError: there is no such recording, or none is left of a person.
    """
    # YAML reads 7_1 as the number 71; the session is its last digit.
    names = frozenset(f"{n // 10}_{n % 10}" if isinstance(n, int) else n for n in given)
    known = {f"{subject}_{session + 1}" for subject in SUBJECTS for session in range(SESSIONS)}
    if unknown := sorted(names - known):
        raise ValueError(f"--data.exclude_recordings: no recording {', '.join(unknown)}; they go from 1_1 to 16_3")
    if gone := [subject for subject in subjects if len(_sessions_of(subject, names)) == SESSIONS]:
        raise ValueError(f"--data.exclude_recordings leaves nothing of {', '.join(gone)}; use --data.exclude for them")
    return names


def find_recordings(
    root: str | Path, *, subjects: tuple[str, ...], left_out: frozenset[str] = frozenset()
) -> tuple[tuple[Path, ...], ...]:
    """The .cnt files of each subject, three unless some are left out, a ``_repaired`` one before the original.

    Raises:
        FileNotFoundError: names every recording that is missing.
        ValueError: two files of one recording.
    """
    folder = source_folder(root, FOLDERS["raw"], dataset="SEED-V", others=FOLDERS)
    files = files_of_recordings(folder, name=RECORDING, suffix=".cnt")
    wanted = [
        [name for session in range(1, SESSIONS + 1) if (name := f"{subject}_{session}") not in left_out]
        for subject in subjects
    ]
    if missing := [name for names in wanted for name in names if name not in files]:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(f'{name}_*.cnt' for name in missing)}; complete the download, leave them out "
            f"with --data.exclude_recordings '[{','.join(missing)}]' or whole people with --data.exclude"
        )
    return tuple(tuple(only_file(_repaired(files[name])) for name in names) for names in wanted)


def _repaired(paths: list[Path]) -> list[Path]:
    """Only the repaired copies of a recording, where there are any."""
    return [path for path in paths if "_repaired" in path.stem] or paths


def find_features(root: str | Path, *, subjects: tuple[str, ...]) -> tuple[tuple[Path, ...], ...]:
    """The feature file of each subject.

    Raises:
        FileNotFoundError: names every subject without one.
        ValueError: two files of one subject.
    """
    folder = source_folder(root, FOLDERS["de"], dataset="SEED-V", others=FOLDERS)
    files = files_of_recordings(folder, name=ARCHIVE, suffix=".npz")
    if missing := [f"{subject}_123.npz" for subject in subjects if subject not in files]:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}; complete the download or leave subjects out with --data.exclude"
        )
    return tuple((only_file(files[subject]),) for subject in subjects)
