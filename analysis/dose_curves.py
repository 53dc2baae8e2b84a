"""Dose curves: how the change in balanced accuracy moves with the weight, temperature or data of a strategy."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import CHANCE, WITH
from analysis.interventions import InterventionResult
from figures.style import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BEYOND = "interval goes on beyond the panel"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One dose.

    Attributes:
        row: id of the row that ran it.
        x: the dose.
        delta: published change.
    """

    row: str
    x: float
    delta: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One strategy over its doses.

    Attributes:
        name: in files.
        title: for people.
        x: what the dose is.
        points: in order.
    """

    name: str
    title: str
    x: str
    points: tuple[Point, ...]


def to_csv(curves: Sequence[Curve], lines: Mapping[str, InterventionResult]) -> str:
    """All points with our change, its interval and the published change; empty where a row is not run."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["curve", "dose", "x", "row", "pairs", "base", "with", "change", "low", "high", "published_change", "simulated"]
    )
    for curve in curves:
        for point in curve.points:
            line = lines.get(point.row)
            ours: list[object] = [0, *[""] * 5]
            if line and line.paired:
                d = line.paired
                numbers = (np.mean(line.before), np.mean(line.after), d.mean, d.low, d.high)
                ours = [d.n, *(f"{value:.6g}" if math.isfinite(value) else "" for value in numbers)]
            simulated = "" if line is None or line.simulated is None else "yes" if line.simulated else "no"
            writer.writerow([curve.name, curve.x, point.x, point.row, *ours, point.delta, simulated])
    return buffer.getvalue()


def picture(curves: Sequence[Curve], lines: Mapping[str, InterventionResult]) -> "Figure":
    """One panel a curve: our change with its 95 % interval beside the published one, each against its own baseline."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        columns = 3
        rows = math.ceil(len(curves) / columns)
        figure = Figure(figsize=(3.4 * columns, 2.7 * rows + 0.5), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for curve, ax in zip(curves, axes):
            _panel(ax, curve, lines)
        for ax in axes[len(curves) :]:
            ax.set_visible(False)
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels())}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
        if any(line.simulated for line in lines.values()):
            figure.suptitle("SIMULATED data beside the published curves", fontsize=11, fontweight="bold")
        figure.supylabel("change in test balanced accuracy", fontsize=9)
        return figure


def _panel(ax: "Axes", curve: Curve, lines: Mapping[str, InterventionResult]) -> None:
    found = [(p.x, lines[p.row]) for p in curve.points if p.row in lines and lines[p.row].paired]
    simulated = any(line.simulated for _, line in found)
    published = {p.x: p.delta for p in curve.points}
    ax.axhline(0, color="#444444", lw=1)
    ax.plot(list(published), list(published.values()), "D--", color=CHANCE, mfc="white", ms=5, lw=1, label="published")
    if found:
        x = [dose for dose, _ in found]
        d = [line.measured for _, line in found]
        mean = np.array([one.mean for one in d])
        error = np.array([[one.mean - one.low, one.high - one.mean] for one in d]).T
        label = "simulated data, 95 % interval" if simulated else "this run, 95 % interval"
        ax.errorbar(x, mean, yerr=np.nan_to_num(error), fmt="o-", color=WITH, ms=5, capsize=3, label=label, zorder=3)
        reach = [*published.values(), *mean, 0.0]
        pad = 0.35 * (max(reach) - min(reach))
        bottom, top = min(reach) - pad, max(reach) + pad
        ax.set_ylim(bottom, top)
        # An interval of two seeds may leave the panel: an arrow says so.
        for dose, one in zip(x, d):
            for leaves, edge, mark in ((one.low < bottom, bottom, "v"), (one.high > top, top, "^")):
                if leaves:
                    ax.plot(dose, edge, mark, color=WITH, ms=6, clip_on=False, zorder=4, label=BEYOND)
    ax.set_xscale("log")
    ax.set_xlim(min(published) / 1.3, max(published) * 1.3)
    ax.set_xticks(list(published), [f"{dose:g}" for dose in published])
    ax.set_xticks([], minor=True)
    ax.set(title=curve.title, xlabel=curve.x)
