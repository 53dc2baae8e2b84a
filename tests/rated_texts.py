"""Texts with known valence, and a reader whose states hold it in a known direction: what validation must find again."""

import hashlib

import numpy as np

WIDTH = 64
GOOD = "lovely great happy wonderful superb kind sweet brilliant".split()
BAD = "awful nasty angry horrible broken cruel bitter stupid".split()
PLAIN = "table river letter window paper station garden number street lamp".split()
VALENCES = dict.fromkeys(GOOD, 2.0) | dict.fromkeys(BAD, -2.0)
SENTENCES = {
    name: [f"It is {word} here."]
    for name, word in zip(
        ("anger", "disgust", "fear", "sadness", "neutral", "amusement", "inspiration", "joy", "tenderness"),
        [*BAD[:4], "ordinary", *GOOD[:4]],
    )
}


def read(texts):
    """(n, WIDTH) states: the summed valence of the words along the first coordinate, and noise fixed by the text."""
    states = np.empty((len(texts), WIDTH))
    for row, text in zip(states, texts):
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        row[:] = np.random.default_rng(seed).normal(size=WIDTH)
        row[0] += 2.5 * sum(VALENCES.get(word.strip(".,"), 0) for word in text.lower().split())
    return states


def texts_and_ratings(n, seed=0):
    """n different texts, the first half of them negative, and ratings from -4 to 4 without zeros."""
    generator = np.random.default_rng(seed)
    texts, ratings = [], []
    for i in range(n):
        words = BAD if i < n // 2 else GOOD
        plain = generator.choice(PLAIN, size=4)
        texts.append(f"The {plain[0]} and the {plain[1]} number {i} are {generator.choice(words)} by the {plain[2]}.")
        ratings.append((1 if words is GOOD else -1) * generator.uniform(1, 4))
    return texts, np.array(ratings)
