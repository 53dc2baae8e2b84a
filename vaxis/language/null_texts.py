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

from collections.abc import Sequence

import numpy as np

from vaxis.axis import Axis, Read
from vaxis.fit import fit_direction, separation
from vaxis.language.chance_axes import nonce_centroids, nonce_versions, random_text_centroids
from vaxis.language.texts import Texts


def null_distributions(
    read: Read,
    axis: Axis,
    texts: Texts,
    *,
    kinds: Sequence[str] = ("nonce", "neutral", "everyday"),
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict]:
    """Median, 5th and 95th percentile of each statistic under each null, and the axis's own value.

    Args:
        read: gives the (n, L) states of n texts in the axis's read-out.
        axis: the axis to compare with.
        texts: sentences, clips and the pools that random texts are drawn from.
        kinds: nulls to draw from.
        draws: sets of texts drawn under each null; they share texts, so this smooths more than it informs.
        seed: of all draws.

    Returns:
        ``{null: {statistic: {value, median, p5, p95, reached}}}``; ``reached`` is the share of draws at least as high.
    """
    generator = np.random.default_rng(seed)
    # A null averages as many sentences a class as the axis does.
    sizes = [len(sentences) for sentences in texts.sentences.values()]
    groups = {
        "nonce": nonce_versions([s for group in texts.sentences.values() for s in group], generator),
        "neutral": texts.neutral,
        "everyday": texts.everyday,
    }
    groups = {kind: groups[kind] for kind in kinds} | {"clips": texts.clips}
    ends = np.cumsum([len(group) for group in groups.values()])[:-1]
    states = dict(zip(groups, np.split(read([text for group in groups.values() for text in group]), ends)))
    clips = states.pop("clips")

    def drawn(kind: str) -> list[tuple[float, float, float, float]]:
        own, rows = kind == "nonce", []
        centroids_of = nonce_centroids if own else random_text_centroids
        for centroids in centroids_of(states[kind], sizes=sizes, count=draws, generator=generator):
            fit = fit_direction(centroids, valence=axis.classes.valence if own else None)
            separated, rated, cosine = statistics(fit.direction, centroids if own else axis.centroids)
            # Random texts have no sign; nonce sentences have one for their own separation, elsewhere it says little.
            rows.append((separated if own else abs(separated), abs(rated), abs(cosine), fit.explained_variance))
        return rows

    def statistics(direction: np.ndarray, centroids: np.ndarray) -> tuple[float, float, float]:
        rated = np.corrcoef(clips @ direction, texts.rated_valence)[0, 1]
        return separation(centroids @ direction, valence=axis.classes.valence), rated, direction @ axis.direction

    own = dict(zip(("separation", "rated", "cosine"), statistics(axis.direction, axis.centroids)))
    own["explained_variance"] = axis.explained_variance
    return {
        kind: {key: _band(column, own[key]) for key, column in zip(own, np.transpose(drawn(kind)))} for kind in kinds
    }


def _band(values: np.ndarray, own: float) -> dict[str, float]:
    low, middle, high = np.percentile(values, [5, 50, 95])
    reached = np.mean(values >= own)
    band = {"value": own, "median": middle, "p5": low, "p95": high, "reached": reached}
    return {key: float(value) for key, value in band.items()}
