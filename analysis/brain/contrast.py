"""Do nine clips carry it? The axis on a few classes, on all others, and without each class in turn."""

from itertools import combinations

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.decoding import out_of_fold, pearson
from analysis.brain.maps import position
from analysis.brain.orders import Orders, Stat, correlations, orders

CELL = ("PO3", "gamma")
POLES = ("anger", "amusement", "tenderness")  # the nine clips of arXiv 2606.00129
WEIGHTS = {"anger": 5.0, "amusement": 3.0, "tenderness": 3.0}  # its weights, 1 of all others


def contrast(
    cohort: Cohort, v: np.ndarray, axis: Orders, *, draws: int, seed: int, each_class: bool = True
) -> dict[str, Stat]:
    """The published cell and the ridge on subsets of the clips, each against its own null.

    Nine clips that were *picked* for carrying it must be read beside the best of all sets of three classes under the
    null (``nine.best_of_all_triples``): among 84 triples one looks as good by chance.

    Args:
        cohort: the EEG.
        v: (S,) axis positions.
        axis: the same with their null.
        draws: permutations a subset.
        seed: of the nulls.
        each_class: leave each class out in turn, too.
    """
    found, classes = {}, list(cohort.classes)
    subsets = {f"without_{name}": cohort.class_of != k for k, name in enumerate(classes) if each_class}
    if set(POLES) <= set(classes):
        poles = np.isin(cohort.class_of, [classes.index(name) for name in POLES])
        subsets |= {"nine_clips": poles, "other_clips": ~poles}
    cell = position(cohort, *CELL)
    for name, kept in subsets.items():
        own = orders(v[kept], cohort.class_of[kept], draws=draws, seed=seed).rows
        if len(np.unique(cohort.class_of[kept])) < 3 or own[0].std() < 1e-9:
            continue
        x = cohort.means[kept].reshape(kept.sum(), -1)
        predicted = out_of_fold(x, own, groups=np.arange(len(x)))
        found[f"contrast.{name}.ridge"] = Stat.of(pearson(predicted, own), n=len(x))
        if cell:
            r = correlations(own, cohort.means[kept][:, *cell])
            found[f"contrast.{name}.{CELL[0]}_{CELL[1]}"] = Stat.of(r, n=len(x), two_sided=True)
    if cell:
        found |= _picked(cohort, axis, cell)
    return found


def _picked(cohort: Cohort, axis: Orders, cell: tuple[int, int]) -> dict[str, Stat]:
    """The best three classes for the cell, and the published weights, with the picking in the null."""
    values, n = cohort.means[:, *cell], len(cohort.class_of)
    best = np.full(len(axis.rows), -np.inf)
    for triple in combinations(np.unique(cohort.class_of), 3):
        kept = np.isin(cohort.class_of, triple)
        best = np.fmax(best, np.abs(correlations(axis.rows[:, kept], values[kept])))
    found = {"contrast.nine.best_of_all_triples": Stat.of(best, n=int(n * 3 / len(cohort.classes)))}
    if set(WEIGHTS) <= set(cohort.classes):
        weights = np.array([WEIGHTS.get(cohort.classes[k], 1.0) for k in cohort.class_of])
        found["contrast.published_weights"] = Stat.of(_weighted(axis.rows, values, weights), n=n, two_sided=True)
    return found


def _weighted(rows: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T,) Pearson r with a weight a clip."""
    weights = weights / weights.sum()
    a, b = rows - (rows @ weights)[:, None], values - values @ weights
    norms = np.sqrt((a**2 @ weights) * (b**2 @ weights))
    return np.divide((a * b) @ weights, norms, out=np.full(len(a), np.nan), where=norms > 1e-12)
