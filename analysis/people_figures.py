"""Pictures of people and classes: what each person gained or lost, and which classes are taken for which."""

from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import CHANCE, WITH, WITHOUT, empty, styled
from analysis.people import People

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


@styled
def person_dumbbell(people: People, *, chance: float) -> "Figure":
    """Accuracy of each test person without and with the strategy, the largest gain on top."""
    before, after = np.array(people.baseline), np.array(people.treated)
    order = np.argsort(after - before)
    figure, (ax,) = empty(1, 1, width=5.8, height=0.24 * len(order) + 1.3)
    y = np.arange(len(order))
    ax.hlines(y, before[order].tolist(), after[order].tolist(), color="#bbbbbb", lw=3, zorder=1)
    for values, colour, label in ((before, WITHOUT, "without"), (after, WITH, "with")):
        ax.scatter(values[order], y, s=34, color=colour, zorder=2, label=label)
    ax.axvline(chance, color=CHANCE, ls=":", lw=1.5, label="chance")
    ax.set_yticks(y, [f"person {people.subjects[k]}" for k in order], fontsize=8)
    ax.set(xlabel="test balanced accuracy, mean over seeds", ylim=(-0.7, len(order) - 0.3))
    ax.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def confusion_matrices(people: People) -> "Figure":
    """Share of each true class that is called each class, in per cent: without and with the strategy, one scale."""
    k = len(people.classes)
    figure, axes = empty(1, 2, width=10, height=0.33 * k + 1.6)
    for ax, matrix, title in zip(axes, people.confusion, ("Without", "With")):
        image = _matrix(ax, np.array(matrix), people.classes)
        ax.set_title(title)
    rows = [f"{name}  ({n})" for name, n in zip(people.classes, people.trials)]
    axes[0].set_yticks(range(k), rows)
    axes[0].set_ylabel("true class (its trials)")
    axes[1].set_yticklabels([])
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=22, pad=0.01)
    bar.set_label("% of the trials of the true class")
    bar.outline.set_visible(False)
    return figure


def _matrix(ax: "Axes", shares: np.ndarray, classes: tuple[str, ...]) -> "AxesImage":
    image = ax.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "#333333"
        ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    ax.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
    ax.set_yticks(range(len(classes)), classes)
    ax.set_xlabel("called (%)")
    ax.grid(visible=False)
    return image
