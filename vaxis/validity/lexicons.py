"""Words that people have rated, and the plainest way of rating a text with them."""

import re
from functools import cache

import numpy as np

from vaxis.language.pypi import AFINN, VADER

LEXICONS = ("vader", "afinn")
_NEGATIONS = frozenset("not no never nothing nobody neither nor cannot without hardly".split())
_NEGATION_REACH = 3  # words after a negation that it turns round
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


@cache
def lexicon(name: str) -> dict[str, float]:
    """Valence of single lower-case words (no smileys, no phrases): ``vader`` from -4 to 4, ``afinn`` from -5 to 5."""
    if name == "vader":
        content = VADER.read("vaderSentiment-3.3.2/vaderSentiment/vader_lexicon.txt")
    elif name == "afinn":
        content = AFINN.read("afinn-0.1/afinn/data/AFINN-en-165.txt")
    else:
        raise ValueError(f"--lexicons {name}: choose from {', '.join(LEXICONS)}")
    rows = (line.split("\t") for line in content.decode("utf-8").splitlines() if "\t" in line)
    return {word: float(value) for word, value, *_ in rows if re.fullmatch("[a-z]{2,}", word)}


def sample_words(name: str, *, samples: int, without: list[str], seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Rated words that occur in none of the given sentences, and their (n,) valence.

    Args:
        name: lexicon.
        samples: at most this many.
        without: sentences whose words are left out, so that no axis is asked about its own words.
        seed: of the draw.
    """
    used = {word for sentence in without for word in words_of(sentence)}
    known = {word: value for word, value in lexicon(name).items() if word not in used}
    words = np.random.default_rng(seed).permutation(sorted(known))[:samples].tolist()
    return words, np.array([known[word] for word in words])


def rate(text: str, valences: dict[str, float]) -> float:
    """Mean valence of the rated words of a text, turned round after a negation; 0 where no word is rated."""
    words = words_of(text)
    found = []
    for i, word in enumerate(words):
        if word in valences:
            before = words[max(0, i - _NEGATION_REACH) : i]
            negated = any(w in _NEGATIONS or w.endswith("n't") for w in before)
            found.append(-valences[word] if negated else valences[word])
    return float(np.mean(found)) if found else 0.0


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())
