"""A command line that finds its parser built, where the process that it was forked from has built one."""

from typing import Any

from lightning.pytorch.cli import LightningCLI

from command_line.catalogue import broken, plugins

# By what the flags follow from. Each is taken once: a second command line of a process builds its own.
_READY: dict[str, LightningCLI] = {}


class ReadyCLI(LightningCLI):
    """Builds its parser from the signatures of all parts, which takes longer than reading flags, only where it must."""

    def setup_parser(
        self, add_subcommands: bool, main_kwargs: dict[str, Any], subparser_kwargs: dict[str, Any]
    ) -> None:
        ready = _READY.pop(_state(self), None) if add_subcommands else None
        if ready is None:
            super().setup_parser(add_subcommands, main_kwargs, subparser_kwargs)
        else:
            self.parser, self._subcommand_parsers = ready.parser, ready._subcommand_parsers
            self._subcommand_method_arguments = ready._subcommand_method_arguments


def keep(built: LightningCLI) -> None:
    """Let the next command line of the same kind in this process, or in each of its forks, take this one's parser."""
    _READY[_state(built)] = built


def _state(built: LightningCLI) -> str:
    """Subcommands, who adds flags, and callbacks, broken ones included, which he tells: all else is imported."""
    adds = type(built).add_arguments_to_parser.__qualname__
    return repr((sorted(built.subcommands()), adds, plugins("callback"), broken("callback")))
