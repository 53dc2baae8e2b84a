"""Picture of the cliff: differences against bases as measured and corrected, the slopes, and models."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import CHANCE, empty, head, styled
from analysis.cliff import PUBLISHED_SLOPE, Cliff
from analysis.convergence_figure import COLOURS
from figures.style import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def figure(result: Cliff, *, simulated: bool) -> "Figure":
    """Three panels."""
    drawn, (points, slopes, models) = empty(1, 3, width=15, height=5.6)
    _points(points, result)
    _slopes(slopes, result)
    _models(models, result)
    handles, labels = points.get_legend_handles_labels()
    # The recipes have numbers in the panel and names here.
    nothing = points.plot([], [], ls="none")[0]
    named = [f"{number}: {name}" for number, name in enumerate(result.recipes, start=1)]
    drawn.legend(
        [*handles, *[nothing] * len(named)], [*labels, *named], loc="outside lower left", ncols=4, fontsize=8
    )  # fmt: skip
    strategies = len({p.strategy for p in result.points})
    head(drawn, f"{strategies} strategies under {len(result.recipes)} recipes", simulated=simulated)
    return drawn


def _points(ax: "Axes", result: Cliff) -> None:
    for k, name in enumerate(dict.fromkeys(p.strategy for p in result.points)):
        rows = [row for row, p in enumerate(result.points) if p.strategy == name]
        base = np.array([result.points[row].base.mean() for row in rows])
        delta = np.array([result.paired[row].mean for row in rows])
        colour = COLOURS[k % len(COLOURS)]
        spread = [result.points[row].base.std(ddof=1) / np.sqrt(len(result.points[row].base)) for row in rows]
        ends = np.array(
            [
                [result.paired[r].mean - result.paired[r].low, result.paired[r].high - result.paired[r].mean]
                for r in rows
            ]
        )
        ax.errorbar(
            base,
            delta,
            xerr=spread,
            yerr=np.nan_to_num(ends.T),
            fmt="o",
            ms=6,
            color=colour,
            elinewidth=0.8,
            label=name,
        )
        for row, x, y in zip(rows, base, delta):
            ax.annotate(
                str(result.recipes.index(result.points[row].recipe) + 1),
                (x, y),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=7,
            )
    ax.axhline(0, color="#444444", lw=1)
    ax.set(
        xlabel="base: test balanced accuracy without the loss", ylabel="balanced accuracy, with minus without the loss"
    )
    ax.set_title("Recipes by their base (95 %; base: 1 se)")


def _slopes(ax: "Axes", result: Cliff) -> None:
    ax.set_title("Change of the difference per unit of base")
    found = result.slope
    if found is None:
        ax.text(0.5, 0.5, "one recipe", ha="center", va="center", transform=ax.transAxes, color=GREY)
        return
    rows = [
        ("paper, topography, two bases", PUBLISHED_SLOPE, None, GREY),
        ("here, as published", found.published, None, ORANGE),
        ("an intercept a strategy", found.naive, None, ORANGE),
        ("errors taken out", found.corrected, (found.low, found.high), BLUE),
    ]
    if result.matched:
        rows.append(
            (
                "errors out, matched strategies",
                result.matched.corrected,
                (result.matched.low, result.matched.high),
                BLUE,
            )
        )
    for place, (_, value, ends, colour) in enumerate(rows[::-1]):
        if np.isfinite(value):
            ax.plot([value], [place], "D", color=colour, ms=7)
        if ends and np.isfinite(ends[0]):
            ax.plot(ends, [place, place], color=colour, lw=2)
    for label, own in (("errors taken out", found), ("errors out, matched strategies", result.matched)):
        if own is not None and np.isfinite(own.null_95):
            below = next(k for k, row in enumerate(rows[::-1]) if row[0] == label) - 0.22
            ax.plot([own.null_mean, own.null_95], [below, below], color=CHANCE, lw=3, alpha=0.55, solid_capstyle="butt")
    ax.plot([], [], color=CHANCE, lw=3, alpha=0.55, label="null, mean to 95 %: bases dealt to recipes anew")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.2))
    ax.axvline(0, color="#444444", lw=1)
    ax.set_yticks(range(len(rows)), [label for label, *_ in rows[::-1]])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    share = f"{100 * (1 - found.reliability):.0f} % of the spread of bases is seed error"
    ax.set_xlabel(f"slope (95 %, a recipe left out at a time)\n{share}; p {found.p:.2g}")
    ax.grid(visible=False, axis="y")


def _models(ax: "Axes", result: Cliff) -> None:
    ax.set_title("Models of the corrected points")
    if result.slope is None:
        ax.text(0.5, 0.5, "one recipe", ha="center", va="center", transform=ax.transAxes, color=GREY)
        return
    level = result.corrected.delta - result.corrected.centred(result.corrected.delta)
    ax.scatter(result.corrected.base, result.corrected.delta - level + level.mean(), color=GREY, s=28, zorder=3)
    for k, fit in enumerate(result.fits):
        gain = fit.aicc - result.fits[0].aicc
        says = f"{fit.name}, AICc {gain:+.1f}" if np.isfinite(gain) else f"{fit.name}, too few points"
        ax.plot(result.grid, fit.shape, color=COLOURS[k], lw=1.8, label=says, ls="-" if np.isfinite(gain) else ":")
    ax.axhline(0, color="#444444", lw=1)
    ax.set(xlabel="base, error taken out", ylabel="difference, at the mean strategy")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, columnspacing=1)
