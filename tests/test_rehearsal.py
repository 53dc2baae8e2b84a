"""What a warm process does once for its forks: it builds and tries the parser of a run and lists installed packages."""

import os
import sys
from importlib.metadata import version

import pytest
import torch

from command_line import ready
from command_line.parser import DecoderCLI, command_line
from command_line.rehearsal import Rehearsal, rehearse
from tracking.packages import installed


class Parsed(Rehearsal):
    """``fit`` as the words say, up to where objects are made."""

    def parse_arguments(self, parser, args):
        DecoderCLI.parse_arguments(self, parser, args)
        self.found = self.config.fit.as_dict()
        self.config.fit.seed_everything = False


@pytest.fixture(autouse=True)
def nothing_ready(monkeypatch):
    monkeypatch.setattr(ready, "_READY", {})


@pytest.fixture
def built(monkeypatch):
    """How many parsers have been built."""
    counted, build = [], ready.LightningCLI.setup_parser
    monkeypatch.setattr(ready.LightningCLI, "setup_parser", lambda *words: (counted.append(1), build(*words))[1])
    return counted


def parsed(monkeypatch, *words: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["train.py", "fit", *words])
    return command_line(Parsed, run=True, load_from_checkpoint_support=False).found


WORDS = ("--loss=losses.rsa.RSA", "--loss.weight=0.3", "--network=networks.emod.EMOD", "--measures.draws=7")


def test_a_rehearsed_command_reads_flags_as_one_that_builds_its_parser(monkeypatch, built):
    fresh = [parsed(monkeypatch, *words) for words in (WORDS, ())]
    words = list(sys.argv)
    for expected, flags in zip(fresh, (WORDS, ())):
        rehearse()
        before = len(built)
        assert parsed(monkeypatch, *flags) == expected
        assert len(built) == before, "the parser that was ready is taken"
    parsed(monkeypatch)
    assert len(built) == before + 1, "and is taken once"
    assert words == sys.argv


def test_another_callback_or_another_subcommand_builds_its_own(monkeypatch, built):
    rehearse()
    plugins = ready.plugins
    with monkeypatch.context() as edited:
        edited.setattr(ready, "plugins", lambda kind: plugins(kind)[:-1])
        parsed(monkeypatch)
    assert len(built) == 2
    monkeypatch.setattr(DecoderCLI, "subcommands", staticmethod(ready.LightningCLI.subcommands))
    parsed(monkeypatch)
    assert len(built) == 3, "with the parser of all subcommands"


def test_a_rehearsal_seeds_nothing(monkeypatch):
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    state = torch.get_rng_state()
    rehearse()
    assert "PL_GLOBAL_SEED" not in os.environ
    assert torch.equal(state, torch.get_rng_state())


def test_installed_packages_are_those_that_pip_would_freeze():
    lines = installed().splitlines()
    assert f"torch=={version('torch')}" in lines
    assert f"wandb=={version('wandb')}" in lines
    assert len({line.partition("==")[0] for line in lines}) == len(lines)


def test_a_rehearsal_that_fails_is_silent(monkeypatch, capfd):
    """The run says it, in its own log; the warm process must live, and its output is that of the launcher."""
    monkeypatch.setattr("command_line.rehearsal.WORDS", ["fit", "--no.such_flag=1"])
    rehearse()
    assert not ready._READY
    assert capfd.readouterr() == ("", "")
