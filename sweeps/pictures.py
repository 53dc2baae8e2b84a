"""Pictures of a study: how it went, each trial's curve, what mattered, and which values went together."""

import warnings
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from figures.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE
from records import checksums
from records.files import atomic
from records.layout import RunDirectory
from records.reading import read_json
from sweeps.sweep import Sweep


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
    chance, simulated = origin(sweep, complete[0])
    trials = study.get_trials(deepcopy=False)
    pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
    title = f"{study.study_name}{simulated}: {len(trials)} trials, {len(complete)} complete, {pruned} pruned"
    if len(sweep.objectives) > 1:
        front = draw.plot_pareto_front(study, target_names=sweep.objectives)
        return [_save(front, folder / "front.png", title=title)]
    made = [_save(draw.plot_optimization_history(study, target_name=name), folder / "history.png", title=title)]
    made.append(_save(_curves(study, sweep, chance), folder / "curves.png", title=title))
    if not varied(complete, sweep):
        return made
    with warnings.catch_warnings(action="ignore"):
        axes = draw.plot_param_importances(study, target_name=name)
        made.append(
            _save(axes, folder / "importance.png", title=f"{title}\nwhat sets the best tenth apart (PED-ANOVA)")
        )
    return made + [path for loss in sweep.space if (path := _parallel(study, sweep, loss, folder, title))]


def _parallel(study: optuna.Study, sweep: Sweep, loss: str, folder: Path, title: str) -> Path | None:
    """Values that went together, of a loss with several parameters and trials."""
    from sweeps.parallel import parallel

    part = _only(study, loss)
    names = sorted({name for trial in part.trials for name in trial.params})
    if len(part.trials) < 2 or len(names) < 2:
        return None
    axes = parallel(part, names, objective=sweep.objectives[0])
    said = f"{title}\n{loss}: its {len(part.trials)} complete trials"
    return _save(axes, folder / f"parallel-{loss}.png", title=said, width=None)


def _curves(study: optuna.Study, sweep: Sweep, chance: float | None):
    """Objective of each trial by epoch (of its first seed, where there are several), one colour a loss."""
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    colours: list[str | tuple[float, float, float, float]] = [BLUE, ORANGE, GREEN, PINK, SKY]
    if len(sweep.space) > len(colours):
        colours = [pyplot.get_cmap("tab20")(number % 20) for number in range(len(sweep.space))]
    colour = dict(zip(sweep.space, colours))
    with matplotlib.rc_context(matplotlib.rcParamsDefault | STYLE | {"backend": "Agg"}):  # not the style Optuna has set
        axes = pyplot.subplots()[1]
    for trial in study.get_trials(deepcopy=False):
        steps = sorted(step for step in trial.intermediate_values if step < sweep.epochs)
        shade = colour[trial.params.get("loss", next(iter(colour)))]
        values = [trial.intermediate_values[step] for step in steps]
        axes.plot([step + 1 for step in steps], values, color=shade, lw=1, alpha=0.7)
    if chance is not None and sweep.objectives[0] == "val/balanced_accuracy":
        axes.axhline(chance, color="black", ls=":", lw=1)
        axes.annotate("chance", (sweep.epochs, chance), va="bottom", ha="right")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epochs; trials that end early were stopped", ylabel=sweep.objectives[0])
    handles = [pyplot.Line2D([], [], color=shade, label=loss) for loss, shade in colour.items()]
    # Outside: curves fill the axes from corner to corner.
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return axes


def _only(study: optuna.Study, loss: str) -> optuna.Study:
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


def _save(axes, path: Path, *, title: str, width: float | None = 9.0) -> Path:
    from matplotlib import pyplot

    axes = axes if not hasattr(axes, "__len__") else axes[0]
    axes.set_title("", loc="left")  # some of Optuna's stand there
    axes.set_title(title, loc="center", fontsize=11)
    if width is not None:
        axes.figure.set_size_inches(width, 5.0)
    with atomic(path) as partial:
        axes.figure.savefig(partial, format="png", dpi=110, bbox_inches="tight")
    pyplot.close(axes.figure)
    return path


def varied(complete: list[FrozenTrial], sweep: Sweep) -> bool:
    """True where importance can be told."""
    return len(sweep.objectives) == 1 and len(complete) > 3 and len({t.values[0] for t in complete}) > 1


def origin(sweep: Sweep, trial: FrozenTrial) -> tuple[float | None, str]:
    """Chance of balanced accuracy, None where the run is gone, and a word where the data are simulated."""
    try:
        file = RunDirectory(sweep.run_dir(trial.number, sweep.seeds[0])).result
        checksums.verify(file)
        found = read_json(file, remedy="delete that folder and search again", has=("val", "simulated"))
    except FileNotFoundError:
        return None, ""
    return found["val"]["chance"], ", SIMULATED" if found["simulated"] else ""
