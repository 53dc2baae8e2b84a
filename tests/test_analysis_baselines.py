"""Simple models on the data of a run: what they read, and the command that scores them."""

import json

import numpy as np
import pytest

from analysis import baselines
from analysis.__main__ import main
from command_line.reader import instantiate
from command_line.settings import RunSettings
from eeg.differential_entropy import band_power, differential_entropy
from records.layout import CONFIG

SMALL = ("--config", "configs/simulated.yaml", "--network", "global_context_de", "--data.n_subjects=12")


def words(folder, *more: str) -> list[str]:
    return [*SMALL, f"--data.cache={folder / 'stores'}", f"--data.root={folder / 'cohort'}", *more]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    instantiate(RunSettings.parse(words(folder)))[0].prepare_data()
    return folder


def data_of(folder, *more: str):
    data = instantiate(RunSettings.parse(words(folder, *more)))[0]
    data.prepare_data()
    return data


def test_the_command_scores_data_that_flags_name(folder, tmp_path, capsys):
    main(["baselines", *words(folder), "--out", str(tmp_path)])
    said, saved = capsys.readouterr().out, json.loads((tmp_path / "baselines.json").read_text())
    assert set(saved["numbers"]) == {"chance", "ridge", "logistic", "clips", "ridge_person"}
    ridge = saved["numbers"]["ridge"]
    assert ridge["simulated"] is True
    assert ridge["interval"][0] <= ridge["value"] <= ridge["interval"][1]
    assert ridge["value"] > saved["numbers"]["chance"]["value"] == pytest.approx(1 / 9)
    assert (saved["split"], saved["fold"]) == ("subject_80_20_23", 0)
    assert f"{ridge['value']:.3f}" in said


def test_the_command_takes_the_data_of_a_run(folder, tmp_path, capsys):
    main(["baselines", *words(folder)])
    by_flags = capsys.readouterr().out
    settings = RunSettings.parse(words(folder, "--loss", "rsa", "--seed=9"))
    settings.save(tmp_path / CONFIG)
    main(["baselines", str(tmp_path)])
    assert capsys.readouterr().out == by_flags


def test_a_run_or_flags_and_not_both(folder, tmp_path):
    for given in ([], [str(tmp_path), str(tmp_path)]):
        with pytest.raises(SystemExit):
            main(["baselines", *given])


def test_scores_are_kept_beside_the_runs_until_split_or_data_change(folder, tmp_path, monkeypatch):
    found = baselines.of_data(data_of(folder), cache=tmp_path)
    (file,) = tmp_path.iterdir()
    other = baselines.of_data(data_of(folder, "--data.split=subject_clip_disjoint"), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert other != found
    monkeypatch.setattr(baselines, "baselines", lambda *parts, n_classes: pytest.fail("was there already"))
    assert baselines.of_data(data_of(folder), cache=tmp_path) == found
    monkeypatch.undo()
    file.write_text("{")
    assert baselines.of_data(data_of(folder), cache=tmp_path) == found


def test_raw_signals_are_read_by_the_bands_of_their_data_set(tmp_path):
    data = data_of(tmp_path, "--network=emod", "--data.features=raw", "--data.n_subjects=3", "--data.sampling_rate=200")
    data.setup()
    rows = np.array([0, 7, 100])
    found = baselines.band_features(data, rows)
    assert found.shape == (3, len(data.spec.channels) * len(data.bands))
    import torch

    signal = torch.from_numpy(np.array(data.store.x[rows], dtype=np.float32))
    by_hand = differential_entropy(band_power(signal, sampling_rate=200, bands=data.bands))
    np.testing.assert_allclose(found, by_hand.flatten(1).numpy(), rtol=1e-5)


def test_a_flat_electrode_has_a_finite_entropy(tmp_path):
    data = data_of(tmp_path, "--network=emod", "--data.features=raw", "--data.n_subjects=3", "--data.sampling_rate=200")
    data.setup()
    x = np.array(data.store.x[:2])
    x[:, 4] = 0.0
    data.store.x = x
    found = baselines.band_features(data, np.arange(2)).reshape(2, len(data.spec.channels), -1)
    assert np.isfinite(found).all()
    assert (found[:, 4] < found[:, :4].min(axis=1)).all()


def test_raw_signals_without_bands_say_so(tmp_path, monkeypatch):
    data = data_of(tmp_path, "--network=emod", "--data.features=raw", "--data.n_subjects=3", "--data.sampling_rate=200")
    data.setup()
    monkeypatch.setattr(type(data), "bands", {})
    with pytest.raises(ValueError, match="SimulatedFACED names no frequency bands"):
        baselines.band_features(data, np.arange(2))
