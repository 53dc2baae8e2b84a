"""What a study has found: ``python -m sweeps.show STUDY`` prints its best trials and draws four pictures."""

import argparse
import json
import os
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from statistics import median

import optuna
from optuna.trial import FrozenTrial, TrialState

from eeg.files import atomic
from sweeps import confirm
from sweeps.settings import Sweep
from sweeps.storage import Store


def main(argv: list[str]) -> None:
    """Print and draw.

    Args:
        argv: name of the study and where it is.
    """
    parser = argparse.ArgumentParser(prog="python -m sweeps.show", description=__doc__, allow_abbrev=False)
    parser.add_argument("study", help="its name, or its folder")
    parser.add_argument("--storage", help="URL, where it is not study.db in the folder")
    parser.add_argument("--folder", default="runs/sweeps", help="of studies")
    parser.add_argument("--best", type=int, default=5, help="how many trials to list")
    parser.add_argument("--no-pictures", action="store_true", help="text only")
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = load(args.study, storage=args.storage, folder=args.folder)
    print(summary(study, best=args.best))
    if not args.no_pictures:
        for path in pictures(study, Path(Sweep.of(study).folder)):
            print(f"picture  {os.path.relpath(path)}")


def load(name: str, *, storage: str | None = None, folder: str = "runs/sweeps") -> optuna.Study:
    """The study of that name or in that folder.

    Raises:
        FileNotFoundError: there is none; lists those that are there.
    """
    path = Path(name) if (Path(name) / "study.db").is_file() else Path(folder) / name
    if storage is None and not (path / "study.db").is_file():
        known = sorted(file.parent.name for file in Path(folder).glob("*/study.db"))
        raise FileNotFoundError(f"no study {name} in {folder} (there: {', '.join(known) or 'none'}); or name --storage")
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
    if _varied(complete, sweep):
        with warnings.catch_warnings(action="ignore"):
            importance = optuna.importance.get_param_importances(study)
        lines.append("\nimportance  " + "  ".join(f"{name} {value:.2f}" for name, value in [*importance.items()][:6]))
    lines.append(_cost(trials, sweep))
    if (file := Path(sweep.folder) / "confirm.json").is_file():
        lines.append(confirm.text(json.loads(file.read_text())))
    else:
        lines.append(f"\nThe best of {len(complete)} is too good by selection alone; the same search with --confirm 3")
        lines.append("trains the best again with fresh seeds and says by how much.")
    return "\n".join([*lines, f"\nagain    {sweep.shell(shown[0].params, seed=sweep.seeds[0])}"])


def _varied(complete: list[FrozenTrial], sweep: Sweep) -> bool:
    """True where importance can be told."""
    return len(sweep.objectives) == 1 and len(complete) > 3 and len({t.values[0] for t in complete}) > 1


def _chance(sweep: Sweep, trial: FrozenTrial) -> str:
    try:
        result = json.loads((sweep.run_dir(trial.number, sweep.seeds[0]) / "result.json").read_text())
    except OSError:
        return "chance unknown, the runs are gone"
    return f"chance of balanced accuracy {result['val']['chance']:.3f}" + (", SIMULATED" if result["simulated"] else "")


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


def pictures(study: optuna.Study, folder: Path) -> list[Path]:
    """Draw history, curves, importance and one parallel-coordinates picture a loss; the front of two objectives."""
    import matplotlib

    matplotlib.use("Agg")
    from optuna.visualization import matplotlib as draw

    sweep = Sweep.of(study)
    complete = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    name = sweep.objectives[0]
    if len(complete) < 2:
        return []
    if len(sweep.objectives) > 1:
        front = draw.plot_pareto_front(study, target_names=sweep.objectives)
        return [_save(front, folder / "front.png")]
    made = [_save(draw.plot_optimization_history(study, target_name=name), folder / "history.png", title=name)]
    made.append(
        _save(draw.plot_intermediate_values(study), folder / "curves.png", title=f"{name} of each epoch", legend=False)
    )
    if not _varied(complete, sweep):
        return made
    with warnings.catch_warnings(action="ignore"):
        made.append(_save(draw.plot_param_importances(study, target_name=name), folder / "importance.png"))
    for loss in sweep.space:
        part = _only(study, loss, sweep)
        names = sorted({name for trial in part.trials for name in trial.params})
        if len(part.trials) > 1 and len(names) > 1:
            axes = draw.plot_parallel_coordinate(part, params=names, target_name=name)
            made.append(_save(axes, folder / f"parallel-{loss}.png", title=loss, width=3.0 * (len(names) + 1)))
    return made


def _only(study: optuna.Study, loss: str, sweep: Sweep) -> optuna.Study:
    """The complete trials of one loss, with the parameters that differ."""
    part = optuna.create_study(direction="maximize")
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        if trial.params.get("loss", loss) == loss:
            names = [name for name in trial.params if name != "loss" and not trial.distributions[name].single()]
            known = {name.removeprefix(f"{loss}:"): name for name in names}
            part.add_trial(
                optuna.trial.create_trial(
                    params={short: trial.params[name] for short, name in known.items()},
                    distributions={short: trial.distributions[name] for short, name in known.items()},
                    value=trial.value,
                )
            )
    return part


def _save(axes, path: Path, *, title: str | None = None, legend: bool = True, width: float = 11.0) -> Path:
    from matplotlib import pyplot

    axes = axes if not hasattr(axes, "__len__") else axes[0]
    if title:
        axes.set_title(title)
    if not legend and axes.get_legend():
        axes.get_legend().remove()
    axes.figure.set_size_inches(width, 5.5)
    with atomic(path) as partial:
        axes.figure.savefig(partial, format="png", dpi=110, bbox_inches="tight")
    pyplot.close(axes.figure)
    return path


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
