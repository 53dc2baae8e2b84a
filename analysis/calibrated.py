"""How much do a few unlabelled clips of a new person gain, and when does one run pass the vote of all? Transductive.

    python -m analysis calibrated RUN... [--clips 2,4,8,16] [--draws 10] [--ways] [--out DIR]

Trained runs on band features are opened again. Of each test person n random clips are taken without their labels; the
mean of their features, less that of the training people, is subtracted from the person's trials. Runs that were trained
on people centred in this way (``--data.normalise subject``) are calibrated where there are any, the others else; the
plain vote beside them is that of the runs that were not. All are scored on the trials of the other clips. Nothing is
trained. Because test data are looked at, these numbers stand beside other calibrated ones and not beside a plain
decoder's.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.base import Findings, Number
from measures.calibration import Population
from measures.people import person_scores

if TYPE_CHECKING:
    from command_line.reopen import OpenRun


DEFAULT = "2,4,8,16"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the analysis."""
    parser.add_argument(
        "--clips", help="numbers of unlabelled clips (default: those of 2,4,8,16 that leave some to score)"
    )
    parser.add_argument("--draws", type=int, default=10, help="random choices of the clips (default: 10)")
    parser.add_argument("--ways", action="store_true", help="other ways of calibrating, the curve and its picture, too")


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Band features and ids of the people that some runs are tested on.

    Attributes:
        x: (n, C, bands) as in the files.
        y: (n,) classes.
        subject: (n,) people.
        stimulus: (n,) clips.
        population: baselines of the training people.
        n_classes: K.
    """

    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    stimulus: np.ndarray
    population: Population
    n_classes: int


@dataclass(frozen=True, kw_only=True)
class Point:
    """Scores with n clips of each person, (R, P): every run alone, and (P,) their vote.

    Attributes:
        clips: n; 0 stands for no clip.
        alone: balanced accuracy of a calibrated run and person.
        vote: of all calibrated runs.
        plain_alone: of the plain runs on the same trials, without calibration.
        plain_vote: of all plain runs.
    """

    clips: int
    alone: np.ndarray
    vote: np.ndarray
    plain_alone: np.ndarray
    plain_vote: np.ndarray


def main(args: argparse.Namespace) -> Findings:
    """Open the runs and draw the curve over the number of clips.

    Raises:
        ValueError: runs on raw signals, or whose features are already centred on the person; or wrong numbers.
    """
    from analysis.gather import gather
    from command_line.reopen import open_run

    found = gather(args.runs)
    counts = _counts(DEFAULT if args.clips is None else args.clips)
    opened = [open_run(run.path, device="cpu") for run in found.runs]
    cohort = _cohort(opened[0])
    plain = [run for run in opened if not _centred(run)]
    if not plain:
        raise ValueError("every run was trained on centred people; name plain runs, too (--data.normalise train)")
    taught = [run for run in opened if _centred(run)] or plain
    for run in found.runs:
        if run.result["data"] != found.runs[0].result["data"]:
            raise ValueError(f"{run.path} is on other data than {found.runs[0].path}; name runs of the same data")
    there = len(np.unique(cohort.stimulus))
    if args.clips is None:
        counts = tuple(n for n in counts if n < there)
    if max(counts) >= there:
        raise ValueError(f"--clips {args.clips}: some clips must be left to score; there are {there}")
    points = [curve_point(taught, plain, cohort, n, draws=args.draws, shrink=True) for n in counts]
    raw = [curve_point(taught, plain, cohort, n, draws=args.draws, shrink=False) for n in counts]
    numbers = {f"{name}_{p.clips}": value for p in points for name, value in _numbers(p, found.simulated).items()}
    numbers |= {f"unshrunk_{p.clips}": _numbers(p, found.simulated)["gain_alone"] for p in raw}
    detail: dict[str, Any] = {
        "calibrated_runs": len(taught),
        "plain_runs": len(plain),
        "trained_centred": taught is not plain,
    }
    text = _text(points, raw, found.simulated, **detail)
    if args.ways:
        from analysis.calibrated_ways import further

        more, beside = further(taught, plain, cohort, counts, draws=args.draws, out=args.out, simulated=found.simulated)
        text, numbers = f"{text}\n\n{more}", numbers | beside
    about = {"dataset": found.runs[0].result["dataset"]}
    return Findings(text=text, numbers=numbers, detail=about | detail)


def curve_point(
    taught: "Sequence[OpenRun]", plain_runs: "Sequence[OpenRun]", cohort: Cohort, n: int, *, draws: int, shrink: bool
) -> Point:
    """Scores with n unlabelled clips of each person, mean over random choices of them.

    Args:
        taught: runs to calibrate.
        plain_runs: those beside them.
        cohort: test people.
        n: clips.
        draws: choices.
        shrink: trust few clips less.
    """
    plain = np.stack([probabilities_of(run, cohort.x, cohort.population) for run in plain_runs])
    people, rng = np.unique(cohort.subject), np.random.default_rng(n)
    sums: dict[str, list[np.ndarray]] = {"alone": [], "vote": [], "plain_alone": [], "plain_vote": []}
    for _ in range(draws):
        x, kept = cohort.x.copy(), np.ones(len(cohort.y), dtype=bool)
        for person in people:
            own = np.flatnonzero(cohort.subject == person)
            chosen = rng.choice(np.unique(cohort.stimulus[own]), n, replace=False)
            clips = np.stack([x[own][cohort.stimulus[own] == c].mean(axis=0).ravel() for c in chosen])
            x[own] -= cohort.population.shift(clips, shrink=shrink).reshape(x.shape[1:])
            kept[own] = ~np.isin(cohort.stimulus[own], chosen)
        calibrated = np.stack([probabilities_of(run, x, cohort.population) for run in taught])
        for name, p in (("", calibrated), ("plain_", plain)):
            sums[f"{name}alone"].append(np.stack([scores(own, cohort, kept) for own in p]))
            sums[f"{name}vote"].append(scores(p.mean(axis=0), cohort, kept))
    return Point(clips=n, **{name: np.mean(values, axis=0) for name, values in sums.items()})


def scores(probabilities: np.ndarray, cohort: Cohort, kept: np.ndarray) -> np.ndarray:
    """(P,) balanced accuracy of each person on the trials that are kept."""
    called = probabilities.argmax(axis=1)[kept]
    return np.array(
        list(person_scores(cohort.y[kept], called, cohort.subject[kept], n_classes=cohort.n_classes).values())
    )


def _centred(run: "OpenRun") -> bool:
    return run.contents.statistics.get("normalise") == "subject"


def probabilities_of(run: "OpenRun", x: np.ndarray, population: Population) -> np.ndarray:
    """(n, K) of trials as they lie in the files, or with a person's shift taken off."""
    import torch

    if not _centred(run):
        return run.predict(torch.from_numpy(x)).probabilities
    # Trained on z-scores within each person: the shift has moved everyone to the mean of the training people, and a few
    # clips say nothing of a spread, so theirs serves.
    z = (x.reshape(len(x), -1) - population.mean) / population.spread
    with torch.inference_mode(), run.precision.forward_context():
        logits = run.decoder(run.precision.convert_input(torch.from_numpy(z.reshape(x.shape).astype(np.float32))))
    return logits.float().softmax(dim=1).numpy()


def _cohort(run: "OpenRun") -> Cohort:
    """Test people, and the baselines of the training people, as they lie in the files."""
    data = getattr(run.data, "target", run.data)
    if data.features == "raw":
        raise ValueError("calibrated centres band features; raw signals have no level to centre (--data.features de)")
    data.prepare_data()
    data.setup("predict")
    trials, test, train = data.store.trials, data.indices["test"], data.indices["train"]
    x = np.asarray(data.store.x[train], dtype=np.float64).reshape(len(train), -1)
    return Cohort(
        x=np.asarray(data.store.x[test], dtype=np.float32),
        y=trials.y[test],
        subject=trials.subject[test],
        stimulus=trials.stimulus[test],
        population=population(x, trials.subject[train], trials.stimulus[train]),
        n_classes=len(data.spec.classes),
    )


def population(x: np.ndarray, subject: np.ndarray, stimulus: np.ndarray) -> Population:
    """Of training people with trials x (n, F)."""
    _, person = np.unique(subject, return_inverse=True)
    means = np.zeros((person.max() + 1, x.shape[1]))
    np.add.at(means, person, x)
    about = x - (means / np.bincount(person)[:, None])[person]
    return Population.of(
        clip_means(x, subject, stimulus),
        spread=np.sqrt((about**2).mean(axis=0)),
        covariance=about.T @ about / len(about),
    )


def clip_means(x: np.ndarray, subject: np.ndarray, stimulus: np.ndarray) -> np.ndarray:
    """(P, S, F) mean of each person's windows of each clip; NaN where there are none."""
    people, person = np.unique(subject, return_inverse=True)
    clips, clip = np.unique(stimulus, return_inverse=True)
    sums, counts = np.zeros((len(people), len(clips), x.shape[1])), np.zeros((len(people), len(clips)))
    np.add.at(sums, (person, clip), x)
    np.add.at(counts, (person, clip), 1)
    return sums / np.where(counts > 0, counts, np.nan)[..., None]


def _numbers(point: Point, simulated: bool) -> dict[str, Number]:
    """Gains with their intervals over people."""
    plain_vote, one = point.plain_vote, point.alone.mean(axis=0)
    pairs = {
        "gain_alone": one - point.plain_alone.mean(axis=0),
        "gain_vote": point.vote - plain_vote,
        "one_minus_plain_vote": one - plain_vote,
    }
    return {name: over_people(values, simulated=simulated) for name, values in pairs.items()}


def over_people(values: np.ndarray, *, simulated: bool) -> Number:
    """Mean of one value a person, with Student's interval and p against 0."""
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else float("nan")
    mean = float(values.mean())
    p = float(stats.ttest_1samp(values, 0).pvalue) if len(values) > 1 else None
    return Number(value=mean, n=len(values), simulated=simulated, interval=(mean - half, mean + half), p_value=p)


def _text(
    points: Sequence[Point],
    raw: Sequence[Point],
    simulated: bool,
    *,
    calibrated_runs: int,
    plain_runs: int,
    trained_centred: bool,
) -> str:
    lines = ["SIMULATED data: this checks the machinery and says nothing about brains."] if simulated else []
    how = "trained on centred people" if trained_centred else "trained plainly"
    lines += [
        f"Centred on n unlabelled clips of each of {points[0].vote.size} test people. Transductive.",
        f"Calibrated: {calibrated_runs} runs, {how}; beside them {plain_runs} plain runs on the same trials.",
        f"{'clips':>5}{'plain run':>11}{'calibrated':>12}  {'gain [95 % over people]':<27}{'unshrunk':>9}"
        f"{f'vote of {plain_runs}':>12}{f'cal. vote of {calibrated_runs}':>17}  calibrated run minus plain vote",
    ]
    passed = 0
    for point, other in zip(points, raw):
        found = _numbers(point, simulated)
        gain, ahead = found["gain_alone"], found["one_minus_plain_vote"]
        passed = passed or (point.clips if ahead.interval and ahead.interval[0] > 0 else 0)
        lines.append(
            f"{point.clips:>5}{point.plain_alone.mean():>11.3f}{point.alone.mean():>12.3f}  {span(gain):<27}"
            f"{_numbers(other, simulated)['gain_alone'].value:>+9.3f}{point.plain_vote.mean():>12.3f}"
            f"{point.vote.mean():>17.3f}  {span(ahead)}"
        )
    ending = f"from {passed} clips on" if passed else "at none of these numbers of clips"
    lines.append(f"One calibrated run passes the plain vote of {plain_runs} (interval above 0) {ending}.")
    return "\n".join(lines)


def span(number: Number) -> str:
    low, high = number.interval or (float("nan"), float("nan"))
    return f"{number.value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _counts(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(word) for word in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1 or len(set(counts)) < len(counts):
        raise ValueError(f"--clips takes different whole numbers from 1 on, separated by commas, got '{text}'")
    return counts
