"""The axis projected out of the residual stream while the model goes on reading, and the valence that is lost by it.

``ablation`` removes the axis from the features that are read, where the axis itself is at chance by construction. Here
it is removed layers below, at every token, so the blocks above may put valence together again, and nothing is known
beforehand.
"""

from collections.abc import Callable, Sequence

import numpy as np

from measures.bootstrap import Resamples, auc, interval
from measures.directions import isotropic, variance_matched
from vaxis.axis import Axis
from vaxis.fit import class_means, fit_direction
from vaxis.language.chance_axes import random_directions
from vaxis.validity.ablation import FOLDS, PENALTIES, stratified_folds

KINDS = ("isotropic", "variance", "random_texts")
MEASURES = ("axis", "axis_again", "probe")
Reader = Callable[[np.ndarray | None], np.ndarray]  # states (n, L) without a direction of a layer below, or as they are


def nulls(
    direction: np.ndarray, *, texts: np.ndarray, everyday: np.ndarray, draws: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Unit directions (draws, L) to remove instead, by kind.

    Args:
        direction: (L,) the axis at the layer.
        texts: (n, L) states of the rated texts there, whose variance along the axis ``variance`` matches.
        everyday: (m, L) states of everyday texts: ``random_texts`` are first components of nine of them.
        draws: of each kind.
        seed: of the draws.
    """
    return {
        "isotropic": isotropic(len(direction), draws=draws, seed=seed),
        "variance": variance_matched(direction, np.cov(texts.T), draws=draws, seed=seed),
        "random_texts": random_directions(everyday, kind="random_texts", count=draws, seed=seed),
    }


def study(
    read: Reader,
    *,
    axis: Axis,
    sizes: Sequence[int],
    positive: np.ndarray,
    direction: np.ndarray,
    drawn: dict[str, np.ndarray],
) -> dict[str, dict]:
    """What is lost without the axis, beside what is lost without each random direction.

    Args:
        read: states of the emotion sentences, then of the rated texts, at the layer that is read.
        axis: of the whole model at that layer.
        sizes: (K,) sentences of each class.
        positive: (n,) bool, whether people rate a text above neutral.
        direction: (L,) the axis at the layer below.
        drawn: other directions of that layer, by kind.

    Returns:
        By measure (``axis``: scores on the intact axis; ``axis_again``: on that of the nine sentences as the changed
        model reads them; ``probe``: trained again): AUC ``whole``, ``without`` and ``lost`` with intervals over texts,
        and under ``nulls``, by kind, mean, 95th percentile, z and p of what random directions lose.
    """
    from tqdm import tqdm

    resamples, count = Resamples.draw(np.where(positive, 1.0, -1.0)), sum(sizes)
    whole, left = read(None), read(direction)
    penalty = max(PENALTIES, key=lambda value: float(auc(probe(whole[count:], positive, penalty=value), positive)))

    def scores(states: np.ndarray) -> dict[str, np.ndarray]:
        return _scores(states, axis=axis, sizes=sizes, positive=positive, penalty=penalty)

    before, after = scores(whole), scores(left)
    found: dict[str, dict] = {}
    for name in MEASURES:
        both = [resamples.auc(rows[name]) for rows in (before, after)]
        values = [float(auc(rows[name], positive)) for rows in (before, after)]
        found[name] = {
            "whole": interval(values[0], both[0]),
            "without": interval(values[1], both[1]),
            "lost": interval(values[0] - values[1], both[0] - both[1]),
            "nulls": {},
        }
    for kind, rows in drawn.items():
        lost = []
        for row in tqdm(rows, desc=f"removing {kind}", unit="direction", leave=False, disable=None):
            changed = scores(read(row))
            lost.append([found[name]["whole"]["value"] - float(auc(changed[name], positive)) for name in MEASURES])
        for column, name in enumerate(MEASURES):
            found[name]["nulls"][kind] = beside(found[name]["lost"]["value"], np.array(lost)[:, column])
    return found


def probe(states: np.ndarray, positive: np.ndarray, *, penalty: float) -> np.ndarray:
    """Scores (n,) of the probe of ``ablation.probe_scores`` on the whole features.

    Solved over texts and not over features: there are fewer of them, and it is done once a direction.
    """
    folds, target, scores = stratified_folds(positive), np.where(positive, 1.0, -1.0), np.empty(len(states))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        features = states[train] - states[train].mean(axis=0)
        kernel = features @ features.T
        kernel[np.diag_indices_from(kernel)] += penalty * np.trace(kernel)
        weights = features.T @ np.linalg.solve(kernel, target[train] - target[train].mean())
        scores[test] = (states[test] - states[train].mean(axis=0)) @ weights
    return scores


def beside(lost: float, null: np.ndarray) -> dict[str, float]:
    """Mean, 95th percentile, z and p of a loss beside those of random directions (draws,), ties against it."""
    sd = float(null.std(ddof=1))
    return {
        "mean": float(null.mean()),
        "high": float(np.quantile(null, 0.95)),
        "z": (lost - float(null.mean())) / sd if sd > 1e-12 else float("nan"),
        "p": float((1 + (null >= lost - 1e-12).sum()) / (1 + len(null))),
    }


def numbers(corpora: dict[str, dict]) -> dict[str, dict]:
    """The result as the numbers that every analysis writes, by corpus, measure and null; ``n`` counts texts."""
    rows = {}
    for corpus, result in corpora.items():
        for name in MEASURES:
            lost = result[name]["lost"]
            for kind, null in result[name]["nulls"].items():
                rows[f"{corpus}_{name}_lost_{kind}"] = {
                    "value": lost["value"], "interval": [lost["low"], lost["high"]], "null_mean": null["mean"],
                    "null_95": null["high"], "p_value": null["p"], "n": result["texts"], "simulated": False,
                }  # fmt: skip
    return rows


def roles(corpora: dict[str, dict]) -> dict[str, str]:
    """Measure and null to the name of the number for the corpus that the paper reads, else the first one."""
    corpus = "sst2" if "sst2" in corpora else next(iter(corpora))
    return {f"{name}_lost_{kind}": f"{corpus}_{name}_lost_{kind}" for name in MEASURES for kind in KINDS}


def _scores(
    states: np.ndarray, *, axis: Axis, sizes: Sequence[int], positive: np.ndarray, penalty: float
) -> dict[str, np.ndarray]:
    sentences, texts = states[: sum(sizes)], states[sum(sizes) :]
    again = fit_direction(class_means(sentences, list(sizes)), valence=axis.classes.valence)
    return {
        "axis": (texts - axis.mean) @ axis.direction,
        "axis_again": texts @ again.direction,
        "probe": probe(texts, positive, penalty=penalty),
    }
