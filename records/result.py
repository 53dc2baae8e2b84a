"""The schema of ``result.json``, written and checked in one place: a reader never meets what no writer meant."""

import json
import math
from pathlib import Path
from typing import Any

from records.files import atomic

# What is evaluated on: the name of the field here and the prefix of the arrays. ``test_seen`` holds the test people on
# clips of the training; only splits that hold clips back have it, elsewhere the field is null.
SEEN = "test_seen"
TESTS = ("test", SEEN)  # in the order of the data loaders of a test
SPLITS = ("val", *TESTS)
FORMAT = 1  # raise it whenever a field changes its meaning; old files are then refused and not misread
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


def write(file: Path, result: dict[str, Any]) -> None:
    """Write scores and provenance of a run, whole or not at all; NaN becomes null, which JSON has."""
    with atomic(file) as partial:
        content = _finite({"format": FORMAT, **result})
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read(file: Path) -> dict[str, Any]:
    """A checked ``result.json``.

    Raises:
        FileNotFoundError: the run is not finished.
        ValueError: the file is broken, of another format or lacks a field.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file.parent} has no {file.name}: the run is not finished; resume it or leave it out")
    try:
        result = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is not JSON ({error}); run it again") from error
    check(result, file=file)
    return result


def check(result: Any, *, file: Path) -> None:
    """Refuse what ``write`` would not have written.

    Raises:
        ValueError: names the file, the field and what to do.
    """
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        found = result.get("format") if isinstance(result, dict) else type(result).__name__
        raise ValueError(f"{file} has format {found!r}, this version reads {FORMAT}; run it again")
    for field, kind in REQUIRED.items():
        if field not in result:
            raise ValueError(f"{file} lacks the field {field}; was it written by an older version? run it again")
        if not isinstance(result[field], kind):
            hint = "; give each run a seed, pairs are formed by it" if field == "seed" else ""
            raise ValueError(f"{file}: field {field} is {result[field]!r}, of the wrong type{hint}")
    for field in ("balanced_accuracy", "chance"):
        if field not in result["test"]:
            raise ValueError(f"{file} lacks the field test.{field}; run it again")


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
