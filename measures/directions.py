"""Directions in a feature space: those that follow the axis, and random ones to compare their removal with."""

import numpy as np

from measures.alignment import leading_direction, present, residual_components, with_null

MATCHED = 0.2  # a variance-matched direction may miss the variance by this share
_ROUND = 4000  # candidates drawn at a time
_ROUNDS = 25


def along_axis(features: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Unit directions (n, D) along which stimulus features covary with positions: sum_s (F_s - mean) v_s.

    It is what a linear read-out of the axis reads where features have equal spread, and needs no penalty to choose.

    Args:
        features: (S, D) mean feature of each stimulus.
        positions: (n, S) real or permuted positions.
    """
    centred = positions - positions.mean(axis=1, keepdims=True)
    return _unit(centred @ (features - features.mean(axis=0)))


def best_component(scores_of: np.ndarray, directions: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Number (n,) of the component whose scores correlate most, by size, with each row of positions.

    Args:
        scores_of: (S, D) rows that are projected.
        directions: (m, D) components.
        positions: (n, S).
    """
    scores = scores_of @ directions.T
    scores, positions = scores - scores.mean(axis=0), positions - positions.mean(axis=1, keepdims=True)
    return np.abs(positions @ (scores / np.linalg.norm(scores, axis=0))).argmax(axis=1)


def candidates(
    features: np.ndarray, v: np.ndarray, class_of: np.ndarray, *, draws: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Directions (1 + draws, D) by name: of the axis first, then of axes that mean nothing.

    ``axis``: where features covary with the positions. ``residual``: the component of what class means leave over that
    follows what class positions leave over (arXiv 2606.00129, section 3); where the axis is constant within classes
    there is nothing to follow, and the best component of the whole stimulus features takes its place as ``best_pc``.
    Their nulls are made by permuted positions, which go through every step. ``class_pc1``, the first component of the
    class means, looks at no axis and so has no such null: one row.

    Args:
        features: (S, D) mean feature of each stimulus, of people who do not judge the removal; NaN rows where unseen.
        v: (S,) axis positions.
        class_of: (S,) class ids.
        draws: permutations.
        seed: of them.
    """
    features, v, class_of = present(features, v, class_of)
    whole = with_null(v, class_of, draws=draws, seed=seed)
    found = {"axis": along_axis(features, whole), "class_pc1": leading_direction(features, class_of)[0][None]}
    within = with_null(v, class_of, draws=draws, seed=seed, move_classes=False)
    within = within - _class_part(within, class_of)
    residuals, components = residual_components(features, class_of)
    if len(components) > 2 and np.abs(within[0]).max() > 1e-5:
        return found | {"residual": components[best_component(residuals, components, within)]}
    centred = features - features.mean(axis=0)
    components = np.linalg.svd(centred, full_matrices=False)[2][: len(centred) - 1]
    return found | {"best_pc": components[best_component(centred, components, whole)]}


def isotropic(dim: int, *, draws: int, seed: int) -> np.ndarray:
    """Unit directions (draws, D), uniform on the sphere: of the same norm and of nothing else in common."""
    return _unit(np.random.default_rng(seed).normal(size=(draws, dim)))


def variance_matched(direction: np.ndarray, covariance: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Random unit directions (draws, D) along which features vary as much as along the given one, within ``MATCHED``.

    A uniform direction carries the mean variance tr(covariance) / D and a leading component many times that, so its
    removal takes more away whatever it means. Candidates are angular central Gaussian (Tyler 1987, doi
    10.1093/biomet/74.3.579) with weights lambda^t on the eigenvectors; t is set so that their median variance is the
    wanted one, and those outside the tolerance are dropped. A direction that varies nearly as much as any can has few
    others beside it: their cosine with it is part of what a reader must know.

    Args:
        direction: (D,) unit direction.
        covariance: (D, D) of the features; directions stay within its range, so that of residuals keeps them there.
        draws: how many.
        seed: of the draws.

    Raises:
        ValueError: the direction has no variance, so there is nothing to match.
    """
    values, vectors = np.linalg.eigh(covariance)
    there = values > 1e-10 * values[-1]
    values, vectors = values[there], vectors[:, there]
    wanted = float(direction @ covariance @ direction)
    if not len(values) or wanted <= 1e-12 * values[-1]:
        raise ValueError("features do not vary along the direction, so no random one can be matched to it")
    # At the ends of the spectrum the median lies a little inside: only the end itself has exactly that variance.
    middle = float(np.clip(wanted, values[0] * (1 + MATCHED / 2), values[-1] * (1 - MATCHED / 2)))
    rng, share, kept = np.random.default_rng(seed), values / values[-1], np.zeros((0, len(values)))
    tilt = None
    for _ in range(_ROUNDS):
        normal = rng.normal(size=(_ROUND, len(values)))
        tilt = _tilt(normal, share, wanted=middle / values[-1]) if tilt is None else tilt
        drawn, varies = _tilted(normal, share, tilt)
        kept = np.vstack([kept, drawn[np.abs(varies * values[-1] / wanted - 1) <= MATCHED]])
        if len(kept) >= draws:
            break
    return _unit(kept[:draws] @ vectors.T)


def _tilt(normal: np.ndarray, share: np.ndarray, *, wanted: float) -> float:
    """The tilt whose directions have the wanted variance in the median, by bisection: it grows with the tilt."""
    low, high = -20.0, 20.0  # further out the squares of small eigenvalues leave the range of a float
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.median(_tilted(normal, share, middle)[1]) < wanted else (low, middle)
    return (low + high) / 2


def _tilted(normal: np.ndarray, share: np.ndarray, tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """Candidates (N, m) in the eigenbasis, and their variance (N,) as a share of the largest."""
    drawn = _unit(normal * share ** (tilt / 2))
    return drawn, drawn**2 @ share


def _class_part(positions: np.ndarray, class_of: np.ndarray) -> np.ndarray:
    """(n, S): the mean of its class in the place of each position."""
    of = (class_of[:, None] == np.unique(class_of)).astype(float)
    return positions @ (of / of.sum(axis=0)) @ of.T


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
