"""One run against ten as pictures: by world, what each arm gains on the vote of ten plain runs."""

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


@styled
def worlds(lines: "Sequence[Line]", *, simulated: bool) -> "Figure":
    """The arms that were run in every world, a small panel each: who is ahead of ten plain runs, and where."""
    names = list(dict.fromkeys(line.world for line in lines))
    of = {name: {line.id: line for line in lines if line.world == name and line.cohorts} for name in names}
    arms = [key for key in of[names[0]] if all(key in found for found in of.values()) and key != "vote 10"]
    columns = 3
    rows = -(-len(names) // columns)
    figure, axes = empty(rows, columns, width=8.4, height=0.6 + rows * (0.7 + 0.22 * len(arms)))
    for place, ax in enumerate(axes):
        if place >= len(names):
            ax.set_visible(False)
            continue
        for y, line in enumerate(of[names[place]][key] for key in arms):
            colour = CHANCE if line.transductive else WITHOUT if line.id.startswith(("vote", "plain")) else WITH
            ax.hlines(y, line.low, line.high, color=colour, linewidth=1.5)
            ax.plot(line.minus_ten, y, "D", color=colour, markersize=5)
        ax.axvline(0, color="black", linewidth=0.8)
        labels = [of[names[0]][key].label for key in arms] if place % columns == 0 else []
        ax.set_yticks(range(len(arms)), labels or [""] * len(arms))
        ax.set_ylim(len(arms) - 0.4, -0.6)
        ax.set_xlim(-0.12, 0.2)
        ax.set_title(names[place].replace("_", " "), fontsize=9)
    said = "SIMULATED. " if simulated else ""
    figure.suptitle(
        f"{said}Test balanced accuracy minus that of the vote of ten plain runs; 95 % over cohorts.\n"
        "Orange has looked at unlabelled trials of the test people.",
        fontsize=8,
    )
    return figure
