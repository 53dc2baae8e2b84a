"""The table of interventions as a forest plot: our change with its interval, the published one as a mark beside it."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from analysis.canvas import CHANCE, WITH, WITHOUT, sides
from analysis.interventions import InterventionResult
from figures.style import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Changes up to LINEAR are drawn to scale, larger ones by their logarithm: the paper's span -0.40 to +0.01.
LINEAR = 0.05
LIMIT = 0.6
TICKS = (-0.4, -0.2, -0.1, -0.05, -0.02, 0, 0.02, 0.05, 0.1, 0.2)


def forest(lines: Sequence[InterventionResult], *, title: str, headings: dict[str, str]) -> "Figure":
    """Draw every row; those without a finished pair show the published mark alone.

    Args:
        lines: rows.
        title: of the picture.
        headings: of each group of rows.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        groups = [(group, list(rows)) for group, rows in groupby(lines, key=lambda line: line.asked.group)]
        height = len(lines) + 1.2 * len(groups)
        figure = Figure(figsize=(10.6, 0.235 * height + 1.7), layout="constrained")
        ax = figure.subplots()
        y, ticks = 0.0, []
        for group, rows in groups:
            ax.text(0, y, headings.get(group, group), transform=ax.get_yaxis_transform(), style="italic", va="center")
            y -= 1
            for line in rows:
                _row(ax, line, y)
                ticks.append(
                    (
                        y,
                        f"{line.asked.label}   {line.asked.id:>2}" if line.asked.id.isdigit() else line.asked.label,
                    )
                )
                y -= 1
            y -= 0.2
        _frame(ax, ticks=ticks, low=y + 0.4)
        ax.text(1.01, 0.9, "change [95 %]", transform=ax.get_yaxis_transform(), va="center", color="#555555")
        ax.set_title(title)
        handles = {label: handle for handle, label in zip(*ax.get_legend_handles_labels())}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
        return figure


def _row(ax: "Axes", line: InterventionResult, y: float) -> None:
    if line.asked.delta is not None:
        ax.plot(line.asked.delta, y, "D", color=CHANCE, mfc="white", ms=5, label="published", zorder=3)
    d = line.paired
    if d is None:
        return
    data = "simulated data" if line.simulated else "this run"
    resolved = line.verdict != "unresolved"
    colour, label = (WITH, f"{data}, 95 % interval without 0") if resolved else (WITHOUT, f"{data}, unresolved")
    if math.isfinite(d.low):
        ax.hlines(y, max(d.low, -LIMIT), min(d.high, LIMIT), color=colour, lw=1.6, zorder=2)
        for end, mark in ((d.low, "<"), (d.high, ">")):
            if abs(end) > LIMIT:
                ax.plot(math.copysign(LIMIT, end), y, mark, color=colour, ms=4, clip_on=False)
    ax.plot(d.mean, y, "o", color=colour, ms=5.5, label=label, zorder=4)
    interval = f" [{d.low:+.3f}, {d.high:+.3f}]" if math.isfinite(d.low) else ""
    shade = colour if resolved else "#333333"
    place = ax.get_yaxis_transform()
    ax.text(1.01, y, f"{d.mean:+.3f}{interval}", transform=place, fontsize=8, color=shade, va="center")


def _frame(ax: "Axes", *, ticks: list[tuple[float, str]], low: float) -> None:
    ax.axvline(0, color="#444444", lw=1, zorder=1)
    ax.set_xscale("symlog", linthresh=LINEAR, linscale=1.6)
    ax.set_xticks(TICKS, [f"{tick:+g}" if tick else "0" for tick in TICKS])
    ax.set_xticks([], minor=True)
    ax.set_yticks([y for y, _ in ticks], [label for _, label in ticks])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set(xlim=(-LIMIT, LIMIT / 2), ylim=(low, 1.6))
    sides(ax)
    ax.set_xlabel(f"change in test balanced accuracy (to scale up to ±{LINEAR:g}, logarithmic beyond)")
