"""Files as they come from browsers, archives and recorders: read where they can be, refused by name where not."""

import pickle
import shutil
import struct
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest

from datamodules import seedv
from datamodules.faced import FACED, find_files
from datamodules.neuroscan import open_recording
from datamodules.seedv import SEEDV, find_features, find_recordings
from datamodules.seedv_files import read_recording
from eeg.montage import SEEDV_CHANNELS, SEEDV_FILE_CHANNELS
from tests.test_datamodules_seedv import SHORT, feature_dicts, signal, write_cnt, write_features, write_table

SAMPLES, EVENTS = 864, 886  # positions in the header of a .cnt


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cnt") / "7_2_20180418.cnt"
    write_cnt(path, signal())
    return path


def edited(good: Path, path: Path, *, position: int, value: bytes) -> Path:
    """A copy with other bytes somewhere in its header."""
    data = bytearray(good.read_bytes())
    data[position : position + len(value)] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def read(path: Path) -> np.ndarray:
    return read_recording(path, sampling_rate=200, notch=None, needed_seconds=46)


@pytest.mark.parametrize("block", [0, 40])
def test_samples_are_bit_by_bit_those_of_mne(good: Path, tmp_path: Path, block: int) -> None:
    """Also where ten samples of a channel lie side by side."""
    path = edited(good, tmp_path / good.name, position=894, value=struct.pack("<i", block))
    raw = mne.io.read_raw_cnt(path, data_format="int32", verbose="ERROR")
    own = open_recording(path)
    assert own.channels == tuple(raw.ch_names) == tuple(SEEDV_FILE_CHANNELS)
    wanted = tuple(reversed(SEEDV_CHANNELS))
    np.testing.assert_array_equal(own.read(wanted), raw.get_data(picks=list(wanted)))


def test_filtered_signals_are_those_of_the_reader_of_mne(good: Path) -> None:
    raw = mne.io.read_raw_cnt(good, data_format="auto", verbose="ERROR")
    raw.pick(list(SEEDV_CHANNELS)).load_data(verbose="ERROR")
    raw.resample(200, method="polyphase", verbose="ERROR")
    raw.filter(0.3, 75.0, picks="all", verbose="ERROR")
    np.testing.assert_array_equal(read(good), (1e6 * raw.get_data()).astype(np.float32))


@pytest.mark.parametrize(
    ("position", "value"),
    [(225, b"04/1\xe9/18"), (21, "é".encode()), (EVENTS, bytes(4)), (EVENTS, b"\xff\xff\xff\x7f")],
    ids=["date beyond ASCII", "patient beyond ASCII", "events at 0", "events beyond the end"],
)
def test_what_the_samples_do_not_depend_on_does_not_matter(good: Path, tmp_path: Path, position, value) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(edited(good, tmp_path / good.name, position=position, value=value))
    np.testing.assert_array_equal(found, read(good))


@pytest.mark.parametrize("stated", [-732, 0, 7, 48_000 + 512, 2**31 - 1])
def test_a_corrupt_sample_count_is_told_of_and_mended(good: Path, tmp_path: Path, stated: int) -> None:
    path = edited(good, tmp_path / good.name, position=SAMPLES, value=struct.pack("<i", stated))
    with pytest.warns(UserWarning, match=rf"7_2_20180418\.cnt: corrupt header, read as 48000 samples .* not {stated}"):
        found = read(path)
    np.testing.assert_array_equal(found, read(good))


def test_twice_the_samples_are_not_read_as_half_of_each(good: Path, tmp_path: Path) -> None:
    path = edited(good, tmp_path / good.name, position=SAMPLES, value=struct.pack("<i", 96_000))
    assert mne.io.read_raw_cnt(path, verbose="ERROR").n_times == 96_000  # noise, without a word
    with pytest.raises(ValueError, match=r"7_2_20180418\.cnt: its header claims 96000 samples.*16 bits"):
        read(path)


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (376, struct.pack("<H", 500), "says 500 Hz"),
        (370, struct.pack("<H", 0), "not a whole Neuroscan recording"),
        (894, struct.pack("<i", 4 * 7), "do not fill blocks of 7"),
        (900 + 75 * 3 + 71, struct.pack("<f", float("nan")), "channel AF3 has no usable calibration"),
    ],
)
def test_headers_that_cannot_be_right(good: Path, tmp_path: Path, position, value, message: str) -> None:
    with pytest.raises(ValueError, match=rf"7_2_20180418\.cnt: .*{message}"):
        read(edited(good, tmp_path / good.name, position=position, value=value))


def test_a_copy_that_was_cut_off(good: Path, tmp_path: Path) -> None:
    path = tmp_path / good.name
    path.write_bytes(good.read_bytes()[:-300_000])  # still long enough for the last clip
    with pytest.raises(ValueError, match=r"claims 48000 samples and the file ends after 468\d\d"):
        read(path)


@pytest.mark.parametrize("change", [-5, 64])
def test_bytes_that_went_missing_or_came_in_on_the_way(good: Path, tmp_path: Path, change: int) -> None:
    """All that follows them is another channel's."""
    data, path = good.read_bytes(), tmp_path / good.name
    path.write_bytes(data[:90_000] + (data[90_005:] if change < 0 else bytes(change) + data[90_000:]))
    with pytest.raises(ValueError, match=r"7_2_20180418\.cnt: no events where its header says"):
        read(path)


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


SESSIONS = ("1_1_20180804.cnt", "1_2_20180810.cnt", "1_3_20180808.cnt")


@pytest.mark.parametrize("second", ["1_2_20180810 (1).cnt", "Copy of 1_2_20180810.cnt", "1_2_20180810.CNT"])
def test_two_files_for_one_recording(tmp_path: Path, second: str) -> None:
    touch(tmp_path / "EEG_raw", *SESSIONS, "._1_1_20180804.cnt", "1_1_20180804.cnt.part", "load.ipynb")
    assert len(find_recordings(tmp_path, subjects=("1",))[0]) == 3
    touch(tmp_path / "EEG_raw", second)
    with pytest.raises(ValueError, match="2 files for one recording: ") as caught:
        find_recordings(tmp_path, subjects=("1",))
    assert second in str(caught.value)
    assert "1_2_20180810.cnt" in str(caught.value)


def test_two_archives_for_one_person(tmp_path: Path) -> None:
    touch(tmp_path / "EEG_DE_features", "1_123.npz", "11_123.npz")
    assert [p.name for (p,) in find_features(tmp_path, subjects=("1", "11"))] == ["1_123.npz", "11_123.npz"]
    touch(tmp_path / "EEG_DE_features", "1_123(1).npz")
    with pytest.raises(ValueError, match=r"files for one recording: 1_123\(1\)\.npz and 1_123\.npz"):
        find_features(tmp_path, subjects=("1", "11"))


@pytest.mark.parametrize("second", ["sub000.pkl", "sub000 (1).pkl.pkl", "Copy of sub000.pkl.pkl", "sub000.pkl (2).pkl"])
def test_two_files_for_one_person_of_faced(tmp_path: Path, second: str) -> None:
    touch(tmp_path / "EEG_Features" / "DE", "sub000.pkl.pkl", ".sub000.pkl.pkl", "sub000.txt")
    assert find_files(tmp_path, features="de", subjects=("sub000",))[0][0].name == "sub000.pkl.pkl"
    touch(tmp_path / "EEG_Features" / "DE", second)
    with pytest.raises(ValueError, match="2 files for one recording") as caught:
        find_files(tmp_path, features="de", subjects=("sub000",))
    assert second in str(caught.value)


def test_upper_case_endings(tmp_path: Path) -> None:
    touch(tmp_path / "EEG_raw", *(name.replace(".cnt", ".CNT") for name in SESSIONS))
    assert [p.suffix for p in find_recordings(tmp_path, subjects=("1",))[0]] == [".CNT"] * 3


@pytest.mark.parametrize("inside", ["EEG_Features/DE/DE", "EEG_Features/EEG_Features/DE"])
def test_an_archive_unpacked_into_a_folder_of_its_own_name(tmp_path: Path, inside: str) -> None:
    touch(tmp_path / "Processed_data" / "Processed_data", "sub000.pkl")
    touch(tmp_path / inside, "sub000.pkl.pkl")
    for features in ("raw", "de"):
        assert find_files(tmp_path, features=features, subjects=("sub000",))[0][0].is_file()
    touch(tmp_path / "Processed_data", "sub001.pkl")
    with pytest.raises(ValueError, match="both hold files"):
        find_files(tmp_path, features="raw", subjects=("sub000",))


def test_other_features_than_the_default_are_pointed_out(tmp_path: Path) -> None:
    touch(tmp_path / "F" / "Processed_data", "sub000.pkl")
    with pytest.raises(FileNotFoundError, match="features raw reads Processed_data, which is there"):
        FACED(root=str(tmp_path / "F")).recipe()
    touch(tmp_path / "S" / "EEG_raw", *SESSIONS)
    with pytest.raises(FileNotFoundError, match="features raw reads EEG_raw"):
        SEEDV(root=str(tmp_path / "S")).recipe()


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    data = FACED(root="~/FACED", cache="~/stores")
    assert (data.root, data.cache) == (str(tmp_path / "FACED"), tmp_path / "stores")


def test_people_of_seedv_as_numbers() -> None:
    from command_line.settings import RunSettings

    data = SEEDV(root="x", subjects=(1, "12"), exclude=(12,))
    assert data.subjects == ("1",)
    words = ["--data", "SEEDV", "--data.root", "x", "--data.subjects", "[1, 3]", "--data.exclude_recordings", "[7_1]"]
    assert RunSettings.parse(words).value("data.subjects") == [1, 3]
    with pytest.raises(ValueError, match="no subject '17'"):
        SEEDV(root="x", subjects=(17,))


def test_a_missing_recording_can_be_left_out(tmp_path: Path, good: Path) -> None:
    write_table(tmp_path, SHORT)
    (tmp_path / "SIMULATED.json").write_text("{}")
    for session in (2, 3):
        (tmp_path / "EEG_raw").mkdir(exist_ok=True)
        shutil.copy(good, tmp_path / "EEG_raw" / f"7_{session}_20180418.cnt")
    options = {"root": str(tmp_path), "features": "raw", "subjects": (7,), "cache": str(tmp_path / "c")}
    with pytest.raises(FileNotFoundError, match=r"no 7_1_\*\.cnt; .*--data\.exclude_recordings '\[7_1\]'"):
        SEEDV(**options).prepare_data()
    data = SEEDV(**options, exclude_recordings=(71,))  # what YAML makes of 7_1
    data.setup("test")
    assert data.store.x.shape == (60, 62, 200)
    assert sorted(set(data.store.trials.session)) == [2, 3]
    np.testing.assert_array_equal(data.store.x[:30], data.store.x[30:])  # both files are the same


def test_a_recording_is_left_out_of_band_features_alike(tmp_path: Path) -> None:
    values, labels = feature_dicts(seedv.OFFICIAL)
    for key in range(15):
        del values[key], labels[key]
    write_features(tmp_path / "EEG_DE_features" / "7_123.npz", values, labels)
    options = {"root": str(tmp_path), "subjects": ("7",), "cache": str(tmp_path / "c")}
    with pytest.raises(ValueError, match=r"there is no 0; .*--data\.exclude_recordings '\[7_1\]'"):
        SEEDV(**options).prepare_data()
    data = SEEDV(**options, exclude_recordings=("7_1",))
    data.setup("test")
    assert len(data.store.trials) == 541 + 601
    np.testing.assert_allclose(data.store.x[0, 0], np.array([5, 4, 3, 2, 1]) + 15, rtol=1e-6)


@pytest.mark.parametrize(
    ("recordings", "message"), [(("7_4",), "no recording 7_4"), (("7_1", "7_2", "7_3"), "leaves nothing of 7;")]
)
def test_recordings_that_there_are_not(recordings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SEEDV(root="x", exclude_recordings=recordings)


@pytest.mark.parametrize("dtype", ["U3", "complex128", "object", "bool"])
def test_arrays_that_hold_no_real_numbers(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "EEG_Features" / "DE" / "sub000.pkl.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(np.ones((28, 32, 30, 5), dtype)))
    with pytest.raises(ValueError, match=r"sub000\.pkl\.pkl: expected real numbers"):
        FACED(root=str(tmp_path), subjects=("sub000",), cache=str(tmp_path / "c")).prepare_data()
    values, labels = feature_dicts(seedv.OFFICIAL)
    values[3] = values[3].astype(dtype)
    write_features(tmp_path / "EEG_DE_features" / "1_123.npz", values, labels)
    with pytest.raises(ValueError, match=r"1_123\.npz: data\[3\] must be an array of numbers"):
        SEEDV(root=str(tmp_path), subjects=("1",), cache=str(tmp_path / "c")).prepare_data()
