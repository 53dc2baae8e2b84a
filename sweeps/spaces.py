"""Search spaces from the typed constructors of the losses; ``python -m sweeps.spaces --loss rsa`` prints one."""

import importlib
import inspect
import json
import re
import sys
import types
import typing
from itertools import combinations, product
from typing import Any

import yaml

from command_line.lean import import_torchmetrics, kept
from command_line.settings import RunSettings
from command_line.words import flags
from console.arguments import Arguments
from console.errors import one_line_errors
from records.reading import read_yaml

KINDS = ("float", "int", "categorical")


def main(argv: list[str]) -> None:
    """Print the space; ``--json`` adds, for the search, what else the flags say.

    Args:
        argv: ``--loss A,B``, ``--space FILE`` and flags of ``train.py fit``.
    """
    parser = Arguments("python -m sweeps.spaces", about=__doc__)
    parser.add_argument("--loss", required=True, help="one name, or several (a,b)")
    parser.add_argument("--space", help="YAML of ranges that come on top")
    parser.add_argument("--json", action="store_true", help="one line for the search, with the settings of the runs")
    args, words = parser.parse_known_args(argv)
    space, runs = build(args.loss.split(","), argv=words, file=args.space)
    if args.json:
        print(json.dumps({"space": space, "settings": {loss: run.content for loss, run in runs.items()}}))
    else:
        shown = {name: {k: v for k, v in entry.items() if k != "default"} for name, entry in _merged(space).items()}
        print(yaml.safe_dump(shown, sort_keys=False, default_flow_style=None), end="")


def build(
    losses: list[str], *, argv: list[str], file: str | None = None
) -> tuple[dict[str, dict[str, dict]], dict[str, RunSettings]]:
    """Space of every loss and the settings of its runs; the flags are checked as ``train.py fit`` would check them.

    Args:
        losses: names for ``--loss``.
        argv: other flags; a parameter that they name is not searched.
        file: YAML of ``flag: range``. A range is ``{low: a, high: b, log: true}``, a list of choices or one value;
            under the name of a loss it holds for that loss only.

    Raises:
        ValueError: the file has an unknown entry, or nothing is left to search.
    """
    with kept():
        import_torchmetrics()
        from command_line.reader import instantiate

    own = _read(file, losses) if file else {}
    shared = {flag: entry for flag, entry in own.items() if flag not in losses}
    fixed, space, runs = flags(argv), {}, {}
    for loss in losses:
        runs[loss] = RunSettings.parse(["--loss", loss, *argv])
        instantiate(runs[loss])  # a value that a constructor refuses is told now, not by every trial
        found = of_loss(runs[loss].value("loss"))
        found = {flag: entry for flag, entry in found.items() if flag not in fixed}
        space[loss] = found | shared | own.get(loss, {})
        if not space[loss]:
            raise ValueError(f"{loss} has no parameter to search; name some in a file: --space FILE")
        named = {**shared, **own.get(loss, {})}
        for flag in named:
            if flag.rpartition(".")[0] not in named:  # an argument of a class that is searched itself fits one of them
                _check_values(runs[loss], flag, named[flag], file=file)
    return space, runs


def _check_values(run: RunSettings, flag: str, entry: dict[str, Any], *, file: str | None) -> None:
    """Make a run with each value that a file names; one that is refused is told now, not by every trial that draws it.

    Of a range these are its ends: what a constructor refuses lies beyond one of them.

    Raises:
        ValueError: names file, flag and value, and what was said of it.
    """
    from command_line.reader import instantiate

    for value in entry.get("choices") or (entry["low"], entry["high"]):
        try:
            instantiate(run.with_value(flag, value))
        except ValueError as error:
            raise ValueError(f"--space {file}: {flag} {value} is refused: {error}") from error


def of_loss(chosen: Any) -> dict[str, dict[str, Any]]:
    """Flag -> range of a configured loss; of a composition those of its parts, as in ``--loss.rsa.weight``."""
    configured = dict(chosen.get("init_args", {}))
    if "parts" in configured:
        return {
            f"loss.{part['class_path'].split('.')[-2]}.{flag.removeprefix('loss.')}": entry
            for part in configured["parts"]
            for flag, entry in of_loss(part).items()
        }
    module, name = chosen["class_path"].rsplit(".", 1)
    return from_constructor(getattr(importlib.import_module(module), name), configured)


def from_constructor(cls: type, configured: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Flag -> range for what can be searched without being told more: numbers above 0, choices and switches.

    A weight may be off by orders of magnitude, so it is searched from a hundredth to ten times its value; other numbers
    by a factor of ten, counts of four. Where the constructor refuses an end of the range, 1 and then the value itself
    take its place. Of two choices that it refuses together one is left out, and said to be.
    """
    hints = typing.get_type_hints(cls.__init__)  # type: ignore[misc]  # of this very class, whatever its subclasses take
    found = {name: _entry(name, hints.get(name), configured.get(name)) for name in inspect.signature(cls).parameters}
    entries = {name: entry | {"default": configured[name]} for name, entry in found.items() if entry is not None}
    choices = _together(cls, configured, entries)
    beside = [{}, *({name: choice} for name, some in choices.items() for choice in some)]
    space: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        if name in choices:
            entry["choices"] = choices[name]
            varies = len(choices[name]) > 1
        else:
            for end in ("low", "high"):
                entry[end] = _accepted(cls, configured, name, entry[end], beside)
            varies = entry["low"] != entry["high"]
        if varies:
            space[f"loss.{name}"] = entry
    return space


def _together(cls: type, configured: dict[str, Any], entries: dict[str, dict[str, Any]]) -> dict[str, list]:
    """Choices of each argument without those that the constructor refuses beside another; later arguments yield."""
    choices = {name: list(entry["choices"]) for name, entry in entries.items() if entry["type"] == "categorical"}
    for first, second in combinations(choices, 2):
        for pair in product(list(choices[first]), list(choices[second])):
            chosen = dict(zip((first, second), pair))
            if any(chosen[name] not in choices[name] for name in chosen) or _takes(cls, configured | chosen):
                continue
            loser, other = (second, first) if chosen[second] != entries[second]["default"] else (first, second)
            choices[loser].remove(chosen[loser])
            without, with_it = f"{loser} {chosen[loser]}", f"{other} {chosen[other]}"
            print(f"{cls.__name__}: {without} is not searched, it is refused beside {with_it}", file=sys.stderr)
    return choices


def _takes(cls: type, arguments: dict[str, Any]) -> bool:
    try:
        cls(**arguments)
    except ValueError:
        return False
    return True


def _entry(name: str, hint: Any, value: Any) -> dict[str, Any] | None:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next((part for part in typing.get_args(hint) if typing.get_origin(part) is typing.Literal), None)
    if typing.get_origin(hint) is typing.Literal:
        return (
            {"type": "categorical", "choices": list(typing.get_args(hint))} if value in typing.get_args(hint) else None
        )
    if hint is bool:
        return {"type": "categorical", "choices": [False, True]}
    if not isinstance(value, int | float) or value <= 0:
        return None
    if hint is int:
        return {"type": "int", "low": max(1, value // 4), "high": value * 4, "log": True}
    if hint is float:
        below = 100 if name == "weight" else 10
        return {"type": "float", "low": value / below, "high": value * 10.0, "log": True}
    return None


def _accepted(cls: type, configured: dict[str, Any], name: str, end: float, beside: list[dict[str, Any]]) -> float:
    """The end of the range, or 1, or the value itself: the first that the constructor takes beside every choice."""
    value = configured[name]
    between = [type(end)(1)] if min(end, value) < 1 < max(end, value) else []
    for number in (end, *between):
        if all(_takes(cls, configured | choice | {name: number}) for choice in beside):
            return number
    return value


def _read(file: str, losses: list[str]) -> dict[str, Any]:
    content = read_yaml(file, remedy="--space takes 'flag: range' lines, such as loss.weight: {low: 0.1, high: 10}")
    return {
        name: {flag: _range(flag, text, file) for flag, text in entry.items()}
        if name in losses
        else _range(name, entry, file)
        for name, entry in content.items()
    }


def _range(flag: str, text: Any, file: str) -> dict[str, Any]:
    if not re.fullmatch(r"[\w]+(\.[\w]+)*", str(flag)):
        raise ValueError(f"{file}: {flag!r} is no flag; write it as in --loss.weight, without the dashes")
    if not isinstance(text, dict):
        text = {"choices": text if isinstance(text, list) else [text]}
    if "choices" in text:
        choices = text["choices"] if isinstance(text["choices"], list) else []
        simple = all(choice is None or isinstance(choice, bool | int | float | str) for choice in choices)
        if set(text) - {"choices", "type"} or not simple or not choices:
            raise ValueError(f"{file}: {flag}: choices must be a list of numbers, words or switches")
        return {"type": "categorical", "choices": choices}
    numbers = [text.get(end) for end in ("low", "high")]
    if set(text) - {"low", "high", "log", "type"} or not all(type(n) in (int, float) for n in numbers):
        raise ValueError(f"{file}: {flag} needs low and high (numbers; write 1.0e-4, not 1e-4) and may have log: true")
    log = bool(text.get("log", False))
    if not numbers[0] < numbers[1] or (log and numbers[0] <= 0):
        raise ValueError(f"{file}: {flag} needs low < high, and low > 0 where log is true")
    kind = text.get("type") or ("int" if all(type(n) is int for n in numbers) else "float")
    if kind not in KINDS[:2]:
        raise ValueError(f"{file}: {flag}: type must be float or int, not {kind}")
    return {"type": kind, "low": numbers[0], "high": numbers[1], "log": log}


def _merged(space: dict[str, dict[str, dict]]) -> dict[str, Any]:
    return next(iter(space.values())) if len(space) == 1 else space


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
