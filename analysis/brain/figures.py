"""The pictures of the brain maps: scalp maps a band, and what ridge, regions, time and fewer clips say."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.measure import Brain
from analysis.brain.orders import Stat
from analysis.canvas import CHANCE, GRID, WITH, WITHOUT, empty, styled
from figures.scalp import topomap_figure
from figures.style import BLUE, GREEN, GREY, ORANGE, PINK, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.05
COLOURS = (GREY, SKY, BLUE, GREEN, PINK, ORANGE)
NULL = "null, mean to 95 %"
Row = tuple[str, str]


def scalp_maps(cohort: Cohort, found: Brain) -> "Figure":
    """r with the axis over clips, one map a band; rings are significant over the whole map, all bands together."""
    titles = [f"{name} {low:g}–{high:g} Hz" for name, (low, high) in cohort.bands.items()]
    rings = np.nan_to_num(found.map.p_map, nan=1.0) <= LEVEL
    count = int(rings.sum())
    figure = topomap_figure(
        {title: found.map.r[0, :, i] for i, title in enumerate(titles)},
        channels=cohort.channels,
        label=f"r with the axis, {len(cohort.class_of)} clips",
        columns=len(titles),
        marked={title: rings[:, i] for i, title in enumerate(titles)},
    )
    threshold = f"|r| ≥ {found.map.threshold:.2f}"
    ringed = f"rings: {count} of {np.isfinite(found.map.r[0]).sum()} cells" if count else "no cell"
    figure.suptitle(f"{_whose(cohort)}\n{ringed} with p ≤ .05 corrected over all cells ({threshold})", fontsize=10)
    return figure


@styled
def panels(cohort: Cohort, found: Brain) -> "Figure":
    """Ridge beside its null and the in-sample one, regions and bands, time course, fewer clips."""
    figure, (ridge, places, course, fewer) = empty(2, 2, width=11, height=8.2)
    _ridge(ridge, found.stats)
    names = [name for name in found.stats if name.startswith(("region.", "band."))]
    _bars(
        places, [(name, name.split(".")[1]) for name in names], found.stats, title="Mean |r| of cells", unit="mean |r|"
    )
    _course(course, cohort, found)
    parts = [name for name in found.stats if name.startswith("contrast.") and name.endswith(".ridge")]
    whole = [("ridge.axis.clip_out", "all clips")]
    rows = whole + [(name, name.split(".")[1].replace("_", " ")) for name in parts]
    _bars(fewer, rows, found.stats, title="Ridge on fewer clips, leave one clip out", unit="r over clips")
    figure.suptitle(_whose(cohort), fontsize=10)
    return figure


def _whose(cohort: Cohort) -> str:
    kind = "simulated EEG, no person was recorded" if cohort.simulated else cohort.features
    return f"{cohort.dataset.upper()} ({kind}): {cohort.people} people, {len(cohort.class_of)} clips"


def _ridge(ax: "Axes", stats: dict[str, Stat]) -> None:
    names = [name.split(".")[1] for name in stats if name.startswith("ridge.") and name.endswith(".clip_out")]
    kinds = (("clip_out", BLUE, "clip left out"), ("class_out", GREEN, "class left out"))
    for i, name in enumerate(names):
        for j, (kind, colour, _) in enumerate((*kinds, ("in_sample", GREY, ""))):
            stat, y = stats[f"ridge.{name}.{kind}"], -i - 0.25 * (j - 1)
            _null(ax, stat, y)
            ax.plot(stat.value, y, "o", color=colour, mfc=colour if kind != "in_sample" else "white", ms=6)
    for _, colour, label in kinds:
        ax.plot([], [], "o", color=colour, label=label)
    ax.plot([], [], "o", color=GREY, mfc="white", label="in sample")
    ax.plot([], [], color=CHANCE, lw=3, label=NULL)
    noise = stats["in_sample_of_noise"].value
    ax.axvline(noise, color=GREY, ls=":", lw=1.3, label="of white noise")
    ax.set_yticks([-i for i in range(len(names))], [name.replace("_", " ") for name in names])
    ax.set(title="Ridge: r of predictions with clip positions", xlim=(-1, 1.02), xlabel="r over clips")
    _legend(ax)


def _bars(ax: "Axes", rows: list[Row], stats: dict[str, Stat], *, title: str, unit: str) -> None:
    for i, (name, _) in enumerate(rows):
        stat = stats[name]
        _null(ax, stat, -i)
        told = stat.p_value is not None and stat.p_value <= LEVEL
        ax.plot(stat.value, -i, "o", color=WITH if told else WITHOUT, mfc=WITH if told else "white", ms=6)
    ax.set_yticks([-i for i in range(len(rows))], [label for _, label in rows])
    ax.plot([], [], "o", color=WITH, label="p ≤ .05 alone")
    ax.plot([], [], "o", color=WITHOUT, mfc="white", label="p > .05")
    ax.plot([], [], color=CHANCE, lw=3, label=NULL)
    ax.set(title=title, xlabel=unit)
    _legend(ax, columns=4)


def _legend(ax: "Axes", *, columns: int = 3) -> None:
    """Below the panel and no wider than it, since the layout makes room for the whole of a legend."""
    below = (0.5, -0.15)  # under the label of the axis
    ax.legend(loc="upper center", bbox_to_anchor=below, ncols=columns, fontsize=7.5, columnspacing=1, handlelength=1.3)


def _null(ax: "Axes", stat: Stat, y: float) -> None:
    if stat.null_mean is not None and stat.null_95 is not None:
        ax.plot([stat.null_mean, stat.null_95], [y, y], color=CHANCE, lw=3, alpha=0.55, solid_capstyle="butt")


def _course(ax: "Axes", cohort: Cohort, found: Brain) -> None:
    ax.set(title="Time course: mean |r| over scalp electrodes", ylabel="mean |r|")
    if not found.curves:
        ax.text(0.5, 0.5, "clips have too few windows", transform=ax.transAxes, ha="center", color=GREY)
        return
    length = cohort.seconds or 100.0
    for (band, curve), colour in zip(found.curves.items(), COLOURS):
        at = (np.arange(curve.shape[1]) + 0.5) / curve.shape[1] * length
        ax.plot(at, curve[0], color=colour, lw=1.3, label=band)
        above = curve[0] > curve[2]
        ax.plot(at[above], curve[0][above], "o", color=colour, ms=4)
    null = np.mean(list(found.curves.values()), axis=0)
    ax.fill_between(at, null[1], null[2], color=GRID, label=f"{NULL}, of all bands", zorder=0)
    ax.plot([], [], "o", color=GREY, ms=4, label="above its null 95 %")
    ax.set(xlabel="seconds of the clip" if cohort.seconds else "per cent of the clip", ylim=(0, None))
    _legend(ax)
