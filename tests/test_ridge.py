"""Nested ridge against a fold written out by hand, noise that must not convince, and a signal that must."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from measures.ridge import ALPHAS, nested_ridge, out_of_fold
from vaxis.emotions import FACED

STIMULI = np.arange(28)
CLASSES = np.array(FACED.class_of)


def noise(seed: int, *, stimuli: int = 28, features: int = 160) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(stimuli, features)), rng.normal(size=stimuli)


def by_hand(x: np.ndarray, y: np.ndarray, rest: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, float]:
    """One outer fold: columns standardised on the rest, the penalty of least leave-one-out error, the prediction."""
    mean, sd = x[rest].mean(axis=0), x[rest].std(axis=0)
    seen, unseen, target = (x[rest] - mean) / sd, (x[left] - mean) / sd, y[rest]
    errors = []
    for alpha in ALPHAS:
        error = 0.0
        for i in range(len(target)):
            others = np.arange(len(target)) != i
            model = Ridge(alpha=alpha).fit(seen[others], target[others])
            error += float(target[i] - model.predict(seen[[i]])[0]) ** 2
        errors.append(error)
    alpha = float(ALPHAS[int(np.argmin(errors))])
    return Ridge(alpha=alpha).fit(seen, target).predict(unseen), alpha


@pytest.mark.parametrize("groups", [np.arange(12), np.repeat([0, 1, 2], [4, 3, 5])], ids=["stimulus", "class"])
def test_a_fold_is_what_it_is_by_hand(groups):
    x, y = noise(0, stimuli=12, features=6)
    x[:, 0] += y  # a signal, so that the folds do not all take the largest penalty
    x *= np.linspace(0.1, 30, 6)
    predicted, chosen = out_of_fold(x, y[None], groups=groups)
    for fold in (0, len(np.unique(groups)) - 1):
        left = groups == np.unique(groups)[fold]
        expected, alpha = by_hand(x, y, ~left, left)
        assert predicted[0, left] == pytest.approx(expected, rel=1e-6)
        assert chosen[fold, 0] == alpha


def test_targets_that_share_a_decomposition_do_not_touch_each_other():
    x, y = noise(1, features=20)
    targets = np.stack([y, x[:, 0], np.random.default_rng(2).permutation(y)])
    together = out_of_fold(x, targets, groups=CLASSES)
    for row, target in enumerate(targets):
        alone = out_of_fold(x, target[None], groups=CLASSES)
        np.testing.assert_allclose(together[0][row], alone[0][0], rtol=1e-8)
        np.testing.assert_array_equal(together[1][:, row], alone[1][:, 0])


def test_noise_convinces_in_sample_and_not_out_of_fold():
    x, y = noise(3)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    in_sample = Ridge(alpha=100).fit(standardised, y).predict(standardised)
    assert np.corrcoef(in_sample, y)[0, 1] > 0.98
    fit = nested_ridge(x, y, groups=STIMULI, draws=50)
    assert fit.r.value < fit.r.null_95
    assert fit.r.null_mean < 0  # leave-one-out pushes r of noise below 0: only the null says what r is worth


def test_p_of_noise_is_calibrated():
    p = [nested_ridge(*noise(i, stimuli=14, features=20), groups=np.arange(14), draws=39, seed=i).r.p_value
         for i in range(60)]  # fmt: skip
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean(p) == pytest.approx(0.5, abs=3 * np.sqrt(1 / 12 / 60))


@pytest.mark.parametrize("groups", [STIMULI, CLASSES], ids=["stimulus", "class"])
def test_a_planted_signal_is_found(groups):
    rng = np.random.default_rng(4)
    latent = rng.normal(size=28)
    x = 0.5 * np.outer(latent, rng.normal(size=160)) + rng.normal(size=(28, 160))
    fit = nested_ridge(x, latent, groups=groups, draws=60)
    assert fit.r.value > 0.85
    assert fit.r.p_value == 1 / 61
    assert np.corrcoef(fit.predicted, latent)[0, 1] == pytest.approx(fit.r.value)
    assert len(fit.alphas) == len(np.unique(groups))


def test_class_labels_alone_pass_for_a_signal_only_where_classes_are_not_left_out():
    """Features that know the class and nothing else: a class-like target is predicted until whole classes are left."""
    rng = np.random.default_rng(5)
    x = 3 * rng.normal(size=(9, 40))[CLASSES] + rng.normal(size=(28, 40))
    y = rng.normal(size=9)[CLASSES] + 0.05 * rng.normal(size=28)
    by_stimulus = nested_ridge(x, y, groups=STIMULI, classes=CLASSES, draws=40).r
    by_class = nested_ridge(x, y, groups=CLASSES, draws=40).r
    assert by_stimulus.value > 0.9
    assert by_class.value < by_class.null_95
    assert by_stimulus.p_value > 0.05  # permuting whole classes shows that any class-like target does as well


def test_the_null_repeats_and_leaves_the_global_generator_alone():
    x, y = noise(6, features=10)
    before = np.random.get_state()[1].copy()
    assert nested_ridge(x, y, groups=CLASSES, draws=20).r == nested_ridge(x, y, groups=CLASSES, draws=20).r
    assert (np.random.get_state()[1] == before).all()


def test_what_cannot_be_fitted_is_nan_or_said():
    x, y = noise(7, features=10)
    assert np.isnan(nested_ridge(x, np.ones(28), groups=STIMULI, draws=5).r.value)
    x[:, 0] = 2.0  # a dead channel
    assert np.isfinite(nested_ridge(x, y, groups=STIMULI, draws=5).r.value)
    with pytest.raises(ValueError, match="three groups, got 2"):
        nested_ridge(x, y, groups=STIMULI % 2)
    with pytest.raises(ValueError, match=r"got \(28, 10\), \(27,\) and \(28,\)"):
        nested_ridge(x, y[1:], groups=STIMULI)
    x[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        nested_ridge(x, y, groups=STIMULI)
