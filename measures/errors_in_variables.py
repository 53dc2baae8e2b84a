"""Does what a loss changes depend on how good the decoder is without it? The base is on both sides of that question."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from measures.base import NAN
from measures.clustered import EXACT, two_sided
from measures.votes import jackknife_error

RELIABLE = 0.5  # below it half of what is divided by is luck, and a ratio of two such sums can be anything


@dataclass(frozen=True, kw_only=True)
class Point:
    """A strategy under a recipe, seed by seed.

    Attributes:
        recipe: what the runs without it share.
        strategy: its name.
        base: (n,) accuracy without it.
        treated: (n,) with it, same seeds in the same order.
    """

    recipe: str
    strategy: str
    base: np.ndarray
    treated: np.ndarray

    @property
    def delta(self) -> np.ndarray:
        """(n,) paired differences."""
        return self.treated - self.base


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Change of the difference per unit of base accuracy.

    Attributes:
        published: of all points on one line, as if the strategies were one and the bases known.
        naive: with an intercept a strategy.
        corrected: less what the error of the base does; NaN where the bases differ by no more than their errors.
        low: lower end of the 95 % interval of ``corrected``, a recipe left out at a time.
        high: upper end.
        error: its standard error.
        p: two-sided, bases dealt to recipes anew; NaN for fewer than three recipes.
        null_mean: of the slopes of bases that were dealt anew.
        null_95: their 95th percentile.
        p_published: of ``published``, every point counted.
        reliability: share of the spread of the measured bases that is not the error of the seeds.
        recipes: how many.
        points: how many.
    """

    published: float
    naive: float
    corrected: float
    low: float
    high: float
    error: float
    p: float
    null_mean: float
    null_95: float
    p_published: float
    reliability: float
    recipes: int
    points: int


@dataclass(frozen=True)
class Moments:
    """Means of points over seeds, and the error that base and difference share.

    Attributes:
        base: (J,).
        delta: (J,).
        seeds: (J,).
        strategy: (J,) codes.
        recipe: (J,) codes.
        errors: (2, 2) covariance of base and difference of one seed, pooled over points.
    """

    base: np.ndarray
    delta: np.ndarray
    seeds: np.ndarray
    strategy: np.ndarray
    recipe: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, points: Sequence[Point]) -> "Moments":
        """Pooled, because two or three seeds alone tell a variance badly."""
        squares, freedom = np.zeros((2, 2)), 0
        for point in points:
            pair = np.stack([point.base, point.delta])
            about = pair - pair.mean(axis=1, keepdims=True)
            squares, freedom = squares + about @ about.T, freedom + pair.shape[1] - 1
        return cls(
            base=np.array([p.base.mean() for p in points]),
            delta=np.array([p.delta.mean() for p in points]),
            seeds=np.array([len(p.base) for p in points], dtype=float),
            strategy=np.unique([p.strategy for p in points], return_inverse=True)[1],
            recipe=np.unique([p.recipe for p in points], return_inverse=True)[1],
            errors=squares / max(freedom, 1),
        )

    def without(self, recipe: int) -> "Moments":
        """The points of the other recipes; the pooled error stays."""
        kept = self.recipe != recipe
        arrays = {name: getattr(self, name)[kept] for name in ("base", "delta", "seeds", "strategy", "recipe")}
        return replace(self, **arrays)

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Less the mean over the points of the same strategy."""
        counts = np.maximum(np.bincount(self.strategy), 1)
        return values - (np.bincount(self.strategy, values) / counts)[self.strategy]

    @property
    def noise(self) -> np.ndarray:
        """(2, 2) expected sums of squares and products, about the strategies' means, that seeds alone make."""
        counts = np.bincount(self.strategy)[self.strategy]
        return self.errors * float(((1 - 1 / counts) / self.seeds).sum())

    @property
    def sums(self) -> tuple[float, float]:
        """Sum of squares of the bases and of products with the differences, as measured."""
        b, d = self.centred(self.base), self.centred(self.delta)
        return float(b @ b), float(b @ d)

    @property
    def reliability(self) -> float:
        """Share of the spread of bases that is not the error of the seeds; 0 where all of it could be."""
        squares = self.sums[0]
        return max(0.0, 1 - float(self.noise[0, 0]) / squares) if squares > 0 else 0.0

    @property
    def slope(self) -> float:
        """Fuller's moment estimator (1987, Measurement Error Models, section 2.2) with errors that are correlated.

        A seed that happens to be good raises the base and lowers the difference with the same stroke, so the naive
        slope is negative where there is nothing; error of the base alone would flatten it. Both are taken out.
        """
        squares, products = self.sums
        if self.reliability < RELIABLE:
            return NAN
        return (products - float(self.noise[0, 1])) / (squares - float(self.noise[0, 0]))


def slope(points: Sequence[Point], *, draws: int = 2000, seed: int = 0) -> Slope:
    """How the difference depends on the base over recipes.

    Args:
        points: two seeds or more each.
        draws: permutations where recipes are more than seven.
        seed: of their generator.
    """
    from scipy import stats

    moments = Moments.of(points)
    recipes, squares = np.unique(moments.recipe), moments.sums[0]
    naive = moments.sums[1] / squares if squares > 1e-15 else NAN
    line = stats.linregress(moments.base, moments.delta) if len(points) > 2 and np.ptp(moments.base) else None
    error = _error(moments)
    # A line takes two degrees of freedom from the recipes, its height and its slope.
    half = float(stats.t.ppf(0.975, len(recipes) - 2)) * error if math.isfinite(error) else NAN
    p, null = _dealt_anew(moments, draws=draws, seed=seed)
    corrected = moments.slope
    return Slope(
        published=float(line.slope) if line else NAN,
        naive=naive,
        corrected=corrected,
        low=corrected - half,
        high=corrected + half,
        error=error,
        p=p,
        null_mean=float(null.mean()) if len(null) else NAN,
        null_95=float(np.quantile(null, 0.95)) if len(null) else NAN,
        p_published=float(line.pvalue) if line else NAN,
        reliability=moments.reliability,
        recipes=len(recipes),
        points=len(points),
    )


def _error(moments: Moments) -> float:
    """Standard error of the corrected slope, a recipe left out at a time: its strategies share a base."""
    recipes = np.unique(moments.recipe)
    if len(recipes) < 3:
        return NAN
    left_out = np.array([moments.without(recipe).slope for recipe in recipes])
    return jackknife_error(left_out) if np.isfinite(left_out).all() else NAN


def _dealt_anew(moments: Moments, *, draws: int, seed: int) -> tuple[float, np.ndarray]:
    """P of the corrected sum of products when bases are dealt to recipes anew, and the slopes that this gives.

    A base that comes from another recipe shares no error with the difference, so only the observed deal is corrected,
    and only its sum of products scatters with the square of the shared error and with the error of the correction:
    both are added to the other deals.
    """
    codes = np.unique(moments.recipe)
    if len(codes) < 3:
        return NAN, np.array([])
    rng, place = np.random.default_rng(seed), np.searchsorted(codes, moments.recipe)
    base = np.bincount(place, moments.base) / np.bincount(place)
    orders = rng.permuted(np.tile(np.arange(len(codes)), (draws, 1)), axis=1)
    if len(codes) <= EXACT:
        # Every order equally often: chance should not decide which of six are looked at.
        every = np.array(list(itertools.permutations(range(len(codes)))))
        orders = np.tile(every, (math.ceil(draws / len(every)), 1))
    # Of centred differences: the mean base of a strategy falls out of the products.
    products = base[orders][:, place] @ moments.centred(moments.delta)
    observed = moments.sums[1] - float(moments.noise[0, 1])
    products = products + _extra(moments) * rng.normal(size=len(products))
    products[(orders == np.arange(len(codes))).all(axis=1)] = observed  # the observed deal is one of them
    return two_sided(observed, products), products / max(moments.sums[0] - float(moments.noise[0, 0]), 1e-15)


def _extra(moments: Moments) -> float:
    """Standard deviation of the corrected sum of products beyond what other deals of the bases show."""
    (base, shared), (_, own) = moments.errors
    _, place = np.unique(moments.recipe, return_inverse=True)
    # All strategies of a recipe share its base, so their shared errors add up before they are squared.
    squares = float((np.bincount(place, shared / moments.seeds) ** 2).sum())
    freedom = float((np.bincount(place, moments.seeds) / np.bincount(place) - 1).sum())
    weight = float(moments.noise[0, 1]) / shared if shared else 0.0
    return math.sqrt(squares + weight**2 * (base * own + shared**2) / max(freedom, 1.0))
