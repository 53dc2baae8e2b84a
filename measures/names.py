"""Every number that a run reports, known in one place: log, result.json, verdict, report, sweeps, dashboards read it.

Reading the rows imports neither torch nor the code that computes them, so a ``--help`` can list them at once.
"""

import ast
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("measures", "callbacks")  # where a file may bring a row of its own
LABEL_WIDTH = 25  # of the column of names in a verdict, which is 96 wide as a whole


@dataclass(frozen=True, kw_only=True)
class MeasureName:
    """One number: what it is called, what it is compared with, and what may be done with it.

    Attributes:
        key: field in the ``val``, ``test`` and ``test_seen`` parts of result.json.
        logged: name in the log of each epoch, behind ``val/``, ``test/`` or ``test_seen/``.
        label: for people, at most ``LABEL_WIDTH`` characters.
        chance: what guessing scores: a number, the field of result.json that holds it, or None where neither is known.
        null: it has a null of its own, in result.json as ``null_mean`` and ``null_95``, in the log as ``..._null95``.
        direction: where ``higher`` or ``lower`` values are better or more aligned, or ``none``.
        maximise: a sweep may maximise it.
    """

    key: str
    logged: str
    label: str
    chance: float | str | None = None
    null: bool = False
    direction: Literal["higher", "lower", "none"] = "none"
    maximise: bool = False

    def __post_init__(self) -> None:
        if len(self.label) > LABEL_WIDTH:
            raise ValueError(f"label of measure {self.key} has {len(self.label)} characters, at most {LABEL_WIDTH} fit")
        if self.direction not in ("higher", "lower", "none"):
            raise ValueError(f"direction of measure {self.key} is {self.direction!r}; give higher, lower or none")
        if self.maximise and self.direction != "higher":
            raise ValueError(f"measure {self.key} says maximise, but not direction='higher'")

    @property
    def title(self) -> str:
        """The label with a capital."""
        return self.label[:1].upper() + self.label[1:]

    @property
    def compared(self) -> bool:
        """Whether it can stand in a verdict: a number beside nothing says nothing."""
        return self.null or self.chance is not None


ACCURACY = MeasureName(
    key="balanced_accuracy", logged="balanced_accuracy", label="balanced accuracy", chance="chance",
    direction="higher", maximise=True,
)  # fmt: skip
# One decision a person and clip; the classes are those of the windows, so chance is theirs.
CLIP_ACCURACY = MeasureName(
    key="clip_balanced_accuracy", logged="clip_balanced_accuracy", label="accuracy of whole clips", chance="chance",
    direction="higher", maximise=True,
)  # fmt: skip
KAPPA = MeasureName(
    key="kappa", logged="kappa", label="Cohen's kappa", chance=0.0, direction="higher", maximise=True
)  # fmt: skip
WEIGHTED_F1 = MeasureName(
    key="weighted_f1", logged="weighted_f1", label="weighted F1", direction="higher", maximise=True
)  # fmt: skip
VAXIS_COSINE = MeasureName(
    key="vaxis_cosine", logged="vaxis_cosine", label="V-axis cosine", null=True, direction="higher", maximise=True
)  # fmt: skip
CLASS_PC1 = MeasureName(
    key="class_pc1", logged="class_pc1_r", label="class PC1 |r|", null=True, direction="higher", maximise=True
)  # fmt: skip
WITHIN_CLASS = MeasureName(
    key="within_class_residual", logged="within_class_r", label="within-class residual |r|", null=True,
    direction="higher", maximise=True,
)  # fmt: skip
# Neither direction is better: noise has the highest rank of all, so no search should run after it.
EFFECTIVE_RANK = MeasureName(key="effective_rank", logged="effective_rank", label="effective rank", null=True)
OWN = (ACCURACY, CLIP_ACCURACY, KAPPA, WEIGHTED_F1, VAXIS_COSINE, CLASS_PC1, WITHIN_CLASS, EFFECTIVE_RANK)


@cache
def known() -> dict[str, MeasureName]:
    """Every row by its key: those above, then those that files bring, by the name of the file.

    Raises:
        ValueError: a file's row is malformed, or two rows share a key or a name in the log.
    """
    rows: dict[str, MeasureName] = {}
    for row in (*OWN, *(row for folder in FOLDERS for row in in_files(folder).values())):
        for other in rows.values():
            if row.key == other.key or row.logged == other.logged:
                raise ValueError(f"measures {row.label!r} and {other.label!r} share key or logged; rename one ROW")
        rows[row.key] = row
    return rows


def with_null() -> list[MeasureName]:
    """Rows that are logged beside the 95th percentile of their null."""
    return [row for row in known().values() if row.null]


def exploratory() -> list[MeasureName]:
    """Rows that a verdict shows beside the accuracy."""
    return [row for row in known().values() if row.compared and row is not ACCURACY]


def objectives() -> dict[str, str]:
    """What a sweep may maximise: name in the log of a run, and its field in the ``val`` part of result.json."""
    return {f"val/{row.logged}": row.key for row in known().values() if row.maximise}


@cache
def in_files(folder: str) -> dict[str, MeasureName]:
    """Rows that files of a folder bring as ``ROW = MeasureName(...)``, by the stem of the file."""
    found = {path.stem: _row(path) for path in sorted((ROOT / folder).glob("*.py"))}
    return {stem: row for stem, row in found.items() if row is not None}


def _row(path: Path) -> MeasureName | None:
    """Read, not imported: the values must be written out as they are."""
    for node in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["ROW"]:
            try:
                keywords = node.value.keywords  # type: ignore[attr-defined]  # no call has none: said below
                return MeasureName(**{word.arg: ast.literal_eval(word.value) for word in keywords})
            except (AttributeError, TypeError, ValueError) as error:
                allowed = ", ".join(field.name for field in fields(MeasureName))
                raise ValueError(
                    f"{path}: ROW must be MeasureName(...) with plain values of {allowed} ({error})"
                ) from None
    return None
