"""The exact flags of both arms of a row, from the flags that a user gave for all rows; imports nothing heavy."""

import json
from collections.abc import Sequence

import yaml

from command_line.words import normalise, split
from paper.rows import Row

AUGMENTATION = "--data.augmentation.probability=0.6"  # the rest are the defaults, which are the paper's recipe
NO_TIME = "--data.augmentation.time_mask=0"  # band features have no time to mask
# What the second data set of a transfer takes over from the first.
COMMON = ("features", "batch_size", "scale", "normalise", "residence", "workers", "cache")
SEEDV_NAMES = ("seedv", "simulatedseedv")


def setting(row: Row, argv: Sequence[str]) -> list[str]:
    """Flags of ``train.py fit`` that both arms of a row share.

    Args:
        row: the row.
        argv: flags that were given for all rows.

    Raises:
        ValueError: the row needs a second data set that only the user can name.
    """
    data = data_arguments(argv)
    words = [*argv, *row.setting.split()]
    if row.transfer and _name(data) not in SEEDV_NAMES:
        if not _name(data).startswith("simulated"):
            raise ValueError(
                "needs SEED-V: run it as --rows 23 --data SEEDV --data.root DIR --source FACED --source.root DIR, with "
                "--table FOLDER of this table"
            )
        words = [*split(words, "data")[0], "--data", "SimulatedSEEDV"]
        words += [f"--data.{name}={data[name]}" for name in COMMON if name in data]
    if row.recipe == "augmented" and not any(name.startswith("augmentation") for name in data):
        words += [AUGMENTATION] + ([] if data.get("features") == "raw" else [NO_TIME])
    return words


def arms(row: Row, argv: Sequence[str], *, axes: Sequence[str] = ()) -> dict[str, list[str]]:
    """Flags of the strategy in both arms, ``control`` and ``treated``.

    Args:
        row: the row.
        argv: flags that were given for all rows.
        axes: artifacts of further language models.
    """
    words = row.arms
    if row.axes:
        words["treated"].append(f"--loss.axes={json.dumps(list(map(str, axes)))}")
    data = data_arguments(argv)
    if row.transfer and _name(data).startswith("simulatedfaced"):
        source = ["--source", "SimulatedFACED"]
        source += [f"--source.{name}={value}" for name, value in data.items() if name != "class_path"]
        words = {arm: [*flags, *source] for arm, flags in words.items()}
    return words


def data_arguments(argv: Sequence[str]) -> dict[str, str]:
    """Class and arguments of the data in a command, from its settings files and then from its flags."""
    found: dict[str, str] = {"class_path": "SimulatedFACED"}
    words = list(argv)
    for position, word in enumerate(words):
        flag, equals, value = word.partition("=")
        value = value if equals else words[position + 1] if position + 1 < len(words) else ""
        if flag in ("-c", "--config"):
            with open(value) as file:
                found = _updated(found, (yaml.safe_load(file) or {}).get("data") or {})
        elif flag == "--data":
            found = _updated(found, {"class_path": value})
        elif flag.startswith("--data."):
            found[flag.removeprefix("--data.").removeprefix("init_args.")] = value
    return found


def _updated(found: dict[str, str], data: dict) -> dict[str, str]:
    """A class starts from its own defaults; arguments may stand under ``init_args`` or directly."""
    if "class_path" in data and _name(data) != _name(found):
        found = {"class_path": data["class_path"]}
    flat = {name: value for name, value in data.items() if name not in ("class_path", "init_args")}
    flat |= data.get("init_args", {})
    return found | {name: value if isinstance(value, str) else json.dumps(value) for name, value in flat.items()}


def _name(data: dict) -> str:
    return data["class_path"].rpartition(".")[2].lower()


def readable(row: Row, argv: Sequence[str], arm: str) -> list[str]:
    """Words after ``train.py fit`` that start one arm, as a person would write them.

    Raises:
        SystemExit: no such strategy in ``losses/``.
    """
    axes = ["FILE", "FILE"] if row.axes else []
    words = [*setting(row, argv), *arms(row, argv, axes=axes)[arm]]
    normalise(words)
    return words
