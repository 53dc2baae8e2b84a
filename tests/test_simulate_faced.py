"""The simulated FACED folder: official layout, known truth, same bytes from the same seed, no harm to real data."""

import hashlib
import json
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.faced import ratings, read_subject
from datamodules.faced_info import recording_info
from datamodules.simulate import main
from datamodules.simulated import SimulatedFACED
from datamodules.simulation import faced_files
from datamodules.simulation.faced_files import PARTS, spread_subjects, write_faced
from datamodules.simulation.faced_ratings import play_order
from datamodules.simulation.world import CLIP_CODES
from eeg.bands import FACED_BANDS
from eeg.differential_entropy import band_power, differential_entropy
from tests.conftest import make_axis
from vaxis.axis import Axis
from vaxis.emotions import FACED
from vaxis.targets import Targets

RAW_BYTES = (53_760_164, 53_760_165)  # under numpy 1 and numpy 2, whose module path is one letter longer


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Twelve subjects; three of them, one of each part of the split, with raw signals."""
    return write_faced(tmp_path_factory.mktemp("faced") / "cohort", n_subjects=12, raw_subjects=3)


def test_files_are_where_and_as_large_as_the_official_ones(root: Path):
    names = [f"sub{n:03d}" for n in spread_subjects(12)]
    for kind in ("DE", "PSD"):
        files = sorted((root / "EEG_Features" / kind).iterdir())
        assert [file.name for file in files] == [f"{name}.pkl.pkl" for name in names]
        assert {file.stat().st_size for file in files} <= {1_075_366, 1_075_367}
    raw = sorted((root / "Processed_data").iterdir())
    assert [file.name for file in raw] == ["sub000.pkl", "sub080.pkl", "sub100.pkl"]
    assert {file.stat().st_size for file in raw} <= set(RAW_BYTES)
    assert raw[0].read_bytes()[:2] == b"\x80\x04"
    assert sorted(file.name for file in (root / "Data").iterdir()) == names


def test_raw_signal_is_average_referenced_microvolt_without_content_above_47_hz(root: Path):
    signal = read_subject(root / "Processed_data" / "sub080.pkl", features="raw")
    assert signal.dtype == np.float64
    assert signal.flags.c_contiguous
    assert np.abs(signal.mean(axis=1)).max() < 1e-9
    assert 5 < signal.std() < 50
    spectrum = np.square(np.abs(np.fft.rfft(signal[:4]))).mean(axis=(0, 1))
    frequency = np.fft.rfftfreq(7500, 1 / 250)
    assert spectrum[frequency > 48].sum() < 1e-3 * spectrum.sum()
    assert spectrum[frequency < 0.03].sum() < 1e-3 * spectrum.sum()


def test_entropy_of_the_raw_signal_agrees_with_the_feature_file(root: Path):
    """Up to the average reference, which spreads what single electrodes do, and the noise that the two draw apart."""
    features = read_subject(root / "EEG_Features" / "DE" / "sub100.pkl.pkl", features="de")
    signal = torch.from_numpy(read_subject(root / "Processed_data" / "sub100.pkl", features="raw"))
    power = band_power(signal, sampling_rate=250, bands=FACED_BANDS, window_seconds=1)
    measured = differential_entropy(power).numpy().reshape(28, 32, 3, 10, 5).mean(axis=3)
    written = features.reshape(28, 32, 3, 10, 5).mean(axis=3)
    assert np.corrcoef(measured.ravel(), written.ravel())[0, 1] > 0.95
    # Without the levels of electrodes and bands, what is left is the change from trial to trial.
    change = [array - array.mean(axis=(0, 2), keepdims=True) for array in (measured, written)]
    assert np.corrcoef(change[0].ravel(), change[1].ravel())[0, 1] > 0.75


def test_density_file_is_the_power_of_the_entropy_file(root: Path):
    entropy, density = (
        read_subject(root / "EEG_Features" / kind.upper() / "sub001.pkl.pkl", features=kind) for kind in ("de", "psd")
    )
    widths = np.array([high - low for low, high in FACED_BANDS.values()])
    assert np.allclose(differential_entropy(torch.tensor(density * widths)).numpy(), entropy)


def test_ratings_follow_emotion_and_planted_position(root: Path):
    truth = np.load(root / "truth.npz")
    scores = np.mean([ratings(root, f"sub{n:03d}") for n in spread_subjects(12)], axis=0)
    assert scores.shape == (28, 12)
    assert scores.min() >= 0
    assert scores.max() <= 7
    assert np.corrcoef(scores[:, 9], truth["v"])[0, 1] > 0.95
    anger = np.asarray(FACED.class_of) == 0
    assert scores[anger, 4].min() > scores[~anger, 4].max()


def test_behaviour_file_has_the_official_structure(root: Path):
    from scipy.io import loadmat

    remarks = loadmat(root / "Data" / "sub000" / "After_remarks.mat")["After_remark"]
    assert remarks.shape == (28, 1)
    assert remarks.dtype.names == ("score", "trial", "vid", "Accuracy", "ResponseTime")
    assert [int(entry["trial"][0, 0].item()) for entry in remarks[:, :1].reshape(-1, 1, 1)] == list(range(1, 29))
    assert remarks[0, 0]["vid"].dtype == np.uint8
    assert remarks[0, 0]["score"].shape == (1, 12)
    filled = [k + 1 for k in range(28) if remarks[k, 0]["Accuracy"].size]
    assert filled == [4, 8, 12, 16, 20, 24]
    assert remarks[3, 0]["ResponseTime"].shape == (1, 20)
    assert remarks[0, 0]["ResponseTime"].shape == (1, 0)


def test_play_order_is_seven_blocks_of_one_valence():
    orders = {tuple(play_order(np.random.default_rng(seed))) for seed in range(20)}
    assert len(orders) == 20
    valence = np.asarray(FACED.valence)[np.asarray(FACED.class_of)]
    for order in orders:
        assert sorted(order) == list(range(28))
        assert (np.ptp(valence[list(order)].reshape(7, 4), axis=1) == 0).all()


def test_recording_table_has_the_official_cohorts_rates_and_quirks(root: Path):
    assert (root / "Recording_info.csv").read_bytes().startswith(b"\xef\xbb\xbfsub,")
    assert b"Cohort \r\n" in (root / "Recording_info.csv").read_bytes()
    info = recording_info(root)
    assert len(info) == 123
    assert sum(row.cohort == 1 for row in info.values()) == 61
    assert sum(row.sampling_rate == 250 for row in info.values()) == 55
    assert sum(row.gender == "F" for row in info.values()) == 75
    assert (info["sub007"].sampling_rate, info["sub008"].sampling_rate) == (1000, 250)


def test_axis_and_truth_agree(root: Path):
    targets, truth = Targets.from_axis(Axis.load(root / "axis.npz")), np.load(root / "truth.npz")
    assert targets.source == "planted"
    assert np.allclose(targets.v, truth["v"])
    assert truth["evoked"].shape == (28, 32, 5)
    assert truth["subject_offsets"].shape == (123, 32, 5)
    mark = json.loads((root / "SIMULATED.json").read_text())
    assert mark["simulated"] is True
    assert mark["parameters"].pop("world") == asdict(CLIP_CODES)
    assert mark["parameters"] == {"snr": 0.8, "seed": 0, "axis": "drawn", "outlier": False}


def test_a_subject_depends_on_seed_and_number_alone(root: Path, tmp_path: Path):
    few = digests(write_faced(tmp_path / "few", n_subjects=3, raw_subjects=1))
    everyone = digests(root)
    assert few == {name: everyone[name] for name in few}
    other = digests(write_faced(tmp_path / "other", n_subjects=3, seed=1))
    same = {name for name in few if few[name] == other.get(name)}
    assert not same


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_array, calls = faced_files.write_array, []

    def killed(path: Path, array: np.ndarray) -> None:
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        write_array(path, array)

    monkeypatch.setattr(faced_files, "write_array", killed)
    with pytest.raises(KeyboardInterrupt):
        write_faced(tmp_path / "killed", n_subjects=4)
    monkeypatch.undo()
    kept = calls[0].stat().st_mtime_ns
    write_faced(tmp_path / "killed", n_subjects=4)
    assert calls[0].stat().st_mtime_ns == kept
    assert digests(tmp_path / "killed") == digests(write_faced(tmp_path / "whole", n_subjects=4))


def test_folders_with_other_content_are_refused(tmp_path: Path):
    real = tmp_path / "FACED"
    (real / "Processed_data").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"no SIMULATED\.json; it may be real data"):
        write_faced(real, n_subjects=1)
    assert not (real / "EEG_Features").exists()
    write_faced(tmp_path / "cohort", n_subjects=1)
    with pytest.raises(FileExistsError, match=r"snr 0\.8 -> 2\.0.*another folder"):
        write_faced(tmp_path / "cohort", n_subjects=1, snr=2.0)


def test_outlier_is_sub023_alone(tmp_path: Path):
    assert 23 in spread_subjects(40)
    for name, outlier in (("plain", False), ("faulty", True)):
        write_faced(tmp_path / name, n_subjects=40, outlier=outlier)
    difference = {
        subject: pickle.loads((tmp_path / "faulty" / path).read_bytes())
        - pickle.loads((tmp_path / "plain" / path).read_bytes())
        for subject in ("sub022", "sub023")
        for path in (f"EEG_Features/DE/{subject}.pkl.pkl",)
    }
    assert not difference["sub022"].any()
    assert np.allclose(difference["sub023"], np.log(3000))


def test_small_cohorts_keep_the_parts_of_the_split():
    assert spread_subjects(3) == [0, 80, 100]
    assert spread_subjects(123) == list(range(123))
    for n in range(3, 123):
        assert set(spread_subjects(n)) < set(spread_subjects(n + 1))
        assert all(set(spread_subjects(n)) & set(part) for part in PARTS)
    with pytest.raises(ValueError, match="FACED has 123"):
        spread_subjects(124)


@pytest.mark.parametrize("features", ["de", "raw"])
def test_simulated_data_comes_through_the_same_door(features: str, root: Path, tmp_path: Path):
    n = 3 if features == "raw" else 12
    data = SimulatedFACED(root=str(root), n_subjects=n, features=features, batch_size=21, cache=str(tmp_path))
    assert data.spec.simulated
    assert len(data.spec.subjects) == n
    before = digests(root)
    data.prepare_data()
    assert digests(root) == before
    data.setup()
    batch = next(iter(data.test_dataloader()))
    assert batch.x.shape[1:] == ((32, 2000) if features == "raw" else (32, 5))
    assert torch.isfinite(batch.x).all()
    assert (batch.y == torch.tensor(FACED.class_of)[batch.stimulus]).all()


def test_data_module_writes_its_cohort_from_a_given_axis(tmp_path: Path):
    axis = make_axis()
    path, root = axis.save(tmp_path / "axis.npz"), tmp_path / "cohort"
    data = SimulatedFACED(
        root=str(root), n_subjects=3, features="de", axis=str(path), cohort_seed=5, cache=str(tmp_path / "cache")
    )
    data.prepare_data()
    assert Axis.load(root / "axis.npz").fingerprint == axis.fingerprint
    other = make_axis("seedv").save(tmp_path / "seedv.npz")
    with pytest.raises(ValueError, match="is for 'seedv'"):
        SimulatedFACED(root=str(tmp_path / "other"), n_subjects=3, features="de", axis=str(other)).prepare_data()


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    main(["faced", str(tmp_path / "cohort"), "--n_subjects", "2"])
    assert "axis.npz" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="seed 0 -> 9"):
        main(["faced", str(tmp_path / "cohort"), "--n_subjects", "2", "--seed", "9"])
