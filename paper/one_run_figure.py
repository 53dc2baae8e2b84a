"""One run against ten as a picture: by world, what each arm gains on the vote of ten plain runs."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.canvas import CHANCE, WITH, WITHOUT, empty, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from paper.one_run_table import Line


@styled
def bars(lines: "Sequence[Line]", *, simulated: bool) -> "Figure":
    """A panel a world: the difference of each arm from ten plain runs, its interval, and each cohort as a dot."""
    worlds = list(dict.fromkeys(line.world for line in lines))
    shown = {world: [line for line in lines if line.world == world and line.cohorts and line.id != "vote 10"]
             for world in worlds}  # fmt: skip
    worlds = [world for world in worlds if shown[world]]
    figure, axes = empty(max(1, len(worlds)), 1, width=8, height=1.2 + sum(0.7 + 0.24 * len(shown[w]) for w in worlds))
    if not worlds:
        axes[0].set_title("no cohort has ten plain runs yet")
        return figure
    if grid := axes[0].get_gridspec():
        grid.set_height_ratios([3 + len(shown[world]) for world in worlds])
    for ax, world in zip(axes, worlds):
        for y, line in enumerate(shown[world]):
            colour = CHANCE if line.transductive else WITHOUT if line.id.startswith(("vote", "plain")) else WITH
            if math.isfinite(line.low):
                ax.hlines(y, max(line.low, -0.25), min(line.high, 0.3), color=colour, linewidth=1.5)
            ax.plot([t["minus_ten"] for t in line.cohorts.values()], [y] * len(line.cohorts), ".", color=colour)
            ax.plot(line.minus_ten, y, "D", color=colour, markersize=5)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(range(len(shown[world])), [f"{line.label} ({line.units:g})" for line in shown[world]])
        ax.set_ylim(len(shown[world]) - 0.4, -0.6)
        ax.set_xlim(-0.25, 0.3)
        ax.set_title(f"{world}, simulated" if simulated else world)
    axes[-1].set_xlabel("test balanced accuracy minus that of the vote of ten plain runs")
    about = "diamond: mean, line: 95 % interval, dots: cohorts; orange: transductive"
    figure.suptitle(f"One run against ten (units of compute); {about}", fontsize=8)
    return figure
