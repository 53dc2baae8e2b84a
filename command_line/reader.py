"""Settings without a run: flags become plain values, and plain values the parts that a run would train."""

import argparse
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, Protocol

from jsonargparse import Namespace
from lightning import seed_everything
from lightning.pytorch.cli import LightningArgumentParser

from command_line.config_files import check_config_files
from command_line.explain import explain
from command_line.joining import joined
from command_line.limits import check_trainer
from command_line.nulls import check_nulls
from command_line.parser import DecoderCLI, command_line
from command_line.words import normalise
from datamodules.base import EEGDataModule
from datamodules.transfer import Transfer
from lightning_modules.decoder import Decoder


class Resolved(Protocol):
    """What is needed of a typed run here; ``settings.RunSettings``, which itself reads through this file."""

    @property
    def content(self) -> Mapping[str, Any]: ...


class Reader(DecoderCLI):
    """The same flags, read and nothing else: no object is made of them, and the process is not seeded."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = Namespace(seed_everything=False)

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        pass

    def after_instantiate_classes(self) -> None:
        pass


@cache
def _reader() -> LightningArgumentParser:
    """The parser of a run, built once a process: a tenth of a second, where parsing takes a third of that."""
    # Checkpoint support would note the settings of the one command line of a process; here there are many.
    parser = command_line(Reader, run=False, load_from_checkpoint_support=False).parser
    parser.exit_on_error = False  # a mistake is an exception with a message, for whoever asked
    return parser


def read(words: Sequence[str], *, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What ``fit`` would use with these flags, as nested plain values with every default filled in.

    Args:
        words: flags of ``train.py fit``; names and order as a user writes them.
        base: settings that the flags change, as an earlier call returned them; by default the defaults.

    Raises:
        ValueError: the flags are wrong; the message is one line.
        SystemExit: there is no plug-in of that name.
    """
    check_config_files(words)
    parser = _reader()
    under = ["--config", json.dumps(base)] if base else []
    try:
        found = parser.parse_args([*under, *normalise(list(words))])
        check_trainer(found.trainer)
        check_nulls(found)
        return json.loads(parser.dump(found, format="json", skip_unset=False))
    except argparse.ArgumentError as error:
        raise ValueError(explain(str(error))) from error


def instantiate(settings: Resolved) -> tuple[EEGDataModule | Transfer, Decoder, dict[str, Any]]:
    """The data module and the decoder of a run, and the settings of its Trainer; no file is read or written.

    The process is seeded as the run would be, for data modules keep the seed that they were made under.

    Raises:
        ValueError: a value is refused, or the parts do not fit each other; the message is one line.
    """
    parser = _reader()
    seed = settings.content["seed_everything"]
    if seed is not False:
        seed_everything(None if seed is True else seed, workers=True)
    try:
        # A copy: the parser puts objects of its own into the lists that it is given.
        made = parser.instantiate(parser.parse_object(deepcopy(dict(settings.content))))
        data = joined(made.model, made.data, made.get("source"))
    except (argparse.ArgumentError, ValueError) as error:
        raise ValueError(explain(str(error))) from error
    return data, made.model, settings.content["trainer"]
