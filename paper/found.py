"""What finished analyses left under some folders: numbers, pictures, verdicts and tables of interventions."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper.table import NAME as TABLE
from paper.table import Table
from records.layout import CHECKPOINTS, EPOCHS

VERDICT = "verdict.json"
SKIPPED = {"wandb", CHECKPOINTS, EPOCHS, "__pycache__"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of an analysis, as its file has it; NaN and None where it has none.

    Attributes:
        value: the number.
        n: runs, pairs, clips or texts that it is made from.
        simulated: whether nobody was recorded.
        null_mean: of its null.
        null_95: 95th percentile of its null.
        p_value: of the value.
        interval: 95 %.
    """

    value: float
    n: int
    simulated: bool
    null_mean: float | None = None
    null_95: float | None = None
    p_value: float | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Value":
        """From a file; null is NaN."""
        ends = content.get("interval")
        return cls(
            value=_number(content.get("value")),
            n=int(content["n"]),
            simulated=bool(content["simulated"]),
            interval=(_number(ends[0]), _number(ends[1])) if ends else None,
            **{
                name: None if content.get(name) is None else float(content[name])
                for name in ("null_mean", "null_95", "p_value")
            },
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """One analysis of one set of runs or data.

    Attributes:
        analysis: its name.
        file: where its numbers are.
        dataset: that it is about; empty where the file does not say.
        numbers: by name.
        roles: what a number is, to its name, where names follow from the runs (``mixed``: ``bar[5 x 30 + 5 x 45]``).
        published: by name of the number, the ``v1``, ``revision`` and ``note`` that the file itself states.
        text: what else a reader must see first.
        pictures: PNG files beside it that begin with its name.
    """

    analysis: str
    file: Path
    dataset: str
    numbers: dict[str, Value]
    roles: dict[str, str] = field(default_factory=dict)
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()

    @property
    def simulated(self) -> bool:
        return any(number.simulated for number in self.numbers.values())


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything under the folders.

    Attributes:
        results: analyses and verdicts; on real data first, newest first within.
        tables: of interventions, newest first.
        broken: one line for each file that could not be read.
    """

    results: tuple[Result, ...] = ()
    tables: tuple[Table, ...] = ()
    broken: tuple[str, ...] = ()


def folders(named: Sequence[Path] | None) -> list[Path]:
    """The folders that a user named, or ``runs`` where there is one."""
    return list(named) if named else [path for path in (Path("runs"),) if path.is_dir()]


def find(folders: Sequence[Path]) -> Found:
    """Look through folders at any depth; what is damaged is named and stops nothing.

    Raises:
        FileNotFoundError: no such folder.
    """
    results, tables, broken = {}, {}, []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"--runs {folder}: no such folder")
        for file in _files(folder):
            try:
                if file.name == TABLE:
                    tables[file.resolve()] = Table.load(file.parent)
                elif (result := _result(file)) is not None:
                    results[file.resolve()] = result
            except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
                said = f"lacks the field {error}" if isinstance(error, KeyError) else str(error)
                broken.append(f"{file}: {said or type(error).__name__}; make it again")
    ordered = sorted(results.values(), key=lambda result: (result.simulated, -result.file.stat().st_mtime))
    newest = sorted(tables, key=lambda file: -file.stat().st_mtime)
    return Found(results=tuple(ordered), tables=tuple(tables[file] for file in newest), broken=tuple(broken))


def _files(folder: Path) -> Iterator[Path]:
    """JSON files outside of checkpoints and W&B records."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and name[0] != ".")
        yield from (Path(place) / name for name in sorted(files) if name.endswith(".json"))


def _result(file: Path) -> Result | None:
    """None for other JSON files."""
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        return None
    if file.name == VERDICT or "judgement" in content:
        return _verdict(content, file)
    if not isinstance(content.get("analysis"), str) or not isinstance(content.get("numbers"), dict):
        return None
    return Result(
        analysis=content["analysis"],
        file=file,
        dataset=str(content.get("dataset") or ""),
        numbers={name: Value.of(number) for name, number in content["numbers"].items()},
        roles=content.get("roles") or {},
        published=content.get("published") or {},
        text=tuple(content.get("notes") or ()),
        pictures=tuple(sorted(file.parent.glob(f"{file.stem}*.png"))),
    )


def _verdict(content: dict[str, Any], file: Path) -> Result:
    """A verdict has its own form; from it the change, what controls change, and what survives a new clip."""
    simulated, paired, judged = content["simulated"], content["accuracy"]["paired"], content["judged"]

    def row(value: Any, n: int, **more: Any) -> Value:
        return Value.of({"value": value, "n": n, "simulated": simulated, **more})

    pairs = len(content["seeds"])
    ends = (judged["low"], judged["high"])
    numbers = {"change": row(paired["mean"], pairs, p_value=paired["p"], interval=ends)}
    for other in content.get("controls") or ():
        own = other["change"]
        numbers[f"change_{other['name']}"] = row(
            own["mean"], pairs, p_value=own["p"], interval=(own["low"], own["high"])
        )  # fmt: skip
    for other in content.get("others") or ():
        own = other["paired"]  # the null that stands there is of either arm and not of their difference
        if own["low"] is not None:
            numbers[f"change_of_{other['name']}"] = row(
                own["mean"], pairs, p_value=own["p"], interval=(own["low"], own["high"])
            )  # fmt: skip
    if clips := content.get("new_clips"):
        chance = clips["chance"]
        for name in ("seen", "new"):
            numbers[f"{name}_clips"] = row(clips["without"][name], len(clips["folds"]), null_mean=chance)
        numbers["survives_a_new_clip"] = row(clips["without"]["survives"], len(clips["folds"]))
    return Result(
        analysis="verdict",
        file=file,
        dataset=content["dataset"],
        numbers=numbers,
        text=(content["sentence"], *(f"Warning: {text}" for text in content.get("warnings", ()))),
        pictures=tuple(sorted(file.parent.glob("verdict*.png"))),
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
