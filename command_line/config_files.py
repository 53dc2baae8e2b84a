"""The settings files of a command: read before the parser does, and named in whatever is wrong with them."""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from records.reading import DamagedFile, read_yaml

FLAGS = ("-c", "--config")
NUMBERS = (
    "seed_everything",
    "online",
    "weights_only",
)  # the settings of the first level that are a number or yes or no
REMEDY = "--config takes a YAML file of settings, as configs/ has them"


def config_files(words: Sequence[str]) -> list[str]:
    """The files that ``--config`` names in a command; settings that stand in the word itself are no file."""
    found = [word.partition("=")[2] for word in words if word.startswith("--config=")]
    found += [after for word, after in pairwise(words) if word in FLAGS]
    return [word for word in found if word and not word.lstrip().startswith("{")]


def check_config_files(words: Sequence[str]) -> None:
    """Refuse a settings file that cannot be read, before the parser asks what its content could have meant.

    Raises:
        FileNotFoundError: there is none.
        DamagedFile: it is no YAML mapping; names the file and the line.
    """
    for file in config_files(words):
        content = read_yaml(Path(file), remedy=REMEDY, flag="--config")
        if lists := [name for name, value in content.items() if isinstance(value, list)]:
            raise DamagedFile(f"--config: {file}: '{lists[0]}' is a list and no setting or group of them; {REMEDY}")
        if numbers := [k for k, value in content.items() if isinstance(value, (int, float)) and k not in NUMBERS]:
            raise DamagedFile(f"--config: {file}: '{numbers[0]}' is a number and no group of settings; {REMEDY}")


def with_files(message: str) -> str:
    """A message with the settings files of this command, unless it names a file: a wrong value may stand in them."""
    files = config_files(sys.argv[1:])
    if not files or re.search(r"(^|\s)[\w.-]*/\S", message) or any(Path(file).name in message for file in files):
        return message
    return f"{message} (settings: {', '.join(files)} and the flags)"
