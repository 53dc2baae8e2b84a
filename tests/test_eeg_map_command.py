"""The command of the brain maps, on small cohorts in the official layouts."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis import eeg_map
from analysis.__main__ import main
from analysis.brain.axes import axis_on, class_share, competing
from analysis.brain.gather import gather
from datamodules.faced import read_subject
from datamodules.faced_ratings import ratings
from datamodules.simulated import SimulatedFACED, SimulatedSEEDV
from eeg.montage import FACED_CHANNELS
from figures.scalp import topomap_figure
from tests.conftest import make_axis
from vaxis.emotions import FACED, SEEDV


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    cache = tmp_path_factory.mktemp("faced")
    data = SimulatedFACED(root=str(cache / "files"), n_subjects=6, window_seconds=1, cache=str(cache))
    return data, gather(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    words = ["--data", "SimulatedFACED", "--data.n_subjects", "5", "--data.cache", str(folder / "stores")]
    main(["eeg_map", *words, "--data.root", str(folder / "files"), "--draws", "19", "--out", str(folder / "out")])
    return folder / "out"


def test_gathered_cohort_is_that_of_the_files(cohort):
    data, found = cohort
    subject = data.subjects[2]
    shipped = read_subject(next((Path(data.root) / "EEG_Features/DE").glob(f"{subject}*")), features="de")
    assert found.x.shape == (6, 28, 32, 5)
    assert found.x[2] == pytest.approx(shipped.mean(axis=2), abs=1e-5)
    assert found.ratings[2] == pytest.approx(ratings(data.root, subject)[:, 9])
    assert found.course.shape == (28, 10, 32, 5)
    assert found.course.mean(axis=1) == pytest.approx(found.means, abs=1e-5)
    assert (found.seconds, found.simulated, found.coupling) == (30, True, None)
    assert any("only" in note for note in found.notes), "that features hold no phase is said"


def test_seedv_keeps_its_sessions_apart(tmp_path):
    data = SimulatedSEEDV(root=str(tmp_path / "files"), n_subjects=2, seconds_per_trial=40, cache=str(tmp_path))
    found = gather(data)
    assert found.x.shape == (2, 45, 62, 5)
    assert found.session.tolist() == np.repeat([1, 2, 3], 15).tolist()
    about = found.about_sessions.reshape(2, 3, 15, 62, 5)
    assert np.abs(about.mean(axis=2)).max() < 1e-9
    assert np.ptp(found.x.reshape(2, 3, 15, 62, 5).mean(axis=2), axis=1).max() > 1e-3
    assert found.ratings is None
    assert found.course.shape == (45, 10, 62, 5)


def test_an_axis_of_faced_is_rebuilt_from_the_classes_of_seedv():
    axis = make_axis("faced")
    same, told = axis_on(axis, FACED)
    assert same is axis
    assert told is None
    rebuilt, told = axis_on(axis, SEEDV)
    assert rebuilt.centroids == pytest.approx(axis.centroids[[1, 2, 3, 4, 7]])
    assert "rebuilt from the 5 classes" in told
    assert class_share(rebuilt.standardised()[1], np.array(SEEDV.class_of)) == pytest.approx(1)
    with pytest.raises(ValueError, match="lacks anger"):
        axis_on(make_axis("seedv"), FACED)


def test_positions_beside_the_axis(cohort):
    found = competing(make_axis(), cohort[1], more={"arousal": make_axis(seed=1)})
    assert list(found) == ["axis", "axis_class", "rank", "human_valence", "arousal"]
    assert np.argsort(found["rank"], kind="stable").tolist() == list(range(28)), "negative classes first"
    assert all(v.mean() == pytest.approx(0) and v.std() == pytest.approx(1) for v in found.values())
    with pytest.raises(ValueError, match="taken"):
        competing(make_axis(), cohort[1], more={"rank": make_axis()})


def test_significant_electrodes_are_ringed_and_only_those():
    mask = np.zeros(32, dtype=bool)
    mask[[3, 7, 31]] = True  # the last one has no place on the scalp
    figure = topomap_figure({"a": np.linspace(-1, 1, 32)}, channels=FACED_CHANNELS, marked={"a": mask})
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [len(line.get_xydata()) for line in rings] == [2]
    plain = topomap_figure({"a": np.linspace(-1, 1, 32)}, channels=FACED_CHANNELS, marked={"a": ~mask & mask})
    assert not [line for line in plain.axes[0].lines if line.get_markerfacecolor() == "white"]


def test_command_writes_numbers_that_hold_to_the_contract_and_both_figures(written):
    content = json.loads((written / "eeg_map.json").read_text())
    assert {"ridge.axis.clip_out", "ridge.rank.class_out", "ridge.human_valence.clip_out"} <= set(content["numbers"])
    for name, number in content["numbers"].items():
        assert number["simulated"] is True, name
        assert number["n"] > 0, name
        assert {"null_mean", "null_95", "p_value"} <= set(number) or "interval" in number, name
    assert content["bands"]["alpha"] == [8, 14]
    corrected = np.array(content["map"]["p_corrected"], dtype=float)
    assert np.isfinite(corrected).all(axis=1).tolist() == [True] * 30 + [False] * 2, "mastoids are off the map"
    assert content["published"]["reliability.eeg"]["v1"] == 0.988
    assert content["orders"] is None
    assert 0 < content["class_share"]["axis"] < content["class_share"]["rank"] == 1
    for figure in ("eeg_map.png", "eeg_map_panels.png"):
        assert (written / figure).read_bytes().startswith(b"\x89PNG")


def test_missing_axis_shows_before_files_are_read_with_the_command_that_makes_it(tmp_path):
    words = ["--data", "SEEDV", "--data.root", str(tmp_path), "--axis", str(tmp_path / "a.npz")]
    with pytest.raises(SystemExit, match="vaxis extract --taxonomy seedv --out"):
        main(["eeg_map", *words])


def test_command_needs_no_word_and_refuses_a_wrong_one(monkeypatch):
    seen = []
    monkeypatch.setattr(eeg_map, "_data", lambda words: seen.append(words) or (_ for _ in ()).throw(ValueError("here")))
    with pytest.raises(SystemExit, match="here"):
        main(["eeg_map"])
    with pytest.raises(SystemExit, match="fewer than 19"):
        main(["eeg_map", "--draws", "5"])
    assert seen == [[]]
