"""The flags of a command, read the same way everywhere."""

import argparse
from typing import Any, NoReturn


class Arguments(argparse.ArgumentParser):
    """A parser whose mistakes are one line, whose flags are not abbreviated and whose help is a docstring.

    Flags are spelled with underscores (``--devices_per_trial``), as ``train.py`` derives its own from the arguments of
    constructors; a dash inside a flag is left for the subcommands' names alone.

    Args:
        prog: the command, as in ``python -m sweeps.search``.
        about: what it does, usually the docstring of its module.
        options: further ones of ``argparse.ArgumentParser``.
    """

    def __init__(self, prog: str | None = None, *, about: str | None = None, **options: Any) -> None:
        options.setdefault("description", about)
        # Docstrings have line breaks of their own; argparse would join their lines.
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        # An abbreviation that is unique today is ambiguous, or another flag, after the next one is added.
        super().__init__(prog=prog, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; every flag: {self.prog} --help\n")


def before_dashes(argv: list[str]) -> tuple[list[str], list[str]]:
    """The words before and after a lone ``--``, for commands that take the flags of another one behind it."""
    position = argv.index("--") if "--" in argv else len(argv)
    return argv[:position], argv[position + 1 :]
