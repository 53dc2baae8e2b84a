"""A command that is read and not run, in a process that runs are forked from: what parsing keeps, they find."""

import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from command_line.catalogue import broken
from command_line.parser import DecoderCLI, command_line
from command_line.reader import Reader
from command_line.ready import keep
from command_line.words import normalise

WORDS = ["fit", "--loss", "vaxis_mse"]


class Rehearsal(Reader):
    """``fit`` up to where objects are made; the process is not seeded."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        DecoderCLI.parse_arguments(self, parser, args)  # ``Reader`` has its flags read later, one list after the other
        self.config = Namespace(subcommand="fit", fit=Namespace(seed_everything=False))

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def rehearse() -> None:
    """Read the flags of a usual run: a tenth of a second that each fork has then not to spend."""
    if broken("callback"):
        return  # a run says so while it builds its parser, in its own log
    words = sys.argv
    try:
        # Of what a plug-in that does not import makes here the run that names it tells, too.
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), suppress(Exception, SystemExit):
            sys.argv = ["train.py", *normalise(WORDS)]
            keep(command_line(Rehearsal, run=True, load_from_checkpoint_support=False))
    finally:
        sys.argv = words
