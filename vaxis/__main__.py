"""``python -m vaxis COMMAND``: make the axis of a language model, and find out what it is worth."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from console.arguments import no_such
from console.errors import refuse_bytes
from console.output import robust_output

# Each is a module with add_arguments(parser) and main(args); it is imported when it is asked for.
COMMANDS = {
    "extract": "make the axis artifact of a language model and print it",
    "validate": "score the axis on texts and words that people have rated, beside its nulls",
    "agree": "compare the axes of several language models",
    "ablate": "remove the axis from the model's own features",
    "steer": "add the axis while the model writes",
}


def parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The command line; only the sub-command that is asked for is imported, so that --help is immediate."""
    top = argparse.ArgumentParser(prog="python -m vaxis", description="The valence axis of language models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, line in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=line,
            description=f"{line[0].upper()}{line[1:]}.",
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        if next((word for word in argv if not word.startswith("-")), None) == name:
            _module(name).add_arguments(sub)
    return top


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; expected errors are one line on stderr and exit code 1."""
    robust_output()
    argv = (sys.argv[1:] if args is None else list(args)) or ["--help"]
    if not argv[0].startswith("-") and argv[0] not in COMMANDS:
        raise SystemExit(no_such(argv[0], COMMANDS, what="command of vaxis"))
    options = parser(argv).parse_args(argv)
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        refuse_bytes()
        return _module(options.command).main(options) or 0
    except (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError) as error:
        print(f"error: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return 130
    return 1


def _module(command: str) -> ModuleType:
    return import_module(f"vaxis.commands.{command}")


if __name__ == "__main__":
    sys.exit(main())
