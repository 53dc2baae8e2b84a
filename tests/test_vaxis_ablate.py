"""Removing an axis: the closed form equals removing and training again, and costs what was planted."""

import json

import numpy as np
import pytest

from tests.rated_texts import SENTENCES, read, texts_and_ratings
from tests.small_language_models import save_llama
from vaxis.__main__ import main
from vaxis.ablation import FOLDS, ablation, probe_auc, remove, stratified_folds
from vaxis.bootstrap import auc
from vaxis.set_study import fit_axis


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
    found = ablation(fit_axis(read, SENTENCES), states, ratings > 0, draws=200)
    assert found["zero_shot"] > 0.9
    assert found["zero_shot_without"] == 0.5
    assert found["probe_loss"] == pytest.approx(found["probe"] - found["probe_without"])
    for kind in ("isotropic", "covariance"):
        assert found[kind]["draws"] == 200
        assert found[kind]["p5"] <= found[kind]["median"] <= found[kind]["p95"]
    assert found["isotropic"]["z"] > 3
    assert found["isotropic"]["p"] == pytest.approx(1 / 201)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    model = save_llama(tmp_path / "model")
    texts, ratings = texts_and_ratings(60)
    rows = "".join(f'"{text}",{rating}\n' for text, rating in zip(texts, ratings))
    (tmp_path / "rated.csv").write_text("text,label\n" + rows)
    command = ["ablate", "--llm", str(model), "--corpora", str(tmp_path / "rated.csv"), "--draws", "20"]
    assert main([*command, "--out", str(tmp_path / "ablate.json")]) == 0
    printed = capsys.readouterr().out
    assert "linear probe, axis removed" in printed
    assert json.loads((tmp_path / "ablate.json").read_text())["corpora"]["rated"]["texts"] == 60
    assert main([*command, "--samples", "5"]) == 1
    assert "--samples must be at least 50" in capsys.readouterr().err
