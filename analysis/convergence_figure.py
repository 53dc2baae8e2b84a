"""Picture of convergence: checkpoints by accuracy, how alike they read any axis, and the null that follows."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import empty, head, styled
from analysis.converging import MEASURES, Convergence, Readings
from figures.style import BLUE, GREEN, GREY, ORANGE, PALE, PINK, SKY
from measures.clustered import pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, "#f0e442", "#222222")


@styled
def figure(result: Convergence, *, simulated: bool) -> "Figure":
    """A row a measure: accuracy against alignment; how alike checkpoints are; the correlation beside both its nulls."""
    drawn, axes = empty(len(result.readings), 3, width=13, height=4.1 * len(result.readings))
    for row, (name, found) in enumerate(result.readings.items()):
        scatter, alike, null = axes[3 * row : 3 * row + 3]
        _checkpoints(scatter, result, found, label=MEASURES[name])
        _alike(alike, result, found)
        _null(null, result, found)
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    kept = len(result.checkpoints) - result.finals
    head(drawn, f"{result.finals} runs" + (f" and {kept} kept epochs" if kept else ""), simulated=simulated)
    return drawn


def _checkpoints(ax: "Axes", result: Convergence, found: Readings, *, label: str) -> None:
    accuracy = np.array([c.accuracy for c in result.checkpoints])
    recipe = np.array([c.recipe for c in result.checkpoints])
    last = np.arange(len(accuracy)) < result.finals
    ax.axhspan(0, found.whole.null_95, color=PALE, zorder=0, label="mean over runs: below 95 % of axes without meaning")
    for k, name in enumerate(dict.fromkeys(recipe.tolist())):
        colour, own = COLOURS[k % len(COLOURS)], recipe == name
        for run in dict.fromkeys(c.run for c in result.checkpoints if c.recipe == name and c.epoch is not None):
            path = [i for i, c in enumerate(result.checkpoints) if c.run == run and c.epoch is not None]
            ax.plot(accuracy[path], found.values[path, 0], color=colour, lw=0.7, alpha=0.35, zorder=1)
        ax.scatter(accuracy[own & ~last], found.values[own & ~last, 0], s=8, color=colour, alpha=0.35, zorder=2)
        ax.scatter(accuracy[own & last], found.values[own & last, 0], s=32, color=colour, zorder=3, label=name)
    ax.set(xlabel="balanced accuracy (small: kept epochs, validation people)", ylabel=label, ylim=(0, 1))
    ax.set_title(f"r = {found.published.r:+.2f} over {found.published.n} runs")


def _alike(ax: "Axes", result: Convergence, found: Readings) -> None:
    rows = found.values[found.defined, 1:]
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    with np.errstate(invalid="ignore"):
        shown = ax.imshow(np.corrcoef(rows), cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="correlation over axes without meaning")
    ax.grid(visible=False)
    ax.set(xlabel="checkpoint, final ones first", ylabel="checkpoint, final ones first")
    ax.set_title(f"{len(rows)} checkpoints are worth {found.effective:.1f}")


def _null(ax: "Axes", result: Convergence, found: Readings) -> None:
    last = np.flatnonzero(found.defined[: result.finals])
    accuracy = np.array([result.checkpoints[row].accuracy for row in last])
    null = pearson(accuracy, found.values[last, 1:].T)
    null = null[np.isfinite(null)]
    bins = np.linspace(-1, 1, 41)
    ax.hist(null, bins=bins.tolist(), density=True, color=GREY, alpha=0.6, label="axes without meaning")
    # Density of r for independent pairs (Fisher 1915): what counting every checkpoint assumes.
    r = np.linspace(-0.999, 0.999, 400)
    density = (1 - r**2) ** ((len(last) - 4) / 2)
    density /= density.sum() * (r[1] - r[0])
    ax.plot(r, density, color=ORANGE, lw=2, label=f"{len(last)} independent runs")
    ax.axvline(found.published.r, color=BLUE, lw=2, label="here")
    ax.set(xlabel="correlation with accuracy", ylabel="density", xlim=(-1, 1))
    ax.set_title(f"p {found.published.p:.2g} as published, {found.axes.p:.2g} beside its null")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=8, columnspacing=1, handlelength=1.3)
