"""Finished runs below some folders, and the recipe of each: every setting that is not strategy, seed or bookkeeping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.arms import strategy
from records.layout import CONFIG, RESULT
from records.run import Run

# What makes a decoder apart from its strategy; the rest of config.yaml is where files lie and what is logged.
_SECTIONS = ("network", "data", "model", "trainer.precision", "trainer.accumulate_grad_batches")
# Where the data lie, how they are read, and which axis a strategy learns from: no part of the recipe.
_IGNORED = {"axis", "positions", "control", "root", "cache", "workers", "residence"}
# Read from the result, which has them also where the settings left them to a default.
_FIELDS = ("network", "dataset", "features", "epochs", "labels", "data")


@dataclass(frozen=True)
class Gathered:
    """Runs below the folders that were named.

    Attributes:
        runs: the finished ones, by path.
        unfinished: how many folders have settings and no result.
    """

    runs: list[Run]
    unfinished: int

    @property
    def simulated(self) -> bool:
        """Whether any of them is on simulated data."""
        return any(run.result["simulated"] for run in self.runs)

    @property
    def note(self) -> str:
        """A line about what was left out; empty where nothing was."""
        return (
            f"left out: {self.unfinished} runs without result.json, which are not finished\n" if self.unfinished else ""
        )


def gather(folders: Sequence[Path]) -> Gathered:
    """Every finished run at or below the folders, each once, whatever the depth.

    Raises:
        FileNotFoundError: a folder is missing or holds no finished run.
    """
    finished: dict[Path, Path] = {}
    started: set[Path] = set()
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder of runs at {folder}")
        found = {file.parent for file in folder.rglob(RESULT)}
        if not found:
            raise FileNotFoundError(f"no finished run at or below {folder} (a run has a {RESULT} once it is finished)")
        finished |= {path.resolve(): path for path in found}
        started |= {file.parent.resolve() for file in folder.rglob(CONFIG) if "wandb" not in file.parts}
    return Gathered([Run.load(finished[path]) for path in sorted(finished)], len(started - finished.keys()))


def recipe(run: Run) -> dict[str, str]:
    """Flat settings of the run without strategy, seed and whatever is said of files: equal for runs of one recipe."""
    flat = {name: str(run.result.get(name)) for name in _FIELDS}
    for section in _SECTIONS:
        value: Any = run.settings
        for key in section.split("."):
            value = (value or {}).get(key)
        _flatten(value, section, into=flat)
    return flat


def recipe_names(runs: Sequence[Run]) -> list[str]:
    """A short name for the recipe of each run: the settings that differ among the runs, else the network."""
    recipes = [recipe(run) for run in runs]
    keys = dict.fromkeys(key for entry in recipes for key in entry)
    varying = [key for key in keys if len({entry.get(key) for entry in recipes}) > 1]
    # A fingerprint says nothing to a reader; it stays where nothing else tells two recipes apart.
    telling = [key for key in varying if key != "data" and not key.endswith("class_path")]
    unique = {tuple(entry.get(k) for k in varying): None for entry in recipes}
    named = {tuple(entry.get(k) for k in telling) for entry in recipes}
    shown = telling if len(named) == len(unique) else varying
    return [_name(entry, shown) for entry in recipes]


def group_names(runs: Sequence[Run]) -> list[str]:
    """Recipe and strategy of each run: what runs share that differ in their seed alone."""
    return [name + strategy_name(run) for name, run in zip(recipe_names(runs), runs)]


def strategy_name(run: Run) -> str:
    """`` + loss weight (target)``; empty for labels alone."""
    loss, weight, control = strategy(run)
    return "" if loss == "none" else f" + {loss} {weight:g}" + (f" ({control})" if control else "")


def _name(entry: Mapping[str, str], keys: Sequence[str]) -> str:
    units = {"epochs": "{} epochs", "network": "{}"}
    told = [key for key in keys if key in entry] or ["network"]
    return ", ".join(units.get(key, f"{key.split('.')[-1]} {{}}").format(entry[key]) for key in told)


def _flatten(value: Any, name: str, *, into: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _IGNORED:
                _flatten(item, f"{name}.{key}", into=into)
    elif value is not None:
        # 2 and 2.0 are the same setting, written by hand and by a parser.
        into[name] = f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
