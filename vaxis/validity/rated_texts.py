"""What one axis says about one corpus of rated texts, and what everything else says about the same texts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from measures.bootstrap import Resamples, auc
from vaxis.axis import Axis, Read
from vaxis.fit import contrast
from vaxis.language.chance_axes import nonce, random_directions
from vaxis.validity.controls import (
    NULLS,
    arousal_axes,
    margin,
    nonce_sentence_axes,
    null_band,
    prototype_scores,
    ridge,
)
from vaxis.validity.corpora import LEAST, Corpus, selection
from vaxis.validity.lexicons import lexicon, rate, sample_words

RATER_DRAWS = 20
MARGIN_DRAWS, MARGIN_RESAMPLES = 200, 300
CLEAR = 1.0  # ratings of at least this size are what people agree is good or bad


@dataclass(frozen=True)
class Instrument:
    """An axis, the model that reads for it, and the directions it is compared with on every corpus.

    Attributes:
        axis: the axis.
        read: gives the (n, L) states of n texts in the axis's read-out.
        draws: random directions of each kind.
        training: texts of the selection sample that the supervised reference learns from.
        nonce_texts: reported texts that are also read with their content words made up.
        layer: of the model; 0 where nothing is written with it.
    """

    axis: Axis
    read: Read
    draws: int = 1000
    training: int = 500
    nonce_texts: int = 200
    layer: int = 0

    @cached_property
    def nonce_axes(self) -> np.ndarray:
        groups, count = list(self.axis.provenance["sentences"].values()), min(self.draws, 500)
        return nonce_sentence_axes(self.read, groups, valence=self.axis.classes.valence, count=count)

    @cached_property
    def arousal(self) -> tuple[np.ndarray, np.ndarray]:
        return arousal_axes(self.read)

    @cached_property
    def supervised(self) -> np.ndarray:
        sample = selection(self.training)
        return ridge(self.read(sample.texts), sample.ratings)


def measure(instrument: Instrument, corpus: Corpus) -> dict:
    """Everything about one corpus, as plain values.

    Args:
        instrument: the axis and its comparisons.
        corpus: texts to report on.

    Returns:
        ``axis`` and its comparisons, each ``{auc, r, rho}`` with intervals; ``nulls``; ``margin`` over random texts.
    """
    axis, states = instrument.axis, instrument.read(corpus.texts)
    positive, resamples = corpus.ratings > 0, Resamples.draw(corpus.ratings)
    scores = (states - axis.mean) @ axis.direction
    own = float(auc(scores, positive))
    compared = {
        "axis": scores,
        "contrast": states @ contrast(axis.centroids, axis.classes.valence),
        "prototypes": prototype_scores(states, axis.centroids, axis.classes.valence),
        "arousal": states @ instrument.arousal[0],
        "arousal_contrast": states @ instrument.arousal[1],
        "ridge": states @ instrument.supervised,
        "lexicon": np.array([rate(text, lexicon("vader")) for text in corpus.texts]),
    }
    random = {kind: random_directions(states, kind=kind, count=instrument.draws) for kind in NULLS[:3]}
    nulls = {
        kind: null_band(rows, states, positive, own=own)
        | {"r_p95": float(np.percentile(np.abs(correlations(states @ rows.T, corpus.ratings)), 95))}
        for kind, rows in (random | {"nonce_sentences": instrument.nonce_axes}).items()
    }
    few = Resamples(resamples.ratings, resamples.weights[:MARGIN_RESAMPLES])
    result = {name: resamples.estimates(values) for name, values in compared.items()}
    clear = np.abs(corpus.ratings) >= CLEAR
    return result | {
        "texts": len(corpus),
        "positive": float(positive.mean()),
        "clear": {"texts": int(clear.sum()), "auc": _auc(scores[clear], positive[clear])},
        "human": human_ceiling(corpus),
        "nonce_texts": _nonce_texts(instrument, corpus, scores),
        "nulls": nulls,
        "margin": margin(few, scores, states @ random["random_texts"][:MARGIN_DRAWS].T),
    }


def human_ceiling(corpus: Corpus) -> dict | None:
    """AUC of one rater against the sign of the mean of the others, over random choices of the rater."""
    rated = [np.array(ratings) for ratings in corpus.raters or [] if len(ratings) > 1]
    if not rated:
        return None
    generator, found, draws = np.random.default_rng(0), [], []
    for _ in range(RATER_DRAWS):
        picked = [int(generator.integers(len(values))) for values in rated]
        others = np.array([np.delete(values, k).mean() for values, k in zip(rated, picked)])
        single = np.array([values[k] for values, k in zip(rated, picked)], dtype=float)
        found.append(auc(single, others > 0))
        draws.append(Resamples.draw(others, count=200).auc(single))
    low, high = np.percentile(np.concatenate(draws), [2.5, 97.5])
    return {"auc": {"value": float(np.mean(found)), "low": float(low), "high": float(high)}, "texts": len(rated)}


def recover_lexicon(instrument: Instrument, name: str, *, carrier: str, samples: int) -> dict:
    """How the axis orders rated words that occur in none of its sentences.

    Args:
        instrument: the axis and its comparisons.
        name: lexicon.
        carrier: sentence with a place for the word.
        samples: at most this many words.
    """
    axis = instrument.axis
    sentences = [sentence for group in axis.provenance["sentences"].values() for sentence in group]
    words, values = sample_words(name, samples=samples, without=sentences)
    if len(words) < LEAST or not 0 < np.sum(values > 0) < len(words):
        raise ValueError(f"--lexicons {name}: {len(words)} words are too few or all of one sign; give more --samples")
    states, resamples = instrument.read([carrier.format(word) for word in words]), Resamples.draw(values)
    own = resamples.estimates((states - axis.mean) @ axis.direction)
    kinds = {kind: random_directions(states, kind=kind, count=instrument.draws) for kind in NULLS[:3]}
    nulls = {
        kind: null_band(rows, states, values > 0, own=own["auc"]["value"])
        | {"r_p95": float(np.percentile(np.abs(correlations(states @ rows.T, values)), 95))}
        for kind, rows in kinds.items()
    }
    return {"axis": own, "nulls": nulls, "words": len(words), "carrier": carrier}


def correlations(scores: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """(m,) Pearson correlation of each column of the scores (n, m) with the ratings (n,)."""
    x, y = scores - scores.mean(axis=0), ratings - ratings.mean()
    return y @ x / (np.linalg.norm(x, axis=0) * np.linalg.norm(y))


def _nonce_texts(instrument: Instrument, corpus: Corpus, scores: np.ndarray) -> dict:
    """The first texts of the corpus with content words made up, on the real axis, beside the same texts as they are."""
    few = corpus.take(np.arange(min(instrument.nonce_texts, len(corpus))))
    generator, resamples = np.random.default_rng(0), Resamples.draw(few.ratings)
    made_up = instrument.read([nonce(text, generator) for text in few.texts]) @ instrument.axis.direction
    return resamples.estimates(made_up) | {
        "texts": len(few),
        "same_texts": resamples.estimates(scores[: len(few)]),
        "spread": float(np.std(made_up) / np.std(scores[: len(few)])),
    }


def _auc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    return float(auc(scores, positive)) if 0 < positive.sum() < len(positive) else None
