"""Picture of ensembles: growth, cost, contribution against residual, chosen sets, agreement, mixing."""

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import empty, head, styled
from analysis.convergence_figure import COLOURS
from figures.style import BLUE, GREY, ORANGE, PALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.ensembles import Ensembles


@styled
def figure(result: "Ensembles", *, simulated: bool) -> "Figure":
    """Six panels."""
    drawn, axes = empty(2, 3, width=15, height=9.4)
    _growth(axes[0], result)
    _bars(axes[1], result)
    _selected(axes[2], result)
    _contribution(axes[3], result)
    _kappa(axes[4], result)
    _mixing(axes[5], result)
    people = len(result.pool.votes["test"].support)
    head(drawn, f"votes of {len(result.pool.runs)} runs on {people} test people", simulated=simulated)
    return drawn


def _growth(ax: "Axes", result: "Ensembles") -> None:
    for k, (name, curve) in enumerate(result.growth.items()):
        m = np.arange(1, len(curve) + 1)
        colour = COLOURS[k % len(COLOURS)]
        ax.plot(m, [e.value for e in curve], "o-", ms=4, color=colour, label=_short(name, 44))
        ax.fill_between(m, [e.low for e in curve], [e.high for e in curve], color=colour, alpha=0.12, lw=0)
    ax.set(xlabel="members of the vote", ylabel="test balanced accuracy")
    ax.set_title("Growth (band: 95 % over people)")
    ax.locator_params(axis="x", integer=True)
    ax.legend(fontsize=8, loc="lower right")


def _bars(ax: "Axes", result: "Ensembles") -> None:
    ax.set_title("Votes at their cost (members x epochs)")
    if not result.bars:
        _nothing(ax, "one length of training only")
        return
    ordered = sorted(result.bars, key=lambda bar: bar.cost)
    places, values = np.arange(len(ordered)), np.array([bar.accuracy.value for bar in ordered])
    half = np.array([(bar.accuracy.high - bar.accuracy.low) / 2 for bar in ordered])
    ax.barh(places, values, color=PALE, edgecolor=GREY, zorder=1)
    ax.errorbar(values, places, xerr=half, fmt="o", color=BLUE, capsize=3)
    ax.set_yticks(places, [f"{bar.label}\n{bar.cost} epochs" for bar in ordered], fontsize=8)
    low, high = float((values - half).min()), float((values + half).max())
    ax.set_xlim(low - 0.3 * (high - low), high + 0.1 * (high - low))
    ax.set_xlabel("test balanced accuracy (axis does not begin at 0)")
    ax.grid(visible=False, axis="y")


def _selected(ax: "Axes", result: "Ensembles") -> None:
    names = list(result.selected)
    places = np.arange(len(names))[::-1]
    for place, name in zip(places, names):
        s = result.selected[name]
        val, test = s.val - s.random_val, s.test.value - s.random_test
        ax.plot([val, test], [place, place], color="#bbbbbb", lw=3, zorder=1)
        ax.scatter([val], [place], color=GREY, s=36, zorder=2, label="validation people" if place == 0 else None)
        ax.scatter([test], [place], color=BLUE, s=36, zorder=3, label="test people" if place == 0 else None)
    ax.axvline(0, color=ORANGE, ls=":", lw=1.5, label="random sets of this size")
    if names:
        spread = result.selected[names[0]].random_95 - result.selected[names[0]].random_test
        ax.axvspan(-spread, spread, color=PALE, zorder=0, label="95 % of random sets")
    ax.set_yticks(places, [_wrapped(name, 22) for name in names], fontsize=8)
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("balanced accuracy of the vote minus that of random sets")
    ax.set_title(f"{result.size} of {len(result.plain.runs)} members, by rule")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.35, -0.14), ncols=2, columnspacing=1)


def _contribution(ax: "Axes", result: "Ensembles") -> None:
    found, labels = result.regression, result.plain.labels
    ax.set_title("What a member adds")
    if found is None:
        _nothing(ax, "needs four members and the axis")
        return
    y = np.array([e.value for e in found.contribution])
    ends = np.array([[e.value - e.low, e.high - e.value] for e in found.contribution]).T
    for k, name in enumerate(result.plain.groups):
        own, colour = labels == name, COLOURS[k % len(COLOURS)]
        ax.errorbar(
            found.residual[own], y[own], yerr=np.nan_to_num(ends[:, own]), fmt="o", ms=5, color=colour, elinewidth=0.6,
            label=_short(name, 44),
        )  # fmt: skip
    x = np.array([found.residual.min(), found.residual.max()])
    ax.plot(x, y.mean() + found.slope * (x - found.residual.mean()), color=GREY, lw=1)
    ax.axhline(0, color="#444444", lw=1)
    ax.set(xlabel="within-class residual |r| of the member", ylabel="balanced accuracy, vote of all minus without it")
    published, honest = found.published, found.axes
    ax.set_title(
        f"What a member adds: r {published.r:+.2f}\np {published.p:.2g} as published, {honest.p:.2g} beside its null"
    )


def _kappa(ax: "Axes", result: "Ensembles") -> None:
    order = [member for own in result.pool.groups.values() for member in own]
    matrix = result.agreement.matrix[np.ix_(order, order)].copy()
    np.fill_diagonal(matrix, np.nan)
    shown = ax.imshow(matrix, cmap="viridis", interpolation="nearest")
    edges = np.cumsum([len(own) for own in result.pool.groups.values()])
    for edge in edges[:-1]:
        ax.axhline(edge - 0.5, color="white", lw=1.5)
        ax.axvline(edge - 0.5, color="white", lw=1.5)
    middle = edges - np.diff([0, *edges]) / 2 - 0.5
    ax.set_yticks(middle, [_wrapped(name, 16) for name in result.pool.groups], fontsize=7)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="Cohen's kappa")
    gap = result.agreement.gap
    ax.set_title("Agreement" + (f": within minus across {gap:+.3f}" if np.isfinite(gap) else ""))


def _mixing(ax: "Axes", result: "Ensembles") -> None:
    ax.set_title(f"Mixed into {_short(result.pool.base, 36)}")
    if not result.mixing:
        _nothing(ax, "one group of runs only")
        return
    places = np.arange(len(result.mixing))[::-1]
    for side, (colour, label) in enumerate(((BLUE, "added whole"), (ORANGE, "in the place of half"))):
        found = [pair[side] for pair in result.mixing.values()]
        values = np.array([e.value for e in found])
        half = np.nan_to_num(np.array([(e.high - e.low) / 2 for e in found]))
        ax.errorbar(values, places + 0.12 - 0.24 * side, xerr=half, fmt="o", capsize=3, color=colour, label=label)
    ax.axvline(0, color="#444444", lw=1)
    ax.set_yticks(places, [_wrapped(name, 16) for name in result.mixing], fontsize=8)
    ax.set_ylim(-0.6, len(result.mixing) - 0.4)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel("change of test balanced accuracy\n(95 %: people and runs)")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=2, columnspacing=1)


def _nothing(ax: "Axes", why: str) -> None:
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes, color=GREY)
    ax.set_xticks([])
    ax.set_yticks([])


def _wrapped(name: str, width: int) -> str:
    """On at most three lines: a long label beside the axis takes its width from the panel."""
    return "\n".join(wrap(name, width, max_lines=3, placeholder=" …"))


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else "…" + name[-width + 1 :]
