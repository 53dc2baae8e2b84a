"""The numbers of validation: intervals, nulls and controls find what was planted and nothing where nothing was."""

import numpy as np
import pytest

from measures.bootstrap import Resamples, auc, interval, sign_free
from tests.rated_texts import PLAIN, SENTENCES, VALENCES, WIDTH, read, texts_and_ratings
from vaxis.axis import sentence_axis
from vaxis.emotions import FACED
from vaxis.fit import fit_direction
from vaxis.language.chance_axes import random_directions
from vaxis.validity import rated_texts as zero_shot
from vaxis.validity.controls import arousal_axes, margin, null_band, prototype_scores, ridge
from vaxis.validity.corpora import Corpus
from vaxis.validity.rated_texts import Instrument, human_ceiling, measure, recover_lexicon
from vaxis.validity.sentence_sets import load_sets, study_sets


@pytest.fixture
def corpus(monkeypatch):
    texts, ratings = texts_and_ratings(120)
    monkeypatch.setattr(zero_shot, "lexicon", lambda name: VALENCES)
    monkeypatch.setattr(
        zero_shot, "selection", lambda n: Corpus(name="training", texts=texts[::2], ratings=ratings[::2])
    )
    return Corpus(name="planted", texts=texts, ratings=ratings)


def brute_force_auc(scores, positive):
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    return np.mean(pairs)


def test_auc_counts_pairs_and_ties():
    generator = np.random.default_rng(0)
    scores, positive = generator.integers(0, 5, size=60).astype(float), generator.random(60) > 0.4
    assert auc(scores, positive) == pytest.approx(brute_force_auc(scores, positive))
    both = auc(np.stack([scores, -scores], axis=1), positive)
    np.testing.assert_allclose(both, [auc(scores, positive), 1 - auc(scores, positive)])
    np.testing.assert_allclose(sign_free(both), max(both))


def test_resampled_values_are_those_of_the_resampled_texts():
    generator = np.random.default_rng(1)
    ratings, scores = generator.normal(size=50), generator.integers(0, 8, size=50).astype(float)
    resamples = Resamples.draw(ratings, count=20)
    aucs, correlations = resamples.auc(scores), resamples.pearson(scores)
    for weights, found, r in zip(resamples.weights, aucs, correlations):
        rows = np.repeat(np.arange(50), weights.astype(int))
        assert found == pytest.approx(auc(scores[rows], ratings[rows] > 0))
        assert r == pytest.approx(np.corrcoef(scores[rows], ratings[rows])[0, 1], abs=1e-5)


def test_intervals_cover_the_true_value_about_as_often_as_they_say():
    generator, covered = np.random.default_rng(2), 0
    for _ in range(100):
        ratings = generator.normal(size=80)
        scores = 0.6 * ratings + 0.8 * generator.normal(size=80)
        row = Resamples.draw(ratings, count=200).estimates(scores)["r"]
        covered += row["low"] < 0.6 < row["high"]
    assert 85 <= covered <= 99


def test_constant_scores_are_worth_nothing_and_break_nothing():
    row = Resamples.draw(np.array([-1.0, 1, 2, -3])).estimates(np.ones(4))
    assert row["auc"]["value"] == row["auc"]["low"] == row["auc"]["high"] == 0.5
    assert np.isnan(row["r"]["value"])
    assert np.isnan(row["rho"]["value"])


def test_a_planted_axis_stands_above_its_nulls(corpus):
    found = measure(Instrument(sentence_axis(read, SENTENCES), read, draws=100), corpus)
    assert found["axis"]["auc"]["value"] > 0.97
    assert found["axis"]["auc"]["low"] <= found["axis"]["auc"]["value"] <= found["axis"]["auc"]["high"]
    for name in ("contrast", "prototypes", "ridge", "lexicon"):
        assert found[name]["auc"]["value"] > 0.95, name
    assert found["nulls"]["isotropic"]["median"] < 0.85
    assert found["nulls"]["isotropic"]["reached"] < 0.1
    assert found["nulls"]["nonce_sentences"]["p5"] >= 0.5
    assert 0 < found["nulls"]["random_texts"]["r_p95"] < 1
    # Valence leads this corpus, so nine random texts find it as well: exactly what the margin must say.
    assert found["nulls"]["random_texts"]["median"] > 0.9
    assert found["margin"]["value"] < 0.1


def test_texts_without_meaning_are_at_chance_on_the_real_axis(corpus):
    found = measure(Instrument(sentence_axis(read, SENTENCES), read, draws=50), corpus)["nonce_texts"]
    assert found["auc"]["low"] < 0.5 < found["auc"]["high"]
    assert found["same_texts"]["auc"]["value"] > 0.97
    assert found["spread"] < 0.5


def test_margin_is_wide_where_random_texts_know_nothing():
    generator = np.random.default_rng(0)
    ratings = generator.normal(size=200)
    states = generator.normal(size=(200, 12)) * 5
    states[:, 0] = ratings
    null = random_directions(states, kind="random_texts", count=40)
    found = margin(Resamples.draw(ratings, count=50), states[:, 0], states @ null.T)
    assert found["low"] > 0.2
    assert found["value"] == pytest.approx(1 - np.median(sign_free(auc(states @ null.T, ratings > 0))))


def test_random_directions_are_what_they_are_called():
    states = np.random.default_rng(0).normal(size=(300, 5)) * [10, 1, 1, 1, 1] + 50
    loaded = {k: np.abs(random_directions(states, kind=k, count=400)[:, 0]).mean() for k in ("isotropic", "covariance")}
    assert loaded["covariance"] > 0.8
    assert 0.2 < loaded["isotropic"] < 0.6
    first = random_directions(states, kind="random_texts", count=1, seed=3)[0]
    rows = np.random.default_rng(3).choice(300, 9, replace=False)
    np.testing.assert_allclose(first, fit_direction(states[rows]).direction)


def test_null_band_of_directions_takes_the_better_sign():
    states, positive = np.array([[0.0], [1], [2], [3]]), np.array([False, False, True, True])
    band = null_band(np.array([[-1.0]]), states, positive, own=0.9)
    assert (band["median"], band["reached"]) == (1, 1)


def test_ridge_and_prototypes_recover_a_direction():
    generator = np.random.default_rng(0)
    states, truth = generator.normal(size=(400, 10)), generator.normal(size=10)
    weights = ridge(states, states @ truth + generator.normal(size=400))
    assert np.corrcoef(weights, truth)[0, 1] > 0.97
    centroids = np.outer(np.array(FACED.valence, dtype=float), truth) + generator.normal(size=(9, 10)) * 0.1
    assert np.corrcoef(prototype_scores(states, centroids, FACED.valence), states @ truth)[0, 1] > 0.9


def test_valence_cannot_enter_the_difference_of_arousal_means():
    def states(sentences):
        valence = [1, 1, -1, -1, 0, 1, 1, -1, -1]
        return np.stack([np.array(valence) * 5.0, np.array([1, 1, 1, 1, 0, -1, -1, -1, -1.0])], axis=1)

    first, difference = arousal_axes(states)
    np.testing.assert_allclose(difference, [0, 1], atol=1e-12)
    assert abs(first[0]) > 0.99


def test_one_rater_is_compared_with_the_mean_of_the_others():
    texts, ratings = texts_and_ratings(60)
    agreed = [[int(np.sign(rating))] * 5 for rating in ratings]
    corpus = Corpus(name="rated", texts=texts, ratings=ratings, raters=agreed)
    assert human_ceiling(corpus)["auc"]["value"] == 1
    generator = np.random.default_rng(0)
    guessing = [generator.integers(-4, 5, size=20).tolist() for _ in ratings]
    noise = human_ceiling(Corpus(name="noise", texts=texts, ratings=ratings, raters=guessing))["auc"]
    assert 0.35 < noise["value"] < 0.65
    assert human_ceiling(Corpus(name="none", texts=texts, ratings=ratings)) is None
    assert human_ceiling(Corpus(name="doubt", texts=texts, ratings=ratings, raters=[[]] * 60)) is None


def test_words_are_recovered_and_the_sentences_own_words_left_out(monkeypatch):
    seen = []
    words = VALENCES | {f"{word}y": (-1) ** i * 0.1 for i, word in enumerate(PLAIN)}
    monkeypatch.setattr("vaxis.validity.lexicons.lexicon", lambda name: words)
    instrument = Instrument(sentence_axis(read, SENTENCES), lambda texts: seen.extend(texts) or read(texts), draws=50)
    found = recover_lexicon(instrument, "vader", carrier="The word is {}.", samples=100)
    used = {sentence[0].split()[2] for sentence in SENTENCES.values()}
    assert found["words"] == len(seen) == len(words) - len(used & words.keys())
    assert not any(word in text for word in used for text in seen)
    assert found["axis"]["r"]["value"] > 0.9
    assert found["nulls"]["isotropic"]["r_p95"] < found["axis"]["r"]["value"]


def test_sets_that_do_not_separate_their_own_classes_are_turned_away(corpus):
    void = {name: [f"The lamp number {i} is by the river."] for i, name in enumerate(SENTENCES)}
    found = study_sets(read, {"good": SENTENCES, "void": void}, {"planted": corpus}, draws=30)
    assert found["sets"]["good"]["passed"]
    assert not found["sets"]["void"]["passed"]
    assert found["sets"]["void"]["separation"] < 0.8
    summary = found["corpora"]["planted"]
    assert summary["passed"]["min"] == found["sets"]["good"]["auc"]["planted"] > 0.97
    assert summary["all"]["min"] <= found["sets"]["void"]["auc"]["planted"]


def test_every_set_of_ours_has_one_sentence_a_class_and_shares_none():
    sets = load_sets()
    assert len(sets) >= 10
    assert all(tuple(nine) == FACED.classes for nine in sets.values())
    sentences = [sentence for nine in sets.values() for group in nine.values() for sentence in group]
    assert len(set(sentences)) == len(sentences)


def test_axis_of_a_set_is_oriented_and_centred():
    axis = sentence_axis(read, SENTENCES)
    assert axis.joy_is_positive
    assert axis.direction.shape == (WIDTH,)
    np.testing.assert_allclose(axis.class_scores.mean(), 0, atol=1e-9)
    assert interval(1.0, np.array([np.nan]))["value"] == 1
