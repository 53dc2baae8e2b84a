"""Write a simulated FACED cohort in the official layout (Chen et al. 2023, doi 10.1038/s41597-023-02650-w)."""

import csv
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from datamodules.faced import CLIP_SECONDS, FOLDERS, SAMPLING_RATE, SUBJECTS
from datamodules.simulation.faced_ratings import after_remarks
from datamodules.simulation.folder import choose_axis, claim, write_truth
from datamodules.simulation.signal import Cohort
from datamodules.simulation.truth import Truth
from datamodules.simulation.world import CLIP_CODES, World
from eeg.bands import FACED_BANDS
from eeg.montage import FACED_CHANNELS
from records.files import atomic
from vaxis.axis import Axis
from vaxis.emotions import FACED

# Train, validation and test part of the split of CBraMod and arXiv 2606.00129.
PARTS = (range(80), range(80, 100), range(100, 123))
OUTLIER, OUTLIER_FACTOR = 23, 3000.0
COHORT_1 = range(61)
RECORDED_AT_250_HZ = {4, 5, *range(8, 61)}


def spread_subjects(n: int) -> list[int]:
    """The first n subject numbers of an order that fills the three parts of the split evenly; fewer are a subset."""
    if not 0 <= n <= len(SUBJECTS):
        raise ValueError(f"{n} subjects asked for; FACED has {len(SUBJECTS)}")
    order = sorted((i / len(part), p, part[i]) for p, part in enumerate(PARTS) for i in range(len(part)))
    return sorted(number for *_, number in order[:n])


def faced_cohort(
    axis: Axis, *, snr: float, seed: int, people_seed: int | None = None, world: World = CLIP_CODES
) -> Cohort:
    """The generator of every subject of a cohort; ``people_seed`` gives others in whom clips evoke the same."""
    channels, people = tuple(FACED_CHANNELS), seed if people_seed is None else people_seed
    truth = Truth.plant(axis, channels=channels, bands=FACED_BANDS, snr=snr, seed=seed, world=world)
    return Cohort(truth=truth, channels=channels, bands=FACED_BANDS, seed=people, world=world)


def write_faced(
    root: str | Path,
    *,
    snr: float = 0.8,
    seed: int = 0,
    n_subjects: int = len(SUBJECTS),
    raw_subjects: int = 0,
    axis: str | Path | Axis | None = None,
    outlier: bool = False,
    people_seed: int | None = None,
    world: World = CLIP_CODES,
) -> Path:
    """Write band features, ratings and, for some, raw signals; files that exist are kept, so a killed run resumes
    and a cohort can grow.

    The longer cut of clip 22 that subjects 036-060 saw needs no option: the stored last 30 s are the same.

    Args:
        root: empty or absent folder, or one that this function began with the same seed, snr, axis, outlier and world.
        snr: multiplies everything evoked by the clips, which is all that a linear decoder sees of them; codes are
            apart from it (``world``).
        seed: of the whole cohort; a subject's files depend on it and on the subject's number only.
        n_subjects: 1 to 123; fewer are taken evenly from the train, validation and test part of the usual split.
        raw_subjects: how many of them, taken likewise, get a Processed_data file (54 MB each).
        axis: axis artifact whose stimulus positions are planted; by default one is drawn. Saved as ``axis.npz``.
        outlier: multiply sub023 by 3000, signals and features, as its published signal is.
        people_seed: other people than those of ``seed``, who respond to the clips alike.
        world: what clips and people are made of.

    Returns:
        the folder.
    """
    if not 0 <= raw_subjects <= n_subjects or n_subjects < 1:
        raise ValueError(f"need 0 <= raw_subjects <= n_subjects and a subject; got {raw_subjects} and {n_subjects}")
    planted = choose_axis(axis, taxonomy=FACED, seed=seed)
    numbers, with_raw = spread_subjects(n_subjects), set(spread_subjects(raw_subjects))
    drawn = "drawn" if axis is None else planted.fingerprint
    parameters = {"snr": float(snr), "seed": seed, "axis": drawn, "outlier": outlier, "world": asdict(world)}
    if people_seed is not None:
        parameters["people_seed"] = people_seed
    root = claim(root, dataset="faced", parameters=parameters)
    cohort = faced_cohort(planted, snr=snr, seed=seed, people_seed=people_seed, world=world)
    write_truth(root, axis=planted, cohort=cohort, subjects={name: n for n, name in enumerate(SUBJECTS)})
    _write_recording_info(root / "Recording_info.csv", seed=seed)
    for number in tqdm(numbers, desc=f"simulate FACED in {root}", unit="subject", delay=1, disable=None):
        scale = OUTLIER_FACTOR if outlier and number == OUTLIER else 1.0
        _write_subject(root, cohort=cohort, number=number, raw=number in with_raw, scale=scale)
    return root


def _write_subject(root: Path, *, cohort: Cohort, number: int, raw: bool, scale: float) -> None:
    name = SUBJECTS[number]
    ratings = root / "Data" / name / "After_remarks.mat"
    if not ratings.is_file():
        with atomic(ratings) as partial:
            partial.write_bytes(after_remarks(cohort.truth, rng=cohort.rng(number, "ratings")))
    features = {kind: root / FOLDERS[kind] / f"{name}.pkl.pkl" for kind in ("de", "psd")}
    signal = root / FOLDERS["raw"] / f"{name}.pkl"
    if all(path.is_file() for path in (*features.values(), *([signal] if raw else []))):
        return
    entropy = clip_entropy(cohort, number)
    measured = cohort.estimate(entropy, seconds=1, rng=cohort.rng(number, "features")) + np.log(scale)
    write_array(features["de"], measured)
    write_array(features["psd"], cohort.density(measured))
    if raw:
        rng = cohort.rng(number, "raw")
        clips = np.stack([cohort.waveform(clip, rate=SAMPLING_RATE, rng=rng) for clip in entropy])
        write_array(signal, scale * (clips - clips.mean(axis=1, keepdims=True)))


def clip_entropy(cohort: Cohort, number: int) -> np.ndarray:
    """Expected differential entropy (28, 32, 30, 5) of every second that a subject spends with the clips."""
    person = cohort.subject(number)
    return cohort.entropy(
        person,
        cohort.response(number),
        windows=CLIP_SECONDS,
        seconds=1,
        rng=cohort.rng(number, "power"),
        noise=person.noise,
    )


def write_array(path: Path, array: np.ndarray) -> None:
    """Pickle one float64 array as the official files do, unless the file is there."""
    if not path.is_file():
        with atomic(path) as partial, open(partial, "wb") as file:
            pickle.dump(np.ascontiguousarray(array, dtype=np.float64), file, protocol=4)


def _write_recording_info(path: Path, *, seed: int) -> None:
    """The subject table with its quirks: a byte-order mark and a blank behind the last column name."""
    if path.is_file():
        return
    rng = np.random.default_rng([seed, 4])
    gender = rng.permutation(["F"] * 75 + ["M"] * 48)
    age = np.clip(rng.normal(23, 4, len(SUBJECTS)).round(), 17, 38).astype(int)
    with atomic(path) as partial, open(partial, "w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sub", "Gender", "Age", "Sample_rate", "Unit", "Cohort "])
        for n, name in enumerate(SUBJECTS):
            rate = 250 if n in RECORDED_AT_250_HZ else 1000
            table.writerow([name, gender[n], age[n], rate, "uV", 1 if n in COHORT_1 else 2])
