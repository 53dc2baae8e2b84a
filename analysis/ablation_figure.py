"""The figure of a directional ablation: what a direction costs beside what random ones cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.ablated import ACTIONS
from analysis.ablation_effects import NULLS, Effect, RunEffects
from analysis.canvas import empty, head, styled
from figures.style import BLUE, GREY, ORANGE, PALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {"axis": "axis in h", "class_pc1": "class PC1", "best_pc": "best PC"}
SHADES = {"isotropic": PALE, "variance": GREY, "permuted": ORANGE}


@styled
def picture(effects: Sequence[RunEffects], found: dict[tuple[str, str], Effect], *, simulated: bool) -> "Figure":
    """A panel an action: a row a direction, violins of the nulls over draws, and the direction with its interval."""
    names = list(dict.fromkeys(name for name, _ in found))
    figure, panels = empty(1, len(ACTIONS), width=9.6, height=1.2 + 1.15 * len(names))
    for axes, action in zip(panels, ACTIONS, strict=True):
        for row, name in enumerate(names):
            key, effect = (name, action), found[name, action]
            for number, kind in enumerate(NULLS):
                if kind not in effect.against:
                    continue
                draws = -np.mean([run.nulls[key][kind] for run in effects], axis=0)
                height = row + 0.22 * (number - 1)
                low, high = np.percentile(draws, [2.5, 97.5])
                label = NULLS[kind] if row == 0 else None
                axes.plot([low, high], [height, height], color=SHADES[kind], linewidth=6, solid_capstyle="butt")
                axes.plot(np.median(draws), height, "|", color="black", markersize=7)
                axes.plot([], [], color=SHADES[kind], linewidth=6, label=label)
            ends = [-bound for bound in effect.interval]
            axes.plot(ends, [row + 0.4, row + 0.4], color=BLUE, linewidth=1.5)
            axes.plot(
                -effect.lost, row + 0.4, "D", color=BLUE, label="the direction [95 % people]" if row == 0 else None
            )
        axes.axvline(0, color="black", linewidth=0.6)
        axes.set_yticks(range(len(names)), [LABELS.get(name, name) for name in names] if action == "removed" else [])
        axes.set_ylim(len(names) - 0.35, -0.5)
        axes.set_xlabel("change of balanced accuracy")
        axes.set_title(f"direction {action}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    people = len(effects[0].people)
    head(figure, f"{len(effects)} runs, {people} test people; bars: 95 % of the null", simulated=simulated)
    return figure
