"""The files of a BIDS folder (bids-specification.readthedocs.io): signals of each person, and tables."""

import csv
import re
from pathlib import Path

SUFFIXES = (".bdf", ".edf", ".vhdr", ".set", ".fif", ".cnt")


def signal_files(root: Path, *, task: str | None = None) -> dict[str, tuple[Path, ...]]:
    """Signals of each person, sessions and runs in their order; persons by the label behind ``sub-``.

    Args:
        root: top of the BIDS folder.
        task: only recordings of it.

    Raises:
        FileNotFoundError: no such folder, or none of its files are EEG that MNE reads.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"--data.root {root} does not exist; give the BIDS folder that holds sub-*")
    found: dict[str, list[Path]] = {}
    paths = [*root.glob("sub-*/eeg/*_eeg.*"), *root.glob("sub-*/ses-*/eeg/*_eeg.*")]
    for path in sorted((path for path in paths if path.suffix in SUFFIXES), key=_natural):
        entities = dict(re.findall(r"(sub|task)-([^_]+)", path.stem))
        if task in (None, entities.get("task")):
            found.setdefault(entities["sub"], []).append(path)
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise FileNotFoundError(
            f"{root} has no sub-*/[ses-*/]eeg/*{f'_task-{task}' if task else ''}_eeg with {kinds}; is it the top of a "
            "BIDS data set?"
        )
    return {name: tuple(files) for name, files in found.items()}


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file, with or without a byte-order mark; quotes and backslashes stand for themselves.

    Raises:
        ValueError: missing, not text, or a row of another length than the header; names file and line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a table ({error}); copy it again") from error
    if not lines:
        raise ValueError(f"{path} is empty; copy it again")
    header, *rows = lines
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            raise ValueError(f"{path}, line {number}: {len(row)} fields under a header of {len(header)}; mend the tabs")
    return [dict(zip(header, row)) for row in rows if row]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Session 2 before session 10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", str(path))]
