"""The flags of a command, read the same way everywhere."""

import argparse
import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from console.fitting import fitted

SAYS_NOTHING: tuple[object, ...] = (None, False, argparse.SUPPRESS, "", (), [])  # defaults that explain no flag


class Help(argparse.RawDescriptionHelpFormatter):
    """A docstring filled to the terminal, and every flag with its default."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return fitted(text, columns=width)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = (action.help or "").replace("``", "")
        known = any(action.default is value or action.default == value for value in SAYS_NOTHING)
        if known or "default" in said.lower() or not said or not action.option_strings:
            return said
        return f"{said} (default %(default)s)"


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
        options.setdefault("formatter_class", Help)
        # An abbreviation that is unique today is ambiguous, or another flag, after the next one is added.
        super().__init__(prog=prog, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; every flag: {self.prog} --help\n")


def no_such(word: str, known: Iterable[str], *, what: str) -> str:
    """The line for a word that is none of those there are, with the nearest of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"error: no {what} '{word}'.{hint} There is: {', '.join(names)}"


def before_dashes(argv: list[str]) -> tuple[list[str], list[str]]:
    """The words before and after a lone ``--``, for commands that take the flags of another one behind it."""
    position = argv.index("--") if "--" in argv else len(argv)
    return argv[:position], argv[position + 1 :]
