"""The one null of the brain maps, clip positions in an order that means nothing, and the numbers read beside it."""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from analysis.base import Number
from measures.alignment import with_null

FEW = 720  # orders of the classes; up to so many all are gone through in place of a sample
CONSTANT = 1e-9  # of the spread of the positions: less within classes is rounding


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Positions of clips: the real ones, then those of the null.

    Attributes:
        rows: (1 + n, S); row 0 is real.
        complete: the n + 1 rows are all orders that there are, so a p-value is exact and cannot lie below 1 / (n + 1).
    """

    rows: np.ndarray
    complete: bool


def class_constant(v: np.ndarray, class_of: np.ndarray) -> bool:
    """Whether positions differ between classes only, as those of an axis without texts of the clips."""
    spread = max(float(np.ptp(v[class_of == k])) for k in np.unique(class_of))
    return spread <= CONSTANT * max(float(np.ptp(v)), 1e-300)


def orders(v: np.ndarray, class_of: np.ndarray, *, draws: int, seed: int) -> Orders:
    """Orders of the clips that keep what classes share (``measures.alignment.permuted_positions``).

    Clips of a class resemble each other in much besides valence. Shuffling single clips would compare with positions
    that no axis of emotions could have, and give small p-values for any feature that tells classes apart. So class
    means move among the classes as wholes, and what a clip has beyond its class moves within the class. Where there is
    nothing within classes and few classes, all orders are gone through: five classes have 120.

    Args:
        v: (S,) positions.
        class_of: (S,) class ids.
        draws: rows of the null where they are sampled.
        seed: of the null's own generator.
    """
    classes, codes = np.unique(class_of, return_inverse=True)
    if class_constant(v, class_of) and math.factorial(len(classes)) <= FEW:
        centres = np.bincount(codes, weights=v) / np.bincount(codes)
        every = np.array(list(permutations(range(len(classes)))))  # the first one changes nothing
        return Orders(rows=centres[every][:, codes], complete=True)
    return Orders(rows=with_null(v, class_of, draws=draws, seed=seed), complete=False)


@dataclass(frozen=True, kw_only=True)
class Stat:
    """A number beside its null or its interval; ``number`` adds whether the data are simulated.

    Attributes:
        value: the number.
        n: clips, trials or people that it is made from.
        null_mean: mean of its null.
        null_95: 95th percentile of its null.
        p_value: share of the null, with the value itself, that is at least as extreme.
        interval: 95 %, over people.
    """

    value: float
    n: int
    null_mean: float | None = None
    null_95: float | None = None
    p_value: float | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def of(
        cls, draws: np.ndarray, *, n: int, two_sided: bool = False, interval: tuple[float, float] | None = None
    ) -> "Stat":
        """From (1 + n,) numbers: the measured one first, then those of the null.

        Args:
            draws: the numbers; NaN in the null is left out.
            n: what the number is made from.
            two_sided: extreme is what lies far from the mean of all draws, on either side; else what lies high.
            interval: of the value, where it has one.
        """
        value, null = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
        if not np.isfinite(value) or not len(null):
            return cls(value=math.nan, n=n, p_value=math.nan)
        # About the mean of all draws, the measured one among them: a null with a mean of its own stays exact.
        centre = (value + null.sum()) / (1 + len(null)) if two_sided else 0.0
        height = np.abs(null - centre) if two_sided else null
        reached = abs(value - centre) if two_sided else value
        return cls(
            value=value,
            n=n,
            null_mean=float(null.mean()),
            null_95=float(np.quantile(null, 0.95)),
            p_value=float((1 + (height >= reached - 1e-12).sum()) / (1 + len(null))),
            interval=interval,
        )

    def number(self, *, simulated: bool) -> Number:
        return Number(simulated=simulated, **vars(self))


def correlations(rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Pearson r (T, ...) of T position vectors (T, S) with features (S, ...) over clips; NaN where one is constant."""
    flat = features.reshape(len(features), -1)
    centred, positions = flat - flat.mean(axis=0), rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(positions, axis=1)[:, None] * np.linalg.norm(centred, axis=0)
    # A constant feature leaves rounding behind: judge it against its own size.
    varies = norms > 1e-12 * np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(flat, axis=0)
    r = np.divide(positions @ centred, norms, out=np.full(norms.shape, np.nan), where=varies)
    return r.reshape(len(rows), *features.shape[1:])


def over_people(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of (P,) values over people, by Student's t: for other people, but these clips."""
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)
