"""Frequency bands, Hz. The sources disagree on the edges, so a band set is always named."""

Bands = dict[str, tuple[float, float]]

# Band features shipped with FACED (its own feature script).
FACED_BANDS: Bands = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 14), "beta": (14, 30), "gamma": (30, 47)}
# Band features shipped with SEED-V (Liu et al. 2022, doi 10.1109/TCDS.2021.3071170).
SEEDV_BANDS: Bands = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 14), "beta": (14, 31), "gamma": (31, 50)}
# Bands of the cohort analysis in arXiv 2606.00129 section 2.
PAPER_BANDS: Bands = {"delta": (0.5, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 47)}
