"""Reading files that may be damaged: one function a format, every failure becomes "FILE: what is wrong; what to do"."""

import csv
import json
import pickle
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import numpy as np

# What numpy and torch advise over a file that holds objects would run the code in it; nobody is to be told that.
ADVICE = ("allow_pickle", "weights_only", "trust")
LONGEST = 120  # characters of a library's own words; beyond, its readers stop reading too


DEEPEST = 50  # levels of a mapping or list; settings have seven


class DamagedFile(ValueError):
    """A file that cannot be read as what it should be; the message names it, what is wrong, and what to do."""


@contextmanager
def refusing(file: str | Path, *, what: str, remedy: str, flag: str = "") -> Iterator[None]:
    """Turn whatever a reader raises over a file into one line; for formats that have no function here.

    Args:
        file: that is read in the block, from its opening to the last look at its content.
        what: it should be, with its article: ``a checkpoint``.
        remedy: what the user can do.
        flag: that named the file, where one did.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFile: anything else went wrong.
    """
    file, named = Path(file), f"{flag}: {file}" if flag else str(file)
    try:
        # Opening a pipe waits for its other end, for ever.
        if not file.is_file() and (file.exists() or file.is_symlink()):
            kind = "a folder" if file.is_dir() else "no regular file" if file.exists() else "a link to nothing"
            raise DamagedFile(f"{named} is {kind} and should be {what}; {remedy}")
        yield
    except DamagedFile:
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{named} is not there; {remedy}") from error
    # What readers raise over damaged files is as various as the damage: struct.error, KeyError, RecursionError, ...
    except Exception as error:
        raise DamagedFile(f"{named} cannot be read as {what} ({said(error)}); {remedy}") from error


def read_text(file: str | Path, *, what: str = "text", remedy: str) -> str:
    """A file of UTF-8, whatever the language of the machine."""
    with refusing(file, what=what, remedy=remedy):
        return Path(file).read_text(encoding="utf-8")


def read_json(file: str | Path, *, remedy: str, has: Collection[str] = ()) -> dict[str, Any]:
    """A JSON object; ``has`` are keys that it must have."""
    with refusing(file, what="JSON", remedy=remedy):
        return _mapping(json.loads(Path(file).read_text(encoding="utf-8")), has)


def read_yaml(file: str | Path, *, remedy: str, has: Collection[str] = (), flag: str = "") -> dict[str, Any]:
    """A YAML mapping of plain values: no tag of it makes an object."""
    with refusing(file, what="YAML", remedy=remedy, flag=flag):
        # libyaml's loader is ten times faster than the one in Python.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return _mapping(yaml.load(Path(file).read_text(encoding="utf-8"), Loader=loader), has)


def read_rows(
    file: str | Path, *, remedy: str, has: Collection[str] = (), delimiter: str = ","
) -> list[dict[str, str]]:
    """Rows of a table with a header, by the names of its columns; cells that a row lacks are empty.

    A row that has more cells than the header is damage: a comma too many moves every number after it.
    """
    with refusing(file, what="CSV", remedy=remedy), open(file, newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle, delimiter=delimiter, restval="", strict=True)
        rows = list(reader)
        _lacks(reader.fieldnames or (), has, "the column")
        if long := next((number for number, row in enumerate(rows, 2) if None in row), None):
            raise ValueError(f"line {long} has more cells than the header")
        return rows


def read_arrays(file: str | Path, *, remedy: str, has: Collection[str] = ()) -> "dict[str, np.ndarray]":
    """All arrays of an ``.npz``; its archive has a checksum of each, and reading them whole verifies it."""
    import numpy as np  # here: the workers of a sweep read settings and need no arrays

    with refusing(file, what="an archive of arrays", remedy=remedy), np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array")
        _lacks(archive.files, has, "the array")
        return {name: archive[name] for name in archive.files}


def check_archive(file: str | Path) -> None:
    """Compare every member of a zip archive, as ``torch.save`` and ``numpy.savez`` write it, with its checksum.

    torch writes these CRC-32 and does not look at them when it reads.

    Raises:
        zipfile.BadZipFile: one differs, or it is no archive; to be called where ``refusing`` adds the file.
    """
    with zipfile.ZipFile(file) as archive:
        if member := archive.testzip():
            raise zipfile.BadZipFile(f"{member} in it differs from its checksum")


def _mapping(content: Any, has: Collection[str]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"it is {'empty' if content is None else f'a {type(content).__name__}'} and no mapping")
    _lacks(content, has, "the field")
    _check_depth(content)
    return content


def _check_depth(content: Any) -> None:
    """Refuse a YAML alias that holds itself, and what nobody nests by hand: whoever walks it later would not end."""
    level = [content]
    for _ in range(DEEPEST):
        level = [part for node in level for part in (node.values() if isinstance(node, dict) else node)]
        level = list({id(part): part for part in level if isinstance(part, (dict, list))}.values())
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEEPEST} levels, or without end")


def _lacks(found: Collection[str], has: Collection[str], kind: str) -> None:
    if missing := [name for name in has if name not in found]:
        raise ValueError(f"it lacks {kind} {missing[0]}")


def said(error: Exception) -> str:
    """Why a reader gave up, in its own words where they help; no advice on how to load what may run code."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is no UTF-8"
    if isinstance(error, yaml.MarkedYAMLError):
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"{where}{error.problem}"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, RecursionError):
        return "it is nested without end"
    text = str(error).split("\n")[0]
    if isinstance(error, pickle.UnpicklingError) or any(word in str(error) for word in ADVICE):
        return "it holds objects, which may run code, or is cut off"
    return text if 0 < len(text) <= LONGEST else type(error).__name__
