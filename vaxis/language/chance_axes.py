"""Axes that know nothing of emotions: of random texts, of sentences with made-up words, of no text at all.

Every null of the commands is drawn here, so that "first component of nine random texts" means the same in all tables.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from vaxis.fit import class_means, fit_direction

FUNCTION_WORDS = frozenset(
    """a about after all am an and any are as at be because been but by can cannot could did do does for from had has
    have he her him his how i if in is it its me might more most my no nor not of off on or our out over she should so
    some such than that the their them then there they this to under up us was we were what when where which who will
    with would you your""".split()
)
_ONSETS = "b bl br d dr f fl g gl gr h j k kl l m n p pl pr s sk sl sn sp st t tr v w z".split()
_VOWELS = "a e i o u ai ee oo".split()
_CODAS = ["", "b", "d", "f", "g", "k", "l", "m", "n", "p", "rk", "rt", "s", "sh", "t", "nd"]
NONCE_VERSIONS = 12  # of each sentence; a draw takes one of them


def nonce(text: str, generator: np.random.Generator) -> str:
    """The text with every content word made up; function words, capitals and punctuation stay."""

    def replace(match: re.Match[str]) -> str:
        word = match.group()
        if word.lower() in FUNCTION_WORDS:
            return word
        syllables = 1 if len(word) < 7 else 2
        made = "".join(str(generator.choice(part)) for _ in range(syllables) for part in (_ONSETS, _VOWELS, _CODAS))
        return made.capitalize() if word[0].isupper() else made

    return re.sub(r"[A-Za-z]+", replace, text)


def nonce_versions(sentences: Sequence[str], generator: np.random.Generator) -> list[str]:
    """``NONCE_VERSIONS`` of each sentence, those of a sentence together."""
    return [nonce(sentence, generator) for sentence in sentences for _ in range(NONCE_VERSIONS)]


def nonce_centroids(
    states: np.ndarray, *, sizes: Sequence[int], count: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Class centroids (K, L), drawn ``count`` times: one version of each sentence.

    Args:
        states: (n * NONCE_VERSIONS, L) states of ``nonce_versions`` of n sentences.
        sizes: (K,) sentences of each class.
        count: number of draws.
        generator: of the draws.
    """
    total = sum(sizes)
    for _ in range(count):
        rows = np.arange(total) * NONCE_VERSIONS + generator.integers(NONCE_VERSIONS, size=total)
        yield class_means(states[rows], sizes)


def random_text_centroids(
    states: np.ndarray, *, sizes: Sequence[int], count: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Centroids (..., K, L) of K groups of random texts, drawn ``count`` times; a draw takes no text twice.

    Args:
        states: (..., n, L) states of the texts, at one layer or at several: all layers take the same texts.
        sizes: (K,) texts of each group; with more in all than there are, texts come twice.
        count: number of draws.
        generator: of the draws.
    """
    total, there = sum(sizes), states.shape[-2]
    for _ in range(count):
        yield class_means(states[..., generator.choice(there, total, replace=total > there), :], sizes)


def random_directions(states: np.ndarray, *, kind: str, count: int, seed: int = 0, classes: int = 9) -> np.ndarray:
    """Unit directions (count, L) that no sentence was used for.

    Args:
        states: (n, L) states of texts.
        kind: ``random_texts``, first components of random texts; ``covariance``, random combinations of the centred
            states; or ``isotropic``.
        count: number of directions.
        seed: of the draws.
        classes: random texts that one axis is made from.
    """
    generator = np.random.default_rng(seed)
    if kind == "random_texts":
        drawn = random_text_centroids(states, sizes=[1] * classes, count=count, generator=generator)
        return np.stack([fit_direction(centroids).direction for centroids in drawn])
    if kind == "isotropic":
        directions = generator.normal(size=(count, states.shape[1]))
    else:
        directions = generator.normal(size=(count, len(states))) @ (states - states.mean(axis=0))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)
