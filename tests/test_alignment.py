"""Alignment measures against closed forms, published chance levels and planted truths."""

from math import gamma, pi, sqrt

import numpy as np
import pytest
import torch

from measures.alignment import (
    class_means,
    class_pc1,
    permuted_positions,
    residual_components,
    score_cosine,
    stimulus_features,
    vaxis_cosine,
    within_class_residual,
)
from measures.base import Measure
from vaxis.emotions import FACED, SEEDV

FACED_CLASSES, SEEDV_CLASSES = np.array(FACED.class_of), np.array(SEEDV.class_of)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def standardised(values):
    return (values - values.mean()) / values.std()


def expected_abs_r(n):
    """E|r| of n independent normal pairs."""
    return gamma((n - 1) / 2) / (sqrt(pi) * gamma(n / 2))


def test_every_subject_counts_once_however_many_trials_it_has(rng):
    sums, counts = np.zeros((2, 1, 3)), np.array([[10], [1]])
    a, b = rng.normal(size=3), rng.normal(size=3)
    sums[0, 0], sums[1, 0] = 10 * a, b
    np.testing.assert_allclose(stimulus_features(sums, counts)[0], (a + b) / 2)


def test_subject_without_a_stimulus_is_left_out_and_unseen_stimuli_are_nan():
    features = stimulus_features(np.array([[[2.0], [0.0]], [[0.0], [0.0]]]), np.array([[1, 0], [0, 0]]))
    assert features[0, 0] == 2.0
    assert np.isnan(features[1, 0])


def test_class_means_weigh_stimuli_equally(rng):
    features = rng.normal(size=(28, 5))
    np.testing.assert_allclose(class_means(features, FACED_CLASSES)[4], features[12:16].mean(axis=0))


@pytest.mark.parametrize("class_of", [FACED_CLASSES, SEEDV_CLASSES])
def test_null_keeps_class_structure(rng, class_of):
    v = rng.normal(size=len(class_of))
    within = permuted_positions(v, class_of, draws=50, seed=0, move_classes=False)
    assert within is permuted_positions(v, class_of, draws=50, seed=0, move_classes=False), "drawn once"
    with pytest.raises(ValueError, match="read-only"):
        within[0, 0] = 0
    named = np.array([f"class {k}" for k in class_of])
    assert np.array_equal(within, permuted_positions(v, named, draws=50, seed=0, move_classes=False))
    assert not np.array_equal(within, permuted_positions(v[::-1], class_of, draws=50, seed=0, move_classes=False))
    across = permuted_positions(v, class_of, draws=50, seed=0, move_classes=True)
    for k in np.unique(class_of):
        np.testing.assert_allclose(
            np.sort(within[:, class_of == k], axis=1), np.sort(v[class_of == k])[None] + within[:, :1] * 0
        )
        np.testing.assert_allclose(across[:, class_of == k].std(axis=1), v[class_of == k].std())
    centres = class_means(v[:, None], class_of)[:, 0]
    np.testing.assert_allclose(
        np.sort(class_means(across.T, class_of), axis=0), np.sort(centres)[:, None] * np.ones(50)
    )
    assert np.unique(across.round(9), axis=0).shape[0] > 45


def test_null_leaves_the_global_generators_alone_and_repeats(rng):
    features, v = rng.normal(size=(28, 16)), rng.normal(size=28)
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = [vaxis_cosine(features, v, FACED_CLASSES), within_class_residual(features, features, v, FACED_CLASSES)]
    second = [vaxis_cosine(features, v, FACED_CLASSES), within_class_residual(features, features, v, FACED_CLASSES)]
    assert first == second
    assert (np.random.get_state()[1] == before).all()
    assert torch.equal(torch.get_rng_state(), torch_before)


@pytest.mark.parametrize("class_of", [FACED_CLASSES, SEEDV_CLASSES])
def test_p_values_are_uniform_when_features_know_classes_but_not_the_axis(rng, class_of):
    p = {"cosine": [], "pc1": [], "stimulus": [], "residual": []}
    for _ in range(200):
        shared = rng.normal(size=(len(class_of), 24)) * np.linspace(3, 0.3, 24)
        features = 3 * rng.normal(size=(9, 24))[class_of] * np.linspace(3, 0.3, 24) + shared
        other = features + 0.2 * rng.normal(size=features.shape)
        v = rng.normal(size=9)[class_of] + 0.5 * rng.normal(size=len(class_of))
        p["cosine"].append(vaxis_cosine(features, v, class_of, draws=199).p_value)
        p["pc1"].append(class_pc1(features, v, class_of, draws=199).p_value)
        p["stimulus"].append(class_pc1(features, v, class_of, level="stimulus", draws=199).p_value)
        p["residual"].append(within_class_residual(features, other, v, class_of, draws=199).p_value)
    for name, values in p.items():
        assert 0.01 <= np.mean(np.array(values) <= 0.05) <= 0.1, name
        assert 0.4 <= np.mean(values) <= 0.6, name


@pytest.mark.parametrize(
    ("n", "mean", "critical"), [(5, 0.424, 0.878), (9, 0.291, 0.666), (28, 0.155, 0.374), (45, 0.121, 0.294)]
)
def test_class_pc1_of_independent_data_is_at_its_chance_level(rng, n, mean, critical):
    values = [class_pc1(rng.normal(size=(n, 64)), rng.normal(size=n), np.arange(n), draws=1).value for _ in range(1200)]
    assert expected_abs_r(n) == pytest.approx(mean, abs=6e-4)
    assert np.mean(values) == pytest.approx(mean, abs=0.02)
    assert np.quantile(values, 0.95) == pytest.approx(critical, abs=0.03)


def test_class_pc1_null_has_the_critical_value_of_nine_classes(rng):
    nulls = []
    for _ in range(60):
        measure = class_pc1(rng.normal(size=(28, 32)), rng.normal(size=28), FACED_CLASSES)
        nulls.append((measure.null_mean, measure.null_95))
    assert np.mean(nulls, axis=0) == pytest.approx([0.291, 0.666], abs=0.02)


def test_planted_class_axis_is_found_and_signs_and_scale_do_not_matter(rng):
    centres = standardised(rng.normal(size=9))
    v = centres[FACED_CLASSES] + 0.1 * rng.normal(size=28)
    features = 5 * v[:, None] * rng.normal(size=16) + 0.1 * rng.normal(size=(28, 16))
    rotation = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    for measure in (class_pc1, vaxis_cosine):
        found = measure(features, v, FACED_CLASSES)
        assert found.value > 0.99
        assert found.p_value < 0.01
        assert not found.detail["unstable"]
        assert measure(features @ rotation, -3 * v + 2, FACED_CLASSES).value == pytest.approx(found.value)


def test_equal_leading_components_are_flagged(rng):
    corners = np.eye(4)[[0, 1, 2, 3]]
    assert class_pc1(corners, rng.normal(size=4), np.arange(4)).detail["unstable"]


def test_cosine_is_the_cosine_of_its_definition(rng):
    features, v = rng.normal(size=(28, 6)), rng.normal(size=28)
    along = sum((features[s] - features.mean(axis=0)) * v[s] for s in range(28))
    means = np.stack([features[k == FACED_CLASSES].mean(axis=0) for k in range(9)])
    covariance = np.cov(means.T)
    leading = np.linalg.eigh(covariance)[1][:, -1]
    expected = abs(along @ leading) / np.linalg.norm(along)
    assert vaxis_cosine(features, v, FACED_CLASSES).value == pytest.approx(expected)


def test_score_cosine(rng):
    a, b = rng.normal(size=9), rng.normal(size=9)
    assert score_cosine(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert score_cosine(a, -a) == pytest.approx(-1)
    assert np.isnan(score_cosine(a, np.ones(9)))
    assert np.isnan(score_cosine(a[:2], b[:2]))


@pytest.mark.parametrize("class_of", [FACED_CLASSES, SEEDV_CLASSES])
def test_squared_residual_correlations_sum_to_one_for_any_features(rng, class_of):
    features, v = rng.normal(size=(len(class_of), 64)), rng.normal(size=len(class_of))
    residuals, directions = residual_components(features, class_of)
    deviation = v - class_means(v[:, None], class_of)[class_of, 0]
    r = [score_cosine(residuals @ q, deviation) for q in directions]
    assert len(r) == len(class_of) - class_of.max() - 1
    assert np.square(r).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("class_of", "mean", "high", "first"), [(FACED_CLASSES, 0.497, 0.632, 0.186), (SEEDV_CLASSES, 0.387, 0.487, None)]
)
def test_best_component_of_random_features_is_at_its_chance_level(rng, class_of, mean, high, first):
    """In sample the maximum is large; on other subjects a random pick is like one component."""
    best, held_out, nulls = [], [], []
    for _ in range(300):
        a, b, v = (
            rng.normal(size=(len(class_of), 64)),
            rng.normal(size=(len(class_of), 64)),
            rng.normal(size=len(class_of)),
        )
        measure = within_class_residual(a, b, v, class_of, draws=50)
        best.append(measure.detail["in_sample"])
        held_out.append(measure.value)
        nulls.append(measure.detail["in_sample_null_95"])
    assert min(best) >= 1 / sqrt(len(class_of) - class_of.max() - 1)
    assert np.mean(best) == pytest.approx(mean, abs=0.015)
    assert np.quantile(best, 0.95) == pytest.approx(high, abs=0.03)
    assert np.mean(nulls) == pytest.approx(high, abs=0.02)
    if first:
        assert np.mean(held_out) == pytest.approx(first, abs=0.02)


def test_planted_residual_is_found_on_other_subjects(rng):
    v = standardised(rng.normal(size=28))
    pattern, geometry = rng.normal(size=32), 3 * rng.normal(size=(9, 32))
    sets = [geometry[FACED_CLASSES] + v[:, None] * pattern + 0.3 * rng.normal(size=(28, 32)) for _ in range(2)]
    for pick in ("best", "pc1"):
        found = within_class_residual(*sets, v, FACED_CLASSES, pick=pick)
        assert found.value > 0.9
        assert found.p_value < 0.01
    assert found.detail["component"] == 0
    shifted = [features + 7 * rng.normal(size=(9, 32))[FACED_CLASSES] for features in sets]
    assert within_class_residual(*shifted, -v, FACED_CLASSES).value == pytest.approx(found.value, abs=1e-9)


def test_features_seen_again_have_the_in_sample_null(rng):
    """The held-out value is then as biased as the in-sample one, and so is its null."""
    features, v = rng.normal(size=(28, 64)), rng.normal(size=28)
    measure = within_class_residual(features, features, v, FACED_CLASSES)
    assert measure.value == measure.detail["in_sample"]
    assert measure.null_95 == measure.detail["in_sample_null_95"] > 0.55


def test_clip_wise_splits_use_the_stimuli_they_have(rng):
    v, features = rng.normal(size=45), rng.normal(size=(45, 32))
    first, second = features.copy(), features.copy()
    trial = np.arange(45) % 15
    first[trial >= 5], second[trial < 10] = np.nan, np.nan
    measure = within_class_residual(first, second, v, SEEDV_CLASSES)
    assert 0 <= measure.value <= 1
    assert 0.15 < measure.null_mean < 0.4
    assert class_pc1(first, v, SEEDV_CLASSES).value == pytest.approx(
        class_pc1(features[trial < 5], v[trial < 5], SEEDV_CLASSES[trial < 5]).value
    )


def test_undefined_measures_are_nan_and_say_why(rng):
    features, constant = rng.normal(size=(28, 16)), rng.normal(size=9)[FACED_CLASSES]
    measure = within_class_residual(features, features, constant, FACED_CLASSES)
    assert np.isnan(measure.value)
    assert "constant" in measure.detail["degenerate"]
    collapsed = rng.normal(size=(9, 16))[FACED_CLASSES]
    assert np.isnan(within_class_residual(collapsed, collapsed, rng.normal(size=28), FACED_CLASSES).value)
    nothing = np.full((28, 16), np.nan)
    for measure in (vaxis_cosine, class_pc1):
        assert np.isnan(measure(nothing, constant, FACED_CLASSES).value)
        assert np.isnan(measure(np.ones((28, 16)), constant, FACED_CLASSES).value)
    assert np.isnan(within_class_residual(nothing, features, rng.normal(size=28), FACED_CLASSES).value)


def test_smallest_p_of_a_null_counts_the_measured_value_among_the_draws():
    """Never 0, however far the value lies above its null: 1 / (1 + draws)."""
    null = np.linspace(0, 0.5, 99)
    assert Measure.of(np.concatenate([[0.9], null])).p_value == 1 / 100
    assert Measure.of(np.concatenate([[-0.1], null])).p_value == 1
    assert Measure.of(np.concatenate([[0.5], null])).p_value == 2 / 100  # a draw that equals it counts against it
    assert Measure.of(np.concatenate([[0.9], null, [np.nan] * 9])).p_value == 1 / 100  # undefined draws are no draws
