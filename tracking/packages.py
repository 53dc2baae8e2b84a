"""``requirements.txt`` of a W&B run, as W&B writes it, with the list made once a process and its forks."""

import contextlib
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

FILE = "requirements.txt"


@cache
def installed() -> str:
    """Every installed package with its version, a line each.

    W&B reads all of their metadata whenever a run opens, each twice: a tenth of a second of every run.
    """
    known = {}
    for package in distributions():
        with contextlib.suppress(KeyError, TypeError, UnicodeDecodeError):  # a folder that is damaged, as W&B has it
            known[package.metadata["Name"]] = package.metadata["Version"]
    return "".join(f"{name}=={known[name]}\n" for name in sorted(filter(None, known)))


def save_packages(run: Any) -> None:
    """Put the list where W&B keeps it, among the files of a run.

    Args:
        run: of W&B, just opened.
    """
    file = Path(run.dir) / FILE
    with contextlib.suppress(Exception):  # as with W&B's own: no run fails for it
        file.write_text(installed(), encoding="utf-8")
        run.save(file, base_path=run.dir, policy="now", glob=False)
