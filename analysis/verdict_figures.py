"""The pictures of a report. Every function takes finished runs or a verdict and returns a matplotlib figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.canvas import CHANCE as CHANCE
from analysis.canvas import GRID as GRID
from analysis.canvas import WITH as WITH
from analysis.canvas import WITHOUT as WITHOUT
from analysis.canvas import empty, sides, styled
from analysis.canvas import png as png
from analysis.verdict_record import Verdict
from measures.names import ACCURACY, with_null
from records.run import Run
from vaxis.axis import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = {"feature": "Within the span of the class means", "sample": "Equal for all trials of a class"}
# The accuracy and every measure with a null: name in metrics.csv -> title.
CURVES = {
    f"val/{ACCURACY.logged}": f"Validation {ACCURACY.label}",
    **{f"val/{row.logged}": row.title for row in with_null()},
}


@styled
def training_curves(baseline: Sequence[Run], treated: Sequence[Run]) -> "Figure":
    """Accuracy and alignment on validation subjects by epoch: thin lines are seeds, thick ones their mean."""
    shown = [name for name in CURVES if all(name in run.metrics for run in [*baseline, *treated])]
    if not shown:
        raise ValueError(f"none of {list(CURVES)} is in every metrics.csv: no curves to draw")
    rows = (len(shown) + 1) // 2
    figure, axes = empty(rows, 2, width=9, height=2.9 * rows)
    for name, ax in zip(shown, axes):
        for runs, colour, label in ((baseline, WITHOUT, "without"), (treated, WITH, "with")):
            _seeds(ax, [run.series(name) for run in runs], colour=colour, label=label)
            if all(f"{name}_null95" in run.metrics for run in runs):
                null = _mean([run.series(f"{name}_null95") for run in runs])
                ax.plot(_epochs(null), null, color=colour, ls="--", lw=1.2, label=f"null 95 %, {label}")
        if name == f"val/{ACCURACY.logged}":
            ax.axhline(treated[0].chance, color=CHANCE, ls=":", lw=1.5, label="chance")
        ax.set(title=CURVES[name])
        _epoch_axis(ax)
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    for ax in axes[len(shown) :]:
        ax.set_visible(False)
    return figure


@styled
def delta_forest(verdict: Verdict) -> "Figure":
    """Difference in test balanced accuracy of each seed, their mean with its 95 % interval, and what could be seen."""
    figure, (ax,) = empty(1, 1, width=5.4, height=0.28 * verdict.paired.n + 1.7)
    _forest(ax, verdict)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _forest(ax: "Axes", verdict: Verdict) -> None:
    d = verdict.paired
    if np.isfinite(d.resolvable):
        ax.axvspan(
            -d.resolvable, d.resolvable, color="#f0e442", alpha=0.28, lw=0, label="below the smallest resolvable effect"
        )
    ax.axvline(0, color="#444444", lw=1)
    rows = np.arange(d.n, 0, -1)
    ax.plot(d.deltas, rows, "o", color=WITHOUT, ms=6, label="one seed")
    low, high = verdict.judged.low, verdict.judged.high  # over several looks wider than the t interval
    error = [[d.mean - low], [high - d.mean]] if np.isfinite(low) else None
    ax.errorbar([d.mean], [0], xerr=error, fmt="D", color=WITH, ms=7, capsize=4, lw=2, label="mean, 95 % interval")
    ax.set_yticks([*rows, 0], [*(f"seed {seed}" for seed in verdict.seeds), "mean"])
    for row, value in zip([*rows, 0], [*d.deltas, d.mean]):
        weight = "bold" if row == 0 else "normal"
        ax.text(1.02, row, f"{value:+.3f}", transform=ax.get_yaxis_transform(), va="center", fontweight=weight)
    ax.set(xlabel="difference in test balanced accuracy (with - without)", ylim=(-0.7, d.n + 1.1))
    ax.grid(visible=False, axis="y")
    reach = 1.15 * np.nanmax(np.abs([*d.deltas, low, high, d.resolvable, 1e-3]))
    ax.set_xlim(-reach, reach)
    sides(ax)


@styled
def gradient_shares(baseline: Sequence[Run], treated: Sequence[Run]) -> "Figure | None":
    """Share of each loss's gradient in the class means over training, beside chance; None if no run logged it."""
    figure, axes = empty(1, 2, width=9, height=3.3)
    drawn = [_shares(ax, baseline, treated, kind=kind) for kind, ax in zip(SHARES, axes)]
    if not any(drawn):
        return None
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _shares(ax: "Axes", baseline: Sequence[Run], treated: Sequence[Run], *, kind: str) -> bool:
    chance = []
    for runs, source, colour, label in (
        (treated, "alignment", WITH, "alignment loss"),
        (treated, "task", "#009e73", "task loss, with"),
        (baseline, "task", WITHOUT, "task loss, without"),
    ):
        found = [run for run in runs if f"grad/{source}_{kind}_share" in run.metrics]
        if found and len(found) < len(runs):
            lost = next(run for run in runs if run not in found)
            raise ValueError(f"{lost.files.metrics} lacks grad/{source}_{kind}_share, which other runs of its arm have")
        if found:
            _seeds(ax, [r.series(f"grad/{source}_{kind}_share") for r in found], colour=colour, label=label)
            chance += [r.series(f"grad/{source}_{kind}_chance") for r in found]
    if chance:
        mean = _mean(chance)
        ax.plot(_epochs(mean), mean, color=CHANCE, ls=":", lw=1.5, label="chance")
    ax.set(title=SHARES[kind], ylim=(0, 1.02), ylabel="share of the squared gradient")
    _epoch_axis(ax)
    return bool(chance)


@styled
def overview(verdict: Verdict, baseline: Sequence[Run], treated: Sequence[Run]) -> "Figure":
    """The verdict in one picture: what each seed gained or lost, and where the gradients of the losses point."""
    figure, (left, right) = empty(1, 2, width=10, height=3.6)
    _forest(left, verdict)
    left.set_title("Simulated data: did it help?" if verdict.simulated else "Did it help?")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, -0.36), ncols=3, fontsize=7)
    if _shares(right, baseline, treated, kind="feature"):
        right.set_title("Gradient within the span of the class means")
        right.legend(loc="lower center", bbox_to_anchor=(0.5, -0.36), ncols=4, fontsize=7)
    else:
        right.set_visible(False)
    return figure


@styled
def recall_dumbbell(baseline: Sequence[Run], treated: Sequence[Run]) -> "Figure":
    """Test recall of each class without and with the strategy: small dots are seeds, large ones their mean."""
    classes = list(treated[0].score_by_class())
    figure, (ax,) = empty(1, 1, width=5.8, height=0.34 * len(classes) + 1.4)
    y = np.arange(len(classes))[::-1]
    arms = [np.array([list(run.score_by_class().values()) for run in runs]) for runs in (baseline, treated)]
    means = [_mean(list(arm)) for arm in arms]
    ax.hlines(y, means[0].tolist(), means[1].tolist(), color="#bbbbbb", lw=3, zorder=1)
    for arm, mean, colour, lift, label in zip(arms, means, (WITHOUT, WITH), (0.17, -0.17), ("without", "with")):
        ax.scatter(arm, np.broadcast_to(y + lift, arm.shape), s=9, color=colour, alpha=0.45, lw=0)
        ax.scatter(mean, y, s=60, color=colour, zorder=2, label=label)
    ax.axvline(treated[0].chance, color=CHANCE, ls=":", lw=1.5, label="chance")
    ax.set_yticks(y, classes)
    ax.set_xlabel("recall on test subjects")  # to the scale of its values: chance is among them
    ax.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def class_positions(axis: Axis, v: np.ndarray) -> "Figure":
    """Where training had the clips, (S,) in their standard deviations, and the means of their classes."""
    class_of = np.array(axis.classes.class_of)
    scores = np.array([v[class_of == k].mean() for k in range(len(axis.classes.classes))])
    order = np.argsort(scores)
    row = np.argsort(order)[class_of]
    colour = {-1: CHANCE, 0: WITHOUT, 1: WITH}
    figure, (ax,) = empty(1, 1, width=5.8, height=0.3 * len(order) + 1.6)
    names, valence = axis.classes.classes, axis.classes.valence
    bars = ax.barh([names[k] for k in order], scores[order], color=[colour[valence[k]] for k in order], height=0.7)
    for bar, score in zip(bars, scores[order]):
        bar.set_alpha(0.55)
        middle = bar.get_y() + bar.get_height() / 2
        ax.text(1.01, middle, f"{score:+.2f}", transform=ax.get_yaxis_transform(), va="center")
    ax.scatter(v, row, s=16, color="#222222", lw=0, zorder=3, label="clips")
    ax.legend(loc="lower right")
    ax.axvline(0, color="#444444", lw=1)
    ax.margins(x=0.12)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="position on the axis (standard deviations over the clips)")
    return figure


def _epoch_axis(ax: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("epoch")
    ax.set_xlim(left=0.5)  # the first epoch is 1; there is none of number 0
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _seeds(ax: "Axes", series: Sequence[np.ndarray], *, colour: str, label: str) -> None:
    for values in series:
        seen = np.isfinite(values)
        ax.plot(_epochs(values)[seen], values[seen], color=colour, lw=0.7, alpha=0.4)
    mean = _mean(series)
    seen = np.isfinite(mean)
    ax.plot(_epochs(mean)[seen], mean[seen], color=colour, lw=2.2, label=label, marker="o" if seen.sum() == 1 else None)


def _epochs(values: np.ndarray) -> np.ndarray:
    return np.arange(1, len(values) + 1)


def _mean(series: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over runs of what is finite; NaN where nothing is."""
    table = np.full((len(series), max(map(len, series))), np.nan)
    for row, values in zip(table, series):
        row[: len(values)] = values
    count = np.isfinite(table).sum(axis=0)
    return np.where(count > 0, np.nansum(table, axis=0) / np.maximum(count, 1), np.nan)
