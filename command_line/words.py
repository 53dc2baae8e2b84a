"""The words of a command line before any heavy import: names resolved, flags in one order.

Words are what a user types; behind the commands that read them a run is a ``command_line.settings.RunSettings``.

Flags are spelled with underscores everywhere (``--run_dir``, ``--devices_per_run``, ``--devices_per_trial``):
``train.py`` derives most of its flags from the arguments of constructors, where a dash cannot stand, and one spelling
is easier to remember than two.
"""

import json
from collections.abc import Sequence

import yaml

from command_line.catalogue import class_path

SUBCOMMANDS = ("fit", "validate", "test", "predict")
NAMED = {"loss": "loss", "network": "network", "data": "data", "source": "data"}  # flag: kind of plug-in
COMPOSITION = "losses._composition.Composition"
ALIASES = {"--axis": "--model.axis", "--run_dir": "--trainer.default_root_dir", "--seed": "--seed_everything"}


def normalise(argv: list[str]) -> list[str]:
    """The same command with names resolved and flags in the order that the parser needs; idempotent.

    The parser applies flags left to right, so settings files come first, then the choice of classes, then their
    arguments: the order in which a user wrote them stops to matter. A choice of data also stands before the files: a
    recipe sets batches or units of whatever data there are, and a class that is chosen later forgets what was set.
    """
    subcommand, rest = (argv[:1], argv[1:]) if argv[:1] and argv[0] in SUBCOMMANDS else ([], argv)
    files: list[str] = []
    choices: list[str] = []
    others: list[str] = []
    data = ""
    position = 0
    while position < len(rest):
        flag, equals, value = rest[position].partition("=")
        flag = ALIASES.get(flag, flag)
        follows = not equals and position + 1 < len(rest)
        kind = flag.removeprefix("--").removesuffix(".help")
        if flag in ("-c", "--config") or (flag.startswith("--") and kind in NAMED):
            value = value if equals else (rest[position + 1] if follows else "")
            if flag == "--loss" and "+" in value:
                return normalise([*subcommand, *_composed(value.split("+"), rest)])
            if kind == flag.removeprefix("--") == "network" and ":" in value and not value.startswith("{"):
                value, _, model = value.partition(":")  # braindecode:REVE, a model of a library
                others.append(f"--network.model={model}")
            if kind in NAMED and value:
                value = class_path(NAMED[kind], value)
            if flag == "--data" and value:
                data = value
            else:
                (files if kind not in NAMED else choices).extend([flag, value] if value else [flag])
            position += 1 if equals or not follows else 2
        else:
            others.append(flag + equals + value)
            position += 1
    chosen = ["--data", data] if data else []
    return [*subcommand, *(chosen if files else []), *files, *choices, *chosen, *others]


def _composed(names: list[str], argv: list[str]) -> list[str]:
    """``--loss a+b`` and the ``--loss.a.x``, ``--loss.b.y`` of a command as one strategy with a list of parts."""
    argv, chosen, parts = option(argv, "--loss")[1], "+".join(names), []
    if len(set(names)) < len(names):
        raise SystemExit(f"error: --loss {chosen} names a strategy twice; set its weight instead")
    for name in names:
        path, arguments = class_path("loss", name), {}
        for flag in dict.fromkeys(word.split("=")[0] for word in argv if word.startswith(f"--loss.{name}.")):
            value, argv = option(argv, flag)
            assert value is not None  # the flag is one of the command's own
            arguments[flag.split(".", 2)[2]] = yaml.safe_load(value)
        parts.append({"class_path": path, "init_args": arguments})
    for flag in [word.split("=")[0] for word in argv]:
        if flag.startswith("--loss.") and flag.count(".") > 1:
            raise SystemExit(f"error: {flag} names no part of --loss {chosen}; write --loss.{names[0]}.weight or so")
    return ["--loss", COMPOSITION, f"--loss.parts={json.dumps(parts)}", *argv]


def option(argv: list[str], name: str) -> tuple[str | None, list[str]]:
    """Take ``--name VALUE`` or ``--name=VALUE`` out of a command: its last value and the command without it."""
    value, rest, position = None, [], 0
    while position < len(argv):
        if argv[position].startswith(f"{name}="):
            value = argv[position].split("=", 1)[1]
        elif argv[position] == name:
            if position + 1 == len(argv) or argv[position + 1].startswith("--"):
                raise SystemExit(f"error: {name} needs a value")
            position, value = position + 1, argv[position + 1]
        else:
            rest.append(argv[position])
        position += 1
    return value, rest


def flags(argv: Sequence[str]) -> set[str]:
    """Names of the flags in a command, without dashes: which settings a user has named, whatever their values."""
    return {word.partition("=")[0].removeprefix("--") for word in argv if word.startswith("--")}


def chooses_strategy(argv: Sequence[str]) -> bool:
    """Whether a command says anything of the alignment strategy or of the second data set that it trains on."""
    return any(name.split(".")[0] in ("loss", "source") for name in flags(argv))


def without(argv: Sequence[str], name: str) -> list[str]:
    """The command without ``--name`` and ``--name.x``, to be shown where they are replaced by others."""
    rest: list[str] = []
    value_follows = False
    for word in argv:
        named = value_follows or word.partition("=")[0].removeprefix("--").split(".")[0] == name
        value_follows = named and not value_follows and "=" not in word
        if not named:
            rest.append(word)
    return rest
