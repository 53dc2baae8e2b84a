"""One picture of an axis: where the nine classes lie, what it is worth on rated texts, and what the nulls reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.style import BLUE, GREEN, GREY, LINE, ORANGE, PINK, SKY, STYLE
from records.files import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS, OTHER, REFERENCE, NULL, HUMAN = BLUE, SKY, GREY, "#d9d9d9", ORANGE
_NAMES = {"framed": "one prompt", "ensemble": "four prompts", "last": "last token, no prompt (paper's)"}


def draw(result: dict, path: str | Path) -> Path:
    """Draw the results of ``validate`` and write the picture atomically.

    Args:
        result: what ``commands.validate.validate`` returns; its first read-out is the axis whose positions are shown.
        path: PNG file.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        readouts = result["readouts"]
        first = next(iter(readouts.values()))
        profile = result.get("profile")
        figure = Figure(figsize=(12.5 if profile else 10, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, 3 if profile else 2, width_ratios=[1, 2.3, 0.9] if profile else [1, 2.3])
        _positions(panels[0], first["positions"], f"Nine classes ({next(iter(readouts))} read-out)")
        _validity(panels[1], readouts)
        if profile:
            _profile(panels[2], profile)
        with atomic(path) as partial:
            figure.savefig(partial, dpi=150, format="png")
    return Path(path)


def _positions(axes: "Axes", positions: dict[str, float], title: str) -> None:
    names = list(positions)[::-1]
    values = [positions[name] for name in names]
    axes.hlines(range(len(names)), 0, values, color=NULL, linewidth=2)
    axes.plot(values, range(len(names)), "o", color=AXIS)
    axes.axvline(0, color=LINE, linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(title=title, xlabel="position (standard deviations of the nine)")


def _validity(axes: "Axes", readouts: dict[str, dict]) -> None:
    """Bars of AUC by corpus and read-out, each on the band of what nine random texts reach."""
    colours = dict(zip(readouts, [AXIS, OTHER, REFERENCE, GREEN, PINK]))
    corpora = next(iter(readouts.values()))["corpora"]
    width = 0.8 / len(readouts)
    for k, (name, found) in enumerate(readouts.items()):
        for i, row in enumerate(found["corpora"].values()):
            x, own, null = i - 0.42 + (k + 0.45) * width, row["axis"]["auc"], row["nulls"]["random_texts"]
            label = _NAMES.get(name, name) if i == 0 else None
            bar: dict[str, Any] = {"bottom": 0.5, "width": width * 0.62, "color": colours[name], "label": label}
            axes.bar(x, own["value"] - 0.5, **bar)
            error = [[own["value"] - own["low"]], [own["high"] - own["value"]]]
            axes.errorbar(x, own["value"], error, color="black", linewidth=1)
            null_label = "nine random texts: 5, 50, 95 % (sign-free)" if i == k == 0 else "_"
            axes.vlines(x + width * 0.42, null["p5"], null["p95"], color=NULL, linewidth=4, label=null_label)
            axes.plot(x + width * 0.42, null["median"], "_", color="black", markersize=5)
            axes.text(x, max(own["high"], 0.5) + 0.012, f"{own['value']:.2f}", ha="center", fontsize=7)
    for i, row in enumerate(corpora.values()):
        if row["human"]:
            label = "one human rater" if i == 0 else "_"  # matplotlib lists no label that begins so
            axes.hlines(row["human"]["auc"]["value"], i - 0.44, i + 0.44, color=HUMAN, linestyle="--", label=label)
    axes.axhline(0.5, color=LINE, linewidth=0.8)
    axes.set_xticks(range(len(corpora)), [f"{name}\n({row['texts']} texts)" for name, row in corpora.items()])
    axes.set(title="Zero-shot AUC on texts that people have rated", ylabel="AUC", ylim=(_lowest(readouts), 1.06))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=8)


def _lowest(readouts: dict[str, dict]) -> float:
    """Bars start at chance; axes below it are shown whole."""
    lows = [row["axis"]["auc"]["low"] for found in readouts.values() for row in found["corpora"].values()]
    return float(min(0.45, np.min(lows) - 0.03))


def _profile(axes: "Axes", profile: dict) -> None:
    cosine, separation = (np.array(profile[key], dtype=float) for key in ("cosine", "separation"))  # None to NaN
    layers = np.arange(len(cosine))
    axes.plot(layers, separation, color=AXIS, label="separation of the nine")
    axes.plot(layers, np.abs(cosine), color=REFERENCE, label="|cosine| with the axis used")
    axes.axhline(0, color=LINE, linewidth=0.8)
    axes.set(title="The axis of each layer", xlabel="blocks run", ylim=(min(0, np.nanmin(separation)), 1.02))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=8)
