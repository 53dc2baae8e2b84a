"""What a study searches: one record, kept in the study itself, that every worker on every machine reads."""

import json
import math
import shlex
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import optuna

from command_line.settings import RunSettings
from measures.names import objectives as maximised
from records.checksums import SEAL, sealed
from records.reading import DamagedFile
from studies.seeds import LARGEST
from studies.seeds import PAPER as SEEDS

Space = dict[str, dict[str, dict[str, Any]]]

# Name of an objective in the log of a run, and its field in the ``val`` part of result.json. All are maximised.
OBJECTIVES = maximised()


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Settings of a study.

    Attributes:
        argv: the flags that all trials share, as they were typed; only shown, in the command that repeats a trial.
        space: loss -> flag -> what ``sweeps.spaces`` says of it.
        objectives: what is maximised, names in ``OBJECTIVES``.
        seeds: a trial trains its configuration once with each.
        epochs: length of one run.
        pruner: a name in ``sweeps.pruning``.
        folder: holds the run directories.
        settings: loss -> content of the ``RunSettings`` of its trials, before anything is searched.
        sampler_seed: with one worker a search is repeatable.
    """

    argv: list[str]
    space: Space
    objectives: list[str]
    seeds: list[int]
    epochs: int
    pruner: str
    folder: str
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    sampler_seed: int = 0

    @classmethod
    def of(cls, study: optuna.Study, *, where: str = "") -> "Sweep":
        """The record in a study; one of an earlier version has no settings and can be shown, but not continued.

        Args:
            study: that holds it.
            where: it lies, for the message; by default its name is said.

        Raises:
            DamagedFile: the record is not as it was written.
        """
        attrs = study.user_attrs
        found = {each.name: attrs[each.name] for each in fields(cls) if each.name in attrs}
        if SEAL in attrs and sealed(found)[SEAL] != attrs[SEAL]:
            named = where or f"study {study.study_name}"
            raise DamagedFile(f"{named}: the settings of the search differ from their checksum; name another study")
        return cls(**found)

    def save(self, study: optuna.Study) -> None:
        for name, value in sealed(json.loads(json.dumps(asdict(self)))).items():
            study.set_user_attr(name, value)

    def run_dir(self, number: int, seed: int) -> Path:
        """Named by the trial's number, so a trial that is taken up again resumes its run."""
        trial = Path(self.folder) / f"trial-{number:04d}"
        return trial if len(self.seeds) == 1 else trial / f"s{seed}"

    def suggest(self, trial: optuna.Trial) -> None:
        """Ask the sampler for a configuration; what the trial has already stays as it is."""
        loss = trial.suggest_categorical("loss", list(self.space)) if len(self.space) > 1 else next(iter(self.space))
        for flag, entry in self.space[loss].items():
            name, kind = self._name(loss, flag), entry["type"]
            if kind == "categorical":
                trial.suggest_categorical(name, entry["choices"])
            elif kind == "int":
                trial.suggest_int(name, entry["low"], entry["high"], log=entry.get("log", False))
            else:
                trial.suggest_float(name, entry["low"], entry["high"], log=entry.get("log", False))

    def run(self, params: dict[str, Any], *, seed: int) -> RunSettings:
        """Settings of one run of a configuration."""
        loss, values = self.chosen(params)
        run = RunSettings(self.settings[loss]).with_seed(seed)
        for flag in sorted(values, key=lambda flag: flag.count(".")):  # a class before its arguments
            run = run.with_value(flag, values[flag])
        return run

    def shell(self, params: dict[str, Any], *, seed: int) -> str:
        """Command line that trains a configuration again, for a folder of its own."""
        loss, values = self.chosen(params)
        flags = [f"--{flag}={v if isinstance(v, str) else json.dumps(v)}" for flag, v in values.items()]
        return shlex.join(
            ["python", "train.py", "fit", *self.argv, f"--loss={loss}", *flags, f"--seed_everything={seed}"]
        )

    def chosen(self, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The loss of a configuration, and the value of each flag that is searched for it."""
        loss = params.get("loss", next(iter(self.space)))
        return loss, {flag: params[self._name(loss, flag)] for flag in self.space[loss]}

    def defaults(self) -> list[dict[str, Any]]:
        """Each loss as its constructor has it; tried first, so that no search ends below them."""
        found: list[dict[str, Any]] = []
        for loss, flags in self.space.items():
            values = {self._name(loss, flag): entry["default"] for flag, entry in flags.items() if "default" in entry}
            found.append(values | ({"loss": loss} if len(self.space) > 1 else {}))
        return found

    def _name(self, loss: str, flag: str) -> str:
        """Parameter name in the study: losses that share a study do not share what ``loss.weight`` means."""
        return f"{loss}:{flag}" if len(self.space) > 1 and flag.startswith("loss.") else flag


def scores(result: dict[str, Any], objectives: list[str]) -> list[float]:
    """Objective values of a finished run, from its result.json."""
    values = [result["val"][OBJECTIVES[name]] for name in objectives]
    values = [value["value"] if isinstance(value, dict) else value for value in values]
    return [math.nan if value is None else float(value) for value in values]


def objectives(text: str) -> list[str]:
    """Names in a comma-separated list.

    Raises:
        ValueError: one is unknown, or measured on test data.
    """
    names = text.split(",")
    for name in names:
        if name not in OBJECTIVES:
            why = "a search never looks at test data" if name.startswith("test") else "there is no such objective"
            raise ValueError(f"--objective {name}: {why}; choose from {', '.join(OBJECTIVES)}")
    return names


def seeds(text: str) -> list[int]:
    """``5``: that many of the paper's paired seeds; ``1,2,3``: these.

    Raises:
        ValueError: not numbers, or the same one twice.
    """
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"--seeds {text}: give a number of seeds, or seeds such as 42,123") from None
    if len(numbers) == 1:
        numbers = [*SEEDS, *range(3000, 3000 + max(0, numbers[0]))][: max(0, numbers[0])]
    if not numbers or len(set(numbers)) < len(numbers) or not all(0 <= seed <= LARGEST for seed in numbers):
        raise ValueError(f"--seeds {text}: at least one seed, each once, from 0 to {LARGEST}")
    return numbers
