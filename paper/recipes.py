"""The published recipes of ``recipes.yaml``: a ladder whose rungs add to each other, and single decoders by name."""

import shlex
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

FILE = Path(__file__).with_name("recipes.yaml")
Kind = Literal["raw", "band"]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One step of the ladder: everything of the steps before it and something more.

    Attributes:
        id: name.
        label: for people.
        published: test balanced accuracy.
        sd: over its seeds; None where none is printed.
        source: where the numbers stand.
        raw: flags that it adds on raw EEG, as published.
        band: flags that it adds on band features.
        band_label: for people, where that is something else.
        longer: factor on the epochs of the command.
    """

    id: str
    label: str
    published: float | None = None
    sd: float | None = None
    source: str = ""
    raw: str = ""
    band: str = ""
    band_label: str = ""
    longer: float = 1.0

    def named(self, kind: Kind) -> str:
        """What it is on raw EEG or on band features."""
        return (kind == "band" and self.band_label) or self.label


@dataclass(frozen=True, kw_only=True)
class Vote:
    """A vote of so many runs of some rungs.

    Attributes:
        label: for people.
        of: rung to number of runs.
        published: test balanced accuracy.
        source: where it stands.
    """

    label: str
    of: dict[str, int]
    published: float | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Single:
    """One published decoder.

    Attributes:
        name: what the command takes.
        label: for people.
        flags: of ``train.py fit``.
        published: test balanced accuracy.
        source: where it stands.
        protocol: data, classes, split, choice of the checkpoint and seeds that it was made with.
        seeds: those of the source.
        weights: which weights it starts from, and how they are named.
        sd: over seeds; None where none is printed.
    """

    name: str
    label: str
    flags: str
    published: float
    source: str
    protocol: str
    seeds: tuple[int, ...]
    weights: str = ""
    sd: float | None = None


@cache
def _data() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def title() -> str:
    """Of the ladder."""
    return _data()["cascade"]["title"]


def rungs() -> list[Rung]:
    """The steps of the ladder, in order."""
    return [_as(Rung, entry) for entry in _data()["cascade"]["rungs"]]


def votes() -> list[Vote]:
    """The votes beside the ladder."""
    return [_as(Vote, entry) for entry in _data()["cascade"]["votes"]]


def words_of(rung: str, kind: Kind) -> list[str]:
    """Flags of ``train.py fit`` of a rung: its own after those of every rung before it.

    A later choice of a strategy replaces an earlier one; there is one in the ladder, so none is undone.
    """
    words = shlex.split(_data()["cascade"]["start"][kind])
    for step in rungs():
        words += shlex.split(getattr(step, kind))
        if step.id == rung:
            return words
    raise ValueError(f"the ladder has no rung '{rung}'; it has {', '.join(step.id for step in rungs())}")


def singles() -> dict[str, Single]:
    """Published decoders by name."""
    entries = _data()["reproduce"].items()
    return {name: _as(Single, {"name": name, **entry, "seeds": tuple(entry["seeds"])}) for name, entry in entries}


def _as(kind: type, entry: dict[str, Any]) -> Any:
    if unknown := set(entry) - {field.name for field in fields(kind)}:
        raise ValueError(f"{FILE.name}: {entry.get('id', entry.get('label'))} has the unknown field {min(unknown)}")
    return kind(**entry)
