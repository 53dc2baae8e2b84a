"""The brain maps on cohorts of known truth: p-values without an effect, intervals and directions with one."""

import numpy as np

from analysis.brain import worlds
from analysis.brain.asymmetry import PAIRS
from analysis.brain.maps import position
from analysis.brain.measure import measure
from analysis.brain.orders import Stat, correlations
from analysis.brain.reliability import reliability

DRAWS = 59  # permutations a cohort: p <= .05 has probability 3 / 60 exactly
MANY = 4000  # people who stand for all


def null_p_values(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """Every p-value of the brain maps over cohorts whose clips evoke much, but nothing along the axis.

    Those of the reliabilities come from cohorts whose clips evoke nothing: that is what they test.
    """
    found: dict[str, list[float]] = {}
    for cohort in range(cohorts):
        world = worlds.draw(seed=(seed, cohort))
        stats = _measured(world, seed=(seed, cohort))
        stats = {name: stat for name, stat in stats.items() if not name.startswith("reliability.")}
        silent = worlds.draw(seed=(seed, cohort), evoked=False)
        stats |= reliability(silent.cohort, draws=DRAWS, seed=_null_seed((seed, cohort)))
        for name, stat in stats.items():
            if stat.p_value is not None:
                found.setdefault(name, []).append(stat.p_value)
    return found


def planted(*, cohorts: int, seed: int) -> dict[str, float]:
    """What becomes of a planted axis.

    ``cos.pattern`` is the least |cos| of the covariance of the cohort tensor with the axis and the pattern that was
    planted; ``coverage.*`` the share of nominal 95 % intervals over people that hold the value of very many people;
    ``power.*`` the share of cohorts with p <= .05.
    """
    cosines, covered, seen = [], {}, {}  # type: ignore[var-annotated]
    for cohort in range(cohorts):
        world = worlds.draw(seed=(seed, cohort), axis=worlds.AXIS)
        stats = _measured(world, seed=(seed, cohort))
        v, means = world.positions["axis"], world.cohort.means
        cosines.append(abs(_cosine(np.tensordot(v, means - means.mean(axis=0), axes=1), world.pattern)))
        for name, true in _truth(world, seed=(seed, cohort)).items():
            low, high = stats[name].interval or (np.nan, np.nan)
            covered.setdefault(f"coverage.{name}", []).append(low <= true <= high)
        for name in ("ridge.axis.clip_out", "ridge.axis.class_out", "trial_level.class_out", "cell.best"):
            seen.setdefault(f"power.{name}", []).append((stats[name].p_value or 1.0) <= 0.05)
    shares = {name: float(np.mean(values)) for name, values in (covered | seen).items()}
    return {"cos.pattern": float(np.min(cosines)), **shares}


def _measured(world: worlds.World, *, seed: tuple[int, int]) -> dict[str, Stat]:
    options = {"draws": DRAWS, "seed": _null_seed(seed)}
    return measure(world.cohort, world.positions, world.random, each_class=False, **options).stats


def _null_seed(seed: tuple[int, int]) -> int:
    """Another null for every cohort: given one set of permutations p-values are not uniform, only over all sets."""
    return int(np.random.SeedSequence([*seed, 31]).generate_state(1)[0])


def _truth(world: worlds.World, *, seed: tuple[int, ...]) -> dict[str, float]:
    """Values of the intervals in all people: asymmetries from what is evoked, single-person r from many people."""
    cohort, found = world.cohort, {}
    for name, band in (("PO3", "gamma"), ("F7", "beta")):
        cell = position(cohort, name, band)
        assert cell is not None  # the worlds have these electrodes
        many = worlds.more_people(world, cell, seed=seed, people=MANY)
        r = correlations(world.positions["axis"][None], many.T)
        found[f"person.{name}_{band}"] = float(r.mean())
    signs = cohort.valence[cohort.class_of]
    by_class = np.array([world.evoked[cohort.class_of == k].mean(axis=0) for k in range(len(cohort.classes))])
    contrast = by_class[cohort.valence > 0].mean(axis=0) - by_class[cohort.valence < 0].mean(axis=0)
    assert set(signs) == {-1, 0, 1}
    for right, left in PAIRS:
        cells = position(cohort, right, "alpha"), position(cohort, left, "alpha")
        if cells[0] and cells[1]:
            found[f"asymmetry.{right}_{left}"] = float(contrast[cells[0]] - contrast[cells[1]])
    return found


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel() @ b.ravel() / (np.linalg.norm(a) * np.linalg.norm(b)))
