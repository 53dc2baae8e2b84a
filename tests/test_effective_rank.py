"""Effective rank: closed forms, its null, what is undefined, and that the callback reports both beside each other."""

from types import SimpleNamespace

import numpy as np
import pytest

from callbacks.effective_rank import EffectiveRank
from callbacks.trials import Trials
from measures.effective_rank import effective_rank

RNG = np.random.default_rng(0)
N, D = 400, 12


def orthonormal(n: int, d: int) -> np.ndarray:
    """(n, d) orthonormal columns that sum to zero, so centring leaves them alone."""
    draws = RNG.normal(size=(n, d))
    return np.linalg.qr(draws - draws.mean(axis=0))[0]


def trials_of(h: np.ndarray) -> Trials:
    ids = np.arange(len(h))
    return Trials(logits=np.zeros((len(h), 9)), h=h, y=ids, stimulus=ids, subject=ids, index=ids)


def logged(h: np.ndarray, **options) -> tuple[EffectiveRank, dict[str, float]]:
    values: dict[str, float] = {}
    module = SimpleNamespace(log_dict=lambda entries, **_: values.update(entries))
    callback = EffectiveRank(**options)
    callback.on_split(None, module, "val", trials_of(h))
    return callback, values


def test_one_where_all_trials_lie_on_a_line():
    line = 5.0 + np.outer(RNG.normal(size=N), RNG.normal(size=D))
    assert effective_rank(line) == pytest.approx(1.0, abs=1e-4)
    assert effective_rank(line.astype(np.float32)) == pytest.approx(1.0, abs=1e-3)


def test_width_where_every_direction_is_used_alike():
    assert effective_rank(orthonormal(N, D)) == pytest.approx(D, rel=1e-12)
    assert effective_rank(orthonormal(N, D).astype(np.float32) + 3) == pytest.approx(D, rel=1e-4)
    assert D - 1 < effective_rank(RNG.normal(size=(5000, D))) < D


def test_exponential_of_the_entropy_of_the_singular_values():
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    features = orthonormal(N, 4) * shares * 7
    assert effective_rank(features) == pytest.approx(2**1.75, rel=1e-9)


def test_trials_limit_it_where_they_are_fewer_than_features():
    assert effective_rank(RNG.normal(size=(5, 50))) <= 4 + 1e-4


def test_rotation_shift_and_scale_do_not_matter():
    features, rotation = RNG.normal(size=(N, D)) * np.arange(1, D + 1), orthonormal(40, D)[:D]
    rotation = np.linalg.qr(rotation)[0]
    assert effective_rank(1e-3 * features @ rotation + 2) == pytest.approx(effective_rank(features), rel=1e-9)


@pytest.mark.parametrize(
    "features",
    [
        np.zeros((20, 4)),
        np.full((20, 4), 0.1, np.float32),
        np.ones((1, 4)),
        np.full((20, 4), np.nan),
        np.full((20, 4), np.inf),
    ],
    ids=["zero", "constant", "one trial", "NaN", "infinite"],
)
def test_nan_where_there_is_nothing_to_measure(features):
    assert np.isnan(effective_rank(features))
    callback, values = logged(features)
    assert np.isnan(callback.measures["val"]["effective_rank"].value)
    assert all(np.isnan(value) for value in values.values())


def test_null_undoes_what_features_share_and_nothing_else():
    scale = np.linspace(1, 3, D)
    shared = (0.1 * RNG.normal(size=(N, D)) + RNG.normal(size=(N, 1))) * scale
    callback, values = logged(shared)
    measure = callback.measures["val"]["effective_rank"]
    singular = scale / scale.sum()  # what remains: features of these spreads that do not depend on each other
    independent = np.exp(-(singular * np.log(singular)).sum())
    assert measure.value < 0.7 * measure.null_mean
    assert measure.null_mean == pytest.approx(independent, rel=0.02)
    assert measure.null_mean <= measure.null_95 <= D
    assert values == {"val/effective_rank": measure.value, "val/effective_rank_null95": measure.null_95}
    independent_features = RNG.normal(size=(N, D)) * scale
    assert logged(independent_features)[0].measures["val"]["effective_rank"].value == pytest.approx(
        independent, rel=0.02
    )


def test_null_is_the_same_in_every_run_and_leaves_the_features_alone():
    features = RNG.normal(size=(50, 4))
    before = features.copy()
    first, second = logged(features, draws=5)[1], logged(features, draws=5)[1]
    assert first == second
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize("largest", [0, 2**23], ids=["drawn anew", "kept"])
def test_null_is_of_each_feature_permuted_by_itself(monkeypatch, largest):
    monkeypatch.setattr("callbacks.effective_rank.LARGEST", largest)
    features = RNG.normal(size=(300, 4)).astype(np.float32)
    rng = np.random.default_rng(0)
    null = [effective_rank(rng.permuted(features, axis=0)) for _ in range(5)]
    callback = EffectiveRank(draws=5)
    for _ in range(2):
        assert [effective_rank(features.take(order)) for order in callback._orders(features.shape)] == null
    callback = logged(features, draws=5)[0].measures["val"]["effective_rank"]
    assert callback.null_mean == pytest.approx(np.mean(null), rel=1e-12)
