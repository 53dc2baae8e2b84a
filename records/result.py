"""The schema of ``result.json``, written and checked in one place: a reader never meets what no writer meant."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from records import checksums
from records.files import atomic
from records.reading import read_json

# What is evaluated on: the name of the field here and the prefix of the arrays. ``test_seen`` holds the test people on
# clips of the training; only splits that hold clips back have it, elsewhere the field is null.
SEEN = "test_seen"
TESTS = ("test", SEEN)  # in the order of the data loaders of a test
SPLITS = ("val", *TESTS)
FORMAT = 1  # raise it whenever a field changes its meaning; old files are then refused and not misread
OF_A_MEASURE = ("value", "null_mean", "null_95", "p_value")  # of one that has a null
REQUIRED: dict[str, type | tuple[type, ...]] = {
    "simulated": bool,
    "dataset": str,
    "features": str,
    "loss": str,
    "weight": (int, float),
    "seed": int,
    "axis": object,
    "data": object,
    "epochs": int,
    "code": dict,
    "versions": dict,
    "test": dict,
}


def write(file: Path, result: dict[str, Any], *, beside: Iterable[Path] = ()) -> None:
    """Write scores and provenance of a run, whole or not at all; NaN becomes null, which JSON has.

    Args:
        file: ``result.json``, or a file of the same kind.
        result: its content.
        beside: files of a finished run that get a checksum together with it; they are written already.
    """
    content = json.dumps(_finite({"format": FORMAT, **result}), indent=2, allow_nan=False).encode() + b"\n"
    if beside:
        # Before the result, which marks the run as finished: a kill between the two leaves no run without checksums.
        checksums.write(file.parent, beside, coming={file: content})
    with atomic(file) as partial:
        partial.write_bytes(content)


def read(file: Path) -> dict[str, Any]:
    """A checked ``result.json``.

    Raises:
        FileNotFoundError: the run is not finished.
        ValueError: the file is damaged, of another format or lacks a field.
    """
    if not file.exists():
        raise FileNotFoundError(f"{file.parent} has no {file.name}: the run is not finished; resume it or leave it out")
    checksums.verify(file)
    result = read_json(file, remedy="run it again")
    check(result, file=file)
    return result


def check(result: dict[str, Any], *, file: Path) -> None:
    """Refuse what ``write`` would not have written.

    Raises:
        ValueError: names the file, the field and what to do.
    """
    if result.get("format") != FORMAT:
        raise ValueError(f"{file} has format {result.get('format')!r}, this version reads {FORMAT}; run it again")
    for field, kind in REQUIRED.items():
        if field not in result:
            raise ValueError(f"{file} lacks the field {field}; was it written by an older version? run it again")
        if not isinstance(result[field], kind):
            hint = "; give each run a seed, pairs are formed by it" if field == "seed" else ""
            raise ValueError(f"{file}: field {field} is {result[field]!r}, of the wrong type{hint}")
    for field in ("balanced_accuracy", "chance"):
        if field not in result["test"]:
            raise ValueError(f"{file} lacks the field test.{field}; run it again")
    for path, value in _numbers(result):
        if not (value is None or (isinstance(value, int | float) and math.isfinite(value))):
            raise ValueError(f"{file}: field {path} is {value!r} and no number; run it again")


def _numbers(result: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Where a result holds what readers take for numbers; a group that is no group stands for its numbers."""
    for split in SPLITS:
        for name, value in _items(result.get(split), split):
            if isinstance(value, dict) and name != split:
                shares = value if name == f"{split}.per_class_recall" else {k: value.get(k) for k in OF_A_MEASURE}
                yield from _items(shares, name)
            elif not isinstance(value, list):
                yield name, value
    for source, shares in _items(result.get("residual_gradient"), "residual_gradient"):
        yield from [(source, shares)] if source == "residual_gradient" else _items(shares, source)


def _items(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(group, dict):
        yield from ((f"{path}.{name}", value) for name, value in group.items())
    elif group is not None:
        yield path, {"no group": group}


def number(value: float | None) -> float:
    """A JSON number; null stands for NaN."""
    return math.nan if value is None else float(value)


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is not defined becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
