"""What each pruner would have saved and lost: ``python -m sweeps.replay STUDY`` on a study searched without pruning.

Trials are fed to the pruner in their order, report by report, so pruners are compared on the same configurations.
The sampler's reaction to pruned trials is left out.
"""

import argparse
import sys
import warnings
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweeps import pruning, show
from sweeps.settings import Sweep


class Replay(NamedTuple):
    """Outcome of one pruner: epochs saved (0 to 1), best final value kept, trials pruned, best trial it pruned."""

    saved: float
    best: float
    pruned: int
    best_pruned: float


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
            kept.append(recorded.value)
        else:
            study.tell(trial, state=TrialState.PRUNED)
            dropped.append(recorded.value)
        used += epochs if stopped is None else stopped + 1
    nan = float("nan")
    return Replay(1 - used / (epochs * len(trials)), max(kept, default=nan), len(dropped), max(dropped, default=nan))


def main(argv: list[str]) -> None:
    """Print one row a pruner.

    Args:
        argv: name of the study and where it is.
    """
    parser = argparse.ArgumentParser(prog="python -m sweeps.replay", description=__doc__, allow_abbrev=False)
    parser.add_argument("study")
    parser.add_argument("--storage")
    parser.add_argument("--folder", default="runs/sweeps")
    args = parser.parse_args(argv)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    study = show.load(args.study, storage=args.storage, folder=args.folder)
    sweep = Sweep.of(study)
    trials = study.get_trials(states=(TrialState.COMPLETE,))
    if sweep.pruner != "none" or len(sweep.seeds) > 1 or not trials:
        raise ValueError(f"{args.study}: search once with --pruner none and one seed; nothing else can be replayed")
    print(f"{len(trials)} trials of {sweep.epochs} epochs, best {max(t.value for t in trials):.4f}")
    print(f"{'pruner':<18} {'epochs saved':>12} {'best kept':>10} {'pruned':>7} {'best pruned':>12}")
    for name in pruning.PRUNERS[1:]:
        result = replay(trials, pruner=pruning.build(name, epochs=sweep.epochs, seeds=1), epochs=sweep.epochs)
        print(f"{name:<18} {result.saved:>12.0%} {result.best:>10.4f} {result.pruned:>7} {result.best_pruned:>12.4f}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
