"""What the separation of a valence axis is worth: the same numbers for axes that know nothing of emotions.

In the framed read-out valence is a leading component of any text, so random directions are no fair comparison and even
nine random texts give an axis that orders emotions well above chance (their |AUC| on rated texts is .74-.86 where the
emotion sentences reach .83-.92). The nulls here keep everything but the one thing they test:

* ``nonce``: the emotion sentences with content words replaced, so the class names stay but their meaning goes. The axis
  is fitted to the very sentences it is scored on and given their sign, as the real one is. In-sample like the
  V-axis: the fair null for its own separation.
* ``everyday`` and ``neutral``: first component of K random texts, scored on the real emotion sentences it has not seen.
  It has no sign, hence absolute values; and it is out-of-sample where the V-axis is not, which favours the V-axis.
  ``everyday`` texts carry good and bad news as any sample of texts does and are the stricter of the two.
* For a comparison that favours nobody every axis also ranks texts that none was made from, the 28 clip descriptions,
  against the clips' human ratings (``rated``).
"""

import re
from collections.abc import Callable

import numpy as np

from vaxis.axis import Axis, orient, principal_axis, separation
from vaxis.texts import Texts

FUNCTION_WORDS = frozenset(
    """a about after all am an and any are as at be because been but by can cannot could did do does for from had has
    have he her him his how i if in is it its me might more most my no nor not of off on or our out over she should so
    some such than that the their them then there they this to under up us was we were what when where which who will
    with would you your""".split()
)
_ONSETS = "b bl br d dr f fl g gl gr h j k kl l m n p pl pr s sk sl sn sp st t tr v w z".split()
_VOWELS = "a e i o u ai ee oo".split()
_CODAS = ["", "b", "d", "f", "g", "k", "l", "m", "n", "p", "rk", "rt", "s", "sh", "t", "nd"]


def nonce(text: str, generator: np.random.Generator) -> str:
    """The text with every content word made up; function words, capitals and punctuation stay."""

    def replace(match: re.Match) -> str:
        word = match.group()
        if word.lower() in FUNCTION_WORDS:
            return word
        syllables = 1 if len(word) < 7 else 2
        made = "".join(str(generator.choice(part)) for _ in range(syllables) for part in (_ONSETS, _VOWELS, _CODAS))
        return made.capitalize() if word[0].isupper() else made

    return re.sub(r"[A-Za-z]+", replace, text)


def null_distributions(
    read: Callable[[list[str]], np.ndarray],
    axis: Axis,
    texts: Texts,
    *,
    versions: int = 12,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict]:
    """Median, 5th and 95th percentile of each statistic under each null, and the axis's own value.

    Args:
        read: gives the (n, L) states of n texts in the axis's read-out.
        axis: the axis to compare with.
        texts: sentences, clips and the pools that random texts are drawn from.
        versions: nonce versions of each class's first sentence; a draw takes one of them for each class.
        draws: sets of K texts drawn under each null; they share texts, so this smooths more than it informs.
        seed: of all draws.

    Returns:
        ``{null: {statistic: {value, median, p5, p95, reached}}}``; ``reached`` is the share of draws at least as high.
    """
    generator, classes = np.random.default_rng(seed), len(axis.centroids)
    first = [sentences[0] for sentences in texts.sentences.values()]
    made_up = [nonce(sentence, generator) for sentence in first for _ in range(versions)]
    groups = [made_up, texts.neutral, texts.everyday, texts.clips]
    ends = np.cumsum([len(group) for group in groups])[:-1]
    nonces, neutral, everyday, clips = np.split(read([text for group in groups for text in group]), ends)
    nonces = nonces.reshape(classes, versions, -1).astype(np.float64)

    def statistics(direction: np.ndarray, centroids: np.ndarray) -> tuple[float, float, float]:
        rated = np.corrcoef(clips @ direction, texts.rated_valence)[0, 1]
        return separation(centroids @ direction, valence=axis.classes.valence), rated, direction @ axis.direction

    def nonce_draw() -> tuple[float, float, float]:
        centroids = nonces[np.arange(classes), generator.integers(versions, size=classes)]
        direction = orient(principal_axis(centroids)[0], centroids=centroids, valence=axis.classes.valence)
        return statistics(direction, centroids)

    def random_draw(pool: np.ndarray) -> np.ndarray:
        direction = principal_axis(pool[generator.choice(len(pool), classes, replace=False)])[0]
        return np.abs(statistics(direction, axis.centroids))

    drawn = {
        "nonce": [nonce_draw() for _ in range(draws)],
        "everyday": [random_draw(everyday) for _ in range(draws)],
        "neutral": [random_draw(neutral) for _ in range(draws)],
    }
    own = dict(zip(("separation", "rated", "cosine"), statistics(axis.direction, axis.centroids)))
    return {
        name: {key: _band(column, own[key]) for key, column in zip(own, np.transpose(rows))}
        for name, rows in drawn.items()
    }


def _band(values: np.ndarray, own: float) -> dict[str, float]:
    low, middle, high = np.percentile(values, [5, 50, 95])
    reached = np.mean(values >= own)
    band = {"value": own, "median": middle, "p5": low, "p95": high, "reached": reached}
    return {key: float(value) for key, value in band.items()}
