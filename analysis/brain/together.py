"""What electrodes and rhythms do together: gamma links, mutual information, and theta-gamma coupling."""

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.maps import position
from analysis.brain.orders import Orders, Stat, correlations, over_people
from analysis.brain.person import NETWORK
from eeg.montage import canonical
from figures.scalp import OFF_SCALP

BINS = 3
SETS = 1000  # random sets of electrodes


def links(cohort: Cohort, axis: Orders, *, seed: int) -> dict[str, Stat]:
    """Gamma of eight electrodes goes together: more than that of any eight, and with the axis?

    Under a common reference and volume conduction all electrodes go together, so a high mean r is expected of any set;
    ``links.network`` is read beside random sets. ``links.with_axis`` asks whether clips differ in it along the axis.
    """
    found, wanted = {}, {canonical(name) for name in NETWORK}
    names = [canonical(name) for name in cohort.channels]
    place = [i for i, name in enumerate(names) if name in wanted]
    if cohort.network is not None and len(place) > 2:
        scalp, mean = np.flatnonzero([name not in OFF_SCALP for name in names]), cohort.network.mean(axis=0)
        rng = np.random.default_rng([seed, 13])
        null = [_among(mean, rng.choice(scalp, len(place), replace=False)) for _ in range(SETS)]
        own = np.array([_among(person, np.array(place)) for person in cohort.network])
        drawn = Stat.of(np.array([own.mean(), *null]), n=cohort.people, interval=over_people(own))
        found["links.network"] = drawn
    if cohort.links is not None:
        r = correlations(axis.rows, cohort.links.mean(axis=0))
        found["links.with_axis"] = Stat.of(r, n=len(cohort.class_of), two_sided=True)
    return found


def _among(network: np.ndarray, place: np.ndarray) -> float:
    return float(network[np.ix_(place, place)][np.triu_indices(len(place), k=1)].mean())


def information(cohort: Cohort, axis: Orders) -> dict[str, Stat]:
    """Mutual information with the axis, mean over cells, beside what a straight line explains.

    Plug-in estimate over ``BINS`` x ``BINS`` bins of equal counts, in nats. It is far above 0 for 28 unrelated clips,
    as is the Gaussian one, so all three are read against their nulls; ``beyond_line`` is their difference.
    """
    scalp = [canonical(name) not in OFF_SCALP for name in cohort.channels]
    flat, n = cohort.means[:, scalp].reshape(len(cohort.class_of), -1), len(cohort.class_of)
    features, positions = _bins(flat.T), _bins(axis.rows)  # (D, S), (T, S)
    found = np.zeros((len(axis.rows), len(features)))
    for a in range(BINS):
        for b in range(BINS):
            inside_v, inside_x = positions == a, features == b
            joint = inside_v.astype(float) @ inside_x.T / n
            apart = inside_v.mean(axis=1)[:, None] * inside_x.mean(axis=1)
            found += np.where(joint > 0, joint * np.log(np.maximum(joint, 1e-300) / np.maximum(apart, 1e-300)), 0.0)
    line = -0.5 * np.log1p(-np.clip(correlations(axis.rows, flat) ** 2, 0, 1 - 1e-12))
    own, straight = found.mean(axis=1), np.nanmean(line, axis=1)
    parts = {"mutual": own, "line": straight, "beyond_line": own - straight}
    return {f"information.{name}": Stat.of(values, n=n) for name, values in parts.items()}


def _bins(rows: np.ndarray) -> np.ndarray:
    """Bin of each value of each row, of equal counts; equal values share a bin."""
    edges = np.quantile(rows, np.arange(1, BINS) / BINS, axis=1)
    return (rows[:, :, None] > edges.T[:, None, :] + 1e-12).sum(axis=2)


def theta_gamma(cohort: Cohort, axis: Orders) -> dict[str, Stat]:
    """Does coupling follow the axis over clips, and is gamma left without it? Raw signals only.

    Spearman's rho of the mean over people and scalp electrodes; r of PO3/gamma once coupling at PO3 is regressed out.
    """
    if cohort.coupling is None:
        return {}
    from scipy.stats import rankdata

    n, scalp = len(cohort.class_of), [canonical(name) not in OFF_SCALP for name in cohort.channels]
    overall = cohort.coupling[:, :, scalp].mean(axis=(0, 2))
    rho = correlations(rankdata(axis.rows, axis=1), rankdata(overall))
    found = {"theta_gamma.with_axis": Stat.of(rho, n=n, two_sided=True)}
    if cell := position(cohort, "PO3", "gamma"):
        design = np.column_stack([np.ones(n), cohort.coupling[:, :, cell[0]].mean(axis=0)])
        keep = np.eye(n) - design @ np.linalg.pinv(design)
        r = correlations(axis.rows @ keep, keep @ cohort.means[:, *cell])
        found["theta_gamma.PO3_gamma_without_coupling"] = Stat.of(r, n=n, two_sided=True)
    return found
