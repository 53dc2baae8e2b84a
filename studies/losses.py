"""Several losses in one command: their runs, and one table that pays for having asked more than once."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.base import finite
from command_line.settings import RunSettings, digest
from command_line.words import chooses_strategy, normalise, option
from records.files import atomic

if TYPE_CHECKING:
    from analysis.interventions import Intervention, InterventionResult
    from studies.study import Study

FORMAT = 1
DEFAULT = ("--loss", "vaxis_mse", "--loss.weight=0.5")


def runs_of(commands: Sequence[list[str]]) -> list[RunSettings]:
    """The run of each command of ``words_of_each``; where nothing says which loss, one with the default loss.

    Raises:
        ValueError: flags are wrong.
    """
    found = [RunSettings.parse(words) for words in commands]
    if len(found) == 1 and found[0].plain and not chooses_strategy(commands[0]):
        return [found[0].with_loss(DEFAULT)]
    return found


def words_of_each(words: list[str]) -> list[list[str]]:
    """The commands of the losses that ``--loss a,b+c`` names, with names resolved; before any heavy import.

    ``--loss.weight`` is of all of them, ``--loss.a.weight`` of ``a`` alone.

    Raises:
        ValueError: a loss is named twice.
        SystemExit: there is no plug-in of that name.
    """
    return [normalise(own) for own in one_loss_each(words)]


def one_loss_each(words: list[str]) -> list[list[str]]:
    """The same, names as the user wrote them."""
    if not any("," in value for value in _losses(words)):
        return [words]
    value, rest = option(words, "--loss")
    names = [name.strip() for name in (value or "").split(",")]
    if len(set(names)) < len(names) or not all(names):
        raise ValueError(f"--loss {value}: name each loss once, separated by commas")
    named = {part for name in names for part in name.split("+")}
    return [["--loss", name, *_own(rest, name, named=named)] for name in names]


def _losses(words: list[str]) -> list[str]:
    """Values of ``--loss``, as far as there are any; the parser says what is missing."""
    found = [word.removeprefix("--loss=") for word in words if word.startswith("--loss=")]
    return found + [value for flag, value in pairwise(words) if flag == "--loss"]


def _own(words: list[str], name: str, *, named: set[str]) -> list[str]:
    """The flags of one loss: what names another is left out, what names it is said of ``--loss``."""
    parts = name.split("+")
    for flag in dict.fromkeys(word.partition("=")[0] for word in words if word.startswith("--loss.")):
        owner, _, argument = flag.removeprefix("--loss.").partition(".")
        if owner not in named or (owner in parts and len(parts) > 1):
            continue  # of every loss, or of a part of this composition, which is spelled so
        value, words = option(words, flag)
        words = [*words, f"--loss.{argument}={value}"] if owner == name else words
    return words


def table(studies: "Sequence[Study]", seeds: Sequence[int]) -> "list[InterventionResult]":
    """A row a loss, with p-values corrected for their number."""
    from analysis.interventions import compare

    return compare([_asked(study, seeds) for study in studies])


def _asked(study: "Study", seeds: Sequence[int]) -> "Intervention":
    treated = study.pair.treated
    name = treated.path.name.rsplit("-", 1)[0]
    weight = treated.settings.strategy["loss"].get("init_args", {}).get("weight")
    from analysis.interventions import Intervention

    return Intervention(
        id=name,
        label=name if weight is None else f"{name}, weight {weight:g}",
        group=str(study.conditions.folder),
        baseline=study.pair.baseline.path,
        treated=treated.path,
        seeds=tuple(seeds),
        margin=None if study.plan.looks else study.plan.margin,  # as-needed seeds have boundaries of their own
    )


def save(lines: "Sequence[InterventionResult]", studies: "Sequence[Study]", *, command: str) -> tuple[str, Path]:
    """Write table, JSON and forest; returns the table as text, and its folder."""
    from analysis.canvas import png
    from analysis.interventions_figure import forest
    from analysis.interventions_text import terminal

    first = studies[0].conditions
    folder = first.folder / f"losses-{digest(*(study.pair.treated.path.name for study in studies), lines[0].seeds)}"
    folder.mkdir(parents=True, exist_ok=True)
    data = f"{type(first.data).__name__}, {first.settings.epochs} epochs"
    headings = {str(first.folder): f"against the same decoder without it, {data}"}
    text = terminal(lines, title=f"{len(lines)} losses: {data}", headings=headings)
    content = {"format": FORMAT, "command": command, "losses": [_row(line) for line in lines]}
    with atomic(folder / "losses.json") as partial:
        partial.write_text(json.dumps(finite(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with atomic(folder / "losses.txt") as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    with atomic(folder / "forest.png") as partial:
        partial.write_bytes(png(forest(lines, title=f"{len(lines)} losses", headings=headings)))
    return text, folder


def _row(line: "InterventionResult") -> dict[str, object]:
    asked = {"baseline": str(line.asked.baseline), "treated": str(line.asked.treated)}
    numbers = asdict(line)
    del numbers["asked"]
    return {"loss": line.asked.label, "verdict": line.answer, **asked, **numbers}
