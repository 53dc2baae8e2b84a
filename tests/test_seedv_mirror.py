"""SEED-V from the hub: which clip a window is of follows from its time, or from its place among fifteen."""

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.seedv import OFFICIAL, SEEDV
from eeg.montage import SEEDV_CHANNELS
from tests.mirror_files import write_array, write_table

RATE, WINDOWS = 100, 9  # Hz, and windows of 1 s that are kept of each clip here
NAMES = [*SEEDV_CHANNELS[:40], "M1", *SEEDV_CHANNELS[40:], "VEO"]
CLASS_OF = SEEDV.taxonomy.class_of


def values(person: int, session: int) -> np.ndarray:
    """(windows, channels, samples) microvolt."""
    w, c, t = np.ogrid[: 15 * WINDOWS, : len(NAMES), :RATE]
    return (person * 10 + session + w / 8 + c / 64 + (1 + w % 7) * t / 1024).astype(np.float32)


def write_seedv(root: Path, *, clock: str = "recording", number=lambda k: k, clips: int = 15) -> Path:
    """Three people with three sessions; ``clock`` says from where samples count."""
    group = root / "dataset.zarr"
    group.mkdir(parents=True)
    content = {"zarr_format": 3, "node_type": "group", "attributes": {"n_datasets": 9}}
    (group / "zarr.json").write_text(json.dumps(content))
    # Sessions in the wrong order: only the description says which is which.
    for i, (person, session) in enumerate((p, s) for p in (1, 2, 16) for s in (3, 1, 2)):
        folder, rows = group / f"recording_{i}", []
        for clip in range(clips):
            start = float(OFFICIAL.start[session - 1][clip]) if clock == "recording" else 10_000.0 + 700 * clip
            for window in range(WINDOWS):
                first = round(start + window) * RATE
                row = {"": len(rows), "i_window_in_trial": window, "i_start_in_trial": first}
                target = number(CLASS_OF[15 * (session - 1) + clip])
                rows.append(row | {"i_stop_in_trial": first + RATE, "target": target})
        write_array(folder / "data", values(person, session)[: len(rows)] * np.float32(1e-6), block=50)
        about = {"subject": f"{person:02d}", "session": f"0{session}"}
        attributes = {"description": about, "info": {"sfreq": RATE, "ch_names": NAMES}}
        group_json = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / "zarr.json").write_text(json.dumps(group_json))
        write_table(folder / "metadata.tsv", rows, mark=False)
    return root


def module(root: Path, tmp_path: Path, **options) -> SEEDV:
    return SEEDV(root=str(root), subjects=("1", "2", "16"), cache=str(tmp_path / "cache"), batch_size=16, **options)


@pytest.mark.parametrize("clock", ["recording", "another"])
def test_windows_clips_and_sessions(tmp_path, clock):
    data = module(write_seedv(tmp_path / "seedv", clock=clock), tmp_path, features="raw")
    assert data.spec.channels == tuple(SEEDV_CHANNELS)  # neither M1 nor VEO
    assert (data.spec.shape, data.spec.sampling_rate) == ((62, 100), 100)
    data.prepare_data()
    data.setup()
    rows, trials = data.store.trials.rows(1), data.store.trials
    np.testing.assert_array_equal(trials.session[rows], np.repeat([1, 2, 3], 15 * WINDOWS))
    np.testing.assert_array_equal(trials.stimulus[rows], np.repeat(np.arange(45), WINDOWS))
    np.testing.assert_array_equal(trials.y, np.array(CLASS_OF)[trials.stimulus])
    kept = [i for i, name in enumerate(NAMES) if name in SEEDV_CHANNELS]
    expected = np.concatenate([values(2, session) for session in (1, 2, 3)])[:, kept]
    np.testing.assert_allclose(data.store.x[rows], expected, rtol=1e-6)
    assert sorted(map(len, data.indices.values())) == [3 * 3 * 5 * WINDOWS] * 3


def test_entropy_of_whole_windows_of_four_seconds(tmp_path):
    data = module(write_seedv(tmp_path / "seedv"), tmp_path)
    data.prepare_data()
    data.setup()
    assert len(data.store.trials) == 3 * 45 * 2
    assert np.isfinite(data.store.x).all()
    assert any("differential entropy is not the shipped one" in sentence for sentence in data.differences)


def test_class_numbers_of_their_own_are_told_and_contradictions_refused(tmp_path):
    data = module(write_seedv(tmp_path / "a", number=lambda k: (k + 1) % 5), tmp_path)
    (told,) = [sentence for sentence in data.differences if "other numbers" in sentence]
    assert "1 is disgust" in told
    with pytest.raises(ValueError, match="targets do not go with the classes of the clips that their times name"):
        _ = module(write_seedv(tmp_path / "b", number=lambda k: k // 2), tmp_path).spec


def test_clips_that_cannot_be_told_are_refused(tmp_path):
    root = write_seedv(tmp_path / "a", clock="another", clips=9)
    with pytest.raises(ValueError, match=r"9 runs of windows, not at the times of session \d and not 15"):
        _ = module(root, tmp_path).spec


def test_what_the_mirror_cannot_give(tmp_path):
    root = write_seedv(tmp_path / "a")
    for option in ({"notch": 50.0}, {"exclude_recordings": ("1_1",)}):
        with pytest.raises(ValueError, match=r"notch and --data\.exclude_recordings are for the official files"):
            _ = module(root, tmp_path, features="raw", **option).spec
    with pytest.raises(ValueError, match=r"SEEDV needs --data\.root DIR, or --data\.mirror hub"):
        SEEDV()
    with pytest.raises(ValueError, match="is no copy of braindecode/seed-v"):
        _ = SEEDV(root=str(tmp_path), mirror="hub").spec
