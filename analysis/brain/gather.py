"""A cohort for the brain maps from a data module: every file through the reader that training uses."""

from pathlib import Path
from typing import Any

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.person import Clip, Person, band_windows, from_windows, whole_clip
from datamodules.base import EEGDataModule
from datamodules.store import Store, build
from eeg.bands import PAPER_BANDS, Bands
from eeg.batch import DataSpec

RATED = "Data"  # folder of the self-reports


def gather(data: EEGDataModule) -> Cohort:
    """Read a cohort through its data module.

    Raises:
        ValueError: no person has every clip.
    """
    data.prepare_data()
    store, spec, bands = build(data.recipe(), cache=data.cache, workers=data.workers), data.spec, _bands(data)
    clips = len(spec.class_of)
    complete = [p for p in range(len(spec.subjects)) if len(set(store.trials.stimulus[store.trials.rows(p)])) == clips]
    if not complete:
        raise ValueError(f"no one of the {len(spec.subjects)} people has all {clips} clips; see --data.subjects")
    people = [_person(store, p, spec=spec, bands=bands) for p in complete]
    course = _mean([person.course for person in people])
    ratings, rated = _ratings(data, [spec.subjects[p] for p in complete])
    lengths = {count for person in people for count in person.windows}
    return Cohort(
        dataset=spec.dataset,
        features="differential entropy of raw signals" if spec.features == "raw" else f"shipped {spec.features}",
        channels=spec.channels,
        bands=bands,
        class_of=np.asarray(spec.class_of),
        classes=spec.classes,
        valence=np.asarray(data.taxonomy.valence),
        x=np.stack([person.clips for person in people]),
        session=_sessions(store, complete[0], clips=clips),
        course=course,
        links=_stack([person.links for person in people]),
        network=_stack([person.network for person in people]),
        coupling=_stack([person.coupling for person in people]),
        seconds=_seconds(spec, lengths.pop()) if len(lengths) == 1 else None,
        ratings=ratings,
        simulated=spec.simulated,
        notes=(*_missing(spec, complete=len(complete), course=course), *rated),
    )


def _bands(data: EEGDataModule) -> Bands:
    return data.bands or PAPER_BANDS


def _person(store: Store, p: int, *, spec: DataSpec, bands: Bands) -> Person:
    """One person; the trials of a clip in the order of time."""
    rows = store.trials.rows(p)
    order = np.lexsort((store.trials.window[rows], store.trials.stimulus[rows]))
    x, stimulus = np.asarray(store.x[rows])[order], store.trials.stimulus[rows][order]
    clips = [_clip(x[stimulus == k], spec, bands=bands) for k in range(len(spec.class_of))]
    names = list(bands)
    theta_gamma = (names.index("theta"), names.index("gamma")) if {"theta", "gamma"} <= set(bands) else None
    return from_windows(clips, channels=spec.channels, bands=theta_gamma)


def _sessions(store: Store, p: int, *, clips: int) -> np.ndarray | None:
    """(S,) session of each clip; None where there is one."""
    rows = store.trials.rows(p)
    stimulus, session = store.trials.stimulus[rows], store.trials.session[rows]
    return np.array([session[stimulus == k][0] for k in range(clips)]) if len(set(session)) > 1 else None


def _seconds(spec: DataSpec, windows: int) -> float:
    """Length of a clip: windows of raw clips are ours and take one second."""
    return float(windows if spec.features == "raw" else windows * spec.window_seconds)


def _missing(spec: DataSpec, *, complete: int, course: np.ndarray | None) -> list[str]:
    notes = [_kind(spec.features)]
    if complete < len(spec.subjects):
        notes.append(f"{len(spec.subjects) - complete} people lack clips and are left out.")
    if course is None:
        notes.append("Clips have fewer than 10 windows: no time course (--data.window_seconds is shorter for one).")
    return notes


def _clip(x: np.ndarray, spec: DataSpec, *, bands: Bands) -> Clip:
    if spec.features != "raw":
        return band_windows(x)
    return whole_clip(x, sampling_rate=spec.sampling_rate, bands=bands)


def _kind(features: str) -> str:
    if features == "raw":
        return "Raw signals: band features are ours (one second each), and theta-gamma coupling is measured."
    return f"Features are {features} only: theta-gamma coupling needs the signal itself (--data.features raw)."


def _ratings(data: EEGDataModule, subjects: list[str]) -> tuple[np.ndarray | None, list[str]]:
    """Valence that people reported, (P, S), from their files; FACED alone has them."""
    from datamodules.faced import FACED
    from datamodules.faced_ratings import RATING_ITEMS, ratings

    if not isinstance(data, FACED):
        return None, [f"{data.taxonomy.name} has no self-reports that we read: no human valence beside the axis."]
    if not (Path(data.root) / RATED).is_dir():
        return None, [f"{data.root} has no folder {RATED} with self-reports: no human valence beside the axis."]
    told = [name for name in subjects if (Path(data.root) / RATED / name / "After_remarks.mat").is_file()]
    note = f"Human valence: After_remarks.mat of {len(told)} of {len(subjects)} people."
    valence = RATING_ITEMS.index("valence")
    return np.stack([ratings(data.root, name)[:, valence] for name in told]) if told else None, [note]


def _stack(parts: list[Any]) -> np.ndarray | None:
    return None if any(part is None for part in parts) else np.stack(parts)


def _mean(parts: list[Any]) -> np.ndarray | None:
    return None if any(part is None for part in parts) else np.mean(parts, axis=0)
