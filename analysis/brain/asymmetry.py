"""Frontal alpha asymmetry: right minus left differential entropy, positive minus negative clips."""

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.maps import position
from analysis.brain.orders import Stat, orders, over_people

PAIRS = (("F4", "F3"), ("F8", "F7"), ("Fp2", "Fp1"))


def asymmetry(cohort: Cohort, *, draws: int, seed: int) -> dict[str, Stat]:
    """Each pair and their mean, in nats of differential entropy: half of what a log power ratio would be.

    The interval is over people, given these clips. The p-value moves the valence among the classes: whether clips of
    *other* emotions would differ as much. The first can exclude 0 while the second says that any emotions do that.
    """
    found, differences = {}, []
    signs = cohort.valence[cohort.class_of].astype(np.float64)
    rows = orders(signs, cohort.class_of, draws=draws, seed=seed).rows.round()
    contrast = np.stack([_weights(row, cohort.class_of) for row in rows])
    for right, left in PAIRS:
        cells = position(cohort, right, "alpha"), position(cohort, left, "alpha")
        if cells[0] is None or cells[1] is None:
            continue
        difference = cohort.x[:, :, *cells[0]] - cohort.x[:, :, *cells[1]]  # (P, S)
        differences.append(difference)
        found[f"asymmetry.{right}_{left}"] = _stat(difference, contrast)
    if differences:
        found["asymmetry.mean"] = _stat(np.mean(differences, axis=0), contrast)
    return found


def _stat(difference: np.ndarray, contrast: np.ndarray) -> Stat:
    own = difference @ contrast[0]
    return Stat.of(contrast @ difference.mean(axis=0), n=len(own), two_sided=True, interval=over_people(own))


def _weights(signs: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """(S,) weights whose sum with clip values is the mean of positive classes minus that of negative ones."""
    weights = np.zeros(len(signs))
    for sign in (1, -1):
        classes = np.unique(class_of[signs == sign])
        for k in classes:
            weights[class_of == k] = sign / len(classes) / (class_of == k).sum()
    return weights
