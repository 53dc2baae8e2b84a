"""Write a simulated SEED-V cohort in the official layout (Liu et al. 2022, doi 10.1109/TCDS.2021.3071170)."""

import pickle
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from datamodules.seedv import CLIPS, FEATURE_SECONDS, OFFICIAL, SESSIONS, SUBJECTS, TIMESTAMPS, TrialTable
from datamodules.simulation.cnt import write_cnt
from datamodules.simulation.folder import choose_axis, claim, write_truth
from datamodules.simulation.signal import Cohort
from datamodules.simulation.truth import Truth
from datamodules.simulation.world import CLIP_CODES, World
from eeg.bands import SEEDV_BANDS
from eeg.montage import SEEDV_FILE_CHANNELS, SEEDV_NOT_EEG
from records.files import atomic
from vaxis.axis import Axis
from vaxis.emotions import SEEDV

RATE = 1000
# Recording dates of subjects 1-16 in each session; part of the official file names.
DATES = (
    "20180804 20180416 20180414 20180414 20180719 20180713 20180411 20180717 "
    "20180724 20180507 20180510 20180515 20180720 20180420 20180724 20180805",
    "20180810 20180419 20180419 20180417 20180728 20180731 20180418 20180802 "
    "20180804 20180524 20180508 20180508 20180806 20180423 20180807 20180815",
    "20180808 20180425 20180424 20180501 20180723 20180802 20180422 20180726 "
    "20180728 20180626 20180522 20180517 20180725 20180427 20180730 20180813",
)
CORRUPT = (7, 1)  # subject and session of the published file with a broken header
MARGIN = 2  # seconds recorded after the last trial


def seedv_cohort(axis: Axis, *, snr: float, seed: int, world: World = CLIP_CODES) -> Cohort:
    """The generator of every subject of a cohort, all 66 channels of the recorder."""
    channels = tuple(SEEDV_FILE_CHANNELS)
    truth = Truth.plant(axis, channels=channels, bands=SEEDV_BANDS, snr=snr, seed=seed, world=world)
    return Cohort(truth=truth, channels=channels, bands=SEEDV_BANDS, seed=seed, world=world)


def clip_times(seconds_per_trial: int | None) -> TrialTable:
    """Start and end of the clips: official, or all equally short with a second between them."""
    if seconds_per_trial is None:
        return OFFICIAL
    start = MARGIN + np.tile(np.arange(CLIPS) * (seconds_per_trial + 1), (SESSIONS, 1))
    return TrialTable(start=start, end=start + seconds_per_trial)


def write_seedv(
    root: str | Path,
    *,
    snr: float = 0.8,
    seed: int = 0,
    n_subjects: int = len(SUBJECTS),
    raw_subjects: int = 0,
    seconds_per_trial: int | None = None,
    axis: str | Path | Axis | None = None,
    corrupt_header: bool = False,
    world: World = CLIP_CODES,
) -> Path:
    """Write band features and, for some, raw recordings; files that exist are kept, so a killed run resumes
    and a cohort can grow.

    Raw recordings and band features share the patterns, the people and the trial table; their trial noise is drawn
    apart, since one is made of seconds and the other of windows of four.

    Args:
        root: empty or absent folder, or one that this function began with the same seed, snr, axis, trial length,
            header and world.
        snr: multiplies everything evoked by the clips, which is all that a linear decoder sees of them; codes are
            apart from it (``world``).
        seed: of the whole cohort; a subject's files depend on it and on the subject's number only.
        n_subjects: 1 to 16, the first of them.
        raw_subjects: how many of them get three .cnt files, 2.4 GB each person at official length.
        seconds_per_trial: length of every clip; by default the official lengths.
        axis: axis artifact whose stimulus positions are planted; by default one is drawn. Saved as ``axis.npz``.
        corrupt_header: give 7_1_20180411.cnt the broken sample count of the published file.
        world: what clips and people are made of.

    Returns:
        the folder.
    """
    if not 0 <= raw_subjects <= n_subjects <= len(SUBJECTS) or n_subjects < 1:
        raise ValueError(f"need 0 <= raw_subjects <= n_subjects <= 16 and a subject; got {raw_subjects}, {n_subjects}")
    if seconds_per_trial is not None and seconds_per_trial < FEATURE_SECONDS:
        raise ValueError(f"seconds_per_trial {seconds_per_trial} is shorter than a {FEATURE_SECONDS} s feature window")
    planted = choose_axis(axis, taxonomy=SEEDV, seed=seed)
    drawn = "drawn" if axis is None else planted.fingerprint
    parameters = {"snr": float(snr), "seed": seed, "axis": drawn}
    parameters |= {"seconds_per_trial": seconds_per_trial, "corrupt_header": corrupt_header, "world": asdict(world)}
    root = claim(root, dataset="seedv", parameters=parameters)
    cohort = seedv_cohort(planted, snr=snr, seed=seed, world=world)
    table = clip_times(seconds_per_trial)
    write_truth(root, axis=planted, cohort=cohort, subjects={name: int(name) for name in SUBJECTS})
    _write_texts(root, table)
    people = tqdm(range(1, n_subjects + 1), desc=f"simulate SEED-V in {root}", unit="subject", delay=1, disable=None)
    for number in people:
        _write_features(root / "EEG_DE_features" / f"{number}_123.npz", cohort=cohort, number=number, table=table)
        for session in range(SESSIONS) if number <= raw_subjects else ():
            date = DATES[session].split()[number - 1]
            path = root / "EEG_raw" / f"{number}_{session + 1}_{date}.cnt"
            if not path.is_file():
                write_cnt(
                    path,
                    _segments(cohort, number=number, session=session, table=table),
                    channels=cohort.channels,
                    rate=RATE,
                    samples=RATE * int(table.end[session, -1] + MARGIN),
                    date=date,
                    corrupt=corrupt_header and (number, session + 1) == CORRUPT,
                )
    return root


def _write_texts(root: Path, table: TrialTable) -> None:
    """The trial table, and the notebooks that lie between the data files and must not be read as such."""
    lines = []
    for session, (start, end) in enumerate(zip(*table, strict=True), start=1):
        lines += [f"Session {session}:", f"start_second: {start.tolist()}", f"end_second: {end.tolist()}", ""]
    notebook = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}\n'
    texts = {TIMESTAMPS: "\n".join(lines)}
    texts |= {f"{folder}/load_data.ipynb": notebook for folder in ("EEG_raw", "EEG_DE_features")}
    for name, text in texts.items():
        with atomic(root / name) as partial:
            partial.write_text(text, encoding="utf-8")


def _write_features(path: Path, *, cohort: Cohort, number: int, table: TrialTable) -> None:
    """Two pickled dictionaries, trial 0-44 to (T, 310) features (electrode-major) and to T class ids."""
    if path.is_file():
        return
    person, rng, noise = cohort.subject(number), cohort.rng(number, "power"), cohort.rng(number, "features")
    eeg = [i for i, name in enumerate(cohort.channels) if name not in SEEDV_NOT_EEG]
    data, label, response = {}, {}, cohort.response(number)
    for k, windows in enumerate(((table.end - table.start) // FEATURE_SECONDS).ravel().tolist()):
        entropy = cohort.entropy(
            person, response[[k]], windows=windows, seconds=FEATURE_SECONDS, rng=rng, noise=person.noise[k]
        )
        measured = cohort.estimate(entropy[0, eeg], seconds=FEATURE_SECONDS, rng=noise)
        data[k] = np.ascontiguousarray(measured.transpose(1, 0, 2)).reshape(windows, -1)
        label[k] = np.full(windows, SEEDV.class_of[k])
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez(file, data=np.array(pickle.dumps(data, protocol=4)), label=np.array(pickle.dumps(label, protocol=4)))


def _segments(cohort: Cohort, *, number: int, session: int, table: TrialTable) -> Iterator[np.ndarray]:
    """Rest, clip, rest, clip, ..., rest of one session (0 to 2), each (66, n) in microvolt."""
    rng, person = cohort.rng(number, f"raw{session + 1}"), cohort.subject(number)
    response, rest, last = cohort.response(number), np.zeros_like(cohort.truth.base), 0
    states = []
    for clip, (start, end) in enumerate(zip(table.start[session], table.end[session], strict=True)):
        k = CLIPS * session + clip
        states += [(rest, 1.0, start - last), (response[k], person.noise[k], end - start)]
        last = end
    for done, noise, seconds in [*states, (rest, 1.0, MARGIN)]:
        entropy = cohort.entropy(person, done[None], windows=int(seconds), seconds=1, rng=rng, noise=noise)
        yield cohort.waveform(entropy[0], rate=RATE, rng=rng)
