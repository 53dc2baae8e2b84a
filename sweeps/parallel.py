"""Which values went together: one vertical axis a parameter, one line a trial, coloured by what it scored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from figures.style import GREY, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 2.4  # inches between two axes


def parallel(study: optuna.Study, names: Sequence[str], *, objective: str) -> "Axes":
    """Draw the complete trials of a study; Optuna's own picture sets its labels on the lines.

    Args:
        study: of one loss, with the parameters that differ.
        names: of those parameters.
        objective: what the trials scored.
    """
    import matplotlib
    from matplotlib import cm, colors, pyplot

    trials = sorted(study.get_trials(deepcopy=False), key=lambda trial: trial.values[0])  # the best lie on top
    scores = np.array([trial.values[0] for trial in trials])
    shades = cm.ScalarMappable(colors.Normalize(scores.min(), scores.max()), "viridis_r")
    with matplotlib.rc_context(matplotlib.rcParamsDefault | STYLE | {"backend": "Agg"}):
        ax = pyplot.subplots(figsize=(WIDTH * len(names) + 2.4, 5.0), layout="constrained")[1]
    for trial in trials:
        known = [(x, name) for x, name in enumerate(names) if name in trial.params]
        heights = [_height(trial.params[name], trial.distributions[name]) for _, name in known]
        ax.plot([x for x, _ in known], heights, "o-", color=shades.to_rgba(trial.values[0]), lw=1.4, ms=4)
    for x, name in enumerate(names):
        ax.axvline(x, color=GREY, lw=1, zorder=0)
        distribution = next(trial.distributions[name] for trial in trials if name in trial.params)
        for height, text in _ticks(distribution):
            ax.annotate(
                text, (x, height), xytext=(-7, 0), textcoords="offset points", ha="right", va="center", fontsize=8.5,
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85}, zorder=5,
            )  # fmt: skip
    ax.set_xticks(range(len(names)), names)
    ax.tick_params(axis="x", length=0)
    ax.set(yticks=[], ylim=(-0.05, 1.05), xlim=(-0.55, len(names) - 0.85))
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.figure.colorbar(shades, ax=ax, pad=0.02, aspect=30).set_label(objective)
    return ax


def _height(value: Any, distribution: BaseDistribution) -> float:
    """Where on its axis a value lies, from 0 to 1."""
    if isinstance(distribution, CategoricalDistribution):
        return _place(distribution.choices.index(value), len(distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)  # Optuna has no others
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        low, high, value = np.log(low), np.log(high), np.log(value)
    return float((value - low) / (high - low))


def _place(index: int, count: int) -> float:
    """Choices at even distances, away from the ends, where lines of other axes arrive."""
    return (index + 0.5) / count


def _ticks(distribution: BaseDistribution) -> list[tuple[float, str]]:
    if isinstance(distribution, CategoricalDistribution):
        return [(_place(k, len(distribution.choices)), str(choice)) for k, choice in enumerate(distribution.choices)]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = float(distribution.low), float(distribution.high)
    values = np.geomspace(low, high, 5) if distribution.log else np.linspace(low, high, 5)
    return [(_height(value, distribution), f"{value:.2g}") for value in values]
