"""A few unlabelled clips of a new person: what is subtracted, what it gains, and on which trials that is scored."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from analysis.calibrated import Cohort, _counts, clip_means, curve_point, population
from measures.calibration import Population
from vaxis.emotions import FACED

CLASS_OF = np.array(FACED.class_of)
F = 10


def cohort(*, offset, people=12, noise=0.5, seed=0):
    """People who differ by an offset; each clip evokes its class."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(99).normal(size=(9, F))

    def draw(n):
        subject, stimulus = np.repeat(np.arange(n), 28 * 3), np.tile(np.repeat(np.arange(28), 3), n)
        x = pattern[CLASS_OF[stimulus]] + noise * rng.normal(size=(len(subject), F))
        return x + (offset * rng.normal(size=(n, F)))[subject], subject, stimulus

    train, test = draw(40), draw(people)
    return Cohort(
        x=test[0].reshape(-1, 5, 2).astype(np.float32),
        y=CLASS_OF[test[2]],
        subject=test[1],
        stimulus=test[2],
        population=population(*train),
        n_classes=9,
    ), pattern


def decoder(pattern):
    """Nearest class pattern; what a decoder without knowledge of people would do."""

    def predict(x):
        z = x.numpy().reshape(len(x), -1)
        scores = torch.from_numpy(-((z[:, None] - pattern) ** 2).sum(axis=2))
        return SimpleNamespace(probabilities=scores.softmax(dim=1).numpy())

    return SimpleNamespace(predict=predict, contents=SimpleNamespace(statistics={"normalise": "train"}))


def gain(n, **options):
    people, pattern = cohort(**options)
    runs = [decoder(pattern)]
    point = curve_point(runs, runs, people, n, draws=3, shrink=True)
    return float((point.alone - point.plain_alone).mean())


def test_many_clips_gain_where_people_differ_and_nothing_where_they_do_not():
    assert gain(20, offset=1.5) > 0.2
    assert abs(gain(20, offset=0.0)) < 0.02


def test_shrinking_never_costs_much_where_few_clips_mislead():
    people, pattern = cohort(offset=0.2)
    runs = [decoder(pattern)]
    few = {s: curve_point(runs, runs, people, 1, draws=5, shrink=s) for s in (True, False)}
    lost = {s: float((point.alone - point.plain_alone).mean()) for s, point in few.items()}
    assert lost[False] < -0.1  # one clip is its class and no baseline
    assert lost[True] > lost[False] + 0.05


def test_trust_is_that_of_empirical_bayes():
    found = Population(mean=np.zeros(2), between=np.array([1.0, 0.0]), within=np.array([4.0, 4.0]), spread=np.ones(2))
    clips = np.array([[1.0, 1.0], [3.0, 3.0]])
    assert found.shift(clips) == pytest.approx([2 * 1 / (1 + 2), 0.0])
    assert found.shift(clips, shrink=False) == pytest.approx([2.0, 2.0])
    assert found.shift(clips[:0]) == pytest.approx([0.0, 0.0])


def test_variances_of_the_population_are_recovered():
    rng = np.random.default_rng(3)
    clips = 2.0 * rng.normal(size=(4000, 1, 1)) + 1.5 * rng.normal(size=(4000, 6, 1))
    found = Population.of(clips, spread=np.ones(1))
    assert found.between == pytest.approx([4.0], rel=0.1)
    assert found.within == pytest.approx([2.25], rel=0.05)


def test_labels_of_the_new_people_are_not_used():
    people, pattern = cohort(offset=1.0)
    seen = []

    def watched(x):
        seen.append(x.numpy().copy())
        return decoder(pattern).predict(x)

    run = SimpleNamespace(predict=watched, contents=SimpleNamespace(statistics={}))
    curve_point([run], [run], people, 3, draws=1, shrink=True)
    other = SimpleNamespace(**{**vars(people), "y": np.roll(people.y, 1)})
    curve_point([run], [run], other, 3, draws=1, shrink=True)
    np.testing.assert_array_equal(seen[1], seen[3])


def test_clips_without_windows_are_nan_and_counts_are_checked():
    means = clip_means(np.ones((3, 2)), np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert np.isnan(means[1, 0]).all()
    assert (means[0] == 1).all()
    for wrong in ("", "0,1", "2,2", "a"):
        with pytest.raises(ValueError, match="--clips"):
            _counts(wrong)
