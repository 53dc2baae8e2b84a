"""Trials of the two data sets as their published protocols cut them, for tables and benchmarks that need no data."""

from typing import Literal

from eeg.batch import DataSpec, Features
from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS

Dataset = Literal["faced", "seedv"]

# Electrodes, seconds of a raw trial, seconds of a trial of band features, classes; all raw signals at 200 Hz.
_FACTS = {"faced": (FACED_CHANNELS, 10, 10, 9), "seedv": (SEEDV_CHANNELS, 1, 4, 5)}
RATE, BANDS = 200, 5


def trials_of(dataset: Dataset, *, features: Features = "raw") -> DataSpec:
    """What a network is built from; clips and people are left out, no network sizes itself by them.

    Args:
        dataset: FACED in pieces of 10 s, SEED-V in pieces of 1 s, its band features in windows of 4 s.
        features: raw signals at 200 Hz or band features.
    """
    channels, seconds, window, classes = _FACTS[dataset]
    raw = features == "raw"
    return DataSpec(
        dataset=dataset,
        features=features,
        channels=tuple(channels),
        shape=(len(channels), seconds * RATE if raw else BANDS),
        sampling_rate=RATE if raw else 1 / window,
        window_seconds=seconds if raw else window,
        classes=tuple(f"class {i}" for i in range(classes)),
        class_of=tuple(range(classes)),
        subjects=("subject",),
    )
