"""Alignment measures against closed forms, published chance levels and planted truths."""

from math import gamma, pi, sqrt

import numpy as np
import pytest
import torch

from vaxis.alignment import (
    class_means,
    class_pc1,
    permuted_positions,
    residual_components,
    score_cosine,
    stimulus_features,
    vaxis_cosine,
    within_class_residual,
)
from vaxis.emotions import FACED, SEEDV
from vaxis.gradients import class_basis, gradient_shares, gradient_sums, shares

FACED_CLASSES, SEEDV_CLASSES = np.array(FACED.class_of), np.array(SEEDV.class_of)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def standardised(values):
    return (values - values.mean()) / values.std()


def expected_abs_r(n):
    """E|r| of n independent normal pairs."""
    return gamma((n - 1) / 2) / (sqrt(pi) * gamma(n / 2))


# --- features --------------------------------------------------------------------------------------------------------


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


# --- nulls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_of", [FACED_CLASSES, SEEDV_CLASSES])
def test_null_keeps_class_structure(rng, class_of):
    v = rng.normal(size=len(class_of))
    within = permuted_positions(v, class_of, draws=50, seed=0, move_classes=False)
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


# --- class PC1 -------------------------------------------------------------------------------------------------------


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


# --- within-class residual -------------------------------------------------------------------------------------------


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


# --- gradient shares -------------------------------------------------------------------------------------------------


def toy(*, fitted, seed=0, n=160, d=32, k=9):
    """Gradient of the squared error of a linear head on class targets; features = class means plus noise."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    means, y = torch.randn(k, d, **draw), torch.arange(n) % k
    h, target = means[y] + 0.4 * torch.randn(n, d, **draw), torch.randn(k, **draw)[y]
    design = torch.cat([h, torch.ones(n, 1, dtype=torch.float64)], dim=1)
    weight = torch.linalg.lstsq(design, target[:, None]).solution[:, 0] if fitted else torch.randn(d + 1, **draw)
    return (design @ weight - target)[:, None] * weight[:d], class_basis(means), y


def test_the_two_decompositions_disagree_on_a_fitted_and_on_a_random_head():
    """Reference values of a separate implementation: 0.83 and 0.07 fitted, 0.20 and 0.88 random."""
    fitted = np.mean([gradient_shares(*toy(fitted=True, seed=s)) for s in range(30)], axis=0)
    loose = np.mean([gradient_shares(*toy(fitted=False, seed=s)) for s in range(30)], axis=0)
    assert fitted[[0, 2]] == pytest.approx([0.83, 0.07], abs=0.05)
    assert loose[[0, 2]] == pytest.approx([0.20, 0.88], abs=0.07)
    assert fitted[[1, 3]] == pytest.approx([8 / 32, 9 / 160])


def test_isotropic_gradient_has_chance_shares():
    generator = torch.Generator().manual_seed(1)
    basis = class_basis(torch.randn(9, 64, generator=generator, dtype=torch.float64))
    gradient, y = torch.randn(4000, 64, generator=generator, dtype=torch.float64), torch.arange(4000) % 40
    result = gradient_shares(gradient, basis, y)
    assert result.feature_share == pytest.approx(result.feature_chance, abs=0.005)
    assert result.sample_share == pytest.approx(result.sample_chance, abs=0.002)
    assert result.norm == pytest.approx(float(gradient.norm()))


def test_gradient_of_a_loss_on_class_residuals_has_no_class_mean():
    """What the residual mode of Procrustes must show, whatever it does with the residuals."""
    h = torch.randn(90, 16, dtype=torch.float64, requires_grad=True)
    y = torch.arange(90) % 9
    means = torch.stack([h[y == k].mean(dim=0) for k in range(9)])
    ((h - means[y]) @ torch.randn(16, dtype=torch.float64)).pow(3).sum().backward()
    result = gradient_shares(h.grad, class_basis(means.detach()), y)
    assert result.sample_share < 1e-25
    assert result.feature_share > 0.01


def test_class_constant_gradient_in_the_span_has_full_shares():
    means = torch.randn(9, 32, dtype=torch.float64)
    y = torch.arange(45) % 9
    result = gradient_shares((means - means.mean(dim=0))[y], class_basis(means), y)
    assert (result.feature_share, result.sample_share) == pytest.approx((1.0, 1.0))


def test_sums_of_shards_are_the_sums_of_the_batch():
    gradient, basis, y = toy(fitted=True)
    whole = gradient_shares(gradient, basis, y)
    parts = [gradient_sums(gradient[i::2], basis=basis, y=y[i::2], classes=9) for i in range(2)]
    summed = type(parts[0])(*(a + b for a, b in zip(*parts)))
    assert shares(summed, rank=basis.shape[1]) == pytest.approx(whole)


def test_degenerate_gradients_and_bases():
    zero = gradient_shares(torch.zeros(4, 8), class_basis(torch.randn(3, 8)), torch.arange(4))
    assert np.isnan([zero.feature_share, zero.sample_share]).all()
    assert zero.norm == 0
    assert class_basis(torch.ones(5, 8)).shape == (8, 0)
    absent = torch.full((5, 8), torch.nan)
    absent[:3] = torch.randn(3, 8)
    assert class_basis(absent).shape == (8, 2)
