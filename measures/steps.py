"""Constant, line or step? The difference as a function of the base, with the errors that both share taken out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measures.base import NAN
from measures.errors_in_variables import Moments, Point

Shape = Callable[[np.ndarray], np.ndarray]
WIDTHS = (0.05, 0.15, 0.4)  # of the logistic step, as shares of the spread of the bases
MODELS = ("M0 constant", "M1 line", "M2 step", "M3 logistic step")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model of the difference as a function of the base.

    Attributes:
        name: of ``MODELS``.
        aicc: corrected Akaike criterion, lower is better; inf where the points are too few for it.
        at: where the step is; NaN without one.
        between: ends of the interval of ``at``: bases between which the likelihood does not tell.
        shape: difference at each of ``grid`` for the mean strategy.
    """

    name: str
    aicc: float
    at: float
    between: tuple[float, float]
    shape: np.ndarray


def calibrated(moments: Moments) -> Moments:
    """Bases and differences as they would be expected without the error of the seeds (regression calibration).

    A base that is measured high is high by luck in part; that part moves it back to the mean and takes its share of
    the difference with it (Carroll et al. 2006, Measurement Error in Nonlinear Models, chapter 4).
    """
    luck = (1 - moments.reliability) * moments.centred(moments.base)
    variance = float(moments.errors[0, 0])
    shared = float(moments.errors[0, 1]) / variance if variance > 0 else 0.0
    return replace(moments, base=moments.base - luck, delta=moments.delta - shared * luck)


def models(points: Sequence[Point], grid: np.ndarray) -> list[Fit]:
    """Constant, line, step and logistic step by corrected Akaike criterion, each with an intercept a strategy.

    Args:
        points: two seeds or more each.
        grid: bases at which the shapes are wanted.
    """
    return fits(calibrated(Moments.of(points)), grid)


def fits(moments: Moments, grid: np.ndarray) -> list[Fit]:
    """``models`` of means that need no correction any more."""
    b, bases = moments.base, _by_recipe(moments)
    gaps = (bases[:-1] + bases[1:]) / 2
    spread = float(np.ptp(b)) or 1.0
    found = [_fit("M0 constant", moments, grid, [None], parameters=0)]
    if len(bases) > 1:
        found.append(_fit("M1 line", moments, grid, [lambda x: x], parameters=1))
        steps = [lambda x, at=at: (x > at).astype(float) for at in gaps]
        found.append(_fit("M2 step", moments, grid, steps, parameters=2, places=gaps, bases=bases))
    if len(bases) > 3:
        places = np.repeat(gaps, len(WIDTHS))
        soft = [
            lambda x, at=at, w=w: 1 / (1 + np.exp(-np.clip((x - at) / (w * spread), -50, 50)))
            for at in gaps
            for w in WIDTHS
        ]
        found.append(_fit("M3 logistic step", moments, grid, soft, parameters=3, places=places, bases=bases))
    return found


def _by_recipe(moments: Moments) -> np.ndarray:
    """Sorted mean bases of the recipes, each once: where all of their spread is luck, one is left."""
    codes = np.unique(moments.recipe, return_inverse=True)[1]
    return np.unique(np.round(np.bincount(codes, moments.base) / np.bincount(codes), 9))


def _fit(
    name: str,
    moments: Moments,
    grid: np.ndarray,
    shapes: Sequence[Shape | None],
    *,
    parameters: int,
    places: np.ndarray | None = None,
    bases: np.ndarray | None = None,
) -> Fit:
    """The best of some shapes by weighted least squares, seeds as weights."""
    dummies = (moments.strategy[:, None] == np.unique(moments.strategy)[None]).astype(float)
    root, n = np.sqrt(moments.seeds), len(moments.base)
    residuals, coefficients = [], []
    for shape in shapes:
        x = dummies if shape is None else np.column_stack([dummies, shape(moments.base)])
        solved = np.linalg.lstsq(x * root[:, None], moments.delta * root, rcond=None)[0]
        residuals.append(float((((moments.delta - x @ solved) * root) ** 2).sum()))
        coefficients.append(solved)
    best = int(np.argmin(residuals))
    k = dummies.shape[1] + parameters + 1  # and the variance
    aicc = math.inf
    if n > k + 1:
        aicc = n * math.log(max(residuals[best], 1e-300) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    level = float(coefficients[best][: dummies.shape[1]] @ dummies.mean(axis=0))
    shape = shapes[best]
    drawn = np.full(len(grid), level) if shape is None else level + coefficients[best][-1] * shape(grid)
    at, between = NAN, (NAN, NAN)
    if places is not None and bases is not None:
        # All places of a gap between two bases fit alike: the interval ends at bases, not between them.
        fits_as_well = n * np.log(np.maximum(residuals, 1e-300) / max(residuals[best], 1e-300)) < 3.84
        allowed = places[fits_as_well]
        at = float(places[best])
        between = float(bases[bases < allowed.min()].max()), float(bases[bases > allowed.max()].min())
    return Fit(name=name, aicc=aicc, at=at, between=between, shape=drawn)


def resampled(points: Sequence[Point], *, draws: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    """AICc of each model less that of the constant, seeds of each recipe drawn again: name to (draws,)."""
    rng, grid = np.random.default_rng(seed), np.array([0.0])
    found: dict[str, list[float]] = {}
    recipes: dict[str, int] = {}
    for p in points:
        recipes[p.recipe] = max(recipes.get(p.recipe, 0), len(p.base))
    for _ in range(draws):
        rows = {name: rng.integers(0, n, n) for name, n in recipes.items()}
        again = []
        for p in points:
            own = rows[p.recipe] % len(p.base)
            again.append(replace(p, base=p.base[own], treated=p.treated[own]))
        # The correction of the points as measured: a resample has their error once more, not another bias.
        drawn = fits(calibrated(replace(Moments.of(again), errors=Moments.of(points).errors)), grid)
        for fit in drawn[1:]:
            found.setdefault(fit.name, []).append(fit.aicc - drawn[0].aicc)
    return {name: np.array(values) for name, values in found.items()}
