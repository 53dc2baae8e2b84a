"""Ways to calibrate on unlabelled clips: the curve over their number, and where one run passes the vote of all."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.base import Number
from analysis.calibrated import Cohort, Point, over_people, probabilities_of, scores, span
from analysis.canvas import CHANCE, WITH, WITHOUT, empty, png, styled
from figures.style import GREEN, PINK, SKY
from measures.calibration import balanced_probabilities
from records.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from command_line.reopen import OpenRun

WAYS = {
    "centre": "mean of the clips, shrunk",
    "unshrunk": "mean of the clips",
    "scale": "mean and spread",
    "whiten": "mean and covariance",
}
STREAM = {
    "running": "mean of the stream so far",
    "sinkhorn": "class frequencies known",
    "both": "all clips, and class frequencies",
}
Runs = Sequence["OpenRun"]


def curves(
    taught: Runs, plain: Runs, cohort: Cohort, counts: Sequence[int], *, draws: int, ways: Sequence[str] = tuple(WAYS)
) -> dict[str, list[Point]]:
    """Every way on n clips of each person, mean over random choices; scored on the other clips.

    The last point of each curve has all clips and is scored on the same ones. 0 clips is the run as it is.

    Args:
        taught: runs to calibrate.
        plain: those beside them.
        cohort: test people.
        counts: numbers of clips.
        draws: choices.
        ways: which of them.
    """
    plain_p = np.stack([probabilities_of(run, cohort.x, cohort.population) for run in plain])
    clips = len(np.unique(cohort.stimulus))
    found: dict[str, list[Point]] = {}
    for way in ways:
        found[way] = [_uncalibrated(plain_p, cohort)]
        for n in (*counts, clips):
            found[way].append(_point(taught, plain_p, cohort, n, way=way, draws=1 if n == clips else draws))
    return found


def streams(taught: Runs, plain: Runs, cohort: Cohort, *, draws: int) -> dict[str, Point]:
    """Ways that have no number of clips: the running mean of a stream in random order, and known class frequencies."""
    plain_p = np.stack([probabilities_of(run, cohort.x, cohort.population) for run in plain])
    rng, runs = np.random.default_rng(0), []
    for _ in range(draws):
        x = cohort.x.copy()
        for own in _people(cohort):
            order = rng.permutation(np.unique(cohort.stimulus[own]))
            means = np.stack([cohort.x[own][cohort.stimulus[own] == c].mean(axis=0).ravel() for c in order])
            for k, clip in enumerate(order):
                rows = own[cohort.stimulus[own] == clip]
                x[rows] -= cohort.population.shift(means[: k + 1]).reshape(x.shape[1:])
        runs.append(np.stack([probabilities_of(run, x, cohort.population) for run in taught]))
    everyone = _calibrated(taught, cohort, len(np.unique(cohort.stimulus)), way="centre", rng=rng)[0]
    every = np.ones(len(cohort.y), dtype=bool)
    return {
        "running": _mean([_scored(p, plain_p, cohort, every, n=0) for p in runs]),
        "sinkhorn": _scored(_balanced(plain_p, cohort), plain_p, cohort, every, n=0),
        "both": _scored(_balanced(everyone, cohort), plain_p, cohort, every, n=0),
    }


def _people(cohort: Cohort) -> list[np.ndarray]:
    return [np.flatnonzero(cohort.subject == person) for person in np.unique(cohort.subject)]


def _calibrated(
    taught: Runs, cohort: Cohort, n: int, *, way: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(R, n, K) probabilities of calibrated trials, and a mask of the trials that were not looked at."""
    x, kept, population = cohort.x.astype(np.float64), np.ones(len(cohort.y), dtype=bool), cohort.population
    for own in _people(cohort):
        z = x[own].reshape(len(own), -1)
        chosen = rng.choice(np.unique(cohort.stimulus[own]), n, replace=False)
        seen = np.isin(cohort.stimulus[own], chosen)
        clips = np.stack([z[cohort.stimulus[own] == c].mean(axis=0) for c in chosen])
        shift = population.shift(clips, shrink=way != "unshrunk")
        if way == "scale":
            moved = population.scaled(z, z[seen], shift)
        elif way == "whiten":
            moved = population.whitened(z, z[seen], shift)
        else:
            moved = z - shift
        x[own], kept[own] = moved.reshape(len(own), *x.shape[1:]), ~seen
    return np.stack([probabilities_of(run, x.astype(np.float32), population) for run in taught]), kept


def _point(taught: Runs, plain: np.ndarray, cohort: Cohort, n: int, *, way: str, draws: int) -> Point:
    rng, found = np.random.default_rng(n), []
    for _ in range(draws):
        p, kept = _calibrated(taught, cohort, n, way=way, rng=rng)
        found.append(_scored(p, plain, cohort, kept if kept.any() else ~kept, n=n))
    return _mean(found)


def _uncalibrated(plain: np.ndarray, cohort: Cohort) -> Point:
    return _scored(plain, plain, cohort, np.ones(len(cohort.y), dtype=bool), n=0)


def _scored(p: np.ndarray, plain: np.ndarray, cohort: Cohort, kept: np.ndarray, *, n: int) -> Point:
    alone, plain_alone = (np.stack([scores(one, cohort, kept) for one in each]) for each in (p, plain))
    vote, plain_vote = (scores(each.mean(axis=0), cohort, kept) for each in (p, plain))
    return Point(clips=n, alone=alone, vote=vote, plain_alone=plain_alone, plain_vote=plain_vote)


def _mean(points: Sequence[Point]) -> Point:
    names = ("alone", "vote", "plain_alone", "plain_vote")
    return Point(clips=points[0].clips, **{k: np.mean([getattr(p, k) for p in points], axis=0) for k in names})


def _balanced(p: np.ndarray, cohort: Cohort) -> np.ndarray:
    """Probabilities with each person's class frequencies, which follow from the clips that were played."""
    out = p.astype(np.float64)
    for own in _people(cohort):
        shares = np.bincount(cohort.y[own], minlength=cohort.n_classes) / len(own)
        for run in out:
            run[own] = balanced_probabilities(run[own], shares)
    return out


def further(
    taught: Runs,
    plain: Runs,
    cohort: Cohort,
    counts: Sequence[int],
    *,
    draws: int,
    out: Path | None,
    simulated: bool,
) -> tuple[str, dict[str, Number]]:
    """The curves as text and numbers; with ``out`` also ``calibrated.png`` there."""
    found = curves(taught, plain, cohort, counts, draws=draws)
    stream = streams(taught, plain, cohort, draws=draws)
    if out:
        with atomic(out / "calibrated.png") as partial:
            partial.write_bytes(png(picture(found, simulated=simulated)))
    numbers = {}
    for way, points in [*found.items(), *((name, [point]) for name, point in stream.items())]:
        for point in points:
            difference = over_people(point.alone.mean(axis=0) - point.plain_vote, simulated=simulated)
            numbers[f"{way}_minus_plain_vote_{point.clips}"] = difference
            both = over_people(point.vote - point.plain_vote, simulated=simulated)
            numbers[f"{way}_vote_minus_plain_vote_{point.clips}"] = both
    return _text(found, stream, numbers, plain=len(plain), taught=len(taught)), numbers


def _text(
    found: dict[str, list[Point]],
    stream: dict[str, Point],
    numbers: dict[str, Number],
    *,
    plain: int,
    taught: int,
) -> str:
    """A line a way and number of clips, and for each way the number from which one run passes the vote."""
    lines = [
        f"One calibrated run beside the vote of {plain} plain and of {taught} calibrated ones; transductive.",
        f"{'way':<34}{'clips':>6}{'one run':>9}{f'vote of {taught}':>11}{f'plain {plain}':>10}  one run minus plain",
    ]
    for name, points in [*found.items(), *((name, [point]) for name, point in stream.items())]:
        for point in points if name == "centre" else [p for p in points if p.clips or name in stream]:
            clips = "-" if name in stream else str(point.clips)
            lines.append(
                f"{(WAYS | STREAM)[name]:<34}{clips:>6}{point.alone.mean():>9.3f}{point.vote.mean():>11.3f}"
                f"{point.plain_vote.mean():>10.3f}  {span(numbers[f'{name}_minus_plain_vote_{point.clips}'])}"
            )
    for name, points in found.items():
        lines.append(f"{WAYS[name]}: {_passes(points, numbers, name, plain=plain)}")
    return "\n".join(lines)


def _passes(points: Sequence[Point], numbers: dict[str, Number], name: str, *, plain: int) -> str:
    """The least number of clips from which on every interval lies above the vote."""
    passing = None
    for point in reversed([p for p in points if p.clips]):
        interval = numbers[f"{name}_minus_plain_vote_{point.clips}"].interval
        if interval is None or not interval[0] > 0:
            break
        passing = point.clips
    where = f"from {passing} clips on" if passing else "at no number of clips that was tried"
    return f"one run passes the vote of {plain} plain ones (interval above 0) {where}"


@styled
def picture(found: dict[str, list[Point]], *, simulated: bool) -> "Figure":
    """Accuracy over the number of clips: one calibrated run in each way, the vote of calibrated and of plain runs."""
    figure, (ax,) = empty(1, 1, width=7, height=4)
    ticks = [point.clips for point in found["centre"]]
    for (way, points), colour in zip(found.items(), (WITH, SKY, GREEN, PINK)):
        values = [point.alone.mean() for point in points]
        ax.plot(range(len(points)), values, "o-", color=colour, label=f"one run: {WAYS[way]}", markersize=4)
    centre = found["centre"]
    for name, text, colour in (
        ("vote", "vote of the same runs, calibrated", WITH),
        ("plain_vote", "plain vote", WITHOUT),
    ):
        values = [getattr(point, name).mean() for point in centre]
        ax.plot(range(len(centre)), values, "--", color=colour, label=text)
    ahead = [point.alone.mean(axis=0) - point.plain_vote for point in centre]
    half = np.array([1.96 * d.std(ddof=1) / len(d) ** 0.5 for d in ahead])
    mean = np.array([point.alone.mean() for point in centre])
    ax.fill_between(range(len(centre)), mean - half, mean + half, color=WITH, alpha=0.12, linewidth=0)
    ax.plot(range(len(centre)), [p.plain_alone.mean() for p in centre], ":", color=CHANCE, label="one plain run")
    ax.set_xticks(range(len(ticks)), [str(n) for n in ticks])
    ax.set_xlabel("unlabelled clips of the new person (the last: all, scored on the same)")
    ax.set_ylabel("balanced accuracy on the other clips")
    ax.set_title("Simulated: calibrated on a few clips" if simulated else "Calibrated on a few clips")
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
    return figure
