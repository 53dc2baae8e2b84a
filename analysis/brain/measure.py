"""Every number of the brain maps of one cohort, in one pass that the command and its calibration share."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.brain.asymmetry import asymmetry
from analysis.brain.cohort import Cohort
from analysis.brain.contrast import contrast
from analysis.brain.decoding import beside_random_axes, in_sample_noise, ridge
from analysis.brain.maps import Map, cell_map, map_stats
from analysis.brain.orders import Orders, Stat, correlations, orders
from analysis.brain.persons import persons
from analysis.brain.reliability import class_share_of_ratings, reliability
from analysis.brain.time_course import time_course
from analysis.brain.together import information, links, theta_gamma
from analysis.brain.trial_level import trial_level

FEWEST = 19  # permutations with which p can be .05


@dataclass(frozen=True, kw_only=True)
class Brain:
    """What was found.

    Attributes:
        stats: numbers by name, each beside its null.
        map: correlations of cells with the axis.
        curves: time course by band.
        predictions: (S,) out-of-fold ridge predictions by target.
        axis: positions on the axis with their null.
    """

    stats: dict[str, Stat]
    map: Map
    curves: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    axis: Orders


def measure(
    cohort: Cohort,
    positions: Mapping[str, np.ndarray],
    random: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
    each_class: bool = True,
) -> Brain:
    """Measure a cohort.

    Args:
        cohort: the EEG.
        positions: (S,) by name, ``axis`` first (``axes.competing``).
        random: (R, S) positions along random directions (``axes.random_axes``).
        draws: permutations of the axis; what takes long (single trials, subsets of clips, split halves) has a fifth.
        seed: of every null.
        each_class: leave each class out in turn, which takes a third of the time.
    """
    fewer = max(FEWEST, draws // 5)
    targets = {name: orders(v, cohort.class_of, draws=draws, seed=seed) for name, v in positions.items()}
    axis, v = targets["axis"], positions["axis"]
    short = orders(v, cohort.class_of, draws=fewer, seed=seed)
    stats, predictions = ridge(cohort, targets)
    stats["in_sample_of_noise"] = in_sample_noise(cohort, v, seed=seed)
    stats |= beside_random_axes(cohort, v, random)
    stats |= trial_level(cohort, short)
    found = cell_map(cohort, axis)
    stats |= map_stats(cohort, found)
    stats |= asymmetry(cohort, draws=draws, seed=seed)
    stats |= contrast(cohort, v, axis, draws=fewer, seed=seed, each_class=each_class)
    stats |= persons(cohort, axis, found)
    course, curves = time_course(cohort, axis)
    stats |= course | links(cohort, axis, seed=seed) | information(cohort, axis) | theta_gamma(cohort, axis)
    stats |= reliability(cohort, draws=fewer, seed=seed)
    stats |= class_share_of_ratings(cohort)
    if "human_valence" in positions:
        r = correlations(axis.rows, positions["human_valence"])
        stats["axis.with_human_valence"] = Stat.of(r, n=len(v), two_sided=True)
    return Brain(stats=stats, map=found, curves=curves, predictions=predictions, axis=axis)
