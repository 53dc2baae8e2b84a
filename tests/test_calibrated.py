"""A few unlabelled clips of a new person: what is subtracted, what it gains, and on which trials that is scored."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from analysis.calibrated import Cohort, _counts, clip_means, curve_point, over_people, population
from analysis.calibrated_ways import _passes, curves, picture, streams
from analysis.canvas import png
from measures.calibration import Population, balanced_probabilities
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


def test_every_way_gains_where_people_differ_and_no_clip_is_the_plain_run():
    people, pattern = cohort(offset=1.5)
    runs = [decoder(pattern)] * 2
    found = curves(runs, runs, people, [12], draws=2)
    for way, points in found.items():
        assert [point.clips for point in points] == [0, 12, 28], way
        assert (points[0].alone == points[0].plain_alone).all()
        assert points[1].alone.mean() > points[1].plain_alone.mean() + 0.1
    several = streams(runs, runs, people, draws=2)
    assert all(point.alone.mean() > point.plain_alone.mean() + 0.05 for point in several.values())
    ahead = over_people(np.full(5, 0.1) + np.arange(5) * 1e-3, simulated=True)
    numbers = {f"centre_minus_plain_vote_{clips}": ahead for clips in (12, 28)}
    assert "from 12 clips on" in _passes(found["centre"], numbers, "centre", plain=2)
    assert png(picture(found, simulated=True)).startswith(b"\x89PNG")


def test_whitening_undoes_a_mixing_that_centring_cannot():
    rng = np.random.default_rng(0)
    about = rng.normal(size=(4000, 3)) @ np.diag([1.0, 2.0, 0.5])
    known = Population(mean=np.ones(3), between=np.ones(3), within=np.ones(3), spread=about.std(axis=0),
                       covariance=about.T @ about / 4000)  # fmt: skip
    mixing = np.array([[1.0, 0.5, 0.0], [-0.4, 1.0, 0.3], [0.0, 0.2, 1.5]])
    own = about @ mixing.T + 7.0
    moved = known.whitened(own, own, own.mean(axis=0) - known.mean, prior=1.0)
    assert np.cov(moved.T) == pytest.approx(known.covariance, abs=0.05)
    assert moved.mean(axis=0) == pytest.approx(known.mean)
    scaled = known.scaled(own, own, own.mean(axis=0) - known.mean, prior=1.0)
    assert scaled.std(axis=0) == pytest.approx(known.spread, rel=0.01)
    assert np.abs(np.cov(scaled.T) - known.covariance).max() > 0.2


def test_known_frequencies_are_met_and_rows_stay_probabilities():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=30)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    found = balanced_probabilities(p, shares)
    assert found.sum(axis=1) == pytest.approx(np.ones(30))
    assert found.mean(axis=0) == pytest.approx(shares, abs=1e-6)
    assert np.argsort(found[:, 0] / found[:, 1]).tolist() == np.argsort(p[:, 0] / p[:, 1]).tolist()
