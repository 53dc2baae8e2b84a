"""What each pruner would have saved and lost: ``python -m benchmarks.replay STUDY`` on an unpruned study.

The recorded trials are fed to the pruner one after the other, report by report, so that pruners are compared on the
same configurations. What a pruner does depends on the order, so many random ones are tried. The sampler's reaction to
pruned trials is left out.
"""

import random
import sys
import warnings
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from console.arguments import Arguments
from console.errors import one_line_errors
from sweeps import pruning, show
from sweeps.sweep import Sweep


class Replay(NamedTuple):
    """Outcome of one pruner on one order of trials.

    Attributes:
        saved: share of the epochs.
        best: final value of the best trial that was kept; NaN where none was.
        pruned: number of trials.
        best_pruned: final value, had it run on, of the best trial that was not kept.
        best_instead: best value where the same epochs had gone into whole trials, the first of the order: the null.
    """

    saved: float
    best: float
    pruned: int
    best_pruned: float
    best_instead: float


def replay(trials: list[FrozenTrial], *, pruner: optuna.pruners.BasePruner, epochs: int) -> Replay:
    """Run a pruner over complete trials.

    Args:
        trials: complete, in their order, with a report for every epoch.
        pruner: a fresh one.
        epochs: length of a run.
    """
    study = optuna.create_study(direction="maximize", pruner=pruner, study_name="replay")
    used, kept, dropped = 0, [], []
    for recorded in trials:
        trial = study.ask()
        stopped = None
        for step in sorted(recorded.intermediate_values):
            trial.set_user_attr(f"epoch {step}", recorded.user_attrs[f"epoch {step}"])
            trial.report(recorded.intermediate_values[step], step)
            if step < epochs - 1 and trial.should_prune():
                stopped = step
                break
        if stopped is None:
            study.tell(trial, recorded.value)
            kept.append(_value(recorded))
        else:
            study.tell(trial, state=TrialState.PRUNED)
            dropped.append(_value(recorded))
        used += epochs if stopped is None else stopped + 1
    nan = float("nan")
    whole = max(1, round(used / epochs))
    return Replay(
        saved=1 - used / (epochs * len(trials)),
        best=max(kept, default=nan),
        pruned=len(dropped),
        best_pruned=max(dropped, default=nan),
        best_instead=max(map(_value, trials[:whole])),
    )


def in_orders(trials: list[FrozenTrial], *, pruner: str, epochs: int, orders: int) -> list[Replay]:
    """Replays of a pruner of ``pruning.PRUNERS`` on random orders, the same for every pruner."""
    shuffler, found = random.Random(0), []
    for _ in tqdm(range(orders), desc=pruner, unit="order", leave=False):
        order = shuffler.sample(trials, len(trials))
        found.append(replay(order, pruner=pruning.build(pruner, epochs=epochs, seeds=1), epochs=epochs))
    return found


def table(trials: list[FrozenTrial], *, epochs: int, orders: int) -> str:
    """A row a pruner: means over orders, [5 %, 95 %] of them. Loss is how far the best kept is below the best of all.

    Beside it the loss of the same epochs spent on fewer trials that all run to their end, and how often the best trial
    of all (each of them, where several are equal) was pruned.
    """
    best = max(map(_value, trials))
    lines = [f"{'pruner':<18} {'epochs saved':>20} {'loss of best value':>26} {'fewer trials':>14} {'best pruned':>12}"]
    for name in pruning.PRUNERS:
        found = in_orders(trials, pruner=name, epochs=epochs, orders=orders)
        saved = sorted(each.saved for each in found)
        loss = sorted(best - each.best for each in found)
        instead = sum(best - each.best_instead for each in found) / orders
        lines.append(
            f"{name:<18} {_interval(saved, '.0%'):>20} {_interval(loss, '.4f'):>26} {instead:>14.4f} "
            f"{sum(value > 0 for value in loss) / orders:>12.0%}"
        )
    return "\n".join(lines)


def _value(trial: FrozenTrial) -> float:
    """The objective of a finished trial; Optuna's type also covers those that have none yet."""
    if trial.value is None:
        raise ValueError(f"trial {trial.number} has no value: only finished ones can be replayed")
    return trial.value


def _interval(ordered: list[float], form: str) -> str:
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.05, 0.95))
    return f"{sum(ordered) / len(ordered):{form}} [{low:{form}}, {high:{form}}]"


def main(argv: list[str]) -> None:
    """Print a table a study.

    Args:
        argv: names of the studies and where they are.
    """
    parser = Arguments("python -m benchmarks.replay", about=__doc__)
    parser.add_argument("study", nargs="+")
    parser.add_argument("--storage")
    parser.add_argument("--folder", default="runs/sweeps")
    parser.add_argument("--orders", type=int, default=50, help="random orders of the trials")
    args = parser.parse_args(argv)
    if args.orders < 1:
        raise ValueError(f"--orders must be >= 1, got {args.orders}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    for name in args.study:
        study = show.load(name, storage=args.storage, folder=args.folder)
        sweep = Sweep.of(study)
        trials = study.get_trials(states=(TrialState.COMPLETE,))
        if sweep.pruner != "none" or len(sweep.seeds) > 1 or not trials:
            raise ValueError(f"{name}: search once with --pruner none and one seed; nothing else can be replayed")
        values = sorted(map(_value, trials))
        print(f"\n{name}: {len(trials)} trials of {sweep.epochs} epochs of {', '.join(sweep.space)}")
        print(
            f"{sweep.objectives[0]} best {values[-1]:.4f}, median {values[len(values) // 2]:.4f}; {args.orders} orders"
        )
        print(table(trials, epochs=sweep.epochs, orders=args.orders), flush=True)


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
