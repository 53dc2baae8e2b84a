"""The nulls of ``extract`` and the gate: free of sign, made like the axis, and not to be passed by separation alone."""

import numpy as np
import pytest

from vaxis.emotions import FACED
from vaxis.language.extraction import extract
from vaxis.validity.corpora import Corpus
from vaxis.validity.rated_texts import human_ceiling
from vaxis.validity.sentence_sets import study_sets


def test_random_texts_have_no_sign_and_nonce_sentences_none_on_the_clips(words):
    nulls = extract(llm="words", draws=60).provenance["nulls"]
    for kind in ("everyday", "neutral"):
        assert all(nulls[kind][name]["p5"] >= 0 for name in ("separation", "rated", "cosine"))
    assert nulls["nonce"]["rated"]["p5"] >= 0
    assert 0 < nulls["everyday"]["explained_variance"]["median"] < 1


def test_every_readout_stands_beside_random_texts(words):
    for row in extract(llm="words", draws=20).provenance["readouts"].values():
        assert row["everyday"]["separation"]["value"] == pytest.approx(row["separation"])
        assert 0 <= row["everyday"]["separation"]["median"] <= 1


def test_a_null_averages_as_many_sentences_as_the_axis(words):
    one = extract(llm="words", draws=20)
    single = len(words.read)
    words.read.clear()
    three = extract(llm="words", paraphrases=3, draws=20)
    # Twelve made-up versions of each of the 18 further sentences are read for the nonce null.
    assert len(words.read) - single >= 12 * 18
    found = (axis.provenance["nulls"]["everyday"]["explained_variance"]["median"] for axis in (one, three))
    assert len({round(value, 6) for value in found}) == 2


def test_a_rater_is_not_compared_with_himself():
    """Two raters of opposite opinion: each is wrong about the other, and right about a mean that he is part of."""
    ratings = [[4, -1], [-4, 1]] * 30
    corpus = Corpus(name="two", texts=["text"] * 60, ratings=np.mean(ratings, axis=1), raters=ratings)
    assert human_ceiling(corpus)["auc"]["value"] < 0.3


def test_a_set_that_separates_but_puts_joy_on_the_wrong_side_is_turned_away():
    positions = np.array(FACED.valence, dtype=float)
    positions[FACED.classes.index("joy")] = -0.35
    places = dict(zip(FACED.classes, positions))

    def read(texts):
        return np.stack([[5 * places.get(text, len(text) % 5), 0.1 * (len(text) % 3)] for text in texts])

    corpus = Corpus(name="any", texts=[f"{'x' * k} text" for k in range(20)], ratings=np.tile([1.0, -1.0], 10))
    found = study_sets(read, {"wrong joy": {name: [name] for name in places}}, {"any": corpus}, draws=10)
    row = found["sets"]["wrong joy"]
    assert row["separation"] >= found["gate"]
    assert not row["joy"]
    assert not row["passed"]
