"""Which electrodes and bands follow the axis: cells, regions, bands, and back against front of the head."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.orders import Orders, Stat, correlations
from eeg.montage import REGIONS, canonical, channel_indices
from figures.scalp import OFF_SCALP

# Cells that arXiv 2606.00129 names: three on FACED, the best of SEED-V in its first and in its revised text.
PAPER_CELLS = (("PO3", "gamma"), ("F7", "beta"), ("O1", "gamma"), ("P1", "theta"), ("Pz", "theta"))
POSTERIOR = ("occipital", "parietal")


@dataclass(frozen=True, kw_only=True)
class Map:
    """Correlations of the cohort tensor with the axis over clips.

    Attributes:
        r: (T, C, F) Pearson r, the real axis first; NaN off the scalp.
        p_cell: (C, F) two-sided p of each cell on its own.
        p_map: (C, F) the same corrected for all cells: how often the largest |r| of a null map is as large.
        threshold: |r| that the largest of a null map exceeds in 5 %.
        best: electrode and band of the largest |r|.
    """

    r: np.ndarray
    p_cell: np.ndarray
    p_map: np.ndarray
    threshold: float
    best: tuple[int, int]


def cell_map(cohort: Cohort, axis: Orders) -> Map:
    """The map and its family-wise correction (largest statistic, Westfall and Young 1993)."""
    r = correlations(axis.rows, cohort.means)
    r[:, [canonical(name) in OFF_SCALP for name in cohort.channels]] = np.nan
    size = np.abs(r)
    largest = np.nanmax(size.reshape(len(size), -1), axis=1)
    p_cell = (size >= size[0] - 1e-12).mean(axis=0)
    p_map = (largest[:, None, None] >= size[0] - 1e-12).mean(axis=0)
    there = np.isfinite(size[0])
    best = np.unravel_index(np.nanargmax(size[0]), size[0].shape)
    return Map(
        r=r,
        p_cell=np.where(there, p_cell, np.nan),
        p_map=np.where(there, p_map, np.nan),
        threshold=float(np.quantile(largest[1:], 0.95)),
        best=(int(best[0]), int(best[1])),
    )


def map_stats(cohort: Cohort, found: Map) -> dict[str, Stat]:
    """Numbers of the map: the best cell against the best of null maps, named cells, regions, bands, back and front."""
    size, n = np.abs(found.r), len(cohort.class_of)
    stats = {"cell.best": Stat.of(np.nanmax(size.reshape(len(size), -1), axis=1), n=n)}
    for name, band in PAPER_CELLS:
        if (cell := position(cohort, name, band)) is not None:
            stats[f"cell.{name}_{band}"] = Stat.of(found.r[:, *cell], n=n, two_sided=True)
    for band, index in zip(cohort.bands, range(size.shape[2])):
        stats[f"band.{band}"] = Stat.of(np.nanmean(size[:, :, index], axis=1), n=n)
    members = {name: region(cohort, names) for name, names in REGIONS.items()}
    means = {name: np.nanmean(size[:, rows], axis=(1, 2)) for name, rows in members.items() if rows}
    stats |= {f"region.{name}": Stat.of(values, n=n) for name, values in means.items()}
    if "frontal" in means and all(members.get(name) for name in POSTERIOR):
        back = np.nanmean(size[:, [i for name in POSTERIOR for i in members[name]]], axis=(1, 2))
        stats["posterior_minus_frontal"] = Stat.of(back - means["frontal"], n=n, two_sided=True)
        occipital = means["occipital"] - means["frontal"]
        stats["occipital_minus_frontal"] = Stat.of(occipital, n=n, two_sided=True)
    return stats


def position(cohort: Cohort, electrode: str, band: str) -> tuple[int, int] | None:
    """Indices of a cell; None where the cohort lacks the electrode or the band."""
    names = [canonical(name) for name in cohort.channels]
    if canonical(electrode) not in names or band not in cohort.bands:
        return None
    return names.index(canonical(electrode)), cohort.band(band)


def region(cohort: Cohort, names: Sequence[str]) -> list[int]:
    """Electrodes of a region; none where the montage has less than half of them."""
    try:
        return channel_indices(names, montage=cohort.channels)
    except ValueError:
        return []
