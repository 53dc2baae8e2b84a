"""``python -m paper one_run``: can one run beat the vote of ten, and where does that break?"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console.arguments import Arguments
from paper import one_run_plan as plan
from paper import training

if TYPE_CHECKING:
    import argparse

    from paper.one_run_plan import Cohort, Way
    from studies.jobs import Job
    from studies.slots import Slot

ABOUT = """\
One run against ten: ways to spend the compute of one run, beside the vote of five and ten plain ones.

  python -m paper one_run                      arms, worlds and how many runs they take
  python -m paper one_run --run [FLAGS]        train what is missing, then the table
  python -m paper one_run --run --data FACED --data.root DIR     the same on your files
  FLAGS: any flag of train.py fit, for every run, such as --trainer.max_epochs 20

Every arm runs in the first world, the main ones in all; --worlds shifts:all runs every arm there. What is chosen is
chosen on validation people. A repeated or interrupted command goes on where it was, and the table shows what is
there: python -m paper one_run --table FLAGS trains nothing."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = Arguments("python -m paper one_run", about=ABOUT)
    training.add_arguments(parser, seeds="42,123,456,789,2025,3000,3001,3002,3003,3004")
    parser.add_argument("--table", action="store_true", help="train nothing; the table of what is finished")
    parser.add_argument("--fewer", type=int, default=2, help="seeds of every arm but the plain one (default: 2)")
    parser.add_argument("--arms", help="all, main or names (default: all in the first world, main in the others)")
    parser.add_argument("--worlds", help=f"(default: {','.join(plan.worlds())})")
    parser.add_argument("--cohorts", default="0,1,2", help="of each world (default: 0,1,2)")
    parser.add_argument("--at_once", type=int, help="runs at a time, at most (default: no limit)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the table goes (default: RUN_DIR/one_run)")
    args, words = parser.parse_known_args(list(argv))
    from command_line.words import chooses_strategy
    from studies.seeds import numbers

    if chooses_strategy(list(words)):
        raise ValueError("--loss: the arms choose the loss; python train.py --loss ... gives the verdict on any")
    seeds = numbers(args.seeds, flag="--seeds")
    if args.fewer < 2 or len(seeds) < args.fewer:
        raise ValueError("--fewer: an interval over seeds takes two, and --seeds must name as many")
    asked = _asked(args.worlds, args.arms, real=_real(words))
    if not (args.run or args.table):
        print(_listing(asked, seeds=seeds, fewer=args.fewer, cohorts=len(numbers(args.cohorts, flag="--cohorts"))))
        return 0
    cohorts, on = [], list["Slot"]()
    for world, number, run in plan.cohorts(
        words, names=list(asked), numbers=numbers(args.cohorts, flag="--cohorts"), real=_real(words)
    ):
        print(f"{world}, cohort {number}", flush=True)
        root = Path(args.run_dir)
        cohorts.append(plan.ready(run, world=world, number=number, of=asked[world], root=root, planted=args.planted))
        if args.run:
            # Asked once, for the first cohort: how many fit on a device is measured by a run of its own.
            jobs = sum(len(plan.seeds_for(way, seeds, fewer=args.fewer)) for way in asked[world])
            on = on or training.places(args, cohorts[-1].conditions.settings, jobs=jobs)[: args.at_once]
            _train(cohorts[-1], asked[world], seeds=seeds, on=on, args=args)
    from paper.one_run_table import tabulate

    command = shlex.join(["python", "-m", "paper", "one_run", *argv])
    folder = args.out or Path(args.run_dir) / "one_run"
    print(tabulate(cohorts, asked, seeds=seeds, fewer=args.fewer, folder=folder, command=command))
    return 0


def _train(
    cohort: "Cohort", ways: "Sequence[Way]", *, seeds: Sequence[int], on: "list[Slot]", args: "argparse.Namespace"
) -> None:
    """The runs of a cohort, those that others start from first; a failing run costs its row and not the rest."""
    from studies.jobs import RunFailed, launch

    rounds: list[list[Job]] = [[], []]
    for way in ways:
        if way.id in cohort.arms:
            rounds[way.after is not None] += cohort.arms[way.id].jobs(plan.seeds_for(way, seeds, fewer=args.fewer))
    for jobs in rounds:
        jobs = list({job.run_dir: job for job in jobs}.values())
        if not jobs:
            continue
        print(f"   {len(jobs)} runs, {sum(job.finished for job in jobs)} finished before", flush=True)
        try:
            launch(jobs, on=on)
        except RunFailed as failure:
            print(f"\n{failure}\n", flush=True)


def _asked(names: str | None, arms: str | None, *, real: bool) -> "dict[str, list[Way]]":
    """The ways of each world.

    Raises:
        ValueError: there is no such world or way.
    """
    if real:
        return {plan.YOURS: plan.chosen(arms, first="all")}
    found = {}
    for place, text in enumerate((names or ",".join(plan.worlds())).split(",")):
        name, _, own = text.partition(":")
        if name not in plan.worlds():
            raise ValueError(f"--worlds: no world '{name}'; there are {', '.join(plan.worlds())}")
        found[name] = plan.chosen(own.replace("+", ",") or arms, first="main" if place else "all")
    return found


def _real(words: Sequence[str]) -> bool:
    """Whether the words name data of the user's own."""
    from command_line.words import option

    name, _ = option(list(words), "--data")
    return name is not None and not name.startswith("Simulated")


def _listing(asked: "dict[str, list[Way]]", *, seeds: Sequence[int], fewer: int, cohorts: int) -> str:
    lines, total = [], 0
    for name, own in asked.items():
        cohorts = 1 if name == plan.YOURS else cohorts
        about = "your data" if name == plan.YOURS else plan.worlds()[name][0]
        runs = sum(len(plan.seeds_for(way, seeds, fewer=fewer)) for way in own if not way.kept)
        units = sum(len(plan.seeds_for(way, seeds, fewer=fewer)) * way.longer for way in own if not way.kept)
        total += cohorts * runs
        lines.append(f"{name}: {about}; {cohorts} x {runs} runs, {cohorts * units:g} units")
        lines += [f"    {way.label:<44} {way.units:g} units{_marks(way)}" for way in own]
    return "\n".join([*lines, "", f"{total} runs; python -m paper one_run --run trains them; --help"])


def _marks(way: "Way") -> str:
    return ", transductive" if way.transductive else ""
