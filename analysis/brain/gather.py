"""A cohort for the brain maps from a data module: every file through the reader that training uses."""

from pathlib import Path
from typing import Any

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.person import Clip, band_windows, from_windows, whole_clip
from datamodules.base import EEGDataModule
from datamodules.store import build
from eeg.bands import PAPER_BANDS, Bands
from eeg.batch import DataSpec

RATED = "Data"  # folder of the self-reports


def gather(data: EEGDataModule) -> Cohort:
    """Read a cohort through its data module.

    Raises:
        ValueError: no person has every clip.
    """
    data.prepare_data()
    store, spec = build(data.recipe(), cache=data.cache, workers=data.workers), data.spec
    bands = data.bands or PAPER_BANDS
    theta_gamma = (list(bands).index("theta"), list(bands).index("gamma")) if {"theta", "gamma"} <= set(bands) else None
    people, clips = [], len(spec.class_of)
    complete = [p for p in range(len(spec.subjects)) if len(set(store.trials.stimulus[store.trials.rows(p)])) == clips]
    if not complete:
        raise ValueError(f"no one of the {len(spec.subjects)} people has all {clips} clips; see --data.subjects")
    for p in complete:
        rows = store.trials.rows(p)
        order = np.lexsort((store.trials.window[rows], store.trials.stimulus[rows]))
        x, stimulus = np.asarray(store.x[rows])[order], store.trials.stimulus[rows][order]
        own = [_clip(x[stimulus == k], spec, bands=bands) for k in range(clips)]
        people.append(from_windows(own, channels=spec.channels, bands=theta_gamma))
    notes = [_kind(spec.features)]
    if len(complete) < len(spec.subjects):
        notes.append(f"{len(spec.subjects) - len(complete)} people lack clips and are left out.")
    if any(person.course is None for person in people):
        notes.append("Clips have fewer than 10 windows: no time course (--data.window_seconds is shorter for one).")
    ratings, told = _ratings(data, [spec.subjects[p] for p in complete])
    x, course = np.stack([person.clips for person in people]), _mean([person.course for person in people])
    first = store.trials.rows(complete[0])
    session = np.array([store.trials.session[first][store.trials.stimulus[first] == k][0] for k in range(clips)])
    if len(set(session)) > 1:  # days apart: the cap sits elsewhere, which has nothing to do with the clips
        notes.append(f"Features are about the mean of each of {len(set(session))} sessions, person by person.")
        x, course = x - _by_session(x, session), course if course is None else course - _by_session(course, session, 0)
    lengths = {person.windows for person in people}
    whole = spec.window_seconds * len(store.trials) / (len(spec.subjects) * clips)
    return Cohort(
        dataset=spec.dataset,
        features="differential entropy of raw signals" if spec.features == "raw" else f"shipped {spec.features}",
        channels=spec.channels,
        bands=bands,
        class_of=np.asarray(spec.class_of),
        classes=spec.classes,
        valence=np.asarray(data.taxonomy.valence),
        x=x,
        course=course,
        links=_stack([person.links for person in people]),
        network=_stack([person.network for person in people]),
        coupling=_stack([person.coupling for person in people]),
        seconds=whole if all(len(set(w)) == 1 for w in lengths) else None,
        ratings=ratings,
        simulated=spec.simulated,
        notes=(*notes, *told),
    )


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
    valence = RATING_ITEMS.index("valence")
    found = np.stack([ratings(data.root, subject)[:, valence] for subject in subjects])
    return found, [f"Human valence: After_remarks.mat of {len(found)} of {len(subjects)} people."]


def _by_session(x: np.ndarray, session: np.ndarray, axis: int = 1) -> np.ndarray:
    """How the mean of each clip's session lies about that of all clips, in the shape of ``x``; clips along ``axis``."""
    x = np.moveaxis(x, axis, 0)
    centres = np.stack([x[session == s].mean(axis=0) for s in session])
    return np.moveaxis(centres - x.mean(axis=0), 0, axis)


def _stack(parts: list[Any]) -> np.ndarray | None:
    return None if any(part is None for part in parts) else np.stack(parts)


def _mean(parts: list[Any]) -> np.ndarray | None:
    return None if any(part is None for part in parts) else np.mean(parts, axis=0)
