"""Directions that know nothing of valence, little of it, or all of it: what the score of an axis is compared with.

* ``isotropic`` and ``covariance``: random directions, the second drawn with the covariance of the texts' own states.
* ``random_texts``: first component of nine random texts of the same corpus in the same read-out. The strictest null: an
  emotion-eliciting frame makes valence a leading component of any texts.
* ``nonce_sentences``: the axis of the nine sentences with content words made up.
* ``contrast`` and ``prototypes`` use the class names: difference of the positive and negative centroids, and cosine to
  one minus cosine to the other. ``ridge`` is supervised, trained on the selection sample.
"""

import numpy as np

from measures.bootstrap import Resamples, auc, interval, sign_free
from vaxis.axis import Read
from vaxis.fit import contrast, fit_direction
from vaxis.language.arousal import arousal_sentences
from vaxis.language.chance_axes import nonce_centroids, nonce_versions

NULLS = ("random_texts", "covariance", "isotropic", "nonce_sentences")


def nonce_sentence_axes(read: Read, sentences: list[list[str]], *, valence: tuple[int, ...], count: int) -> np.ndarray:
    """Axes (count, L) of the sentences with content words made up; a draw takes one version of each sentence.

    Args:
        read: gives the (n, L) states of n texts.
        sentences: K classes of one or more sentences.
        valence: (K,) nominal valence that signs each axis.
        count: number of axes.
    """
    generator, sizes = np.random.default_rng(0), [len(group) for group in sentences]
    states = read(nonce_versions([sentence for group in sentences for sentence in group], generator))
    drawn = nonce_centroids(states, sizes=sizes, count=count, generator=generator)
    return np.stack([fit_direction(centroids, valence=valence).direction for centroids in drawn])


def arousal_axes(read: Read) -> tuple[np.ndarray, np.ndarray]:
    """Two axes (L,) of nine sentences that differ in arousal, each level holding good and bad ones.

    The first is their first component, as the V-axis is made: in a frame that asks for feelings it is valence again,
    of any sign. The second is the difference of the means of high and low, which valence cannot enter.
    """
    sentences, arousal = arousal_sentences()
    states = read(sentences)
    return fit_direction(states, valence=arousal).direction, contrast(states, arousal)


def prototype_scores(states: np.ndarray, centroids: np.ndarray, valence: tuple[int, ...]) -> np.ndarray:
    """(n,) cosine of the centred states to the positive prototype minus that to the negative one."""
    signs, mean = np.asarray(valence), centroids.mean(axis=0)
    high, low = (centroids[rows].mean(axis=0) - mean for rows in (signs > 0, signs < 0))
    centred = states - mean
    centred = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return centred @ (high / np.linalg.norm(high) - low / np.linalg.norm(low))


def ridge(states: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """Weights (L,) of a ridge regression on the ratings (n,); its penalty by leave-one-out cross-validation."""
    from sklearn.linear_model import RidgeCV

    # Penalties in units of the largest squared singular value suit states of any scale.
    largest = np.linalg.norm(states - states.mean(axis=0), ord=2) ** 2
    return RidgeCV(alphas=largest * np.logspace(-6, 1, 29)).fit(states, ratings).coef_


def null_band(directions: np.ndarray, states: np.ndarray, positive: np.ndarray, *, own: float) -> dict:
    """AUC of many directions (m, L) as median, 5th and 95th percentile, and the share that reaches the axis's ``own``.

    Each direction gets its better sign, which favours the null. Nonce sentences too: their own sign is a coin's.
    """
    values = sign_free(auc(states @ directions.T, positive))
    low, middle, high = (float(value) for value in np.percentile(values, [5, 50, 95]))
    reached = float(np.mean(values >= own))
    return {"median": middle, "p5": low, "p95": high, "reached": reached, "draws": len(values)}


def margin(resamples: Resamples, scores: np.ndarray, null_scores: np.ndarray) -> dict[str, float]:
    """AUC of the scores (n,) minus the median sign-free AUC of the null scores (n, m), with its interval over texts."""
    positive = resamples.ratings > 0
    value = float(auc(scores, positive) - np.median(sign_free(auc(null_scores, positive))))
    null = np.stack([sign_free(resamples.auc(column)) for column in null_scores.T])
    return interval(value, resamples.auc(scores) - np.median(null, axis=0))
