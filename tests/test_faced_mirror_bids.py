"""FACED from its copy in BIDS, and runs on a mirror from files to scores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.faced import FACED
from eeg.montage import FACED_CHANNELS, canonical
from tests.conftest import ROOT, make_axis
from tests.mirror_files import FIRST, SECOND, data_of, flags, trials_of, write_bdf, write_faced_bids, write_hub

GAP = 34  # seconds of margin, a little more than the filters see


def noise_and_sine(times: np.ndarray, names: list[str]) -> np.ndarray:
    """10 Hz of another height at each electrode, growing; an offset that amplifiers have, and 60 Hz from the wall."""
    height = np.array([heights()[spelled(name)] for name in names])[:, None]
    wall = 10 * np.sin(2 * np.pi * 60 * times)
    return height * growth(times) * np.sin(2 * np.pi * 10 * times + 0.3) + 20_000 + 100 * height + wall * (height / 10)


def growth(times: np.ndarray) -> np.ndarray:
    return 1 + times / 500


def heights() -> dict[str, float]:
    return {name: 5.0 + i for i, name in enumerate(FACED_CHANNELS)}


def spelled(name: str) -> str:
    """Our name of an electrode of either cohort."""
    slots = {"HEOR": "A2", "HEOL": "A1"} | {canonical(c): c for c in FACED_CHANNELS}
    return slots[canonical(name)]


@pytest.fixture(scope="module", params=[250, 500])
def bids(request, tmp_path_factory) -> Path:
    people = {"000": [11, 13], "080": [28, 2], "100": [13, 5]}
    folder = tmp_path_factory.mktemp("bids") / "nm000112"
    return write_faced_bids(folder, people, noise_and_sine, rate=request.param, gap=GAP, units={"080": "?"})


def other_cell(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def clips_in_noise(person: int, windows: int, channels: int, samples: int) -> np.ndarray:
    rng = np.random.default_rng(person)
    return (10 * rng.normal(size=(windows, channels, samples))).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, Path]:
    """A fit on eight classes: no one has the neutral clips, and clips have three to five windows."""
    folder = tmp_path_factory.mktemp("run")
    clips = [(clip, 3 + clip % 3) for clip in range(1, 29) if not 13 <= clip <= 16]
    root = write_hub(folder / "faced", dict.fromkeys((0, 1, 80, 100, 101), clips), values=clips_in_noise, block=40)
    people = ("sub000", "sub001", "sub080", "sub100", "sub101")
    words = flags(root, folder / "cache", people=people)
    axis = make_axis().save(folder / "axis.npz")
    words += [
        "--loss=rsa",
        f"--axis={axis}",
        "--data.clip_part=all",
        "--trainer.max_epochs=2",
        f"--run_dir={folder / 'out'}",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, "train.py", "fit", "--data=FACED", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("these are not Processed_data but braindecode/faced") == 1
    return folder / "out", root


def test_the_last_thirty_seconds_of_a_bids_clip(bids, tmp_path):
    """Filtered, referenced and resampled: the wave within the band is left, at its place to the sample."""
    data = data_of(*flags(bids, tmp_path, "--data.mirror=bids", "--data.features=raw", "--network=emod"))
    assert data.spec.channels == tuple(FACED_CHANNELS)
    assert (data.spec.sampling_rate, data.spec.shape) == (200, (32, 2000))
    height = np.array(list(heights().values()))
    starts = {clip: GAP + k * (34 + GAP) + 4 for k, clip in enumerate((11, 13))}  # 30 s before a clip of 34 s ends
    x, clips, places = trials_of(data, "sub000")
    np.testing.assert_array_equal(clips, [11] * 3 + [13] * 3)
    for trial, clip, place in zip(x, clips, places):
        t = starts[clip] + 10 * place + np.arange(2000) / 200
        expected = (height - height.mean())[:, None] * growth(t) * np.sin(2 * np.pi * 10 * t + 0.3)
        assert np.abs(trial - expected).max() < 0.01 * np.abs(expected).max()


def test_cohorts_and_units_of_bids_recordings(bids, tmp_path):
    """T3 is T7, HEOR is A2, and a unit that MNE does not know is seen in the size of the numbers."""
    data = data_of(*flags(bids, tmp_path))
    a, b = (trials_of(data, name)[0][0, :, 2] for name in ("sub000", "sub080"))
    np.testing.assert_allclose(a, b, atol=0.05)
    told = "\n".join(data.differences)
    assert "signal is in microvolt although the file says volt; read as microvolt (1 of 3: sub080)" in told
    assert "no ICA" in told
    assert "joy" in told.split("no trial is of ")[1].split(":")[0]


def test_bids_values_before_any_processing(tmp_path):
    from datamodules.bids_files import signal_files
    from datamodules.bids_recording import Processing
    from datamodules.faced_people import TASK, open_bids

    root = write_faced_bids(tmp_path, {"061": [7, 16]}, lambda t, names: np.outer(np.arange(32) + 1, np.sin(t)) * 30)
    path = root / "sub-061/eeg/sub-061_task-watchingVideoClips_eeg.bdf"
    stored = write_bdf(path, SECOND, np.outer(np.arange(32) + 1, np.sin(np.arange(77 * 250) / 250)) * 30, rate=250)
    nothing = Processing(sampling_rate=250, band_pass=None, notch=None, average=False)
    person = open_bids(signal_files(root, task=TASK)["061"], processing=nothing)
    for signal, second in zip(person.signals(), (3, 40), strict=True):
        np.testing.assert_allclose(signal, stored[:, second * 250 : (second + 34) * 250], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tSadness\t11\t", "\tJoy\t11\t", r"events.tsv: video_index 11 is sadness, emotion_label says joy"),
        ("\t11\t", "\t29\t", r"events.tsv: video_index is '29' at 3 s, which is no clip .*write n/a"),
        ("\t11\t", "\t13\t", r"events.tsv: a video_index occurs twice"),
        ("3\t34\t", "x\t34\t", r"events.tsv, line 3: onset is 'x', not a number of seconds"),
        ("3\t34\t", "3\tn/a\t", r"events.tsv, line 3: duration is 'n/a'; write the seconds"),
        ("3\t34\t", "3\t900\t", r"events.tsv: the clip at 3 s ends at 903 s, but .*_eeg.bdf is 77 s long"),
        (
            "\tvideo_index",
            "\tvideo",
            r"events.tsv has no column video_index, which alone says .*fetch faced --mirror bids DIR",
        ),
        ("\t11\t", "\t11\t5\t", r"events.tsv, line 3: 18 fields under a header of 17; mend the tabs"),
    ],
)
def test_events_that_cannot_be_trusted(tmp_path, old, new, message):
    root = write_faced_bids(tmp_path, {"000": [11, 13]}, lambda t, names: np.zeros((len(names), len(t))))
    other_cell(root / "sub-000/eeg/sub-000_task-watchingVideoClips_events.tsv", old, new)
    with pytest.raises(ValueError, match=message):
        _ = FACED(root=str(root), subjects=("sub000",)).spec


def test_a_pointer_of_git_annex_is_no_recording(tmp_path):
    root = write_faced_bids(tmp_path, {"000": [11]}, lambda t, names: np.zeros((len(names), len(t))))
    path = root / "sub-000/eeg/sub-000_task-watchingVideoClips_eeg.bdf"
    path.write_text("/annex/objects/SHA256E-s468584448--4e90.bdf\n")
    with pytest.raises(ValueError, match=r"_eeg\.bdf is a git-annex pointer and not yet the file; run: git annex get"):
        _ = FACED(root=str(root), subjects=("sub000",)).spec
    path.write_bytes(b"\xffBIOSEMI" + bytes(5000))
    with pytest.raises(ValueError, match=r"_eeg.bdf: MNE cannot read it"):
        _ = FACED(root=str(root), subjects=("sub000",)).spec
    assert len(FIRST) == len(SECOND) == 32


def test_scores_are_of_the_classes_that_are_there(run):
    result = json.loads((run[0] / "result.json").read_text())
    assert result["test"]["absent"] == ["neutral"]
    assert result["test"]["chance"] == 1 / 8
    assert set(result["test"]["per_class_recall"]) == set(FACED.taxonomy.classes) - {"neutral"}
    assert any("no trial is of neutral: 8 of 9 classes are present, chance is 1/8" in s for s in result["differences"])
    assert np.isfinite(result["test"]["balanced_accuracy"])
    measured = {name: value for name, value in result["test"].items() if isinstance(value, dict) and "value" in value}
    assert measured
    assert not [name for name, value in measured.items() if value["value"] is None]


def test_simple_models_and_reopening_on_eight_classes(run):
    from analysis.baselines import of_data
    from command_line.reopen import open_run

    opened = open_run(run[0], device="cpu")
    assert opened.predict().logits.shape[0] == json.loads((run[0] / "result.json").read_text())["test"]["trials"]
    found = {b.name: b for b in of_data(opened.data)}
    assert all(b.chance == 1 / 8 for b in found.values())
    assert all(np.isfinite(b.balanced_accuracy) for b in found.values())


@pytest.mark.parametrize("split", ["subject_clip_disjoint", "subject_one_clip", "loso"])
def test_splits_with_clips_that_no_one_has(run, tmp_path, split):
    people = ("sub000", "sub001", "sub080", "sub100", "sub101")
    data = data_of(*flags(run[1], run[0].parent / "cache", f"--data.split={split}", people=people))
    assert {"train", "val", "test"} <= set(data.indices)
    clips = {role: set(data.store.trials.stimulus[rows].tolist()) for role, rows in data.indices.items()}
    assert not clips["test"] & {12, 13, 14, 15}
    if split == "subject_clip_disjoint":
        assert clips["test"].isdisjoint(clips["train"])
