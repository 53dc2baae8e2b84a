"""FACED from its public mirrors: the values, clips, people and electrodes that the files hold, and what a run says."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.cutting import Cut
from datamodules.downloads import HUB_FACED
from datamodules.faced import FACED
from eeg.bands import FACED_BANDS
from tests.conftest import ROOT
from tests.mirror_files import COMMON, NAMES, data_of, flags, formula, rating, trials_of, write_hub

PEOPLE = {0: [(11, 2), (8, 4), (28, 3)], 80: [(28, 3), (17, 12)], 100: [(5, 3), (11, 1), (20, 5)]}


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    return write_hub(tmp_path_factory.mktemp("hub") / "faced", PEOPLE)


def test_windows_are_those_of_the_file_in_the_order_of_play(hub, tmp_path):
    data = data_of(*flags(hub, tmp_path, "--data.mirror=hub", "--data.features=raw", "--network=emod"))
    assert data.spec.channels == tuple(COMMON)
    assert (data.spec.sampling_rate, data.spec.shape) == (100, (26, 1000))
    for number, name in zip(PEOPLE, NAMES):
        x, clips, places = trials_of(data, name)
        kept, expected, first = [], [], 0
        for clip, windows in PEOPLE[number]:
            last = range(max(0, windows - 3), windows)  # the last 30 s, as the release has them
            kept += [first + i for i in last]
            expected += [clip] * len(last)
            first += windows
        np.testing.assert_array_equal(clips, expected)
        np.testing.assert_array_equal(places, [i for _, w in PEOPLE[number] for i in range(min(w, 3))])
        np.testing.assert_allclose(x, formula(number, first, 26, 1000)[kept], rtol=1e-6)
    batch = next(iter(data.train_dataloader()))
    np.testing.assert_allclose(batch.x * data.scale, data.store.x[batch.index.numpy()], rtol=1e-6)


def test_all_windows_of_a_clip(hub, tmp_path):
    data = data_of(*flags(hub, tmp_path, "--data.features=raw", "--network=emod", "--data.clip_part=all"))
    x, clips, places = trials_of(data, "sub080")
    np.testing.assert_array_equal(clips, [28] * 3 + [17] * 12)
    np.testing.assert_array_equal(places, [*range(3), *range(12)])
    np.testing.assert_allclose(x, formula(80, 15, 26, 1000), rtol=1e-6)


def test_pieces_may_be_shorter_or_longer_than_the_windows_of_the_files(hub, tmp_path):
    data = data_of(*flags(hub, tmp_path, "--data.features=raw", "--network=emod", "--data.window_seconds=5"))
    x, clips, _ = trials_of(data, "sub080")
    whole = formula(80, 15, 26, 1000)
    assert x.shape == (12, 26, 500)
    np.testing.assert_allclose(x[:2], whole[0].reshape(26, 2, 500).swapaxes(0, 1), rtol=1e-6)
    data = data_of(*flags(hub, tmp_path, "--data.features=raw", "--network=emod", "--data.window_seconds=30"))
    x, clips, _ = trials_of(data, "sub080")
    np.testing.assert_array_equal(clips, [28, 17])
    np.testing.assert_allclose(x[1], np.concatenate(list(whole[12:]), axis=1), rtol=1e-6)


@pytest.mark.parametrize("features", ["raw", "de"])
def test_what_differs_is_said(hub, tmp_path, features, capsys):
    network = ["--network=emod"] if features == "raw" else []
    data = data_of(*flags(hub, tmp_path, f"--data.features={features}", *network))
    data.prepare_data()
    said = capsys.readouterr().out
    for sentence in data.differences:
        assert said.count(sentence) == 1
    told = "\n".join(data.differences)
    assert "26 electrodes of 32, without T7, T8, P7, P8, A2, A1" in told
    assert "100 Hz; trials of 10 s" in told
    assert "no trial is of anger, fear" not in told  # clip 8 is of fear
    assert "no trial is of anger, neutral, joy: 6 of 9 classes are present, chance is 1/6" in told
    assert "1 to 3 trials a person and clip: the last 30 s" in told
    assert "window_size_samples" in told  # what the uploaders say they did
    assert ("differential entropy is not the shipped one" in told) == (features == "de")


def sines(person: int, windows: int, channels: int, samples: int) -> np.ndarray:
    """10 Hz everywhere, 4 (c + 1) microvolt high, and as much 40 Hz times person / 100; doubled from window 3 on."""
    t = np.arange(samples) / 100
    wave = np.sin(2 * np.pi * 10 * t) + person / 100 * np.sin(2 * np.pi * 40 * t)
    height = np.where(np.arange(windows) < 3, 1, 2)[:, None, None]
    return (4 * height * (np.arange(channels)[:, None] + 1) * wave).astype(np.float32)


def test_differential_entropy_is_that_of_the_planted_waves(tmp_path):
    root = write_hub(tmp_path / "faced", PEOPLE, values=sines)
    data = data_of(*flags(root, tmp_path))
    x, _, _ = trials_of(data, "sub080")
    # Its first clip has the first three windows, and the last three of the second are as high again.
    amplitude = 4 * (np.arange(26) + 1) * np.repeat([1, 2], 3)[:, None]

    def entropy(height: np.ndarray) -> np.ndarray:
        return 0.5 * np.log(2 * math.pi * math.e * height**2 / 2)

    bands = list(FACED_BANDS)
    np.testing.assert_allclose(x[:, :, bands.index("alpha")], entropy(amplitude), rtol=1e-5)
    np.testing.assert_allclose(x[:, :, bands.index("gamma")], entropy(0.8 * amplitude), rtol=1e-5)
    quiet = x[:, :, bands.index("delta")]  # nothing is there: a floor far below, and not minus infinity
    assert np.isfinite(quiet).all()
    assert (quiet < entropy(amplitude)[0, 0] - 3).all()


def test_an_electrode_without_a_signal_has_a_floor_and_not_minus_infinity():
    signal = np.random.default_rng(0).normal(size=(4, 1000))
    signal[2] = 0
    cut = Cut(seconds=5, last=None, features="de", bands=FACED_BANDS)
    entropy = cut.trials(signal, sampling_rate=100)
    assert np.isfinite(entropy).all()
    assert (entropy[:, 2] < entropy[:, [0, 1, 3]].min() - 3).all()


def test_a_recording_in_microvolt_that_says_volt(tmp_path):
    wrong = {80: PEOPLE[80]}
    root = write_hub(tmp_path / "faced", {k: v for k, v in PEOPLE.items() if k != 80})
    other = write_hub(tmp_path / "other", wrong, unit=1.0)
    group = "sourcedata/braindecode/dataset.zarr"
    shutil.copytree(other / group / "recording_0", root / group / "recording_2")
    about = root / group / "zarr.json"
    about.write_text(about.read_text().replace('"n_datasets": 2', '"n_datasets": 3'))
    data = data_of(*flags(root, tmp_path, "--data.features=raw", "--network=emod", "--data.clip_part=all"))
    x, _, _ = trials_of(data, "sub080")
    np.testing.assert_allclose(x, formula(80, 15, 26, 1000), rtol=1e-6)
    (told,) = [s for s in data.differences if "microvolt although the file says volt" in s]
    assert told.endswith("(1 of 3: sub080)")


def test_a_block_that_was_not_downloaded_is_told_of(tmp_path):
    root = write_hub(tmp_path / "faced", PEOPLE)
    (root / "sourcedata/braindecode/dataset.zarr/recording_0/data/c/1/0/0").unlink()
    data = data_of(*flags(root, tmp_path, "--data.features=raw", "--network=emod"))
    assert any("some blocks have no file and are read as zeros" in s and "sub100" in s for s in data.differences)


@pytest.mark.parametrize("place", ["derivatives/braindecode/dataset.zarr", "dataset.zarr"])
def test_the_places_of_older_repositories(tmp_path, place):
    root = write_hub(tmp_path / "faced", PEOPLE, place=place)
    assert FACED(root=str(root), subjects=NAMES).spec.channels == tuple(COMMON)


def test_self_reports_come_from_the_table_of_windows(hub, tmp_path):
    data = data_of(*flags(hub, tmp_path, "--data.labels=self_report"))
    table = data.opened.ratings
    assert table.shape == (3, 28, 12)
    np.testing.assert_array_equal(table[0, 10], [rating(11, i) for i in range(12)])
    assert np.isnan(table[0, 0]).all()  # a clip that this person does not have
    assert len(data.store.trials.y) == sum(map(len, data.indices.values()))


def renumbered(row: dict) -> dict:
    return row | {"target": (row["target"] + 1) % 9}


def nameless(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "video_index"}


def overlapping(row: dict) -> dict:
    return row | {"i_stop_in_trial": row["i_stop_in_trial"] + 5}


def wordy(row: dict) -> dict:
    return row | {"video_index": "Titanic"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (renumbered, r"metadata.tsv: row 0 has target 4, but video_index 11 is sadness \(3\)"),
        (nameless, r"metadata.tsv has no column video_index, which alone .* it has i_window.*Liking; fetch the pinned"),
        (overlapping, r"metadata.tsv: row 0 does not follow .*windows without overlap"),
        (wordy, r"metadata.tsv: video_index of row 0 is 'Titanic', not a number"),
        (lambda row: row | {"video_index": 29}, r"metadata.tsv: video_index must lie in 1..28, found 29..29"),
        (lambda row: row | {"i_start_in_trial": 0, "i_stop_in_trial": 1000}, "does not follow the one before it"),
    ],
)
def test_a_table_that_cannot_be_trusted(tmp_path, columns, message):
    root = write_hub(tmp_path / "faced", {0: [(11, 2), (8, 3)]}, columns=columns)
    with pytest.raises(ValueError, match=message):
        _ = FACED(root=str(root), subjects=("sub000",)).spec


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.features=psd"], "psd is only in the official release"),
        (["--data.sampling_rate=250", "--data.features=raw", "--network=emod"], "have 100 Hz and are read as they are"),
        (["--data.mirror=bids"], "--data.mirror bids, but .* is a copy of the hub's repository"),
        (
            ["--data.subjects=[sub000,sub001]"],
            r"no recording of sub001 .*--data\.exclude '\[sub001\]' \(there is sub100, sub080, sub000",
        ),
    ],
)
def test_what_the_hubs_copy_cannot_give(hub, tmp_path, words, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        data_of(*flags(hub, tmp_path), *words)


def test_a_folder_above_the_copy_is_answered_with_the_right_one(hub):
    with pytest.raises(ValueError, match=f"use --data.root {hub}"):
        _ = FACED(root=str(hub.parent), mirror="hub").spec
    with pytest.raises(ValueError, match=r"FACED needs --data\.root DIR, or --data\.mirror hub"):
        FACED()


def test_the_cache_of_the_hub_is_used_without_a_network(tmp_path):
    """As ``hf download`` leaves it; a socket would end the run."""
    write_hub(tmp_path / "hub" / "datasets--braindecode--faced" / "snapshots" / HUB_FACED.revision, PEOPLE)
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from datamodules.faced import FACED\n"
        f"data = FACED(mirror='hub', subjects={NAMES}, cache=sys.argv[1])\n"
        "data.prepare_data(); print(data.spec.shape)"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("(26, 5)\n")


# --- BIDS


# --- a whole run
