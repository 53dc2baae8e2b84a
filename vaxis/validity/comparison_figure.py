"""One picture of the agreement of several models: who agrees with whom, who is valid, and where the axis appears."""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from records.files import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = "0.6"
ROOM = 8  # models; with more, a cell has room for one number


def draw(result: dict, path: Path) -> Path:
    """Draw the first read-out of ``compare``: agreement, validity beside its null, layer profile.

    Args:
        result: of ``compare``.
        path: where; PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    names = list(result["models"])
    readout, groups = next(iter(result["readouts"].items()))
    clips = groups["clips"]
    figure = Figure(figsize=(15, 3.2 + 0.35 * max(4, len(names))), layout="constrained")
    matrix, bars, profile = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    _agreement(matrix, clips, names)
    _validity(bars, clips, names)
    _profiles(profile, result["models"])
    shown = readout.replace("$", r"\$")  # a prompt may hold one; two would be read as a formula
    figure.suptitle(f"V-axis in language models, {shown} read-out, {clips['texts']} rated clip descriptions")
    with atomic(path) as partial:
        figure.savefig(partial, dpi=130, format="png")
    return path


def _agreement(axes: "Axes", clips: dict, names: list[str]) -> None:
    r = np.full((len(names), len(names)), np.nan)
    for i, j in combinations(range(len(names)), 2):
        row = clips["pairs"][f"{names[i]} ~ {names[j]}"]
        null = row["random texts"]
        r[i, j] = r[j, i] = row["r"]
        look: dict[str, Any] = {"ha": "center", "color": "white" if abs(row["r"]) > 0.6 else "black"}
        weight = "bold" if row["r"] > null["p95"] else "normal"
        for x, y in ((i, j), (j, i)):
            axes.text(
                x, y, f"{row['r']:.2f}", va="center", fontsize=9 if len(names) <= ROOM else 6, weight=weight, **look
            )
            if len(names) <= ROOM:
                axes.text(x, y + 0.38, f"{null['median']:.2f}, {null['p95']:.2f}", fontsize=6, **look)
    axes.set_facecolor("0.9")
    axes.imshow(r, vmin=-1, vmax=1, cmap="RdBu_r")
    numbers = range(1, len(names) + 1)
    axes.set_xticks(range(len(names)), map(str, numbers))
    axes.set_yticks(range(len(names)), [f"{_wrapped(name)}  {n}" for n, name in zip(numbers, names)])
    small = "; small: their median, 95 %" if len(names) <= ROOM else ""
    axes.set_title(f"Agreement: r of projections\n(bold: above 95 % of nine random texts{small})", fontsize=9)


def _validity(axes: "Axes", clips: dict, names: list[str]) -> None:
    for y, name in enumerate(names):
        row = clips["validity"][name]
        axes.plot([row["low"], row["high"]], [y, y], color="C0", lw=2)
        axes.plot(row["r"], y, "o", color="C0", label="axis, 95 % interval" if y == 0 else None)
        axes.plot(row["null_median"], y + 0.22, "d", color=GREY, label="nine random texts: median" if y == 0 else None)
        axes.plot(row["null_p95"], y + 0.22, "|", color=GREY, ms=11, label="their 95th percentile" if y == 0 else None)
    axes.axvline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlim=(-1, 1), ylim=(len(names) - 0.4, -0.6), xlabel="r with mean human valence (null: |r|)")
    axes.set_yticks(range(len(names)), [str(n + 1) for n in range(len(names))])
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_title("Validity", fontsize=10)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False, ncols=3, columnspacing=1)


def _profiles(axes: "Axes", models: dict) -> None:
    for i, (name, about) in enumerate(models.items()):
        found, null = (np.array(about[key], dtype=float) for key in ("layer_profile", "layer_profile_null"))
        depth = np.arange(len(found)) / (len(found) - 1)
        axes.plot(depth, found, color=f"C{i}", marker=".", ms=4, label=name)
        axes.plot(depth, null, color=f"C{i}", ls=":", lw=1)
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlim=(0, 1), ylim=(-1.05, 1.05), xlabel="depth (1: the layer that is read)")
    axes.set_title("Cosine with the axis of the layer that is read\n(dotted: nine random texts, |cosine|)", fontsize=10)
    axes.legend(fontsize=7, loc="lower right", frameon=False)


def _wrapped(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
