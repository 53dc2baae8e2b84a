"""Preprocessing: float32 throughout, light processes, memory that is told, trials that a disk lost are made again."""

import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample

from datamodules import faced_files, seedv_files
from datamodules.faced import FACED
from datamodules.filling import fill, peak_memory
from datamodules.plausibility import People
from datamodules.store import build
from tests.conftest import ROOT
from tests.test_store import calls, make_recipe

RAW = {"features": "raw", "channels": 32, "seconds": 10}


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """One person's, of the size of EEG in microvolt and a tenfold offset in one electrode."""
    x = np.random.default_rng(0).standard_normal((28, 32, 7500)).cumsum(axis=-1)
    x = 20 * (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True)
    x[:, 3] += 200
    return x


@pytest.fixture(scope="module")
def root(signal: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faced")
    (root / "Processed_data").mkdir()
    (root / "Processed_data" / "sub000.pkl").write_bytes(pickle.dumps(signal, protocol=4))
    return root


def test_resampling_in_float32_is_that_in_float64_to_a_millionth_of_the_signal(root: Path, signal: np.ndarray) -> None:
    files = (root / "Processed_data" / "sub000.pkl",)
    ours = faced_files.read_pieces(files, **RAW, sampling_rate=200)
    exact = resample(signal, 6000, axis=-1).reshape(28, 32, 3, 2000).swapaxes(1, 2).reshape(84, 32, 2000)
    assert (ours.dtype, ours.shape) == (np.float32, (84, 32, 2000))
    assert 0 < np.abs(ours - exact).max() < 1e-6 * np.abs(signal).max()
    as_shipped = faced_files.read_pieces(files, **RAW, sampling_rate=250)
    assert as_shipped.dtype == np.float32
    np.testing.assert_array_equal(as_shipped[1], signal[0, :, 2500:5000].astype(np.float32))


def test_only_stores_of_resampled_signals_are_made_again(root: Path, tmp_path: Path) -> None:
    options = {"root": str(root), "features": "raw", "subjects": ("sub000",), "cache": str(tmp_path)}
    resampled, shipped = (FACED(**options, sampling_rate=rate).recipe().parameters for rate in (200, 250))
    assert resampled["resampled_in"] == "float32"
    assert "resampled_in" not in shipped


@pytest.mark.parametrize("value", [np.nan, 1e39])
def test_what_float32_cannot_hold_is_named_before_it_is_resampled(tmp_path: Path, value: float) -> None:
    values = np.zeros((28, 32, 7500))
    values[4, 1, 7] = value
    (tmp_path / "sub000.pkl").write_bytes(pickle.dumps(values))
    with pytest.raises(ValueError, match=r"sub000\.pkl: 1 values .* first at clip 5, channel Fp2, position 7;"):
        faced_files.read_pieces((tmp_path / "sub000.pkl",), **RAW, sampling_rate=200)


def test_a_process_that_preprocesses_loads_neither_torch_nor_lightning(root: Path, tmp_path: Path) -> None:
    """Each would take seconds and hundreds of megabytes before the first person."""
    data = FACED(root=str(root), features="raw", subjects=("sub000",), cache=str(tmp_path))
    table = (np.zeros((3, 15)), np.ones((3, 15)))
    seedv = partial(seedv_files.read_recordings, table=table, seconds=1, sampling_rate=200, notch=None)
    sent = pickle.dumps([fill, data.recipe().read, seedv])
    code = (
        "import pickle, sys; pickle.load(sys.stdin.buffer); print(*{'torch', 'lightning', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=sent, capture_output=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("workers", "where"), [(0, "this process"), (2, "each of 2 processes")])
def test_memory_and_time_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: int, where: str) -> None:
    build(make_recipe(tmp_path), cache=tmp_path / "cache", workers=workers)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("preprocessed ")]
    assert line.startswith("preprocessed 3 subjects of toy in ")
    assert line.endswith(f" MB in {where}")
    build(make_recipe(tmp_path), cache=tmp_path / "cache", workers=workers)
    assert "preprocessed" not in capfd.readouterr().err


def test_peak_memory_counts_what_was_freed() -> None:
    before = peak_memory()
    np.ones(200_000_000, dtype=np.uint8).sum()
    assert peak_memory() > before or before > 200_000_000


def test_trials_that_a_disk_lost_are_made_again(tmp_path: Path) -> None:
    """A subject is ticked off before its trials are on the disk; the machine may lose its power in between."""
    recipe = make_recipe(tmp_path)
    (tmp_path / "sub002.txt").write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        build(make_recipe(tmp_path), cache=tmp_path / "cache")
    (tmp_path / "sub002.txt").write_text("2.5")
    (building,) = (tmp_path / "cache").glob(".*.building")
    x = np.load(building / "x.npy", mmap_mode="r+")
    x[30] = 0  # of sub001
    x.flush()
    building.rename(building.with_name(f".toy-{recipe.fingerprint}.building"))
    made = build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert calls(tmp_path) == ["sub000", "sub001", "sub002", "sub001", "sub002"]
    np.testing.assert_array_equal(made.x[:, 0, 0], np.repeat([0.5, 1.5, 2.5], 28))


def test_statistics_of_raw_signals_are_those_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=(7, 3, 50)).astype(np.float32)
    people = People.of(values, raw=True)
    np.testing.assert_allclose(people.mean[0, :, 0], values.mean(axis=(0, 2), dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(people.spread[0, :, 0], values.std(axis=(0, 2), dtype=np.float64), rtol=1e-9)
    np.testing.assert_array_equal(people.low[0, :, 0], values.min(axis=(0, 2)))
    np.testing.assert_array_equal(people.high[0, :, 0], values.max(axis=(0, 2)))
