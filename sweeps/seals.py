"""Checksums of what a study holds: SQLite finds damage to its own structure and none to the numbers in it."""

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from records.checksums import SEAL, sealed
from records.reading import DamagedFile
from sweeps.sweep import Sweep


def of_trial(trial: FrozenTrial, values: list[float] | None) -> str:
    """The checksum of a trial that ends with these values.

    Args:
        trial: as the storage has it: numbers as they come back, not as they went in.
        values: of the objectives; None where it has none.
    """
    steps = {str(step): value for step, value in trial.intermediate_values.items()}
    content: dict[str, Any] = {"number": trial.number, "params": trial.params, "steps": steps}
    return sealed({**content, "values": None if values is None else [float(value) for value in values]})[SEAL]


def check(study: optuna.Study, *, where: str) -> None:
    """Refuse a study whose settings or trials are not as they were written; earlier versions have no checksums.

    Args:
        study: all its trials are read.
        where: it lies, for the message.

    Raises:
        DamagedFile: names the trial, or says that it is the settings.
    """
    if SEAL in study.user_attrs:
        Sweep.of(study, where=where)
    for trial in study.get_trials(deepcopy=False):
        seal = trial.user_attrs.get(SEAL)
        if seal and trial.state.is_finished() and seal != of_trial(trial, trial.values):
            raise DamagedFile(
                f"{where}: trial {trial.number} differs from its checksum, so the file was damaged or edited; take a "
                "copy of it, or name another study: runs that are finished are in its folder"
            )
