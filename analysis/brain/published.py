"""What arXiv 2606.00129 prints for these numbers: its first version, and the authors' revision of September 2026."""

from typing import NamedTuple


class Published(NamedTuple):
    """A value of either version, None where it has none; ``note`` where it cannot be compared with ours as such."""

    v1: float | None
    revision: float | None
    note: str = ""


FACED = {
    "ridge.axis.in_sample": Published(0.87, 0.80, "v1: a CLIP-text axis by class, revision: Qwen3-4B; folds unstated"),
    "ridge.axis.clip_out": Published(None, 0.71, "one position a clip"),
    "ridge.rank.clip_out": Published(None, 0.89),
    "ridge.human_valence.clip_out": Published(None, 0.86),
    "ridge.human_valence.class_level": Published(0.886, None),
    "contrast.other_clips.ridge": Published(None, 0.88, "without the three pole classes"),
    "trial_level.clip_out": Published(0.19, None, "given as .17 to .21"),
    "cell.PO3_gamma": Published(0.478, 0.48),
    "cell.F7_beta": Published(-0.471, None),
    "cell.O1_gamma": Published(0.440, None),
    "region.occipital": Published(0.212, None),
    "region.parietal": Published(0.181, None),
    "region.central": Published(0.180, None),
    "region.frontal": Published(0.162, None),
    "occipital_minus_frontal": Published(0.050, None),
    "band.delta": Published(0.174, None),
    "band.theta": Published(0.124, None),
    "band.alpha": Published(0.233, None),
    "band.beta": Published(0.198, None),
    "band.gamma": Published(0.148, None),
    "asymmetry.F4_F3": Published(0.0062, None),
    "asymmetry.F8_F7": Published(0.0155, None),
    "asymmetry.Fp2_Fp1": Published(0.0116, None),
    "contrast.nine_clips.PO3_gamma": Published(0.870, None),
    "contrast.other_clips.PO3_gamma": Published(-0.015, -0.02),
    "contrast.without_anger.PO3_gamma": Published(0.327, None),
    "contrast.published_weights": Published(0.714, None),
    "person.PO3_gamma": Published(-0.06, None, "at channels that it does not name"),
    "person.own_best_cell": Published(0.616, None),
    "time_course.alpha.peak": Published(0.40, None, "at 21 s"),
    "time_course.beta.peak": Published(0.41, None, "at 18 s"),
    "time_course.gamma.peak": Published(0.21, None, "at 3 to 6 s"),
    "links.network": Published(0.675, None),
    "theta_gamma.with_axis": Published(0.082, None),
    "reliability.ratings": Published(None, 0.988, "v1 gave it as that of the EEG"),
    "reliability.eeg": Published(0.988, None, "withdrawn: it is that of the ratings"),
}
SEEDV = {
    "cell.P1_theta": Published(0.616, None),
    "cell.Pz_theta": Published(None, 0.592),
    "region.occipital": Published(0.329, None),
    "region.parietal": Published(0.347, None),
    "region.central": Published(0.324, None),
    "region.frontal": Published(0.253, None),
}


def published(dataset: str) -> dict[str, Published]:
    """By name of the number; empty for data sets that the paper does not have."""
    return {"faced": FACED, "seedv": SEEDV}.get(dataset, {})
