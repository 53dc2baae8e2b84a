"""Removing directions: the closed form, the nulls, what is found where it was planted, and the command on a run."""

import json

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import Precision

from analysis import ablation_cohorts, directional_ablation
from analysis.__main__ import main
from analysis.ablated import Answers, classes
from analysis.ablation_effects import Against, Directions, RunEffects, interval, pooled
from analysis.base import BESIDE, runs_in
from lightning_modules.heads import MeanLinear, build_head
from measures.directions import MATCHED, best_component, candidates, isotropic, variance_matched
from measures.scores import classification_scores, confusion_matrix
from tests.finished_runs import write_run
from tests.runs import SMALL, train
from vaxis.emotions import FACED

CLASS_OF = np.array(FACED.class_of)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_closed_form_equals_changing_every_token(rng):
    torch.manual_seed(0)
    head, tokens = MeanLinear(dim=6, n_classes=4), torch.randn(40, 3, 5, 6)
    q = unit(rng.normal(size=(7, 6)))
    fast = classes(head, tokens, torch.tensor(q, dtype=torch.float32))
    for column, direction in enumerate(torch.tensor(q, dtype=torch.float32)):
        along = (tokens @ direction)[..., None] * direction
        assert torch.equal(fast["removed"][:, column], head(tokens - along).argmax(dim=1))
        assert torch.equal(fast["amplified"][:, column], head(tokens + along).argmax(dim=1))
    assert not torch.equal(fast["removed"], fast["amplified"])


def test_other_heads_are_asked_about_changed_tokens(rng):
    torch.manual_seed(0)
    head = build_head("flatten_mlp", rows=3, n_tokens=5, dim=6, n_classes=4, dropout=0.1).eval()
    tokens, q = torch.randn(40, 3, 5, 6), torch.tensor(unit(rng.normal(size=(2, 6))), dtype=torch.float32)
    with torch.inference_mode():
        found = classes(head, tokens, q)
        for column, direction in enumerate(q):
            left = tokens - torch.einsum("bcnd,d->bcn", tokens, direction)[..., None] * direction
            assert torch.allclose(left @ direction, torch.zeros(40, 3, 5), atol=1e-5)
            assert torch.equal(found["removed"][:, column], head(left).argmax(dim=1))


def test_a_persons_accuracy_is_balanced_and_its_mean_that_of_all_trials(rng):
    y = np.tile(CLASS_OF, 3)
    called = np.where(rng.random(len(y)) < 0.6, y, rng.integers(9, size=len(y)))
    right = called == y
    asked = Answers(plain=right, changed={"removed": ~right[:, None]}, y=y, subject=np.arange(len(y)) // 28)
    people, plain, changed = asked.by_person()
    assert people.tolist() == [0, 1, 2]
    whole = classification_scores(confusion_matrix(y, called, n_classes=9), classes=FACED.classes)
    assert plain.mean() == pytest.approx(whole["balanced_accuracy"])
    assert plain.mean() != pytest.approx(right.mean())
    np.testing.assert_allclose(changed["removed"][:, 0], 1 - plain)


@pytest.mark.parametrize("place", [0, 3, -1])
def test_matched_directions_have_the_variance_and_are_others(rng, place):
    mixed = rng.normal(size=(12, 12)) * np.logspace(0, -1, 12)
    covariance = mixed.T @ mixed
    q = np.linalg.eigh(covariance)[1][:, place]
    rows = variance_matched(q, covariance, draws=200, seed=1)
    assert rows.shape == (200, 12)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    share = np.einsum("nd,de,ne->n", rows, covariance, rows) / (q @ covariance @ q)
    assert (np.abs(share - 1) <= MATCHED + 1e-9).all()
    assert len(np.unique(np.round(rows, 6), axis=0)) == 200
    plain = isotropic(12, draws=200, seed=1)
    assert np.mean(np.abs(np.einsum("nd,de,ne->n", plain, covariance, plain) / (q @ covariance @ q) - 1) <= 0.2) < 0.9


def test_a_direction_without_variance_has_no_match():
    with pytest.raises(ValueError, match="do not vary along the direction"):
        variance_matched(np.eye(3)[0], np.diag([0.0, 1.0, 1.0]), draws=20, seed=0)


def test_planted_directions_are_found_and_permuted_axes_find_others(rng):
    v = ablation_cohorts.positions(rng)
    means, along = np.zeros((9, 8)), unit(rng.normal(size=8))
    means[:, 0] = np.bincount(CLASS_OF, weights=v) / np.bincount(CLASS_OF) * 5
    within = v - (np.bincount(CLASS_OF, weights=v) / np.bincount(CLASS_OF))[CLASS_OF]
    along[0] = 0
    along = unit(along)
    features = means[CLASS_OF] + 3 * np.outer(within, along) + 0.05 * rng.normal(size=(28, 8))
    found = candidates(features, v, CLASS_OF, draws=50)
    assert {name: len(rows) for name, rows in found.items()} == {"axis": 51, "class_pc1": 1, "residual": 51}
    assert abs(found["class_pc1"][0, 0]) > 0.99
    assert abs(found["residual"][0] @ along) > 0.99
    assert abs(found["axis"][0, 0]) > 0.9
    assert len(np.unique(np.round(found["residual"], 8), axis=0)) > 1
    # Without positions of its own a clip has no residual to follow.
    flat = candidates(features, v - within, CLASS_OF, draws=5)
    assert "residual" not in flat
    assert abs(flat["best_pc"][0, 0]) > 0.9


def test_the_best_component_is_that_of_the_largest_correlation(rng):
    rows, positions = rng.normal(size=(28, 4)), rng.normal(size=(6, 28))
    expected = [max(range(4), key=lambda j: abs(np.corrcoef(rows[:, j], v)[0, 1])) for v in positions]
    assert best_component(rows, np.eye(4), positions).tolist() == expected


def one_direction(run, lost, null, people):
    directions = Directions(rows=np.eye(2), own={"axis": 0}, nulls={}, variance={}, cosine={})
    return RunEffects(
        run=run, people=np.arange(people), accuracy=0.6, lost={("axis", "removed"): lost},
        nulls={("axis", "removed"): {"isotropic": null}}, directions=directions,
    )  # fmt: skip


def test_runs_are_pooled_draw_by_draw_and_z_is_also_averaged(rng):
    losses, nulls = 0.1 + 0.01 * rng.normal(size=(3, 5)), 0.02 * rng.normal(size=(3, 100))
    runs = [one_direction(str(k), row, null, 5) for k, (row, null) in enumerate(zip(losses, nulls))]
    (effect,) = pooled(runs).values()
    assert effect.lost == pytest.approx(losses.mean())
    assert effect.interval[0] < losses.mean() < effect.interval[1]
    null = effect.against["isotropic"]
    assert null.z == pytest.approx((losses.mean() - nulls.mean()) / nulls.mean(axis=0).std(ddof=1))
    own = [(row.mean() - n.mean()) / n.std(ddof=1) for row, n in zip(losses, nulls)]
    assert effect.z["isotropic"] == pytest.approx(np.mean(own))
    assert null.z > effect.z["isotropic"]
    assert (null.p, effect.significant["isotropic"]) == (pytest.approx(1 / 101), 3)
    with pytest.raises(ValueError, match="different test people"):
        pooled([runs[0], one_direction("other", losses[0, :4], nulls[0], 4)])


def test_p_counts_ties_and_the_direction_itself():
    assert Against.of(0.3, np.array([0.1, 0.2, 0.3, 0.4])).p == pytest.approx(3 / 5)
    assert np.isnan(Against.of(0.3, np.full(20, 0.1)).z)


def test_the_interval_of_one_run_is_over_people():
    table = np.array([[0.1, 0.2, 0.3]])
    low, high = interval(table)
    assert (low + high) / 2 == pytest.approx(0.2)
    assert high - 0.2 == pytest.approx(4.303 * 0.1 / np.sqrt(3), rel=1e-3)


def test_runs_are_found_at_any_depth_and_each_once(tmp_path):
    first, second = write_run(tmp_path / "a" / "b", seed=1), write_run(tmp_path / "a", seed=2)
    found = runs_in([first, tmp_path])
    assert sorted(run.seed for run in found) == [1, 2]
    assert [run.seed for run in runs_in([second])] == [2]
    with pytest.raises(FileNotFoundError, match="no folder"):
        runs_in([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no finished run"):
        runs_in([tmp_path / "empty"])


def test_permuted_axes_are_calibrated_where_the_papers_null_is_not():
    found = directional_ablation.calibrate(cohorts=60, seed=1)
    exact = np.array(found["axis removed, permuted null, ties at random"])
    papers = np.array(found[f"{BESIDE}axis removed, isotropic null"])
    assert np.mean(exact <= 0.05) <= 0.15
    assert 0.35 < exact.mean() < 0.65
    assert np.mean(papers <= 0.05) > 0.4


def test_a_planted_residual_direction_is_recovered():
    found = directional_ablation.recover(cohorts=12, seed=1)
    assert found["residual_cosine"] > 0.93
    assert found["interval_coverage"] >= 0.8


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    train(*SMALL, "--trainer.max_epochs=2", f"--run_dir={folder / 'run'}", cache=folder / "cache")
    return folder


def test_the_command_ablates_a_run(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(finished / "cache"))
    command = ["directional_ablation", str(finished / "run"), "--out", str(tmp_path), "--device", "cpu"]
    main([*command, "--draws", "30"])
    said, saved = capsys.readouterr().out, json.loads((tmp_path / "directional_ablation.json").read_text())
    assert "(SIMULATED)" in said
    assert len(saved["numbers"]) == 16
    for name, number in saved["numbers"].items():
        assert number["simulated"] is True
        assert number["interval"][0] <= number["value"] <= number["interval"][1], name
        assert 1 / 31 <= number["p_value"] <= 1
    (run,) = saved["runs"]
    result = json.loads((finished / "run" / "result.json").read_text())
    assert run["balanced_accuracy"] == pytest.approx(result["test"]["balanced_accuracy"])
    lost = saved["numbers"]["axis_removed_lost_permuted"]["value"]
    assert run["effects"]["axis_removed"]["change"] == pytest.approx(-lost)
    assert (tmp_path / "directional_ablation.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SystemExit, match="fewer than 20"):
        main([*command, "--draws", "5"])


def test_every_trial_is_asked_about_once(finished, monkeypatch):
    from analysis.ablated import answers
    from command_line.reopen import open_run

    monkeypatch.setenv("VAXIS_CACHE", str(finished / "cache"))
    opened = open_run(finished / "run", device="cpu")
    batches = list(opened.batches(split="test"))
    assert isinstance(opened.precision, Precision)
    found = answers(opened.decoder, [*batches, batches[0]], np.eye(32)[:1], precision=opened.precision)
    trials = opened.predict(split="test")
    np.testing.assert_array_equal(found.plain, trials.logits.argmax(axis=1) == trials.y)
    np.testing.assert_array_equal(found.subject, trials.subject)
