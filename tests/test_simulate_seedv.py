"""The simulated SEED-V folder: official names and layout, recordings that mne reads, through the same door."""

import pickle
import struct
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest
import torch

from datamodules.seedv import trial_table
from datamodules.simulated import SimulatedSEEDV
from datamodules.simulation import seedv_files
from datamodules.simulation.cnt import STEP, write_cnt
from datamodules.simulation.seedv_files import DATES, _segments, clip_times, seedv_cohort, write_seedv
from datamodules.simulation.truth import planted_axis
from eeg.bands import SEEDV_BANDS
from eeg.montage import SEEDV_FILE_CHANNELS
from tests.conftest import make_axis
from vaxis.emotions import SEEDV


def open_cnt(path: Path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mne.io.read_raw_cnt(path, verbose="ERROR", **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """One subject with recordings, clips of four seconds."""
    root = tmp_path_factory.mktemp("seedv") / "cohort"
    return write_seedv(root, n_subjects=2, raw_subjects=1, seconds_per_trial=4)


def test_recordings_have_their_official_names(root: Path):
    names = {path.name for path in (root / "EEG_raw").glob("*.cnt")}
    assert names == {"1_1_20180804.cnt", "1_2_20180810.cnt", "1_3_20180808.cnt"}
    assert sum(len(dates.split()) for dates in DATES) == 48
    assert DATES[0].split()[6] == "20180411"
    assert (root / "EEG_raw" / "load_data.ipynb").is_file()
    assert (root / "EEG_DE_features" / "load_data.ipynb").is_file()


def test_mne_reads_what_was_drawn(root: Path):
    raw = open_cnt(root / "EEG_raw" / "1_2_20180810.cnt", data_format="auto")
    assert raw.ch_names == SEEDV_FILE_CHANNELS
    assert raw.info["sfreq"] == 1000
    assert raw.info["bads"] == []
    assert raw.info["meas_date"].strftime("%Y%m%d") == "20180810"
    cohort = seedv_cohort(planted_axis(SEEDV, seed=0), snr=0.8, seed=0)
    drawn = np.concatenate(list(_segments(cohort, number=1, session=1, table=clip_times(4))), axis=1)
    read = 1e6 * raw.get_data()
    assert read.shape == drawn.shape == (66, 1000 * (2 + 15 * 5 - 1 + 2))
    assert np.abs(read - drawn).max() <= STEP / 2 + 1e-6
    assert 5 < read.std() < 50


def test_trial_table_is_the_one_of_the_recordings(root: Path):
    table = trial_table(root)
    assert np.array_equal(table.end - table.start, np.full((3, 15), 4))
    official = clip_times(None)
    assert int((official.end - official.start).sum()) == 7359


def test_features_have_the_official_archive_layout(tmp_path: Path):
    root = write_seedv(tmp_path / "cohort", n_subjects=1)
    with np.load(root / "EEG_DE_features" / "1_123.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["data", "label"]
        data, label = pickle.loads(archive["data"]), pickle.loads(archive["label"].item())
    assert list(data) == list(range(45))
    assert sum(len(values) for values in data.values()) == 1823
    assert all(values.shape == (len(label[k]), 310) for k, values in data.items())
    assert all((label[k] == SEEDV.class_of[k]).all() for k in data)
    band = np.concatenate(list(data.values())).reshape(-1, 62, 5).mean(axis=(0, 1))
    assert band[0] > band[1] > band[4]


def test_recording_carries_the_modelled_power(root: Path):
    """Band power of every clip and electrode against rest, person and evoked part; trial noise is all that remains."""
    cohort = seedv_cohort(planted_axis(SEEDV, seed=0), snr=0.8, seed=0)
    signal, table = 1e6 * open_cnt(root / "EEG_raw" / "1_1_20180804.cnt").get_data(), trial_table(root)
    frequency, entropies = np.fft.rfftfreq(4000, 1 / 1000), []
    for start in table.start[0].astype(int):
        spectrum = np.square(np.abs(np.fft.rfft(signal[:, 1000 * start :][:, :4000])))
        power = [
            2 * spectrum[:, (frequency >= low) & (frequency < high)].sum(axis=1) for low, high in SEEDV_BANDS.values()
        ]
        entropies.append(0.5 * np.log(2 * np.pi * np.e * np.stack(power, axis=1) / 4000**2))
    expected = cohort.truth.base + cohort.subject(1).offset + cohort.response(1)[:15].mean(axis=0)
    assert np.corrcoef(np.mean(entropies, axis=0).ravel(), expected.ravel())[0, 1] > 0.98


def test_corrupt_header_fails_as_the_published_file_does(tmp_path: Path):
    signal = 20 * np.random.default_rng(0).standard_normal((66, 3000))
    for name, corrupt in (("good.cnt", False), ("bad.cnt", True)):
        write_cnt(
            tmp_path / name,
            [signal[:, :1000], signal[:, 1000:]],
            channels=SEEDV_FILE_CHANNELS,
            rate=1000,
            samples=3000,
            date="20180411",
            corrupt=corrupt,
        )
    assert struct.unpack_from("<i", (tmp_path / "bad.cnt").read_bytes(), 864) == (-732,)
    with pytest.raises(RuntimeError):
        open_cnt(tmp_path / "bad.cnt", data_format="auto")
    read = open_cnt(tmp_path / "bad.cnt", data_format="int32").get_data()
    assert np.array_equal(read, open_cnt(tmp_path / "good.cnt").get_data())


def test_corrupt_header_is_given_to_7_1_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = {}
    monkeypatch.setattr(seedv_files, "write_cnt", lambda path, *_, corrupt, **__: written.update({path.name: corrupt}))
    write_seedv(tmp_path / "cohort", raw_subjects=16, seconds_per_trial=4, corrupt_header=True)
    assert len(written) == 48
    assert [name for name, corrupt in written.items() if corrupt] == ["7_1_20180411.cnt"]


def test_a_length_that_disagrees_leaves_no_file(tmp_path: Path):
    with pytest.raises(ValueError, match="header says 10 samples, 5 were given"):
        write_cnt(tmp_path / "a.cnt", [np.zeros((1, 5))], channels=["CZ"], rate=1000, samples=10, date="20180411")
    assert not list(tmp_path.iterdir())


def test_same_seed_same_bytes(root: Path, tmp_path: Path):
    again = write_seedv(tmp_path / "again", n_subjects=1, raw_subjects=1, seconds_per_trial=4)
    for path in sorted(again.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (root / path.relative_to(again)).read_bytes(), path


@pytest.mark.parametrize("features", ["de", "raw"])
def test_simulated_data_comes_through_the_same_door(features: str, root: Path, tmp_path: Path):
    data = SimulatedSEEDV(
        root=str(root), n_subjects=1, features=features, seconds_per_trial=4, batch_size=5, cache=str(tmp_path)
    )
    data.prepare_data()
    data.setup()
    assert data.spec.simulated
    batch = next(iter(data.val_dataloader()))
    assert batch.x.shape == ((5, 62, 200) if features == "raw" else (5, 62, 5))
    assert torch.isfinite(batch.x).all()
    assert (batch.y == torch.tensor(SEEDV.class_of)[batch.stimulus]).all()


def test_wrong_arguments_name_the_fix(tmp_path: Path):
    with pytest.raises(ValueError, match="shorter than a 4 s feature window"):
        write_seedv(tmp_path / "a", seconds_per_trial=3)
    with pytest.raises(ValueError, match="raw_subjects <= n_subjects"):
        write_seedv(tmp_path / "a", n_subjects=17)
    with pytest.raises(ValueError, match="is for 'faced'"):
        write_seedv(tmp_path / "a", axis=make_axis("faced"))
