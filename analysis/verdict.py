"""Did a strategy help? Two folders of finished runs, without it and with it, paired by seed.

    python -m analysis verdict BASELINE_DIR TREATED_DIR [--out DIR [--axis FILE]]

``DIR/verdict.json`` holds the whole verdict; with the axis of the runs there is a ``DIR/report.html``, too.
"""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from analysis.base import Findings, Number
from analysis.comparison import Comparison
from analysis.verdict_record import Verdict
from measures.outcome import MARGIN
from records.run import Run, load_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the margin and of the report."""
    parser.add_argument(
        "--margin", type=float, default=MARGIN, help="differences below it are of no consequence (default %(default)s)"
    )
    parser.add_argument(
        "--controls", type=Path, nargs="+", default=(), metavar="DIR",
        help="folders of the same loss with other targets, by which they are called",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="also say where the gradients of the losses point")
    parser.add_argument("--axis", type=Path, metavar="FILE", help="the axis of the runs; with --out makes report.html")


def main(args: argparse.Namespace) -> Findings:
    """Compare the arms.

    Raises:
        ValueError: not two folders, or runs that cannot be paired.
    """
    if len(args.runs) != 2:
        raise ValueError(f"verdict compares two folders of runs, BASELINE_DIR TREATED_DIR, got {len(args.runs)}")
    if args.axis and not args.out:
        raise ValueError("--axis makes a report, which needs a folder: add --out DIR")
    arms = [load_runs(folder) for folder in args.runs]
    controls = {_target(runs): runs for runs in map(load_runs, args.controls)}
    verdict = Verdict.from_runs(*arms, margin=args.margin, controls=controls)
    text = verdict.text(verbose=args.verbose)
    if args.axis:
        from analysis.report import write_report
        from vaxis.axis import Axis

        args.out.mkdir(parents=True, exist_ok=True)
        runs = [run for arm in arms for run in arm]
        command = shlex.join(["python", "-m", "analysis", "verdict", *map(str, args.runs), *_flags(args)])
        path = write_report(
            args.out / "report.html", verdict=verdict, runs=runs, axis=Axis.load(args.axis), command=command
        )
        text += f"\n\nreport   {path}"
    numbers = {c.name: _number(c, simulated=verdict.simulated) for c in (verdict.accuracy, *verdict.others)}
    return Findings(
        text=text,
        numbers={name: number for name, number in numbers.items() if number},
        detail=json.loads(verdict.to_json()),
    )


def _flags(args: argparse.Namespace) -> list[str]:
    """The flags that the report follows from, as they were given."""
    controls = ["--controls", *map(str, args.controls)] if args.controls else []
    margin = [] if args.margin == MARGIN else ["--margin", f"{args.margin:g}"]
    return [*controls, *margin, "--out", str(args.out), "--axis", str(args.axis)]


def _target(runs: Sequence[Run]) -> str:
    name = runs[0].result.get("control")
    if not name:
        raise ValueError(f"{runs[0].path} was aligned with the axis itself and is no control; see --model.control")
    return str(name)


def _number(c: Comparison, *, simulated: bool) -> Number | None:
    """The mean difference; None where no pair of runs defines the measure."""
    d = c.paired
    if d is None:
        return None
    return Number(value=d.mean, n=d.n, simulated=simulated, p_value=d.p, interval=(d.low, d.high))
