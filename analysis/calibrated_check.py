"""Are the intervals over people of ``calibrated`` what they say? People of known truth, two decoders, gains of none.

What a person gains is a difference of two shares of 84 windows, which is neither normal nor equally exact for everyone;
this asks whether Student's t over 23 people takes that well.
"""

import numpy as np

from analysis.calibrated import over_people

PEOPLE, WINDOWS = 23, 84  # FACED's test people, and three windows of 28 clips
ABILITY, GAIN_SD, GAIN = 0.10, 0.03, 0.04  # standard deviations between people, and the mean gain of ``recover``


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """p over cohorts whose people gain nothing on average, though single people gain or lose."""
    return {"gain": [_cohort(rng, gain=0.0)[2] for rng in np.random.default_rng(seed).spawn(cohorts)]}


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """How often the interval holds the mean gain of all people."""
    ends = [_cohort(rng, gain=GAIN)[:2] for rng in np.random.default_rng(seed).spawn(cohorts)]
    return {"coverage_gain": float(np.mean([low <= GAIN <= high for low, high in ends]))}


def _cohort(rng: np.random.Generator, *, gain: float) -> tuple[float, float, float]:
    """Ends of the interval, and p, of one cohort."""
    plain = np.clip(0.6 + ABILITY * rng.normal(size=PEOPLE), 0.2, 0.85)
    # Both decoders see the same windows, so most are right or wrong for both.
    better = np.clip(plain + gain + GAIN_SD * rng.normal(size=PEOPLE), 0, 1)
    luck = rng.random((PEOPLE, WINDOWS))
    shared = rng.random((PEOPLE, WINDOWS)) < 0.8
    other = np.where(shared, luck, rng.random((PEOPLE, WINDOWS)))
    found = over_people((other < better[:, None]).mean(axis=1) - (luck < plain[:, None]).mean(axis=1), simulated=True)
    assert found.interval is not None  # there are two people or more
    assert found.p_value is not None
    return *found.interval, found.p_value
