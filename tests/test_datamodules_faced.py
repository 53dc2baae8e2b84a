"""FACED in its official layout: counts, order, errors; small fixtures with real shapes."""

import os
import pickle
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.signal import resample

from datamodules import faced, faced_info
from datamodules.faced import FACED
from datamodules.faced_ratings import RATING_ITEMS
from vaxis import emotions

SUBJECTS = ("sub000", "sub080", "sub100")


def write_pickle(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(values, protocol=4))


@pytest.fixture
def features_root(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for i, name in enumerate(SUBJECTS):
        for kind in ("DE", "PSD"):
            values = generator.normal(size=(28, 32, 30, 5)) + i
            write_pickle(tmp_path / "FACED" / "EEG_Features" / kind / f"{name}.pkl.pkl", values)
    return tmp_path / "FACED"


@pytest.fixture(scope="module")
def raw_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("raw") / "FACED"
    for i, name in enumerate(SUBJECTS):
        values = np.random.default_rng(i).normal(scale=20, size=(28, 32, 7500)).astype(np.float32)
        write_pickle(root / "Processed_data" / f"{name}.pkl", values * (3000 if name == "sub100" else 1))
    return root


def module(root: Path, tmp_path: Path, **kwargs: object) -> FACED:
    return FACED(**{"root": str(root), "features": "de", "subjects": SUBJECTS, "cache": str(tmp_path / "c"), **kwargs})


def test_facts_of_the_release() -> None:
    assert (len(faced.SUBJECTS), faced.SUBJECTS[0], faced.SUBJECTS[-1]) == (123, "sub000", "sub122")
    assert faced.SHAPES["raw"] == (28, 32, 7500)
    assert faced.SHAPES["de"] == (28, 32, 30, 5)
    spec = FACED(root="nowhere", features="raw").spec
    assert spec.shape == (32, 2000)
    assert spec.channels[:3] == ("Fp1", "Fp2", "Fz")
    assert spec.channels[30:] == ("A2", "A1")
    by_name = {name: [s + 1 for s, c in enumerate(spec.class_of) if spec.classes[c] == name] for name in spec.classes}
    assert by_name == {
        "anger": [1, 2, 3],
        "disgust": [4, 5, 6],
        "fear": [7, 8, 9],
        "sadness": [10, 11, 12],
        "neutral": [13, 14, 15, 16],
        "amusement": [17, 18, 19],
        "inspiration": [20, 21, 22],
        "joy": [23, 24, 25],
        "tenderness": [26, 27, 28],
    }
    trials = faced.windows(faced.SUBJECTS, seconds=10)
    assert len(trials) == 10332
    assert np.bincount(trials.y[trials.rows(7)]).tolist() == [9, 9, 9, 9, 12, 9, 9, 9, 9]
    assert len(faced.windows(("sub000",), seconds=1)) == 840


@pytest.mark.parametrize("kind", ["de", "psd"])
def test_feature_trials_are_means_over_their_windows(features_root: Path, tmp_path: Path, kind: str) -> None:
    data = module(features_root, tmp_path, features=kind)
    data.setup()
    assert {role: len(rows) for role, rows in data.indices.items()} == {"train": 84, "val": 84, "test": 84}
    assert data.spec.shape == data.store.x.shape[1:] == (32, 5)
    assert data.spec.sampling_rate == pytest.approx(0.1)
    path = features_root / "EEG_Features" / kind.upper() / "sub080.pkl.pkl"
    source = pickle.loads(path.read_bytes())
    trials = data.store.trials
    row = np.flatnonzero((trials.subject == 1) & (trials.stimulus == 11) & (trials.window == 2))
    np.testing.assert_allclose(data.store.x[row[0]], source[11, :, 20:30].mean(axis=1), rtol=1e-5, atol=1e-6)


def test_raw_pieces(raw_root: Path, tmp_path: Path) -> None:
    data = module(raw_root, tmp_path, features="raw", channels="scalp", subjects=SUBJECTS[:2], split="loso", fold=0)
    assert data.spec.channels == data.montage[:30]
    data.recipe()
    files = (raw_root / "Processed_data" / "sub000.pkl",)
    source = pickle.loads(files[0].read_bytes())
    native = faced.read_pieces(files, features="raw", channels=32, seconds=10, sampling_rate=250)
    assert native.shape == (84, 32, 2500)
    np.testing.assert_array_equal(native[3 * 5 + 1], source[5, :, 2500:5000])
    slower = faced.read_pieces(files, features="raw", channels=30, seconds=5, sampling_rate=200)
    assert slower.shape == (168, 30, 1000)
    np.testing.assert_allclose(slower[6 * 5 + 1], resample(source[5, :30], 6000, axis=-1)[:, 1000:2000], atol=1e-3)


def test_broken_recording_is_warned_of(raw_root: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"sub100 \(3,0\d\d times theirs\);.*--data\.exclude '\[sub100\]'"):
        module(raw_root, tmp_path, features="raw", window_seconds=30).setup()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = module(raw_root, tmp_path, features="raw", exclude=("sub100",), window_seconds=30)
        assert quiet.subjects == ("sub000", "sub080")
        quiet.prepare_data()


def test_renamed_feature_files_are_accepted(features_root: Path, tmp_path: Path) -> None:
    for path in (features_root / "EEG_Features" / "DE").iterdir():
        path.rename(path.with_suffix(""))
    module(features_root, tmp_path).prepare_data()


def test_a_folder_without_some_people_is_answered_by_the_flag_to_paste(features_root: Path, tmp_path: Path) -> None:
    there = ("sub000", "sub080", "sub100")
    for wanted, count, flag in (
        ((*there, "sub122"), "1 of 4 people", "--data.exclude '[sub122]'"),  # the shorter of the two lists
        (("sub000", "sub001", "sub122"), "2 of 3 people", "--data.subjects '[sub000]'"),
        (None, "120 of 123 people", "--data.subjects '[sub000,sub080,sub100]'"),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            module(features_root, tmp_path, subjects=wanted).prepare_data()
        assert f"DE has no .pkl.pkl file of {count}; complete" in str(caught.value)
        assert str(caught.value).endswith(flag)
    with pytest.raises(FileNotFoundError, match=r"of sub001, sub002, sub003, \.\.\.; is the download in it"):
        module(features_root, tmp_path, subjects=tuple(f"sub00{i}" for i in range(1, 6))).prepare_data()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p, v: write_pickle(p, v[:27]), r"expected an array \(28, 32, 30, 5\).*found \(27, 32, 30, 5\)"),
        (lambda p, v: write_pickle(p, {"data": v}), r"expected an array .*found dict"),
        (lambda p, v: p.write_bytes(p.read_bytes()[:-5000]), "not a complete pickle"),
        (lambda p, v: write_pickle(p, os.getcwd), r"asks for (posix|nt)\.getcwd"),
    ],
)
def test_bad_files_are_named(features_root: Path, tmp_path: Path, damage, message: str) -> None:
    path = features_root / "EEG_Features" / "DE" / "sub080.pkl.pkl"
    damage(path, pickle.loads(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"sub080\.pkl\.pkl: .*{message}"):
        module(features_root, tmp_path).prepare_data()


def test_nan_names_clip_and_channel(features_root: Path, tmp_path: Path) -> None:
    path = features_root / "EEG_Features" / "DE" / "sub100.pkl.pkl"
    values = pickle.loads(path.read_bytes())
    values[27, 28] = np.nan
    write_pickle(path, values)
    with pytest.raises(
        ValueError, match=r"sub100\.pkl\.pkl: 150 values .*first at clip 28, channel O1.*--data\.exclude"
    ):
        module(features_root, tmp_path).prepare_data()


@pytest.mark.parametrize("value", [1e39, -1e300])
@pytest.mark.parametrize("features", ["de", "raw"])
def test_a_value_that_is_finite_in_the_file_alone(
    features_root: Path, raw_root: Path, tmp_path: Path, features: str, value: float
) -> None:
    """Float64 holds it, float32 does not; a mean over windows may bring it back into the range, where it is odd."""
    root = features_root if features == "de" else tmp_path / "raw"
    file = root / "EEG_Features" / "DE" / "sub080.pkl.pkl"
    if features == "raw":
        shutil.copytree(raw_root, root)
        file = root / "Processed_data" / "sub080.pkl"
    values = pickle.loads(file.read_bytes()).astype(np.float64)
    values[3, 2, 1] = value
    write_pickle(file, values)
    data = module(root, tmp_path, features=features)
    if features == "de" and value == 1e39:
        data.prepare_data()
        with pytest.warns(UserWarning, match=r"sub080 channel Fz: over 100 times louder"):
            data.setup("fit")
    else:
        with pytest.raises(ValueError, match=rf"{re.escape(file.name)}: .*first at .*channel Fz.*--data\.exclude"):
            data.prepare_data()


@pytest.mark.parametrize("given", ["..", "EEG_Features", "EEG_Features/DE"])
def test_root_a_level_off_names_the_right_one(features_root: Path, tmp_path: Path, given: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"use --data\.root {features_root}$"):
        module(features_root / given, tmp_path).prepare_data()


def test_root_that_is_wrong_altogether(features_root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere does not exist; give the FACED folder"):
        module(tmp_path / "nowhere", tmp_path).prepare_data()
    with pytest.raises(FileNotFoundError, match="has no folder Processed_data"):
        module(features_root, tmp_path, features="raw").prepare_data()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"window_seconds": 7}, "must divide the 30 s"),
        ({"subjects": ("sub80",)}, "no subject 'sub80'; did you mean 'sub080'"),
        ({"subjects": ("sub000",), "exclude": ("sub000",)}, "leave no subject"),
    ],
)
def test_bad_arguments(tmp_path: Path, kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        module(tmp_path, tmp_path, **kwargs)


def test_simulated_is_read_from_the_root(features_root: Path, tmp_path: Path) -> None:
    assert not module(features_root, tmp_path).spec.simulated
    (features_root / "SIMULATED.json").write_text("{}")
    assert module(features_root, tmp_path).spec.simulated


def write_remarks(root: Path, *, vid: np.ndarray, scores: np.ndarray) -> None:
    entries = np.empty((28, 1), dtype=[(n, object) for n in ("score", "trial", "vid", "Accuracy", "ResponseTime")])
    for k in range(28):
        filled = (k + 1) % 4 == 0 and k < 24
        entries[k, 0] = (
            scores[k][None],
            np.uint8([[k + 1]]),
            np.uint8([[vid[k]]]),
            np.ones((1, 1 if filled else 0)),
            np.ones((1, 20 if filled else 0)),
        )
    folder = root / "Data" / "sub004"
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "After_remarks.mat", {"After_remark": entries})


def test_ratings_follow_the_catalogue_and_not_the_play_order(tmp_path: Path) -> None:
    vid = np.random.default_rng(0).permutation(28) + 1
    scores = vid[:, None] / 4 + np.arange(12) / 100
    write_remarks(tmp_path, vid=vid, scores=scores)
    got = faced.ratings(tmp_path, "sub004")
    np.testing.assert_allclose(got, (np.arange(28) + 1)[:, None] / 4 + np.arange(12) / 100)
    assert not np.allclose(got, scores)
    assert (RATING_ITEMS[8], RATING_ITEMS[9]) == ("arousal", "valence")
    assert set(emotions.FACED.classes) - set(RATING_ITEMS) == {"neutral"}


def test_bad_ratings(tmp_path: Path) -> None:
    vid = np.arange(28) + 1
    vid[3] = 1
    write_remarks(tmp_path, vid=vid, scores=np.ones((28, 12)))
    with pytest.raises(ValueError, match=r"After_remarks\.mat: field vid must hold each"):
        faced.ratings(tmp_path, "sub004")
    with pytest.raises(FileNotFoundError, match="sub005"):
        faced.ratings(tmp_path, "sub005")


def test_recording_info_with_its_mark_and_blank(tmp_path: Path) -> None:
    path = tmp_path / "Recording_info.csv"
    lines = "sub,Gender,Age,Cohort ,Sample_rate,Unit\nsub000,F,21,1,1000,uV\nsub122,M,22.0,2,250,V\n"
    path.write_text(lines, encoding="utf-8-sig")
    info = faced_info.recording_info(tmp_path)
    assert list(info) == ["sub000", "sub122"]
    assert info["sub122"] == faced_info.Recording(cohort=2, sampling_rate=250, gender="M", age=22, unit="V")
    path.write_text(lines.replace("Cohort ", "Group"), encoding="utf-8-sig")
    with pytest.raises(ValueError, match=r"Recording_info\.csv: no column Cohort"):
        faced_info.recording_info(tmp_path)
