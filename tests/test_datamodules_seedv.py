"""SEED-V in its official layout: trial table, Neuroscan files with their corrupt header, feature archives."""

import io
import pickle
import pickletools
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from datamodules import seedv
from datamodules.seedv import SEEDV
from datamodules.seedv_files import read_features, read_recording
from eeg.montage import SEEDV_CHANNELS, SEEDV_FILE_CHANNELS
from vaxis import emotions

START = np.tile(1 + 3 * np.arange(15), (3, 1))
SHORT = seedv.TrialTable(START, START + 2)  # 15 clips of 2 s: a session of 46 s
RATE, SECONDS = 1000, 48


def write_table(root: Path, table: seedv.TrialTable) -> None:
    rows = [
        f"Session {s + 1}:\nstart_second: {table.start[s].tolist()}\nend_second: {table.end[s].tolist()}\n"
        for s in range(3)
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / seedv.TIMESTAMPS).write_text("\n".join(rows))


def write_cnt(path: Path, microvolt: np.ndarray, *, stated_samples: int | None = None) -> None:
    """Neuroscan file of (66, T) microvolt, 204.8 counts a microvolt."""
    channels, samples = microvolt.shape
    header = bytearray(900)
    header[225:243] = b"04/11/18  12:00:00"
    struct.pack_into("<HH", header, 370, channels, 0)
    struct.pack_into("<H", header, 376, RATE)
    events = 900 + 75 * channels + 4 * channels * samples
    struct.pack_into("<i", header, 864, samples if stated_samples is None else stated_samples)
    struct.pack_into("<i", header, 886, events)
    for i, name in enumerate(SEEDV_FILE_CHANNELS):
        electrode = bytearray(75)
        electrode[: len(name)] = name.encode()
        struct.pack_into("<ff", electrode, 19, 1.0 + i, 2.0 + i)
        struct.pack_into("<f", electrode, 59, 1.0)
        struct.pack_into("<f", electrode, 71, 1.0)
        header += electrode
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = np.round(microvolt.T * 204.8).astype("<i4")
    path.write_bytes(bytes(header) + counts.tobytes() + b"\x01" + struct.pack("<ii", 0, 0))


def signal() -> np.ndarray:
    """10 Hz on every channel, amplitude = 1 + position in the file; an offset and 97 Hz that must go."""
    time = np.arange(SECONDS * RATE) / RATE
    wave = np.sin(2 * np.pi * 10 * time)
    junk = 50 + 30 * np.sin(2 * np.pi * 97 * time)
    return (1 + np.arange(66))[:, None] * wave + junk


@pytest.fixture(scope="module")
def raw_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seedv") / "SEED-V"
    write_table(root, SHORT)
    (root / "SIMULATED.json").write_text("{}")
    for session in (1, 2, 3):
        corrupt = -732 if session == 1 else None
        write_cnt(root / "EEG_raw" / f"7_{session}_20180411.cnt", signal() * session, stated_samples=corrupt)
    (root / "EEG_raw" / "read_me.ipynb").write_text("{}")
    return root


def pickled(value: object) -> np.ndarray:
    return np.array(pickle.dumps(value, protocol=4))


def feature_dicts(table: seedv.TrialTable) -> tuple[dict, dict]:
    counts = seedv.window_counts(table, seconds=4)
    fall = np.tile([5.0, 4.0, 3.0, 2.0, 1.0], 62) + np.repeat(np.arange(62) / 1000, 5)
    data = {k: np.tile(fall + k, (n, 1)) for k, n in enumerate(counts)}
    return data, {k: np.full(n, float(emotions.SEEDV.class_of[k])) for k, n in enumerate(counts)}


def write_features(path: Path, data: dict, labels: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, data=pickled(data), label=pickled(labels))
    return path


def read(path: Path, *, layout: str = "channel_major") -> np.ndarray:
    counts = tuple(seedv.window_counts(seedv.OFFICIAL, seconds=4).tolist())
    return read_features((path,), counts=counts, class_of=emotions.SEEDV.class_of, layout=layout)


def test_what_travels_to_a_process_that_preprocesses_does_not_name_the_data_module(raw_root: Path) -> None:
    """Its import brings torch and Lightning along, in each process."""
    sent = pickle.dumps(SEEDV(root=str(raw_root), features="raw", subjects=("7",)).recipe().read)
    assert {arg for _, arg, _ in pickletools.genops(sent)} >= {"datamodules.seedv_files"}
    assert "datamodules.seedv" not in {arg for _, arg, _ in pickletools.genops(sent)}


def test_facts_of_the_release() -> None:
    lengths = seedv.OFFICIAL.end - seedv.OFFICIAL.start
    assert lengths.sum(axis=1).tolist() == [2743, 2191, 2425]
    labels = np.array(emotions.SEEDV.class_of).reshape(9, 5)
    assert (np.sort(labels) == np.arange(5)).all()
    trials = seedv.windows(seedv.OFFICIAL, seconds=1)
    assert len(trials) == 117744
    np.testing.assert_array_equal(trials.stimulus, 15 * (trials.session - 1) + trials.trial)
    spec = SEEDV(root="nowhere", features="raw").spec
    assert spec.shape == (62, 200)
    assert SEEDV(root="nowhere", features="de").spec.shape == (62, 5)
    assert spec.channels[:2] == ("FP1", "FPZ")
    assert spec.subjects == tuple("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16".split())
    assert spec.class_of[:5] == (4, 1, 3, 2, 0)


def test_raw_end_to_end_with_a_corrupt_header(raw_root: Path, tmp_path: Path) -> None:
    data = SEEDV(root=str(raw_root), features="raw", subjects=("7",), cache=str(tmp_path))
    with pytest.warns(UserWarning, match=r"7_1_20180411\.cnt: corrupt header"):
        data.setup()
    assert data.spec.simulated
    assert data.store.x.shape == (90, 62, 200)
    assert {role: len(rows) for role, rows in data.indices.items()} == {"train": 30, "val": 30, "test": 30}
    amplitude = np.sqrt(2) * data.store.x.std(axis=-1)  # (90, 62)
    expected = np.array([1 + SEEDV_FILE_CHANNELS.index(name) for name in SEEDV_CHANNELS])
    sessions, inside = data.store.trials.session, data.store.trials.trial > 3  # away from the start of the file
    # A pure 10 Hz is left, in microvolt, in the standard order and from the right session.
    np.testing.assert_allclose(amplitude[inside], sessions[inside, None] * expected, rtol=0.02, atol=0.05)
    time = np.arange(200) / 200
    wave = data.store.x[40, 61] / amplitude[40, 61]
    assert np.corrcoef(wave, np.sin(2 * np.pi * 10 * time))[0, 1] > 0.999


def test_repaired_file_is_preferred(raw_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "EEG_raw"
    folder.mkdir()
    for name in ("7_1_20180411", "7_1_20180411_repaired", "7_2_20180418", "7_3_20180422"):
        (folder / f"{name}.cnt").write_bytes(b"")
    (files,) = seedv.find_recordings(tmp_path, subjects=("7",))
    assert [path.stem for path in files] == ["7_1_20180411_repaired", "7_2_20180418", "7_3_20180422"]
    with pytest.raises(FileNotFoundError, match=r"no 1_1_\*\.cnt, 1_2_\*\.cnt, 1_3_\*\.cnt;"):
        seedv.find_recordings(tmp_path, subjects=("1", "7"))


def test_recordings_that_cannot_be_used(raw_root: Path, tmp_path: Path) -> None:
    good = raw_root / "EEG_raw" / "7_2_20180411.cnt"
    options = {"sampling_rate": 200, "notch": None}
    with pytest.raises(ValueError, match=r"7_2_20180411\.cnt: .*ends at 48 s and its last clip at 60 s"):
        read_recording(good, needed_seconds=60, **options)
    (tmp_path / "1_1_x.cnt").write_bytes(good.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"1_1_x\.cnt: not a whole Neuroscan recording"):
        read_recording(tmp_path / "1_1_x.cnt", needed_seconds=10, **options)
    (tmp_path / "1_2_x.cnt").write_bytes(good.read_bytes().replace(b"POZ\0", b"XYZ\0", 1))
    with pytest.raises(ValueError, match="no channel POZ; it has FP1"):
        read_recording(tmp_path / "1_2_x.cnt", needed_seconds=10, **options)


def test_notch_removes_mains(tmp_path: Path) -> None:
    time = np.arange(20 * RATE) / RATE
    write_cnt(tmp_path / "1_1_x.cnt", np.tile(10 * np.sin(2 * np.pi * 50 * time), (66, 1)))
    kept, gone = (
        read_recording(tmp_path / "1_1_x.cnt", needed_seconds=10, sampling_rate=200, notch=notch)[:, 1000:3000].std()
        for notch in (None, 50.0)
    )
    assert kept == pytest.approx(10 / 2**0.5, rel=0.02)
    assert gone < 0.1


def test_timestamps(tmp_path: Path) -> None:
    assert seedv.trial_table(tmp_path) is seedv.OFFICIAL
    write_table(tmp_path, seedv.OFFICIAL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(seedv.trial_table(tmp_path), seedv.OFFICIAL)
    write_table(tmp_path, SHORT)
    with pytest.warns(UserWarning, match="differs from the published trial table"):
        np.testing.assert_array_equal(seedv.trial_table(tmp_path), SHORT)
    (tmp_path / seedv.TIMESTAMPS).write_text("Session 1:\nstart_second: [1, 2]\nend_second: [2, 3]\n")
    with pytest.raises(ValueError, match=r"trial_start_end_timestamp\.txt: expected"):
        seedv.trial_table(tmp_path)
    write_table(tmp_path, seedv.TrialTable(SHORT.end, SHORT.start))
    with pytest.raises(ValueError, match="clips must follow each other"):
        seedv.trial_table(tmp_path)


def test_features_of_the_full_table(tmp_path: Path) -> None:
    for subject in ("3", "12"):
        write_features(tmp_path / "EEG_DE_features" / f"{subject}_123.npz", *feature_dicts(seedv.OFFICIAL))
    (tmp_path / "EEG_DE_features" / "a.ipynb").write_text("{}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = SEEDV(root=str(tmp_path), features="de", subjects=("3", "12"), cache=str(tmp_path / "c"))
        data.setup()
    assert data.store.x.shape == (2 * 1823, 62, 5)
    assert [len(rows) for rows in data.indices.values()] == [1064, 1334, 1248]
    row = int(np.flatnonzero(data.store.trials.stimulus == 17)[0])
    np.testing.assert_allclose(data.store.x[row, 10], np.array([5, 4, 3, 2, 1]) + 17 + 0.010, rtol=1e-6)
    assert data.spec.sampling_rate == 0.25
    with pytest.raises(FileNotFoundError, match=r"no 4_123\.npz"):
        SEEDV(root=str(tmp_path), features="de", subjects=("3", "4"), cache=str(tmp_path / "c")).prepare_data()


def test_layout_of_the_310_is_checked(tmp_path: Path) -> None:
    data, labels = feature_dicts(seedv.OFFICIAL)
    path = write_features(tmp_path / "a.npz", data, labels)
    with pytest.warns(UserWarning, match=r"vary along the channel_major axis; see --data\.feature_layout"):
        read(path, layout="band_major")
    other = {k: v.reshape(-1, 62, 5).swapaxes(1, 2).reshape(len(v), 310) for k, v in data.items()}
    other_path = write_features(tmp_path / "b.npz", other, labels)
    with pytest.warns(UserWarning, match="vary along the band_major axis"):
        read(other_path)
    np.testing.assert_array_equal(read(other_path, layout="band_major"), read(path))


def drop_window(data: dict, labels: dict) -> None:
    data[20] = data[20][:-1]


def wrong_label(data: dict, labels: dict) -> None:
    labels[44][3] = 4


def drop_clip(data: dict, labels: dict) -> None:
    del data[44]


def nan(data: dict, labels: dict) -> None:
    data[5][2, 7] = np.nan


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_window, r"data\[20\] must be \(14, 310\) after the trial table, found \(13, 310\)"),
        (wrong_label, r"label\[44\] must be 44 times class 0"),
        (drop_clip, r"there is no 44; .*--data\.exclude_recordings '\[1_3\]'"),
        (nan, "first at clip 5, window 2, feature 7"),
    ],
)
def test_bad_features_are_named(tmp_path: Path, damage, message: str) -> None:
    data, labels = feature_dicts(seedv.OFFICIAL)
    damage(data, labels)
    with pytest.raises(ValueError, match=rf"1_123\.npz: .*{message}"):
        read(write_features(tmp_path / "1_123.npz", data, labels))


def test_unreadable_archives(tmp_path: Path) -> None:
    path = tmp_path / "1_123.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"1_123\.npz: no readable entry 'data'"):
        read(path)
    for content in (b"hello", pickle.dumps([1, 2])):  # what numpy advises over these would run the code in them
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"1_123\.npz: no readable entry 'data' \(it holds objects"):
            read(path)
    np.savez(path, data=pickled([1, 2]), label=pickled({}))
    with pytest.raises(ValueError, match="entry 'data' must be a pickled dict"):
        read(path)
    np.savez(path, data=pickled({0: io.BytesIO}), label=pickled({}))
    with pytest.raises(ValueError, match=r"asks for _io\.BytesIO"):
        read(path)


def test_bad_window() -> None:
    with pytest.raises(ValueError, match="4 for de"):
        SEEDV(root="x", features="de", window_seconds=1)
