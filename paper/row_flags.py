"""Both arms of a row as typed runs, made of the settings that a user gave for all rows; and as commands to paste."""

import json
from collections.abc import Sequence

from command_line.settings import RunSettings
from command_line.words import normalise, without
from paper.rows import PublishedRow

AUGMENTATION = "--data.augmentation.probability=0.6"  # the rest are the defaults, which are the paper's recipe
NO_TIME = "--data.augmentation.time_mask=0"  # band features have no time to mask
# What the second data set of a transfer takes over from the first.
COMMON = ("features", "batch_size", "scale", "normalise", "residence", "workers", "cache")


def arms(row: PublishedRow, base: RunSettings, *, axes: Sequence[str] = ()) -> dict[str, RunSettings]:
    """Settings of both arms, ``control`` and ``treated``.

    Args:
        row: the row.
        base: what all rows share.
        axes: artifacts of further language models.

    Raises:
        ValueError: the row needs a second data set that only the user can name.
        SystemExit: there is no such strategy.
    """
    shared = base.with_words(_of_both(row, base))
    runs = {arm: shared.with_loss(words) for arm, words in _of_each(row, base, axes=axes).items()}
    if row.transfer and base.value("source"):  # named by the user, for the strategies that train on one
        runs = {arm: run.with_value("source", base.value("source")) for arm, run in runs.items()}
    return runs


def readable(row: PublishedRow, base: RunSettings, arm: str, *, typed: Sequence[str]) -> list[str]:
    """Words after ``train.py fit`` that start one arm, as a person would write them.

    Args:
        row: the row.
        base: what all rows share.
        arm: ``control`` or ``treated``.
        typed: the flags that came to ``base``.

    Raises:
        ValueError: the row needs a second data set that only the user can name.
        SystemExit: there is no such strategy.
    """
    axes = ["FILE", "FILE"] if row.axes else []
    kept = without(typed, "data") if _moves(row, base) else list(typed)
    words = [*kept, *_of_both(row, base), *_of_each(row, base, axes=axes)[arm]]
    normalise(words)  # refuses a strategy that is not there
    return words


def _of_both(row: PublishedRow, base: RunSettings) -> list[str]:
    """Flags that both arms add to the base."""
    words = row.setting.split()
    if _moves(row, base):
        given = _given(base)
        words += ["--data", "SimulatedSEEDV"]
        words += [f"--data.{name}={_text(given[name])}" for name in COMMON if name in given]
    if row.recipe == "augmented" and base.value("data.augmentation") is None:
        words += [AUGMENTATION] + ([] if base.value("data.features") == "raw" else [NO_TIME])
    return words


def _of_each(row: PublishedRow, base: RunSettings, *, axes: Sequence[str]) -> dict[str, list[str]]:
    """Flags of the strategy in both arms."""
    words = row.arms
    if row.axes:
        words["treated"].append(f"--loss.axes={json.dumps(list(axes))}")
    if row.transfer and _data(base) == "SimulatedFACED" and not base.value("source"):
        source = ["--source", "SimulatedFACED"]
        source += [f"--source.{name}={_text(value)}" for name, value in _given(base).items()]
        words = {arm: [*flags, *source] for arm, flags in words.items()}
    return words


def _moves(row: PublishedRow, base: RunSettings) -> bool:
    """Whether a row leaves the data of the base for a simulated SEED-V, with the base as its source.

    Raises:
        ValueError: they are real, so only the user knows where SEED-V is.
    """
    if not row.transfer or _data(base) in ("SEEDV", "SimulatedSEEDV"):
        return False
    if not _data(base).startswith("Simulated"):
        raise ValueError(
            "needs SEED-V: run it as --rows 23 --data SEEDV --data.root DIR --source FACED --source.root DIR, with "
            "--table FOLDER of this table"
        )
    return True


def _data(base: RunSettings) -> str:
    return base.value("data.class_path").rpartition(".")[2]


def _given(base: RunSettings) -> dict[str, object]:
    """Arguments of simulated data that are not the defaults of their class."""
    default = RunSettings.parse(["--data", _data(base)]).value("data.init_args")
    return {name: value for name, value in base.value("data.init_args").items() if value != default[name]}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
