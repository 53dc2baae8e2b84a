"""Removing an axis: the closed form equals removing and training again, and costs what was planted."""

import json

import numpy as np
import pytest

from measures.bootstrap import auc, sign_free
from tests.rated_texts import SENTENCES, read, texts_and_ratings
from tests.small_language_models import save_llama
from vaxis.__main__ import main
from vaxis.axis import sentence_axis
from vaxis.fit import fit_direction
from vaxis.validity.ablation import FOLDS, KINDS, ablation, null_of, probe_auc, removals, remove, stratified_folds


def planted(n=300, width=12, seed=0):
    generator = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    states = generator.normal(size=(n, width)) + 7
    states[:, 0] += 2.5 * positive
    return states, positive


def test_what_is_removed_is_gone_and_the_rest_stays():
    states, _ = planted()
    direction = np.random.default_rng(1).normal(size=12)
    direction /= np.linalg.norm(direction)
    left = remove(states, direction)
    np.testing.assert_allclose(left @ direction, 0, atol=1e-12)
    np.testing.assert_allclose(left + np.outer(states @ direction, direction), states)
    np.testing.assert_allclose(remove(left, direction), left)


def test_folds_share_the_positives_evenly():
    _, positive = planted()
    folds = stratified_folds(positive)
    counts = [(np.sum(folds == k), np.sum(positive[folds == k])) for k in range(FOLDS)]
    assert np.ptp(counts, axis=0).max() <= 2
    assert sum(n for n, _ in counts) == len(positive)


def test_closed_form_equals_training_again_on_the_states_without_the_direction():
    states, positive = planted()
    directions = np.random.default_rng(2).normal(size=(3, 12))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    folds, target = stratified_folds(positive), np.where(positive, 1.0, -1.0)
    found = probe_auc(states, positive, penalty=0.01, without=directions)
    for direction, value in zip(directions, found[1:]):
        left, scores = remove(states, direction), np.empty(len(states))
        for fold in range(FOLDS):
            train, test = folds != fold, folds == fold
            mean = left[train].mean(axis=0)
            features = left[train] - mean
            # The penalty belongs to the whole features, which is what keeps it the same for every direction.
            whole = states[train] - states[train].mean(axis=0)
            gram = features.T @ features + 0.01 * np.sum(whole**2) * np.eye(12)
            weights = np.linalg.solve(gram, features.T @ (target[train] - target[train].mean()))
            scores[test] = (left[test] - mean) @ weights
        assert value == pytest.approx(auc(scores, positive), abs=1e-12)


def test_removing_the_only_informative_direction_costs_everything():
    states, positive = planted()
    whole, left, other = probe_auc(states, positive, penalty=1e-4, without=np.eye(12)[:2])
    assert whole > 0.9
    assert left < 0.62
    assert other == pytest.approx(whole, abs=0.01)


def test_a_probe_that_learns_nothing_is_at_chance():
    generator = np.random.default_rng(3)
    (value,) = probe_auc(generator.normal(size=(300, 20)), generator.random(300) > 0.5, penalty=0.01)
    assert 0.4 < value < 0.6


def test_ablation_of_a_planted_axis():
    texts, ratings = texts_and_ratings(200)
    noise = np.random.default_rng(0).normal(size=200) * 1.5  # else the probe loses nothing at all to any direction
    states = read(texts)
    states[:, 0] += 2 * noise
    found = ablation(sentence_axis(read, SENTENCES), states, ratings > 0, draws=200)
    assert found["zero_shot"]["value"] > 0.9
    assert found["zero_shot_without"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    loss = found["probe"]["value"] - found["probe_without"]["value"]
    assert found["probe_loss"]["value"] == pytest.approx(loss)
    for name in ("zero_shot", "axis_again", "probe", "probe_without", "probe_loss"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    for kind in KINDS:
        for null in found["nulls"][kind].values():
            assert null["low"] <= null["median"] <= null["high"]
            assert 1 / 201 <= null["p"] <= 1
    # Only the removal of the axis itself takes valence away; a random direction leaves it and the new axis finds it.
    isotropic = found["nulls"]["isotropic"]
    assert isotropic["axis_again"]["median"] > 0.9 > found["axis_again"]["value"]
    assert {name: null["p"] for name, null in isotropic.items()} == pytest.approx(dict.fromkeys(isotropic, 1 / 201))


def test_removing_a_random_direction_is_what_it_says():
    texts, ratings = texts_and_ratings(100)
    axis, states, positive = sentence_axis(read, SENTENCES), read(texts), ratings > 0
    directions = np.random.default_rng(4).normal(size=(3, states.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = removals(axis, states, positive, directions, penalty=0.01)
    for i, direction in enumerate(directions):
        left = remove(states, direction)
        assert found["zero_shot_without"][i] == pytest.approx(auc(left @ axis.direction, positive))
        again = fit_direction(remove(axis.centroids, direction)).direction
        assert found["axis_again"][i] == pytest.approx(sign_free(auc(left @ again, positive)))
    assert found["probe_loss"].shape == (3,)


def test_p_counts_the_null_on_the_side_of_the_loss():
    values = np.arange(9.0)
    assert null_of(values, own=8, larger=True)["p"] == pytest.approx(2 / 10)
    assert null_of(values, own=-1)["p"] == pytest.approx(1 / 10)
    assert null_of(values, own=4) == {"median": 4, "low": 0.2, "high": 7.8, "p": pytest.approx(6 / 10)}


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    model = save_llama(tmp_path / "model")
    texts, ratings = texts_and_ratings(60)
    rows = "".join(f'"{text}",{rating}\n' for text, rating in zip(texts, ratings))
    (tmp_path / "rated.csv").write_text("text,label\n" + rows)
    command = ["ablate", "--llm", str(model), "--corpora", str(tmp_path / "rated.csv"), "--draws", "20"]
    command += ["--device", "cpu", "--out", str(tmp_path / "ablate.json")]
    found = {}
    for dtype in ("bfloat16", "float32"):
        assert main([*command, "--dtype", dtype]) == 0
        found[dtype] = json.loads((tmp_path / "ablate.json").read_text())["corpora"]["rated"]
    printed = capsys.readouterr().out
    assert found["bfloat16"]["probe"] != found["float32"]["probe"]
    assert found["float32"]["texts"] == 60
    for label, nulls in (("axis made again", 3), ("linear probe, loss", 3), ("linear probe, axis removed", 0)):
        below = printed[printed.index(label) :].splitlines()[1 : 1 + nulls]
        assert all(" p " in line for line in below)
    assert "z " not in printed
    assert "p (at least 0.048)" in printed
    assert main([*command, "--samples", "5"]) == 1
    assert "--samples must be at least 50" in capsys.readouterr().err
