"""Projecting the axis out of features, and a probe that is trained again on what is left."""

import numpy as np

from measures.bootstrap import Resamples, auc, interval
from vaxis.axis import Axis
from vaxis.fit import fit_direction
from vaxis.language.chance_axes import random_directions

FOLDS = 5
PENALTIES = np.logspace(-6, 0, 13)  # as a share of the summed squares of the centred features
KINDS = ("isotropic", "covariance", "random_texts")


def remove(states: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The states (n, L) with their component along a unit direction (L,) taken away."""
    return states - np.outer(states @ direction, direction)


def probe_auc(
    states: np.ndarray, positive: np.ndarray, *, penalty: float, without: np.ndarray | None = None
) -> np.ndarray:
    """AUC (1 + m,) of ``probe_scores``, which has the same arguments."""
    return auc(probe_scores(states, positive, penalty=penalty, without=without), positive)


def probe_scores(
    states: np.ndarray, positive: np.ndarray, *, penalty: float, without: np.ndarray | None = None
) -> np.ndarray:
    """Cross-validated scores of a linear ridge probe, on the whole features and without each of some directions.

    Taking a direction out of the features and training again is the same as training under the constraint that the
    weights are orthogonal to it, which has a closed form: all directions share one factorisation a fold.

    Args:
        states: (n, L) features.
        positive: (n,) bool.
        penalty: ridge penalty, see ``PENALTIES``.
        without: (m, L) unit directions, each removed alone.

    Returns:
        (n, 1 + m): on the whole features, then without each direction.
    """
    directions = np.zeros((0, states.shape[1])) if without is None else without
    folds, target = stratified_folds(positive), np.where(positive, 1.0, -1.0)
    scores = np.empty((len(states), 1 + len(directions)))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        mean = states[train].mean(axis=0)
        features = states[train] - mean
        gram = features.T @ features
        gram[np.diag_indices_from(gram)] += penalty * np.trace(gram)
        moment = features.T @ (target[train] - target[train].mean())
        solved = np.linalg.solve(gram, np.column_stack([moment, directions.T]))
        weights, inverse = solved[:, 0], solved[:, 1:]
        correction = inverse * ((directions @ weights) / np.sum(directions.T * inverse, axis=0))
        scores[test] = (states[test] - mean) @ np.column_stack([weights, weights[:, None] - correction])
    return scores


def stratified_folds(positive: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Fold (n,) of each text, dealing the positives and the negatives out in turn.

    scikit-learn's StratifiedKFold does the same with another shuffle, which would move the published AUC of the probe.
    """
    generator, folds = np.random.default_rng(seed), np.empty(len(positive), dtype=int)
    for sign in (True, False):
        rows = generator.permutation(np.flatnonzero(positive == sign))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def ablation(axis: Axis, states: np.ndarray, positive: np.ndarray, *, draws: int) -> dict:
    """What removing the axis costs, beside what removing random directions costs.

    Zero-shot, the axis itself is at 0.5 on what is left, whatever it was worth: that number cannot come out otherwise.
    The others can: ``axis_again`` is the first component of the nine sentences without the axis, and the probe is
    trained and tested on the texts without it. The penalty is the best one for the whole features and stays the same.

    Args:
        axis: the axis.
        states: (n, L) states of the texts.
        positive: (n,) bool.
        draws: random directions of each kind.

    Returns:
        Each measure with its interval over texts, and under ``nulls``, by kind, what the removal of random directions
        makes of it: median, 95 % band and ``p``, the share of directions whose removal takes at least as much.
    """
    resamples = Resamples.draw(np.where(positive, 1.0, -1.0))
    penalty = max(PENALTIES, key=lambda value: probe_auc(states, positive, penalty=value)[0])
    whole, left = probe_scores(states, positive, penalty=penalty, without=axis.direction[None]).T
    zero_shot = states @ axis.direction
    # What remains along the axis is rounding; its order must not count.
    without = np.round(remove(states - axis.mean, axis.direction) @ axis.direction, 6)
    again = _scores_again(axis, states, positive, axis.direction)
    scores = {"zero_shot": zero_shot, "zero_shot_without": without, "axis_again": again, "probe": whole}
    scores |= {"probe_without": left}
    found = {name: interval(float(auc(row, positive)), resamples.auc(row)) for name, row in scores.items()}
    loss = found["probe"]["value"] - found["probe_without"]["value"]
    found["probe_loss"] = interval(loss, resamples.auc(whole) - resamples.auc(left))
    nulls = {}
    for kind in KINDS:
        drawn = removals(axis, states, positive, random_directions(states, kind=kind, count=draws), penalty=penalty)
        nulls[kind] = {
            name: null_of(values, own=found[name]["value"]) for name, values in drawn.items() if name != "probe_loss"
        }
        nulls[kind]["probe_loss"] = null_of(drawn["probe_loss"], own=loss, larger=True)
    return {"texts": len(states), "penalty": float(penalty), **found, "nulls": nulls}


def removals(
    axis: Axis, states: np.ndarray, positive: np.ndarray, directions: np.ndarray, *, penalty: float
) -> dict[str, np.ndarray]:
    """The measures of ``ablation`` (m,) with each of some unit directions (m, L) removed in place of the axis."""
    scores = (states @ axis.direction)[:, None] - (states @ directions.T) * (directions @ axis.direction)
    again = np.column_stack([_scores_again(axis, states, positive, direction) for direction in directions])
    probe = probe_auc(states, positive, penalty=penalty, without=directions)
    return {
        "zero_shot_without": auc(scores, positive),
        "axis_again": auc(again, positive),
        "probe_loss": probe[0] - probe[1:],
    }


def null_of(values: np.ndarray, *, own: float, larger: bool = False) -> dict[str, float]:
    """Median and 95 % band of the null values (m,), and p: the share, own value included, as low (or as large)."""
    low, middle, high = (float(value) for value in np.percentile(values, [2.5, 50, 97.5]))
    reached = np.sum(values >= own if larger else values <= own)
    return {"median": middle, "low": low, "high": high, "p": float((1 + reached) / (1 + len(values)))}


def _scores_again(axis: Axis, states: np.ndarray, positive: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Scores (n,) along the first component of the sentences without a direction, on the texts without it.

    A first component has no sign of its own and gets the better one.
    """
    again = fit_direction(remove(axis.centroids - axis.mean, direction)).direction
    scores = remove(states - axis.mean, direction) @ again
    return scores if auc(scores, positive) >= 0.5 else -scores
