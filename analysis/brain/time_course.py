"""When in a clip a band follows the axis: |r| in stretches of the clip, its peak against the peaks of the null."""

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.orders import Orders, Stat, correlations
from eeg.montage import canonical
from figures.scalp import OFF_SCALP


def time_course(cohort: Cohort, axis: Orders) -> tuple[dict[str, Stat], dict[str, np.ndarray]]:
    """The height of each band's peak, and the curves.

    Returns:
        Numbers, and by band (3, B): mean |r| over scalp electrodes, mean and 95th percentile of its null, stretch by
        stretch. The p-value of a peak counts that it was looked for in all stretches.
    """
    if cohort.course is None:
        return {}, {}
    scalp = [canonical(name) not in OFF_SCALP for name in cohort.channels]
    size = np.nanmean(np.abs(correlations(axis.rows, cohort.course[:, :, scalp])), axis=2)  # (T, B, F)
    stats, curves = {}, {}
    for index, band in enumerate(cohort.bands):
        own = size[:, :, index]
        stats[f"time_course.{band}.peak"] = Stat.of(own.max(axis=1), n=len(cohort.class_of))
        curves[band] = np.stack([own[0], own[1:].mean(axis=0), np.quantile(own[1:], 0.95, axis=0)])
    return stats, curves


def when(cohort: Cohort, curve: np.ndarray) -> str:
    """Middle of the stretch where a curve peaks: seconds, or a share of the clip where clips differ in length."""
    share = (int(curve[0].argmax()) + 0.5) / curve.shape[1]
    return f"{share * cohort.seconds:.0f} s" if cohort.seconds else f"{100 * share:.0f} % of the clip"
