"""What a measure returns, and what a measure in a file of its own is given."""

from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Evaluated(NamedTuple):
    """All that one evaluation of one split shows: n trials, S stimuli, K classes, D features.

    Attributes:
        h: (n, D) features of the trials.
        logits: (n, K).
        y: (n,) true classes.
        stimulus: (n,) stimulus ids, rows of ``features``.
        subject: (n,) subject ids.
        features: (S, D) mean feature of each stimulus, each subject counting once; NaN where nobody saw it.
        v: (S,) axis positions.
        class_of: (S,) classes of the stimuli.
    """

    h: np.ndarray
    logits: np.ndarray
    y: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray
    features: np.ndarray
    v: np.ndarray
    class_of: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number and its permutation null; NaN throughout where the number is not defined.

    Attributes:
        value: the number, in [0, 1].
        null_mean: mean over the null draws.
        null_95: 95th percentile of the null draws.
        p_value: (1 + draws at or above the value) / (1 + draws), one-sided.
        detail: what belongs to this number alone, such as the component that was picked.
    """

    value: float
    null_mean: float = NAN
    null_95: float = NAN
    p_value: float = NAN
    detail: dict[str, float | int | bool | str] = field(default_factory=dict)

    @classmethod
    def of(cls, draws: np.ndarray, **detail: float | int | bool | str) -> "Measure":
        """From (1 + n,) numbers: the measured one first, then n null draws."""
        value, null = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
        if not np.isfinite(value) or not len(null):
            return cls(value=NAN, detail=detail)
        return cls(
            value=value,
            null_mean=float(null.mean()),
            null_95=float(np.quantile(null, 0.95)),
            p_value=float((1 + (null >= value - 1e-12).sum()) / (1 + len(null))),
            detail=detail,
        )

    def as_dict(self) -> dict[str, float | int | bool | str]:
        """Flat and ready for a table: the four numbers and the details."""
        flat = asdict(self)
        return flat | flat.pop("detail")
