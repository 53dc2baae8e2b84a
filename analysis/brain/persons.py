"""One person at a time: what the mean over people hides (Simpson), and what the best of many cells promises."""

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.maps import PAPER_CELLS, Map, position
from analysis.brain.orders import Orders, Stat, correlations, over_people


def persons(cohort: Cohort, axis: Orders, found: Map) -> dict[str, Stat]:
    """Mean r of single people at fixed cells and at the best cell of each.

    A cohort correlation averages noise away first; a person's does not, so the two differ without any paradox. At each
    person's best cell the mean |r| is high for any positions whatsoever, as its null shows.
    """
    stats, n, x = {}, cohort.people, cohort.about_sessions
    cells = {f"{name}_{band}": position(cohort, name, band) for name, band in PAPER_CELLS}
    for name, cell in cells.items():
        if cell is not None:
            r = correlations(axis.rows, x[:, :, *cell].T)  # (T, P)
            interval = over_people(r[0]) if n > 1 else None
            stats[f"person.{name}"] = Stat.of(r.mean(axis=1), n=n, two_sided=True, interval=interval)
    scalp = np.isfinite(found.r[0])
    stats["person.cohorts_best_cell"] = Stat.of(_picked(cohort, axis, found), n=n)
    best = np.zeros(len(axis.rows))
    for person in x:
        best += np.abs(correlations(axis.rows, person[:, scalp])).max(axis=1)
    stats["person.own_best_cell"] = Stat.of(best / n, n=n)
    return stats


def _picked(cohort: Cohort, axis: Orders, found: Map) -> np.ndarray:
    """(T,) mean over people of r at the cell that is best for the cohort, in its sign; each null row picks its own."""
    flat = found.r.reshape(len(found.r), -1)
    cells = np.nanargmax(np.abs(flat), axis=1)
    values = cohort.about_sessions.reshape(*cohort.x.shape[:2], -1)
    means = [correlations(axis.rows[t : t + 1], values[:, :, cell].T).mean() for t, cell in enumerate(cells)]
    return np.array(means) * np.sign(flat[np.arange(len(cells)), cells])
