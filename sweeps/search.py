"""A search over the parameters of losses: ``python -m sweeps.search --loss rsa --config FILE --trials 60``.

Every trial is a ``train.py fit`` process of its own, on one device or several. The study holds all trials from its
first moment on; the same command goes on with what is left of them, however the last one ended.
"""

import argparse
import json
import math
import re
import shlex
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from command_line.settings import RunSettings, differences, digest
from console.arguments import Arguments
from console.errors import one_line_errors
from studies.devices import chosen, named
from studies.memory import AUTO, decided, per_device
from studies.slots import Slot, slots
from sweeps import pruning
from sweeps import sweep as settings
from sweeps.beside import closing, train_none
from sweeps.pool import Pool
from sweeps.storage import Store, answered
from sweeps.sweep import OBJECTIVES, Sweep
from tracking.offline import sync_line

MADE = "wanted"  # an attribute that a study is given last: without it, it was killed while it was made


def main(argv: list[str]) -> None:
    """Make or continue a study, work on it until no trial is left, and report.

    Args:
        argv: flags of the search and of ``train.py fit``.
    """
    args, rest = parse(argv)
    named(args.devices)  # a device that is not there is told before a study is made
    per_device(args.runs_per_device)
    with answered(args.storage):
        _run(args, rest)


def _run(args: argparse.Namespace, rest: list[str]) -> None:
    store, study, folder = prepare(args, rest)
    on = _slots(args, RunSettings(next(iter(Sweep.of(study).settings.values()))))
    try:
        Pool(store, study.study_name, on=on, folder=folder, beat=args.beat).work(study)
        if not args.no_none:
            train_none(Sweep.of(study), on=on, study=study.study_name)
    finally:
        _summary(study, args)
    if args.confirm:
        from sweeps.confirm import confirm

        confirm(study, trials=args.confirm, seeds=args.confirm_seeds, on=on)
    if line := sync_line([*folder.glob("*"), *folder.glob("*/*"), *folder.glob("confirm/*/*")]):
        print(line)


def prepare(args: argparse.Namespace, rest: list[str]) -> tuple[Store, optuna.Study, Path]:
    """The study that the flags name, with all its trials, and its folder; made where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = _wanted(args, rest)
    name = args.study or f"{'-'.join(wanted.space)}-{digest(_identity(wanted))}"
    folder = Path(args.folder or "runs/sweeps").absolute() / name
    store = Store(args.storage or f"sqlite:///{folder / 'study.db'}")
    study = _study(store, name, wanted=replace(wanted, folder=str(folder)), trials=args.trials)
    print(f"study    {name}\ntrials   {args.trials}\nruns     {folder}", flush=True)
    return store, study, folder


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Flags of the search, and the others, which are those of ``train.py fit``."""
    more = "Every other flag goes to train.py fit, for all trials alike; what it names is not searched."
    parser = Arguments("python -m sweeps.search", about=__doc__, epilog=more)
    parser.add_argument("--loss", required=True, help="one name, or several (a,b) that share the study")
    parser.add_argument("--trials", type=int, default=60, help="of the study in all")
    parser.add_argument("--space", help="YAML of ranges; start from: python -m sweeps.spaces --loss NAME")
    parser.add_argument(
        "--objective", default="val/balanced_accuracy", help=f"one or two (a,b) of {', '.join(OBJECTIVES)}"
    )
    parser.add_argument("--seeds", help="how many paired seeds, or which (42,123); the mean is the objective")
    parser.add_argument("--seed", "--seed_everything", type=int, help="one seed, in the place of --seeds")
    parser.add_argument(
        "--pruner", default="saturation", choices=pruning.PRUNERS, metavar="NAME",
        help=f"{', '.join(pruning.PRUNERS)}; see docs/pruning.md",
    )  # fmt: skip
    parser.add_argument("--devices", help="CUDA devices; by default all, or the processor where there are none")
    parser.add_argument("--devices_per_trial", "--devices-per-trial", type=int, default=1, help="more than one: DDP")
    parser.add_argument("--runs_per_device", help="at a time; auto: as many as memory and cores take")
    parser.add_argument("--workers", type=int, help="runs at a time without CUDA devices; by default one a core")
    parser.add_argument("--storage", help="sqlite:///FILE (default: in the folder), postgresql://..., journal:FILE")
    parser.add_argument("--study", help="name; by default made of the losses and settings")
    parser.add_argument("--folder", help="of studies; by default runs/sweeps")
    parser.add_argument("--confirm", type=int, default=0, help="train the best N again with fresh seeds")
    parser.add_argument("--confirm_seeds", type=int, default=5, help="how many fresh seeds")
    parser.add_argument("--no_none", action="store_true", help="do not train the same runs without a loss at the end")
    parser.add_argument("--beat", type=float, default=15.0, help="seconds between two signs of life of a worker")
    return parser.parse_known_args(argv)


def _wanted(args: argparse.Namespace, rest: list[str]) -> Sweep:
    """What the flags ask for; the folder follows from its name."""
    _check(args)
    objectives = settings.objectives(args.objective)
    if len(objectives) > 1 and args.pruner != "none":
        args.pruner = "none"  # Optuna prunes by one objective only
    if args.seeds and args.seed is not None:
        raise ValueError("--seeds and --seed exclude each other")
    single = settings.SEEDS[0] if args.seed is None else args.seed
    seeds = settings.seeds(args.seeds) if args.seeds else [single]
    found = _spaces(args, rest)
    epochs = RunSettings(next(iter(found["settings"].values()))).epochs
    return Sweep(**found, argv=rest, objectives=objectives, seeds=seeds, epochs=epochs, pruner=args.pruner, folder="")


def _check(args: argparse.Namespace) -> None:
    """Refuse numbers that mean nothing, each with its flag.

    Raises:
        ValueError: names the flag and what it may be.
    """
    least = {"trials": 1, "devices_per_trial": 1, "workers": 1, "confirm": 0, "confirm_seeds": 2}
    for name, smallest in least.items():
        value = getattr(args, name)
        if value is not None and value < smallest:
            raise ValueError(f"--{name} must be {smallest} or more, got {value}")
    if not 0 < args.beat < math.inf:
        raise ValueError(f"--beat must be a number of seconds above 0, got {args.beat:g}")
    if args.study is not None and not re.fullmatch(r"[\w.+-]*\w[\w.+-]*", args.study):
        raise ValueError(f"--study '{args.study}': a name of letters, digits, '.', '+', '-' and '_'; it names a folder")


def _identity(sweep: Sweep) -> dict:
    """What makes a study this one and no other: what came of the flags, and not how they were typed."""
    return {name: value for name, value in asdict(sweep).items() if name not in ("argv", "folder", "sampler_seed")}


def _slots(args: argparse.Namespace, run: RunSettings) -> list[Slot]:
    """Where trials compute: on named devices, else on all of the machine, else a share of the processor each.

    Args:
        args: flags of the search; ``--workers`` asks for the processor.
        run: any trial, which may ask for the processor, too.
    """
    devices = named(args.devices) or (() if args.workers else chosen((), run))
    wanted = per_device(args.runs_per_device)
    if wanted is not None and args.workers:
        raise ValueError("--workers and --runs_per_device both say how many trials share the processor; name one")
    if wanted == AUTO and args.devices_per_trial > 1:
        raise ValueError(f"--runs_per_device {AUTO} measures trials of one process; give a number")
    at_once = decided(wanted, run, devices=devices)
    if devices:
        return slots(devices=devices, per_run=args.devices_per_trial, per_device=at_once)
    ranks = max(1, args.devices_per_trial)
    found = slots(jobs=args.workers or 10_000, per_device=at_once)
    count = args.workers or at_once or max(1, len(found) // ranks)
    return [Slot(threads=max(1, found[0].threads // ranks), ranks=ranks) for _ in range(count)]


def _study(store: Store, name: str, *, wanted: Sweep, trials: int) -> optuna.Study:
    """The study of that name, made if there is none, with as many trials as asked for; workers only load it."""
    with store.exclusive():  # from the look to the mark: of two searches that start at once one makes it
        try:
            study = store.study(name)
        except KeyError:
            study = None
        if study is None or MADE not in study.user_attrs:
            directions = [StudyDirection.MAXIMIZE] * len(wanted.objectives)
            study = optuna.create_study(
                study_name=name, storage=store.storage, directions=directions, load_if_exists=True
            )
            wanted.save(study)
            study.set_user_attr(MADE, True)
    before = Sweep.of(study)
    if not before.settings:
        raise ValueError(f"study {name} was made by an earlier version; name another with --study")
    if other := differences(_identity(before), _identity(wanted)):
        raise ValueError(
            f"study {name} was made with other settings ({other[0]}); repeat those or name another with --study"
        )
    with store.exclusive():
        known = len(study.get_trials(deepcopy=False))
        first = before.defaults()
        for number in range(known, trials):
            study.enqueue_trial(first[number] if number < len(first) else {})
    return study


def _spaces(args: argparse.Namespace, rest: list[str]) -> dict:
    """Ranges and settings of the runs, from the constructors; in a process of its own, for they need torch."""
    words = ["--loss", args.loss, *rest, "--json"] + (["--space", args.space] if args.space else [])
    command = [sys.executable, "-m", "sweeps.spaces", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace")
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout.splitlines()[-1])


def _summary(study: optuna.Study, args: argparse.Namespace) -> None:
    trials = study.get_trials(deepcopy=False)
    counts = {state.name.lower(): sum(t.state == state for t in trials) for state in TrialState}
    print(f"\n{len(trials)} trials: " + ", ".join(f"{n} {state}" for state, n in counts.items() if n))
    if not counts["complete"]:
        return
    sweep = Sweep.of(study)
    best = max((t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: t.values[0])
    print(f"best {sweep.objectives[0]} {best.values[0]:.4f} (trial {best.number})")
    print(f"again    {sweep.shell(best.params, seed=sweep.seeds[0])}")
    print(f"pictures {shown(study.study_name, storage=args.storage, folder=args.folder)}")
    print(*closing(sweep, best=best.values, params=best.params), sep="\n")


def shown(name: str, *, storage: str | None, folder: str | None) -> str:
    """The command that shows the study, to be pasted: with the place that the search was given, without a password."""
    words = ["python", "-m", "sweeps.show", name]
    if storage:
        words += ["--storage", "URL" if "@" in storage else storage]
    elif folder:
        words += ["--folder", folder]
    return shlex.join(words)


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
