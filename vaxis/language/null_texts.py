"""What the separation of a valence axis is worth: the same numbers for axes that know nothing of emotions.

In the framed read-out valence is a leading component of any text, so random directions are no fair comparison and even
nine random texts give an axis that orders emotions well above chance (`python -m vaxis validate` shows their AUC). The
nulls here keep everything but the one thing they test:

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
from vaxis.language.texts import Texts

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
    kinds: tuple[str, ...] = ("nonce", "neutral", "everyday"),
    versions: int = 12,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict]:
    """Median, 5th and 95th percentile of each statistic under each null, and the axis's own value.

    Args:
        read: gives the (n, L) states of n texts in the axis's read-out.
        axis: the axis to compare with.
        texts: sentences, clips and the pools that random texts are drawn from.
        kinds: nulls to draw from.
        versions: nonce versions of each sentence; a draw takes one of them for each sentence.
        draws: sets of texts drawn under each null; they share texts, so this smooths more than it informs.
        seed: of all draws.

    Returns:
        ``{null: {statistic: {value, median, p5, p95, reached}}}``; ``reached`` is the share of draws at least as high.
    """
    generator = np.random.default_rng(seed)
    # A null averages as many sentences a class as the axis does.
    counts = np.array([len(sentences) for sentences in texts.sentences.values()])
    sentences, starts = [s for group in texts.sentences.values() for s in group], np.cumsum(counts) - counts
    groups = {
        "nonce": [nonce(sentence, generator) for sentence in sentences for _ in range(versions)],
        "neutral": texts.neutral,
        "everyday": texts.everyday,
    }
    groups = {kind: groups[kind] for kind in kinds} | {"clips": texts.clips}
    ends = np.cumsum([len(group) for group in groups.values()])[:-1]
    states = dict(zip(groups, np.split(read([text for group in groups.values() for text in group]), ends)))
    clips = states.pop("clips")

    def draw(kind: str) -> tuple[float, float, float, float]:
        pool, total = states[kind].astype(np.float64), len(sentences)
        if kind == "nonce":
            rows = np.arange(total) * versions + generator.integers(versions, size=total)
        else:
            rows = generator.choice(len(pool), total, replace=total > len(pool))
        centroids = np.add.reduceat(pool[rows], starts, axis=0) / counts[:, None]
        direction, explained = principal_axis(centroids)
        if kind == "nonce":
            direction = orient(direction, centroids=centroids, valence=axis.classes.valence)
        separated, rated, cosine = statistics(direction, centroids if kind == "nonce" else axis.centroids)
        # Random texts have no sign; nonce sentences have one for their own separation, but it says little elsewhere.
        return separated if kind == "nonce" else abs(separated), abs(rated), abs(cosine), explained

    def statistics(direction: np.ndarray, centroids: np.ndarray) -> tuple[float, float, float]:
        rated = np.corrcoef(clips @ direction, texts.rated_valence)[0, 1]
        return separation(centroids @ direction, valence=axis.classes.valence), rated, direction @ axis.direction

    own = dict(zip(("separation", "rated", "cosine"), statistics(axis.direction, axis.centroids)))
    own["explained_variance"] = axis.explained_variance
    drawn = {kind: [draw(kind) for _ in range(draws)] for kind in kinds}
    return {
        kind: {key: _band(column, own[key]) for key, column in zip(own, np.transpose(rows))}
        for kind, rows in drawn.items()
    }


def _band(values: np.ndarray, own: float) -> dict[str, float]:
    low, middle, high = np.percentile(values, [5, 50, 95])
    reached = np.mean(values >= own)
    band = {"value": own, "median": middle, "p5": low, "p95": high, "reached": reached}
    return {key: float(value) for key, value in band.items()}
