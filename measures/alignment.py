"""How far features follow the axis, each number beside what the same features give for an axis that means nothing."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from measures.base import NAN, Measure

RANK_TOLERANCE = 1e-6  # singular values below this share of the largest are rounding


def stimulus_features(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean feature of each stimulus: over the trials of a subject first, so that every subject counts the same.

    Args:
        sums: (P, S, D) sums of features over the trials of P subjects and S stimuli.
        counts: (P, S) numbers of trials; a subject without a trial of a stimulus does not enter that stimulus.

    Returns:
        (S, D); the rows of stimuli that nobody saw are NaN, and the measures below leave them out.
    """
    seen = np.asarray(counts) > 0
    means = np.asarray(sums, dtype=np.float64) / np.where(seen, counts, 1)[..., None]
    subjects = seen.sum(axis=0)
    return (means * seen[..., None]).sum(axis=0) / np.where(subjects > 0, subjects, NAN)[:, None]


def class_means(features: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """(K', D) mean over the stimuli of each class that has any, in class order; every stimulus counts the same."""
    return np.stack([features[class_of == k].mean(axis=0) for k in np.unique(class_of)])


def leading_direction(features: np.ndarray, class_of: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit first principal direction (D,) of the class means, and the ratio of the first two singular values."""
    means = class_means(features, class_of)
    _, singular_values, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    return directions[0], float(singular_values[0] / max(singular_values[1], 1e-300))


def permuted_positions(v: np.ndarray, class_of: np.ndarray, *, draws: int, seed: int, move_classes: bool) -> np.ndarray:
    """Axis positions that mean nothing but keep the structure of the real ones, (draws, S); not to be written to.

    Stimuli of a class share much besides valence, so shuffling all stimuli freely would compare with positions no
    axis of emotions could have. Here deviations from the class mean move within the class only and, with
    ``move_classes``, class means move among classes as wholes.
    """
    # A run asks for the same ones in every epoch.
    _, codes = np.unique(class_of, return_inverse=True)
    positions, classes = np.asarray(v, dtype=np.float64).tobytes(), codes.astype(np.int64).tobytes()
    return _permuted(positions, classes, draws, seed, move_classes)


@lru_cache(maxsize=8)
def _permuted(positions: bytes, classes: bytes, draws: int, seed: int, move_classes: bool) -> np.ndarray:
    v, codes = np.frombuffer(positions), np.frombuffer(classes, dtype=np.int64)
    rng = np.random.default_rng(seed)
    centres = np.bincount(codes, weights=v) / np.bincount(codes)
    # Sorting by class plus a fraction shuffles within every class of every draw at once.
    shuffled = np.argsort(codes + rng.random((draws, len(v))), axis=1)
    deviations = np.empty((draws, len(v)))
    deviations[:, np.argsort(codes, kind="stable")] = (v - centres[codes])[shuffled]
    if move_classes:
        found = rng.permuted(np.tile(centres, (draws, 1)), axis=1)[:, codes] + deviations
    else:
        found = centres[codes] + deviations
    found.flags.writeable = False
    return found


def with_null(v: np.ndarray, class_of: np.ndarray, *, draws: int, seed: int, move_classes: bool = True) -> np.ndarray:
    """(1 + draws, S): the real positions first, then the permuted ones; one pass then evaluates all of them."""
    return np.vstack([v, permuted_positions(v, class_of, draws=draws, seed=seed, move_classes=move_classes)])


def _correlations(positions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """|Pearson r| of each row of positions (n, S) with each column of scores (S, m): (n, m), NaN where constant."""
    positions, scores = positions - positions.mean(axis=1, keepdims=True), scores - scores.mean(axis=0)
    norms = np.linalg.norm(positions, axis=1)[:, None] * np.linalg.norm(scores, axis=0)
    return np.abs(positions @ scores) / np.where(norms > 1e-12, norms, NAN)


def present(features: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """The rows that are there: a clip-wise split shows only a part of the stimuli."""
    there = np.isfinite(features).all(axis=1)
    return tuple(np.asarray(array)[there] for array in (features, *others))


def score_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Signed cosine of two centred score vectors over the same items: compares axes of different spaces.

    NaN for fewer than three items or a constant vector.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if len(a) >= 3 and norm > 1e-12 else NAN


def vaxis_cosine(
    features: np.ndarray, v: np.ndarray, class_of: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> Measure:
    """Is the decoder's leading class direction its valence direction?

    |cos| between the direction along which features covary with the axis, sum_s (F_s - mean) v_s, and the first
    principal direction of the class means. Classes dominate the variance of a trained decoder, so any positions that
    are constant within classes score high: read the value against its null only.

    Args:
        features: (S, D) mean feature of each stimulus, NaN rows for stimuli not shown.
        v: (S,) axis positions.
        class_of: (S,) class ids.
        draws: null draws.
        seed: of the null's own generator; the global one is not touched.
    """
    features, v, class_of = present(features, v, class_of)
    if len(np.unique(class_of)) < 3:
        return Measure(value=NAN)
    leading, gap = leading_direction(features, class_of)
    positions = with_null(v, class_of, draws=draws, seed=seed)
    along = (positions - positions.mean(axis=1, keepdims=True)) @ (features - features.mean(axis=0))
    norms = np.linalg.norm(along, axis=1)
    return Measure.of(np.abs(along @ leading) / np.where(norms > 1e-12, norms, NAN), unstable=gap < 1.05)


def class_pc1(
    features: np.ndarray,
    v: np.ndarray,
    class_of: np.ndarray,
    *,
    level: Literal["class", "stimulus"] = "class",
    draws: int = 1000,
    seed: int = 0,
) -> Measure:
    """|r| between the axis and the scores on the first principal component of the class means (arXiv 2606.00129).

    With nine classes |r| = 0.67 is what chance reaches in one of twenty cases; the null says so for the axis at hand.

    Args:
        features: (S, D) mean feature of each stimulus, NaN rows for stimuli not shown.
        v: (S,) axis positions.
        class_of: (S,) class ids.
        level: correlate over class means (n = K) or over stimuli (n = S); the paper mixes the two.
        draws: null draws.
        seed: of the null's own generator.
    """
    features, v, class_of = present(features, v, class_of)
    if len(np.unique(class_of)) < 3:
        return Measure(value=NAN)
    positions = with_null(v, class_of, draws=draws, seed=seed)
    values, gap = class_pc1_of(features, positions, class_of, level=level)
    return Measure.of(values, unstable=gap < 1.05)


def class_pc1_of(
    features: np.ndarray,
    positions: np.ndarray,
    class_of: np.ndarray,
    *,
    level: Literal["class", "stimulus"] = "class",
) -> tuple[np.ndarray, float]:
    """``class_pc1`` for each of n axes at once: (n,) values, and the ratio of the first two singular values.

    Args:
        features: (S, D) without NaN rows.
        positions: (n, S) axis positions.
        class_of: (S,) class ids of three classes or more.
        level: see ``class_pc1``.
    """
    leading, gap = leading_direction(features, class_of)
    scores = features @ leading[:, None]
    if level == "class":
        positions, scores = class_means(positions.T, class_of).T, class_means(scores, class_of)
    return _correlations(positions, scores)[:, 0], gap


def residual_components(features: np.ndarray, class_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of stimulus features once class means are removed: residuals (S, D) and their directions (m, D).

    ``features`` without NaN rows; m <= min(S - K, D).
    """
    _, codes = np.unique(class_of, return_inverse=True)
    residuals = features - class_means(features, class_of)[codes]
    _, singular_values, directions = np.linalg.svd(residuals, full_matrices=False)
    # Rank S - K at most: what stands beyond it is rounding, also when the classes have collapsed to their means.
    limit = len(features) - len(np.unique(codes))
    rank = int((singular_values > max(RANK_TOLERANCE * singular_values[0], 1e-12 * np.abs(features).max())).sum())
    return residuals, directions[: min(rank, limit)]


def within_class_residual(
    selection: np.ndarray,
    evaluation: np.ndarray,
    v: np.ndarray,
    class_of: np.ndarray,
    *,
    pick: Literal["best", "pc1"] = "best",
    draws: int = 1000,
    seed: int = 0,
) -> Measure:
    """|r| between axis and features once both have lost their class means (arXiv 2606.00129, best component).

    The component is picked on one set of subjects and measured on another; every null draw goes through the same
    pick. In sample the best of many components is large whatever the features are (the squared r sum to 1 when
    D >= S - K; expected maximum 0.50 on FACED, 0.39 on SEED-V), which ``in_sample`` and its null in ``detail`` show.

    Args:
        selection: (S, D) stimulus features of the subjects that pick the component.
        evaluation: (S, D) stimulus features of other subjects.
        v: (S,) axis positions.
        class_of: (S,) class ids.
        pick: the component with the largest |r| on ``selection``, or always the first.
        draws: null draws, deviations of ``v`` shuffled within classes.
        seed: of the null's own generator.

    Returns:
        NaN where ``v`` is constant within classes or fewer than three dimensions are left beside the class means.
    """
    v, class_of = np.asarray(v, dtype=np.float64), np.asarray(class_of)
    all_positions = with_null(v, class_of, draws=draws, seed=seed, move_classes=False)
    picked_on, select_classes, select_v = present(selection, class_of, all_positions.T)
    tested_on, test_classes, test_v = present(evaluation, class_of, all_positions.T)
    for classes, positions in ((select_classes, select_v), (test_classes, test_v)):
        if len(classes) - len(np.unique(classes)) < 3:
            return Measure(value=NAN, detail={"degenerate": "too few stimuli beside the class means"})
        if np.abs(_deviations(positions[:, :1], classes)).max() < 1e-5:
            return Measure(value=NAN, detail={"degenerate": "the axis is constant within classes"})
    picked = residual_of(picked_on, tested_on, select_v.T, select_classes, test_v.T, test_classes, pick=pick)
    if picked is None:
        return Measure(value=NAN, detail={"degenerate": "features are constant within classes"})
    chosen = Measure.of(picked.in_sample)
    return Measure.of(
        picked.held_out,
        component=int(picked.component[0]),
        in_sample=chosen.value,
        in_sample_null_95=chosen.null_95,
    )


class Picked(NamedTuple):
    """The residual component that each of n axes picks.

    Attributes:
        held_out: (n,) |r| on the people who did not pick.
        in_sample: (n,) |r| on those who did.
        component: (n,) which one, by falling variance.
        directions: (m, D) all components, unit rows.
    """

    held_out: np.ndarray
    in_sample: np.ndarray
    component: np.ndarray
    directions: np.ndarray


def residual_of(
    picked_on: np.ndarray,
    tested_on: np.ndarray,
    select_v: np.ndarray,
    select_classes: np.ndarray,
    test_v: np.ndarray,
    test_classes: np.ndarray,
    *,
    pick: Literal["best", "pc1"] = "best",
) -> Picked | None:
    """``within_class_residual`` for each of n axes at once; None where features are constant within classes.

    Args:
        picked_on: (S, D) features that pick the component, without NaN rows.
        tested_on: (S', D) features that it is measured on.
        select_v: (n, S) positions of the former's stimuli.
        select_classes: (S,) their classes.
        test_v: (n, S') positions of the latter's.
        test_classes: (S',) their classes.
        pick: see ``within_class_residual``.
    """
    residuals, directions = residual_components(picked_on, select_classes)
    if not len(directions):
        return None
    in_sample = _correlations(_deviations(select_v.T, select_classes).T, residuals @ directions.T)
    held_out = _correlations(_deviations(test_v.T, test_classes).T, _deviations(tested_on, test_classes) @ directions.T)
    best = in_sample.argmax(axis=1) if pick == "best" else np.zeros(len(in_sample), dtype=int)
    rows = np.arange(len(best))
    return Picked(held_out[rows, best], in_sample[rows, best], best, directions)


def _deviations(rows: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """Rows (S, n) minus the mean of their class."""
    _, codes = np.unique(class_of, return_inverse=True)
    return rows - class_means(rows, class_of)[codes]
