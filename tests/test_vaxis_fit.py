"""The fit and the draws that every table of the axis shares: signs, means of unequal groups, layers that draw alike."""

import numpy as np
import pytest

from vaxis.fit import class_means, fit_direction, separation
from vaxis.language.chance_axes import (
    NONCE_VERSIONS,
    nonce_centroids,
    nonce_versions,
    random_directions,
    random_text_centroids,
)

VALENCE = (-1, -1, 0, 1, 1)


def planted(*, mean=100.0):
    generator = np.random.default_rng(0)
    return mean + np.outer(VALENCE, generator.normal(size=12)) + 0.05 * generator.normal(size=(5, 12))


@pytest.mark.parametrize("flip", [1, -1])
def test_the_positive_classes_lie_above_the_negative_ones(flip):
    fit = fit_direction(flip * planted(), valence=VALENCE)
    assert np.linalg.norm(fit.direction) == pytest.approx(1)
    assert separation(fit.scores, valence=VALENCE) > 0.99
    assert fit.scores.sum() == pytest.approx(0)
    np.testing.assert_allclose(np.diff(fit.scores), np.diff(flip * planted() @ fit.direction))
    assert 0.97 < fit.explained_variance < 1


def test_without_valence_only_the_sign_is_open():
    bare, signed = fit_direction(planted()), fit_direction(planted(), valence=VALENCE)
    np.testing.assert_array_equal(np.abs(bare.direction), np.abs(signed.direction))
    assert bare.explained_variance == signed.explained_variance
    with pytest.raises(ValueError, match="no axis"):
        fit_direction(np.ones((3, 4)))


def test_class_means_of_unequal_groups_at_several_layers():
    states = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(np.float32)
    means = class_means(states, [1, 3, 2])
    assert means.dtype == np.float64
    expected = np.stack([states[:, :1].mean(1), states[:, 1:4].mean(1), states[:, 4:].mean(1)], axis=1)
    np.testing.assert_allclose(means, expected, rtol=1e-6)


def test_random_texts_are_the_same_ones_at_all_layers_and_in_all_tables():
    states = np.random.default_rng(2).normal(size=(3, 40, 8))
    draws = {"sizes": [1] * 9, "count": 4}
    several = list(random_text_centroids(states, **draws, generator=np.random.default_rng(0)))
    single = list(random_text_centroids(states[1], **draws, generator=np.random.default_rng(0)))
    np.testing.assert_array_equal([centroids[1] for centroids in several], single)
    directions = random_directions(states[1], kind="random_texts", count=4)
    np.testing.assert_array_equal(directions, [fit_direction(centroids).direction for centroids in single])
    # No text twice in a draw.
    assert all(len(np.unique(centroids, axis=0)) == 9 for centroids in single)


def test_a_nonce_draw_takes_one_version_of_each_sentence():
    assert len(nonce_versions(["Joy is here.", "Fear stays."], np.random.default_rng(0))) == 2 * NONCE_VERSIONS
    states = np.repeat([[1.0], [3.0], [8.0]], NONCE_VERSIONS, axis=0)  # all versions of a sentence read alike
    for centroids in nonce_centroids(states, sizes=[2, 1], count=3, generator=np.random.default_rng(0)):
        np.testing.assert_array_equal(centroids, [[2], [8]])
