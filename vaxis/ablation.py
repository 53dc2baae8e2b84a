"""Projecting the axis out of features, and a probe that is trained again on what is left."""

import numpy as np

from vaxis.axis import Axis, principal_axis
from vaxis.bootstrap import auc, sign_free
from vaxis.controls import random_directions

FOLDS = 5
PENALTIES = np.logspace(-6, 0, 13)  # as a share of the summed squares of the centred features


def remove(states: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The states (n, L) with their component along a unit direction (L,) taken away."""
    return states - np.outer(states @ direction, direction)


def probe_auc(
    states: np.ndarray, positive: np.ndarray, *, penalty: float, without: np.ndarray | None = None
) -> np.ndarray:
    """Cross-validated AUC of a linear ridge probe, on the whole features and without each of some directions.

    Taking a direction out of the features and training again is the same as training under the constraint that the
    weights are orthogonal to it, which has a closed form: all directions share one factorisation a fold.

    Args:
        states: (n, L) features.
        positive: (n,) bool.
        penalty: ridge penalty, see ``PENALTIES``.
        without: (m, L) unit directions, each removed alone.

    Returns:
        (1 + m,): on the whole features, then without each direction.
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
    return auc(scores, positive)


def stratified_folds(positive: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Fold (n,) of each text, dealing the positives and the negatives out in turn."""
    generator, folds = np.random.default_rng(seed), np.empty(len(positive), dtype=int)
    for sign in (True, False):
        rows = generator.permutation(np.flatnonzero(positive == sign))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def ablation(axis: Axis, states: np.ndarray, positive: np.ndarray, *, draws: int) -> dict:
    """What removing the axis costs, beside what removing random directions costs.

    Zero-shot, the axis itself is at 0.5 on what is left, whatever it was worth: that number cannot come out otherwise.
    The others can: ``axis_again`` fits a new axis to the nine sentences without the old one, and the probe is trained
    and tested on the texts without it. The penalty is the best one for the whole features and stays the same.

    Args:
        axis: the axis.
        states: (n, L) states of the texts.
        positive: (n,) bool.
        draws: random directions of each kind.
    """
    again = principal_axis(remove(axis.centroids - axis.mean, axis.direction))[0]
    without = remove(states - axis.mean, axis.direction)
    penalty = max(PENALTIES, key=lambda value: probe_auc(states, positive, penalty=value)[0])
    whole, left = probe_auc(states, positive, penalty=penalty, without=axis.direction[None]).tolist()
    result = {
        "texts": len(states),
        "zero_shot": float(auc(states @ axis.direction, positive)),
        # What remains along the axis is rounding; its order must not count.
        "zero_shot_without": float(auc(np.round(without @ axis.direction, 6), positive)),
        "axis_again": float(sign_free(auc(without @ again, positive))),
        "probe": whole,
        "probe_without": left,
        "probe_loss": whole - left,
        "penalty": float(penalty),
    }
    for kind in ("isotropic", "covariance"):
        directions = random_directions(states, kind=kind, count=draws)
        losses = whole - probe_auc(states, positive, penalty=penalty, without=directions)[1:]
        low, middle, high = (float(value) for value in np.percentile(losses, [5, 50, 95]))
        spread = float(losses.std())
        z = (whole - left - float(losses.mean())) / spread if spread else float("nan")
        p_value = float((1 + np.sum(losses >= whole - left)) / (1 + draws))
        result[kind] = {"median": middle, "p5": low, "p95": high, "z": z, "p": p_value, "draws": draws}
    return result
