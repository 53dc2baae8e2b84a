"""The report of an experiment: one HTML file with everything in it, to be read, printed or sent as it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import report_beside as beside
from analysis import verdict_figures as figures
from analysis.arms import strategy
from analysis.comparison import Comparison
from analysis.page import Picture, Section, Table, Text, render
from analysis.report_axis import axis_section, scalp
from analysis.report_reproduce import reproduce
from analysis.verdict_record import Verdict
from analysis.verdict_sentence import because
from analysis.verdict_text import (
    SIMULATED,
    decimals,
    difference,
    equivalence_text,
    label,
    p_text,
    residual_text,
    sign_flip_text,
    spread,
)
from measures.names import ACCURACY, known
from measures.outcome import MARGIN
from measures.topography import Topography
from records.files import atomic
from records.run import Run
from vaxis.axis import Axis


def write_report(
    path: str | Path,
    *,
    verdict: Verdict,
    runs: Sequence[Run],
    axis: Axis,
    topographies: Sequence[Topography] | None = None,
    command: str | None = None,
) -> Path:
    """Write the report of a verdict; returns its path.

    Args:
        path: the HTML file.
        verdict: of the runs.
        runs: both arms, in any order.
        axis: the axis that the runs were aligned with.
        topographies: scalp maps of the training subjects' band features and of both arms; none where there are none.
        command: what made the runs.
    """
    treated = [run for run in runs if strategy(run) == (verdict.loss, verdict.weight, verdict.control)]
    baseline = [run for run in runs if run not in treated]
    arms = [sorted(arm, key=lambda run: run.seed) for arm in (baseline, treated)]
    if any(tuple(run.seed for run in arm) != verdict.seeds for arm in arms):
        raise ValueError(f"the runs are not those of the verdict: it has seeds {verdict.seeds} in both arms")
    if {run.result["axis"] for run in runs} != {axis.fingerprint}:
        used = sorted({str(run.result["axis"]) for run in runs})
        raise ValueError(f"the runs used axis {used}, this one is {axis.fingerprint}; give the axis of the runs")
    sections = [
        *beside.controls(verdict),
        _numbers(verdict),
        *beside.simple_models(verdict),
        *beside.people(verdict),
        _classes(*arms),
        *beside.confused(verdict),
        *beside.lengths(verdict),
        *beside.new_clips(verdict),
        _training(*arms, verdict=verdict),
        *_gradient(*arms, verdict=verdict),
        *scalp(topographies or ()),
        axis_section(axis, source=_positions(runs)),
        _seeds(*arms),
        reproduce(arms, command=command),
    ]
    title = f"{verdict.loss} on {verdict.dataset}"
    page = render(title=title, lead=_forest(verdict), **_headline(verdict), sections=sections)
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(path)


def _positions(runs: Sequence[Run]) -> str | None:
    """The source of the stimulus positions that all runs took; None in runs that do not say it."""
    found = {run.result.get("positions") for run in runs}
    if len(found) > 1:
        raise ValueError(f"the runs took different positions of the axis, {sorted(map(str, found))}; compare like runs")
    return found.pop()


def _headline(verdict: Verdict) -> dict[str, Any]:
    """What stands above the sections: the answer, what it speaks for, what speaks against it, and the test."""
    d, what = verdict.paired, f"{verdict.dataset}, {verdict.features}, {verdict.epochs} epochs"
    meaning = ""
    if verdict.judgement == "unresolved" and np.isfinite(d.resolvable):
        meaning = (
            f"Unresolved is not the same as without effect: a true difference of {d.resolvable:.3f} would be missed "
            "by one such experiment in five, a smaller one more often."
        )
    test = (
        f"Test balanced accuracy {spread(verdict.accuracy.baseline)} without and {spread(verdict.accuracy.treated)} "
        f"with it (mean ± standard deviation over seeds; chance {verdict.chance:.3f}). Difference {d.mean:+.3f}, 95 % "
        f"interval {d.low:+.3f} to {d.high:+.3f}; paired t({d.n - 1}) = {d.t:.2f}, p = {p_text(d.p)}; exact sign-flip "
        f"p = {sign_flip_text(verdict)}; {equivalence_text(verdict)}."
    )
    said = (because(verdict), *verdict.scope)
    return {
        "banner": SIMULATED if verdict.simulated else "",
        "kicker": f"{what}; {d.n} paired seeds against {verdict.baseline_loss}",
        "judgement": verdict.judgement,
        "sentence": verdict.headline,
        "paragraphs": [text for text in said if text],
        "warnings": verdict.warnings,
        "details": [text for text in (test, meaning) if text],
        "notes": verdict.notes,
    }


def _numbers(verdict: Verdict) -> Section:
    head = ("test set", "without", "with", "difference [95 %]", "p", "null mean", "null 95 %", "above null")
    rows = [_row(c, chance=verdict.chance) for c in (verdict.accuracy, *verdict.others)]
    caption = (
        "The first row is the question; the others are exploratory, their p after Holm's correction over them. "
        "Alignment measures are not 0 for features that ignore the axis: the null columns say what the same features "
        "score against permuted positions, without / with the strategy. Above null counts runs beyond their own 95th "
        "percentile. The null of the accuracy is chance."
    )
    residual = residual_text(verdict)
    below = [Text(text=residual, soft=True)] if residual else []
    return Section(title="Numbers", blocks=[Table(head=head, rows=rows, caption=caption), *below])


def _row(c: Comparison, *, chance: float) -> list[str]:
    if c.paired is None:
        return [label(c), "not defined in any pair", *[""] * 6]
    d, n, places, guessing = c.paired, c.paired.n, decimals(c), known()[c.name].chance
    row = [label(c), spread(c.baseline, places=places), spread(c.treated, places=places), difference(c)]
    row += [p_text(d.p if c.name == ACCURACY.key else c.p_holm)]
    if c.null_mean and c.null_95 and c.above_null:
        pairs = [f"{a:.{places - 1}f} / {b:.{places - 1}f}" for a, b in (c.null_mean, c.null_95)]
        return [*row, *pairs, f"{c.above_null[0]} / {c.above_null[1]} of {n}"]
    return [*row, f"{chance:.3f}" if isinstance(guessing, str) else f"{guessing:g}", "", ""]


def _forest(verdict: Verdict) -> Picture:
    caption = (
        "Each dot is one seed, the diamond their mean with its 95 % interval: the strategy helps or hurts when that "
        "leaves the line at 0. The band reaches to the smallest true effect that so many seeds detect in four of five "
        "experiments."
    )
    return Picture.of(figures.delta_forest(verdict), caption, alt="differences by seed")


def _classes(baseline: list[Run], treated: list[Run]) -> Section:
    caption = "Large dots: mean recall of a class over seeds; small dots: seeds. Dotted: chance."
    drawn = Picture.of(figures.recall_dumbbell(baseline, treated), caption, alt="recall by class")
    return Section(title="Class by class", blocks=[drawn])


def _training(baseline: list[Run], treated: list[Run], *, verdict: Verdict) -> Section:
    caption = (
        "Validation subjects; thin lines are seeds, thick ones their mean. Dotted: chance. Dashed: the 95th percentile "
        "of what permuted positions score on the same features; a curve below it is no evidence of alignment. The "
        "checkpoint of each run is chosen by its validation accuracy, not always the last."
    )
    drawn = Picture.of(figures.training_curves(baseline, treated), caption, alt="training curves")
    rows = []
    for name, arm in verdict.training.items():
        for end in arm:
            best, rising = f"{end.best_epoch + 1} of {end.epochs}", "yes" if end.still_rising else "no"
            rows.append([f"{name}, seed {end.seed}", best, f"{end.rise:+.3f}", rising])
    means = [f"{np.mean([end.rise for end in arm]):+.3f} {name}" for name, arm in verdict.training.items() if arm]
    below = (
        f"Mean rise over the last quarter: {', '.join(means)}. "
        "Rise: of a straight line through the last quarter of the validation accuracy. Still rising: the best epoch "
        f"lies in that quarter and the line rises by {MARGIN:g} or more."
    )
    head = ("run", "best epoch", "rise at the end", "still rising")
    return Section(title="Training", blocks=[drawn, Table(head=head, rows=rows, caption=below, kind="even")])


def _gradient(baseline: list[Run], treated: list[Run], *, verdict: Verdict) -> list[Section]:
    figure = figures.gradient_shares(baseline, treated)
    if figure is None:
        return []
    caption = (
        "How much of each loss's gradient with respect to the features the class means account for. Left: the part "
        "within the directions in which class means differ, where the labels already pull. Right: the part that is the "
        "same for all trials of a class. Dotted: a gradient of random direction. The two need not agree. Only what "
        "is left over can teach the features something that the labels do not."
    )
    head = ("last epoch, mean over runs", "feature span", "chance", "equal within class", "chance")
    rows = [
        [g.label, *(f"{x:.3f}" for x in (g.feature_share, g.feature_chance)),
         *(f"{x:.3f}" for x in (g.sample_share, g.sample_chance))]
        for g in verdict.gradients
    ]  # fmt: skip
    below = [Table(head=head, rows=rows, kind="even")] if rows else []
    drawn = Picture.of(figure, caption, alt="gradient shares")
    return [Section(title="Where the gradient points", blocks=[drawn, *below])]


def _seeds(baseline: list[Run], treated: list[Run]) -> Section:
    rows = []
    for a, b in zip(baseline, treated, strict=True):
        x, y = a.score("balanced_accuracy"), b.score("balanced_accuracy")
        minutes = [f"{run.result['wall_seconds'] / 60:.1f}" if "wall_seconds" in run.result else "" for run in (a, b)]
        rows.append([str(a.seed), f"{x:.4f}", f"{y:.4f}", f"{y - x:+.4f}", " / ".join(minutes)])
    head = ("seed", "without", "with", "difference", "minutes")
    caption = "Test balanced accuracy of the checkpoint with the best validation accuracy; minutes without / with."
    return Section(title="Seeds", blocks=[Table(head=head, rows=rows, caption=caption, kind="even")])
