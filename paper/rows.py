"""The interventions of the paper, read from ``interventions.yaml``: what each row runs and what was published."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from analysis.dose_curves import Curve, Point

FILE = Path(__file__).with_name("interventions.yaml")
GROUPS = {"paper": "the paper's 25 rows", "recipe": "on its full recipe", "figure": "in its figures only", "dose": ""}


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One strategy in one configuration.

    Attributes:
        id: number in the paper's table, or a name.
        label: for people.
        group: ``paper``, ``recipe``, ``figure`` or ``dose``.
        family: of the strategy.
        loss: flags that choose the strategy.
        control: flags that choose the control arm; None is the plain decoder.
        setting: flags of both arms.
        recipe: ``augmented`` adds augmentation to both arms.
        axes: the strategy needs axes of further language models.
        transfer: the strategy is judged on SEED-V, after FACED.
        delta: published change in balanced accuracy.
        p: published p, or its upper bound where ``p_text`` starts with "<".
        p_text: as printed.
        judged: the paper's label of the row.
        note: what to know before comparing.
    """

    id: str
    label: str
    group: str
    family: str
    loss: str
    control: str | None = None
    setting: str = ""
    recipe: Literal["base", "augmented"] = "base"
    axes: bool = False
    transfer: bool = False
    delta: float | None = None
    p: float | None = None
    p_text: str = ""
    judged: Literal["negative", "catastrophic", "n.s."] = "n.s."
    note: str = ""

    @property
    def arms(self) -> dict[str, list[str]]:
        """Flags of the loss in both arms."""
        control = ["none"] if self.control is None else shlex.split(self.control)
        return {"control": ["--loss", *control], "treated": ["--loss", *shlex.split(self.loss)]}


@cache
def _data() -> dict[str, Any]:
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def seeds() -> tuple[int, ...]:
    """The paper's paired seeds."""
    return tuple(_data()["seeds"])


@cache
def rows() -> dict[str, PublishedRow]:
    """Every row by its id, in the order of the file."""
    found = [_row(entry, group) for group in GROUPS for entry in _data()[group]]
    return {row.id: row for row in found}


@cache
def curves() -> tuple[Curve, ...]:
    """The dose curves of the paper."""
    base = _data()["base"]
    return tuple(
        Curve(
            name=curve["name"],
            title=curve["title"],
            x=curve["x"],
            points=tuple(
                Point(row=str(p["row"]), x=p["x"], delta=p["delta"] if "delta" in p else round(p["accuracy"] - base, 4))
                for p in curve["points"]
            ),
        )
        for curve in _data()["curves"]
    )


def select(words: Sequence[str]) -> list[PublishedRow]:
    """Rows that ids, ranges of numbers (``1-8``), groups, families or names of losses choose, in the order of the file.

    Raises:
        ValueError: a word chooses nothing.
    """
    every, chosen = rows().values(), set()
    for word in words:
        found = {row.id for row in every if word in (row.id, row.group, row.family, row.loss.split()[0])}
        low, dash, high = word.partition("-")
        if dash and low.isdigit() and high.isdigit():
            found |= {row.id for row in every if row.id.isdigit() and int(low) <= int(row.id) <= int(high)}
        if not found:
            names = ", ".join(row.id for row in every if not row.id.isdigit())
            kinds = f"a group ({', '.join(GROUPS)}), a family, a loss"
            raise ValueError(f"--rows: no row '{word}'; take 1 to 25, a range such as 1-8, {kinds} or one of {names}")
        chosen |= found
    return [row for row in every if row.id in chosen]


def _row(entry: dict[str, Any], group: str) -> PublishedRow:
    if unknown := set(entry) - {field.name for field in fields(PublishedRow)}:
        raise ValueError(f"{FILE.name}: row {entry.get('id')} has the unknown field {sorted(unknown)[0]}")
    text = str(entry.get("p", ""))
    p = float(text.lstrip("<")) if text else None
    return PublishedRow(**{**entry, "id": str(entry["id"]), "group": group, "p": p, "p_text": text})
