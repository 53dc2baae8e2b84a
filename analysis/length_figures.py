"""Picture of the difference by training length."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import WITH, WITHOUT, empty, styled
from analysis.lengths import Length, Lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def by_length(found: Lengths) -> "Figure":
    """Left: accuracy of both arms by training length; right: their difference with its interval and the margin."""
    figure, (left, right) = empty(1, 2, width=9, height=3.2)
    epochs = [a.epochs for a in found.at]
    arms = ([a.baseline for a in found.at], [a.treated for a in found.at])
    for values, best, colour, label in zip(arms, found.best, (WITHOUT, WITH), ("without", "with")):
        means = [float(np.mean(v)) for v in values]
        spread = [float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for v in values]
        left.errorbar(epochs, means, yerr=spread, fmt="o-", color=colour, capsize=3, ms=5, label=label)
        mine = means[epochs.index(best)]
        left.plot([best], [mine], "o", mfc="none", mec=colour, ms=12, label=f"own best, {label}")
    left.set_title("Test balanced accuracy")
    _difference(right, found.at, margin=found.judged.margin)
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(epochs, [str(e) for e in epochs])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("epochs of the run")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _difference(ax: "Axes", at: tuple[Length, ...], *, margin: float) -> None:
    ax.axhspan(-margin, margin, color="#f0e442", alpha=0.28, lw=0)
    ax.axhline(0, color="#444444", lw=1)
    means = np.array([a.paired.mean for a in at])
    ends = np.array([[a.paired.mean - a.judged.low, a.judged.high - a.paired.mean] for a in at]).T
    ax.errorbar([a.epochs for a in at], means, yerr=np.nan_to_num(ends), fmt="D-", color=WITH, capsize=4, ms=6)
    ax.set_title("Difference, 95 % interval (band: margin)")
