"""The command line before any heavy import: short help, plug-in names, one order of flags."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import yaml

from lightning_modules.catalogue import class_path, plugins

SUBCOMMANDS = ("fit", "validate", "test", "predict")
NAMED = {"loss": "loss", "network": "network", "data": "data", "source": "data"}  # flag: kind of plug-in
COMPOSITION = "losses._composition.Composition"
ALIASES = {"--axis": "--model.axis", "--run_dir": "--trainer.default_root_dir", "--seed": "--seed_everything"}

HELP = """\
Does your alignment loss beat saturation?

  python train.py                                             the main job: verdict on a simulated FACED cohort
  python train.py --loss NAME [--data FACED --data.root DIR]  the same verdict for your loss, your data
  python train.py fit --loss NAME --loss.weight W ...         one training run
  python train.py fit --config configs/faced.yaml ...         settings from files, later ones win
  python train.py --loss A+B --loss.A.weight W ...            two strategies at once
  python train.py --loss xeeg --source SEEDV --source.root DIR ...  a strategy that also trains on a second data set
  python train.py fit --loss.help NAME                        the flags of one loss (also --network.help, --data.help)
  python train.py fit --help                                  every flag
  python train.py validate | test | predict ...               the same on a checkpoint (--ckpt_path FILE)

The paper's table: python -m paper interventions   Sweeps: python -m sweeps.search   The axis: python -m vaxis

Flags of the verdict: --seeds 42,123,456,789,2025   --devices 0,1,...   --devices_per_run N   --planted
Short flags:          --seed N   --axis FILE   --run_dir DIR   --online (W&B server; offline otherwise)
"""


@contextmanager
def one_line_errors(explain: Callable[[str], str] = str) -> Iterator[None]:
    """End the process with one line where its user can do something; ``VAXIS_DEBUG`` shows the traceback.

    Args:
        explain: makes the line out of the message of an exception.
    """
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        if "VAXIS_DEBUG" in os.environ:
            raise
        raise SystemExit(f"error: {explain(str(error))}\n(VAXIS_DEBUG=1 shows where)") from None
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on where it was") from None


def short_help() -> str:
    """Usage and the plug-ins in the folders, each with the first line of its docstring."""
    parts = [HELP]
    for kind in ("loss", "network", "data"):
        rows = "\n".join(f"  {plugin.name:<17} {plugin.summary}" for plugin in plugins(kind))
        parts.append(f"--{kind}\n{rows}\n")
    return "\n".join(parts)


def normalise(argv: list[str]) -> list[str]:
    """The same command with names resolved and flags in the order that the parser needs; idempotent.

    The parser applies flags left to right, so settings files come first, then the choice of classes, then their
    arguments: the order in which a user wrote them stops to matter.
    """
    subcommand, rest = (argv[:1], argv[1:]) if argv[:1] and argv[0] in SUBCOMMANDS else ([], argv)
    files: list[str] = []
    choices: list[str] = []
    others: list[str] = []
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
            if kind in NAMED and value:
                value = class_path(NAMED[kind], value)
            target = files if kind not in NAMED else choices
            target.extend([flag, value] if value else [flag])
            position += 1 if equals or not follows else 2
        else:
            others.append(flag + equals + value)
            position += 1
    return [*subcommand, *files, *choices, *others]


def _composed(names: list[str], argv: list[str]) -> list[str]:
    """``--loss a+b`` and the ``--loss.a.x``, ``--loss.b.y`` of a command as one strategy with a list of parts."""
    argv, chosen, parts = option(argv, "--loss")[1], "+".join(names), []
    if len(set(names)) < len(names):
        raise SystemExit(f"error: --loss {chosen} names a strategy twice; set its weight instead")
    for name in names:
        path, arguments = class_path("loss", name), {}
        for flag in dict.fromkeys(word.split("=")[0] for word in argv if word.startswith(f"--loss.{name}.")):
            value, argv = option(argv, flag)
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
