"""Alignment of many checkpoints with one axis and how it goes with their accuracy; ``convergence`` is its command."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stimuli import Checkpoint, Positions
from measures.alignment import class_pc1_of, present, residual_of, with_null
from measures.base import NAN, Measure
from measures.clustered import (
    Association,
    against_axes,
    as_published,
    between,
    cluster_robust,
    effective_number,
    scatter_number,
    within,
)

MEASURES = {"class_pc1": "class PC1 |r|", "residual": "within-class residual |r|"}


@dataclass(frozen=True, kw_only=True)
class Readings:
    """One alignment measure over all checkpoints, with the real axis and with exchanged ones.

    Attributes:
        values: (N, 1 + B): real first; the same exchanged axes for every checkpoint.
        defined: (N,) where the number is: not for features that are constant within classes, or not finite.
        whole: means over the final checkpoints beside their null.
        published: how the correlation with accuracy is read when every checkpoint counts.
        axes: against exchanged axes.
        robust: interval over recipes left out.
        within: inside recipes.
        between: over recipe means.
        recipes: inside each recipe.
        effective: what the checkpoints are worth as independent ones, for their mean.
        scatter: the same for the correlation.
        training: correlation with accuracy along the kept epochs of each run.
    """

    values: np.ndarray
    defined: np.ndarray
    whole: Measure
    published: Association
    axes: Association
    robust: Association
    within: Association
    between: Association
    recipes: dict[str, Association]
    effective: float
    scatter: float
    training: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What checkpoints share with the axis, and what that has to do with their accuracy.

    Attributes:
        checkpoints: final ones first, then kept epochs.
        finals: how many are final.
        positions: the axis.
        readings: by measure; one that fewer than three final checkpoints have is left out.
        in_sample: mean over final checkpoints of the best component's |r| on the people who picked it.
    """

    checkpoints: list[Checkpoint]
    finals: int
    positions: Positions
    readings: dict[str, Readings]
    in_sample: Measure


def convergence(
    checkpoints: Sequence[Checkpoint], positions: Positions, *, finals: int, draws: int = 1000, seed: int = 0
) -> Convergence:
    """Compare accuracy and alignment of checkpoints.

    Args:
        checkpoints: final ones first; at least three.
        positions: the axis.
        finals: how many are final; the others are kept epochs, which only enter the number of independent checkpoints
            and the correlation along training.
        draws: axes without meaning.
        seed: of the nulls' generators.

    Raises:
        ValueError: fewer than three final checkpoints.
    """
    if finals < 3:
        raise ValueError(f"a correlation over checkpoints needs three finished runs or more, got {finals}")
    free = with_null(positions.v, positions.class_of, draws=draws, seed=seed)
    inside = with_null(positions.v, positions.class_of, draws=draws, seed=seed, move_classes=False)
    classes, residuals, in_sample = [], [], []
    for checkpoint in checkpoints:
        values = read(checkpoint, positions.class_of, free=free, inside=inside)
        classes.append(values[0])
        residuals.append(values[1])
        in_sample.append(values[2])
    readings = {
        name: _readings(np.array(rows), checkpoints, finals=finals, draws=draws, seed=seed)
        for name, rows in (("class_pc1", classes), ("residual", residuals))
        if np.isfinite(np.array(rows)[:finals, 0]).sum() > 2
    }
    shown = np.array(in_sample[:finals])
    return Convergence(
        checkpoints=list(checkpoints),
        finals=finals,
        positions=positions,
        readings=readings,
        in_sample=_mean(shown[np.isfinite(shown[:, 0])]),
    )


def read(
    checkpoint: Checkpoint, class_of: np.ndarray, *, free: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class-PC1, held-out residual and in-sample residual of a checkpoint for each axis: (1 + B,) each."""
    tested_on, test_classes, test_free, test_inside = present(checkpoint.tested_on, class_of, free.T, inside.T)
    picked_on, pick_classes, pick_inside = present(checkpoint.picked_on, class_of, inside.T)
    nothing = np.full(len(free), NAN)
    if len(np.unique(test_classes)) < 3:
        return nothing, nothing, nothing
    classes, _ = class_pc1_of(tested_on, test_free.T, test_classes)
    # The whole pipeline for the honest number; the published one picks on the very people that it is shown for.
    held_out = residual_of(picked_on, tested_on, pick_inside.T, pick_classes, test_inside.T, test_classes)
    same = residual_of(tested_on, tested_on, test_inside.T, test_classes, test_inside.T, test_classes)
    return classes, held_out.held_out if held_out else nothing, same.in_sample if same else nothing


def _readings(values: np.ndarray, checkpoints: Sequence[Checkpoint], *, finals: int, draws: int, seed: int) -> Readings:
    defined = np.isfinite(values[:, 0])
    accuracy = np.array([c.accuracy for c in checkpoints])
    group = np.array([c.recipe for c in checkpoints[:finals]])[defined[:finals]]
    last, x = values[:finals][defined[:finals]], accuracy[:finals][defined[:finals]]
    real = last[:, 0]
    inside = {
        str(name): within(x[group == name], real[group == name], group[group == name], draws=draws, seed=seed)
        for name in np.unique(group)
        if (group == name).sum() > 3
    }
    return Readings(
        values=values,
        defined=defined,
        whole=_mean(last),
        published=as_published(x, real),
        axes=against_axes(x, last),
        robust=cluster_robust(x, real, group),
        within=within(x, real, group, draws=draws, seed=seed),
        between=between(x, real, group, draws=draws, seed=seed),
        recipes=inside,
        effective=effective_number(values[defined, 1:]),
        scatter=scatter_number(x, last[:, 1:]),
        training=_along_training(values[:, 0], accuracy, checkpoints, first=finals),
    )


def _mean(rows: np.ndarray) -> Measure:
    """Mean over checkpoints beside the same mean for exchanged axes; NaN without any."""
    return Measure.of(rows.mean(axis=0)) if len(rows) else Measure(value=NAN)


def _along_training(
    values: np.ndarray, accuracy: np.ndarray, checkpoints: Sequence[Checkpoint], *, first: int
) -> np.ndarray:
    """Correlation of measure and accuracy over the kept epochs of each run that has four or more."""
    runs = np.array([c.run for c in checkpoints[first:]])
    found = []
    for run in np.unique(runs):
        own = first + np.flatnonzero(runs == run)
        own = own[np.isfinite(values[own])]
        if len(own) > 3 and values[own].std() and accuracy[own].std():
            found.append(float(np.corrcoef(values[own], accuracy[own])[0, 1]))
    return np.array(found)
