"""The report of an experiment: one HTML file with everything in it, to be read, printed or sent as it is."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import verdict_figures as figures
from analysis.page import Facts, Picture, Section, Table, Text, render
from analysis.verdict_record import Comparison, Verdict
from analysis.verdict_text import SIMULATED, decimals, difference, label, p_text, sign_flip_text, spread
from figures.scalp import topomap_figure
from measures.names import ACCURACY, known
from measures.topography import Topography, chance_abs_r
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
        topographies: scalp maps of the training subjects' band features; none where the input is raw.
        command: what made the runs.
    """
    treated = [run for run in runs if (run.loss, run.weight) == (verdict.loss, verdict.weight)]
    baseline = [run for run in runs if run not in treated]
    arms = [sorted(arm, key=lambda run: run.seed) for arm in (baseline, treated)]
    if any(tuple(run.seed for run in arm) != verdict.seeds for arm in arms):
        raise ValueError(f"the runs are not those of the verdict: it has seeds {verdict.seeds} in both arms")
    if {run.result["axis"] for run in runs} != {axis.fingerprint}:
        used = sorted({str(run.result["axis"]) for run in runs})
        raise ValueError(f"the runs used axis {used}, this one is {axis.fingerprint}; give the axis of the runs")
    sections = [
        _numbers(verdict),
        *_curves(*arms, verdict=verdict),
        *_gradient(*arms, verdict=verdict),
        *(_scalp(topography) for topography in topographies or ()),
        _axis(axis),
        _seeds(*arms),
        _reproduce(arms, command=command),
    ]
    page = render(title=f"{verdict.loss} on {verdict.dataset}", **_headline(verdict), sections=sections)
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(path)


def _headline(verdict: Verdict) -> dict[str, Any]:
    """What stands above the sections."""
    d, what = verdict.paired, f"{verdict.dataset}, {verdict.features}, {verdict.epochs} epochs"
    against = f"{d.n} paired seeds against {verdict.baseline_loss}"
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
        f"p = {sign_flip_text(verdict)}."
    )
    return {
        "banner": SIMULATED if verdict.simulated else "",
        "kicker": f"{what}; {against}",
        "judgement": verdict.judgement,
        "sentence": verdict.sentence,
        "paragraphs": [test, meaning] if meaning else [test],
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
    return Section(title="Numbers", blocks=[Table(head=head, rows=rows, caption=caption)])


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


def _curves(baseline: list[Run], treated: list[Run], *, verdict: Verdict) -> list[Section]:
    forest = (
        "Each dot is one seed, the diamond their mean with its 95 % t interval. The strategy helps or hurts when the "
        "interval leaves the line at 0. The band reaches to the smallest true effect that this number of seeds, with "
        "this spread, detects in four of five experiments."
    )
    recall = "Large dots: mean recall of a class over seeds; small dots: seeds. Dotted: chance."
    curves = (
        "Validation subjects; thin lines are seeds, thick ones their mean. Dotted: chance. Dashed: the 95th percentile "
        "of what permuted positions score on the same features; a curve below it is no evidence of alignment. The "
        "checkpoint of each run is chosen by its validation accuracy, not always the last."
    )
    helped = [
        Picture.of(figures.delta_forest(verdict), forest, alt="differences by seed"),
        Picture.of(figures.recall_dumbbell(baseline, treated), recall, alt="recall by class"),
    ]
    training = Picture.of(figures.training_curves(baseline, treated), curves, alt="training curves")
    return [Section(title="Did it help?", blocks=helped), Section(title="Training", blocks=[training])]


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
        [f"{g.source} loss, {g.arm}", *(f"{x:.3f}" for x in (g.feature_share, g.feature_chance)),
         *(f"{x:.3f}" for x in (g.sample_share, g.sample_chance))]
        for g in verdict.gradients
    ]  # fmt: skip
    below = [Table(head=head, rows=rows, kind="even")] if rows else []
    drawn = Picture.of(figure, caption, alt="gradient shares")
    return [Section(title="Where the gradient points", blocks=[drawn, *below])]


def _scalp(topography: Topography) -> Section:
    maps = dict(zip(topography.bands, topography.r.T, strict=True))
    caption = (
        f"{topography.title}. Pearson r over {topography.stimuli} stimuli; all maps share one scale. Features without "
        f"any relation to the axis give |r| = {chance_abs_r(topography.stimuli):.3f} on average, so look for patterns "
        "clearly above that. Neighbouring electrodes are not independent."
    )
    figure = topomap_figure(maps, channels=topography.channels)
    drawn = Picture.of(figure, caption, alt="scalp maps of r with the axis by band")
    return Section(title="On the scalp", blocks=[drawn])


def _axis(axis: Axis) -> Section:
    origin = axis.provenance
    model = str(origin.get("model") or "none: the positions were drawn")
    known = {
        "language model": model,
        "separation": f"{axis.separation:+.2f} (correlation of the class positions with nominal valence)",
        "explained variance": f"{axis.explained_variance:.2f} of the variance between class centroids",
        f"{axis.classes.joy} positive": "yes" if axis.joy_is_positive else "NO: treat the sign with care",
        "positions": ", ".join(sorted(axis.positions)),
        "fingerprint": axis.fingerprint,
    }
    caption = "Class positions on the axis. Blue: classes of positive valence, grey: neutral, orange: negative."
    drawn = Picture.of(figures.class_positions(axis), caption, alt="class positions on the axis")
    return Section(title="The axis", blocks=[drawn, Facts(facts=known), _axis_nulls(origin.get("nulls") or {})])


def _axis_nulls(nulls: dict[str, dict[str, dict[str, float]]]) -> Table | Text:
    """Table of the nulls that extraction leaves in the provenance."""
    rows = [
        [f"{null} texts: {statistic}", f"{row['value']:.2f}", f"{row['median']:.2f}", f"{row['p95']:.2f}",
         f"{row['reached']:.0%}"]
        for null, statistics in nulls.items()
        for statistic, row in statistics.items()
        if statistic != "cosine"
    ]  # fmt: skip
    if not rows:
        return Text(text="The axis file carries no nulls of its own.", soft=True)
    caption = (
        "Axes made in the same way from texts without the emotion: nonce sentences, everyday and neutral texts. "
        "Rated is the correlation with human ratings of clips that no axis was made from, the fairer comparison."
    )
    head = ("null", "this axis", "null median", "null 95 %", "draws that reach it")
    return Table(head=head, rows=rows, caption=caption, kind="even")


def _seeds(baseline: list[Run], treated: list[Run]) -> Section:
    rows = []
    for a, b in zip(baseline, treated, strict=True):
        x, y = a.score("balanced_accuracy"), b.score("balanced_accuracy")
        epochs = [str(run.result.get("best_epoch", "")) for run in (a, b)]
        minutes = [f"{run.result['wall_seconds'] / 60:.1f}" if "wall_seconds" in run.result else "" for run in (a, b)]
        rows.append([str(a.seed), f"{x:.4f}", f"{y:.4f}", f"{y - x:+.4f}", " / ".join(epochs), " / ".join(minutes)])
    head = ("seed", "without", "with", "difference", "best epoch", "minutes")
    caption = "Test balanced accuracy of the checkpoint with the best validation accuracy; epochs count from 0."
    return Section(title="Seeds", blocks=[Table(head=head, rows=rows, caption=caption, kind="even")])


def _reproduce(arms: list[list[Run]], *, command: str | None) -> Section:
    runs = [run for arm in arms for run in arm]

    def every(read: Callable[[Run], Any]) -> str:
        values = dict.fromkeys(json.dumps(read(run), sort_keys=True) for run in runs)
        return ", ".join(value.strip('"') for value in values)

    known = {
        "commit": every(lambda run: run.result["code"].get("commit")),
        "uncommitted changes": every(lambda run: run.result["code"].get("dirty")),
        "data": every(lambda run: run.result["data"]),
        "axis": every(lambda run: run.result["axis"]),
        "device": every(lambda run: f"{run.result.get('world_size')} x {run.result.get('device')}"),
        "versions": every(lambda run: " ".join(f"{k} {v}" for k, v in sorted(run.result["versions"].items()))),
        "runs without": ", ".join(str(run.path) for run in arms[0]),
        "runs with": ", ".join(str(run.path) for run in arms[1]),
    }
    shown = [Text(text=command, command=True)] if command else []
    return Section(title="How to reproduce", blocks=[*shown, Facts(facts=known)])
