"""What a study has found: ``python -m sweeps.show STUDY`` prints its best trials and draws four pictures.

Without a name it lists the studies that there are.
"""

import json
import os
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from statistics import median

import optuna
from optuna.trial import FrozenTrial, TrialState

from console.arguments import Arguments
from console.errors import one_line_errors
from records.reading import read_json
from sweeps import confirm
from sweeps.beside import closing
from sweeps.pictures import origin, pictures, varied
from sweeps.storage import Store, answered
from sweeps.sweep import Sweep


def main(argv: list[str]) -> None:
    """Print and draw.

    Args:
        argv: name of the study and where it is.
    """
    parser = Arguments("python -m sweeps.show", about=__doc__)
    parser.add_argument("study", nargs="?", help="its name, or its folder; without it the studies are listed")
    parser.add_argument("--storage", help="URL, where it is not study.db in the folder")
    parser.add_argument("--folder", default="runs/sweeps", help="of studies")
    parser.add_argument("--best", type=int, default=5, help="how many trials to list")
    parser.add_argument("--no_pictures", action="store_true", help="text only")
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with answered(args.storage):
        if args.study is None:
            print(listing(args.storage, folder=args.folder))
            return
        study = load(args.study, storage=args.storage, folder=args.folder)
        print(summary(study, best=args.best))
        if not args.no_pictures:
            for path in pictures(study, Path(Sweep.of(study).folder)):
                print(f"picture  {os.path.relpath(path)}")


def listing(storage: str | None, *, folder: str) -> str:
    """A line a study: its trials and the best of its first objective."""
    if storage is not None:
        found = [Store(storage).study(name) for name in optuna.get_all_study_names(Store(storage).storage)]
    else:
        found = [load(name, folder=folder) for name in _names(folder)]
    if not found:
        return f"no studies in {storage or folder}; make one with: python -m sweeps.search --loss NAME"
    column = max(len(study.study_name) for study in found)
    return "\n".join(f"{study.study_name:<{column}}  {_briefly(study)}" for study in found)


def _briefly(study: optuna.Study) -> str:
    trials = study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    best = f", best {Sweep.of(study).objectives[0]} {max(t.values[0] for t in done):.4f}" if done else ""
    return f"{len(trials)} trials, {len(done)} complete{best}"


def _names(folder: str) -> list[str]:
    return sorted(file.parent.name for file in Path(folder).glob("*/study.db"))


def load(name: str, *, storage: str | None = None, folder: str = "runs/sweeps") -> optuna.Study:
    """The study of that name or in that folder.

    Raises:
        FileNotFoundError: there is none; lists those that are there.
    """
    path = Path(name) if os.path.lexists(Path(name) / "study.db") else Path(folder) / name
    if storage is None and not os.path.lexists(path / "study.db"):
        there = ", ".join(_names(folder)) or "none"
        raise FileNotFoundError(f"no study {name} in {folder} (there: {there}): no {path}/study.db; or name --storage")
    try:
        return Store(storage or f"sqlite:///{(path / 'study.db').absolute()}").study(path.name)
    except KeyError:
        raise FileNotFoundError(f"no study {path.name} in that storage") from None


def summary(study: optuna.Study, *, best: int) -> str:
    """Counts, the best trials, what mattered, what it cost, and the command that trains the best again."""
    sweep, trials = Sweep.of(study), study.get_trials(deepcopy=False)
    count = {state.name.lower(): sum(trial.state == state for trial in trials) for state in TrialState}
    lines = [f"{study.study_name}: {len(trials)} trials, {', '.join(f'{n} {name}' for name, n in count.items() if n)}"]
    lines += [f"trial {t.number} failed: {t.user_attrs.get('error')}" for t in trials if t.state == TrialState.FAIL]
    complete = sorted((t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: -t.values[0])
    if not complete:
        return "\n".join(lines)
    lines.append(
        f"\n{' and '.join(sweep.objectives)}, mean of {len(sweep.seeds)} seed(s); {_chance(sweep, complete[0])}"
    )
    shown = study.best_trials if len(sweep.objectives) > 1 else complete[:best]
    lines += [f"{t.number:>6}  {' '.join(f'{v:.4f}' for v in t.values)}  {_short(t.params)}" for t in shown]
    if varied(complete, sweep):
        with warnings.catch_warnings(action="ignore"):
            importance = optuna.importance.get_param_importances(study)
        most = "  ".join(f"{name} {value:.2f}" for name, value in [*importance.items()][:6])
        lines.append(f"\nwhat sets the best tenth apart (PED-ANOVA)  {most}")
    lines.append(_cost(trials, sweep))
    if (file := Path(sweep.folder) / "confirm.json").is_file():
        lines.append(confirm.text(read_json(file, remedy="delete it, or confirm again")))
    else:
        lines.append(f"\nThe best of {len(complete)} is too good by selection alone; the same search with --confirm 3")
        lines.append("trains the best again with fresh seeds and says by how much.")
    lines.append(f"\nagain    {sweep.shell(shown[0].params, seed=sweep.seeds[0])}")
    return "\n".join([*lines, *closing(sweep, best=shown[0].values, params=shown[0].params)])


def _chance(sweep: Sweep, trial: FrozenTrial) -> str:
    chance, simulated = origin(sweep, trial)
    if chance is None:
        return "chance unknown, the runs are gone"
    return f"chance of balanced accuracy {chance:.3f}{simulated}"


def _short(params: dict) -> str:
    words = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in params.values())
    return "  ".join(f"{name}={word}" for name, word in zip(params, words))


def _cost(trials: list[FrozenTrial], sweep: Sweep) -> str:
    """Epochs trained against those of a search without pruning, and the time between trials."""
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    full = len(ended) * sweep.epochs * len(sweep.seeds)
    used = sum(epochs_trained(t, sweep) for t in ended)
    return f"\n{used} of {full} epochs trained ({1 - used / full:.0%} saved by pruner {sweep.pruner}){_gaps(ended)}"


def epochs_trained(trial: FrozenTrial, sweep: Sweep) -> int:
    """Epochs of all seeds of a trial."""
    if trial.state == TrialState.COMPLETE:
        return sweep.epochs * len(sweep.seeds)
    return max(trial.intermediate_values, default=-1) + 1


def _gaps(ended: list[FrozenTrial]) -> str:
    """Median time from the end of a trial to the start of the next on the same slot."""
    times: dict[str, list[tuple[float, float]]] = {}
    for trial in ended:
        attrs = trial.user_attrs
        if "begun" in attrs and "ended" in attrs:
            times.setdefault(json.dumps(attrs["owner"], sort_keys=True), []).append((attrs["begun"], attrs["ended"]))
    pairs = [pair for of_slot in times.values() for pair in pairwise(sorted(of_slot))]
    gaps = [later[0] - earlier[1] for earlier, later in pairs]
    return f"; {median(gaps):.2f} s between trials" if gaps else ""


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
