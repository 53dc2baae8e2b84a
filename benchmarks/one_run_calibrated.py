"""One calibrated run against ten plain ones in many worlds, by hand: the curve over unlabelled clips.

``python -m benchmarks.one_run_calibrated [--worlds default,shifts] [--cohorts 0,1,2] [--out DIR]`` trains ten plain
networks and some on centred people in the loop of ``band_decoders`` and calibrates them in the ways of ``python -m
analysis calibrated --ways``, which does the same with finished runs. Transductive, and everything is simulated.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.calibrated import Cohort, Point, population
from analysis.calibrated_ways import STREAM, WAYS, curves, picture, streams
from analysis.canvas import png
from benchmarks.band_decoders import CLASS_OF, WINDOWS, Fitted, Trials, draw, fitted
from benchmarks.one_run import EPOCHS, dials
from datamodules.simulation.faced_files import faced_cohort
from datamodules.simulation.truth import planted_axis
from paper import one_run_plan as plan
from paper.one_run_scores import over_people
from records.files import atomic
from vaxis.emotions import FACED

COUNTS = (1, 2, 4, 8, 16)
TRIALS = len(CLASS_OF) * WINDOWS
NAMES = ("alone", "vote", "plain_alone", "plain_vote")


def members(found: Fitted, *, mean: Tensor, spread: Tensor) -> list[Any]:
    """Each network as the analysis takes a run: from entropies as they are to probabilities."""

    def run(k: int) -> SimpleNamespace:
        def predict(x: Tensor) -> SimpleNamespace:
            own = found.predict((x.float() - mean) / spread, slice(k, k + 1))[0]
            return SimpleNamespace(probabilities=own.numpy())

        return SimpleNamespace(predict=predict, contents=SimpleNamespace(statistics={}))

    return [run(k) for k in range(len(found.test))]


def cohort(world: str, number: int, *, draws: int, centred: int) -> dict[str, list[Point]]:
    """Every curve of one cohort: plain runs calibrated, and runs that were trained on centred people."""
    snr, dialled = dials(plan.worlds()[world][1])
    simulated = faced_cohort(planted_axis(FACED, seed=number), snr=snr, seed=number, world=dialled)
    train, val, test = draw(simulated, scaled=False)
    mean, spread = train.x.mean(dim=0), train.x.std(dim=0)
    plain = fitted(_scaled((train, val, test), mean, spread), seeds=range(10), epochs=EPOCHS)
    own = [_centred(part) for part in (train, val, test)]
    within = own[0].x.std(dim=0)
    taught = fitted(_scaled(own, torch.zeros(()), within), seeds=range(centred), epochs=EPOCHS)
    subjects = [np.arange(len(part.y)) // TRIALS for part in (train, test)]
    known = population(train.x.double().flatten(1).numpy(), subjects[0], train.clip.numpy())
    people = Cohort(
        x=test.x.numpy(),
        y=test.y.numpy(),
        subject=subjects[1],
        stimulus=test.clip.numpy(),
        population=known,
        n_classes=9,
    )
    runs = members(plain, mean=mean, spread=spread)
    # Calibration has moved everyone to the mean of the training people, where a centred network's zero lies.
    centre = torch.tensor(known.mean, dtype=torch.float32).view(32, 5)
    others = members(taught, mean=centre, spread=within)
    found = curves(runs, runs, people, COUNTS, draws=draws)
    found |= {
        f"trained centred: {way}": points for way, points in curves(others, runs, people, COUNTS, draws=draws).items()
    }
    return found | {way: [point] for way, point in streams(runs, runs, people, draws=draws).items()}


def _scaled(parts: Sequence[Trials], mean: Tensor, spread: Tensor) -> tuple[Trials, Trials, Trials]:
    train, val, test = (part._replace(x=(part.x - mean) / spread) for part in parts)
    return train, val, test


def _centred(part: Trials) -> Trials:
    x = part.x.unflatten(0, (-1, TRIALS))
    return part._replace(x=(x - x.mean(dim=1, keepdim=True)).flatten(0, 1))


def saved(file: Path, make: Any) -> dict[str, list[Point]]:
    """Curves from their file, which is made where it is missing."""
    if not file.exists():
        found = make()
        arrays = {
            f"{way}|{p.clips}|{name}": getattr(p, name) for way, ps in found.items() for p in ps for name in NAMES
        }
        with atomic(file) as partial, open(partial, "wb") as handle:
            np.savez(handle, **arrays)
    curve: dict[str, dict[int, dict[str, np.ndarray]]] = {}
    with np.load(file) as kept:
        for key in kept:
            way, clips, name = key.split("|")
            curve.setdefault(way, {}).setdefault(int(clips), {})[name] = kept[key]
    return {way: [Point(clips=n, **values) for n, values in own.items()] for way, own in curve.items()}


def table(world: str, cohorts: dict[int, dict[str, list[Point]]]) -> list[str]:
    """A row a way and number of clips: means over cohorts, and in how many one run is surely ahead of ten."""
    lines = [
        f"## {world}: {len(cohorts)} cohorts, calibrated",
        "",
        "| way | clips | one run | vote of its runs | ten plain, same trials | one run minus ten plain, by cohort |",
        "|---|---|---|---|---|---|",
    ]
    first = next(iter(cohorts.values()))
    for way, points in first.items():
        for place, point in enumerate(points):
            if way != "centre" and not point.clips and way not in STREAM:
                continue
            every = [found[way][place] for found in cohorts.values()]
            gaps = [over_people(p.alone.mean(axis=0) - p.plain_vote) for p in every]
            each = [f"{gap.value:+.3f}{'*' if gap.low > 0 else '-' if gap.high < 0 else ''}" for gap in gaps]
            name = (WAYS | STREAM).get(way, way)
            values = [np.mean([getattr(p, field).mean() for p in every]) for field in ("alone", "vote", "plain_vote")]
            clips = "" if way in STREAM else f"{point.clips}"
            lines.append(f"| {name} | {clips} | {' | '.join(f'{v:.3f}' for v in values)} | {', '.join(each)} |")
    return [*lines, "", *(_passing(way, cohorts) for way in first if way not in STREAM), ""]


def _passing(way: str, cohorts: dict[int, dict[str, list[Point]]]) -> str:
    """From which number of clips on one run passes ten, cohort by cohort."""
    words = []
    for number, found in cohorts.items():
        least = None
        for point in reversed([p for p in found[way] if p.clips]):
            if over_people(point.alone.mean(axis=0) - point.plain_vote).low <= 0:
                break
            least = point.clips
        words.append(f"{number}: {least if least else 'at none'}")
    label = (WAYS | STREAM).get(way, way)
    return f"- {label}: one run passes ten (interval over people above 0) from n = {', '.join(words)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cohorts; returns the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.one_run_calibrated", description=__doc__)
    parser.add_argument("--worlds", default=",".join(plan.worlds()))
    parser.add_argument("--cohorts", default="0,1,2")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--centred", type=int, default=3, help="networks trained on centred people")
    parser.add_argument("--out", type=Path, default=Path("runs/one_run_by_hand"))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    lines = ["SIMULATED data, and transductive: unlabelled trials of the test people are looked at.", ""]
    tables: dict[str, dict[int, dict[str, list[Point]]]] = {}
    for number in map(int, args.cohorts.split(",")):
        for world in args.worlds.split(","):
            file = args.out / f"{world}-{number}" / "calibrated.npz"
            make = lambda: cohort(world, number, draws=args.draws, centred=args.centred)  # noqa: E731, B023
            tables.setdefault(world, {})[number] = saved(file, make)
            print(f"{world} {number}: done", flush=True)
    for world, found in tables.items():
        lines += table(world, found)
        shown = {way: points for way, points in next(iter(found.values())).items() if way in WAYS}
        with atomic(args.out / f"calibrated-{world}.png") as partial:
            partial.write_bytes(png(picture(shown, simulated=True)))
    with atomic(args.out / "calibrated.md") as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
