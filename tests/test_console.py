"""How every command reads its flags and is found: one spelling, one line for a mistake, and a list without a word."""

import ast
import subprocess
import sys

import pytest

from console import rooms
from console.arguments import Arguments, before_dashes
from tests.conftest import ROOT

ROOMS = ("sweeps", "studies", "tracking", "datamodules", "benchmarks")
DASHES = {"--devices-per-trial"}  # in the README of the first version


def python(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_its_commands_and_each_has_a_line(room):
    done = python("-m", room)
    assert done.returncode == 0
    assert rooms.commands(room)
    for name, about in rooms.commands(room).items():
        assert f"python -m {room} {name}" in done.stdout
        assert about in done.stdout
        assert len(about) > 20


@pytest.mark.parametrize("room", ["vaxis", "paper"])
def test_rooms_with_a_help_of_their_own_show_it(room):
    done = python("-m", room)
    assert done.returncode == 0
    assert {"vaxis": "extract", "paper": "interventions"}[room] in done.stdout


def test_a_command_is_one_thing_by_either_name():
    one, two = python("-m", "sweeps", "slurm", "--help"), python("-m", "sweeps.slurm", "--help")
    assert one.stdout == two.stdout
    assert "--workers" in one.stdout
    wrong = python("-m", "sweeps", "serach")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: no command 'serach' in sweeps; there is: search")


def test_a_mistake_is_one_line_and_flags_are_not_abbreviated(capsys):
    parser = Arguments("python -m x", about="Does.")
    parser.add_argument("--devices_per_trial", type=int)
    for words in (["--devices_per=2"], ["--devices_per_trial=two"]):
        with pytest.raises(SystemExit) as stop:
            parser.parse_args(words)
        assert stop.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert len(said.splitlines()) == 1
    assert before_dashes(["--a", "--", "--b", "--", "c"]) == (["--a"], ["--b", "--", "c"])
    assert before_dashes(["--a"]) == (["--a"], [])


def test_flags_have_underscores():
    for path in ROOT.glob("*/**/*.py"):
        if path.is_relative_to(ROOT / "tests") or ".venv" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                names = {a.value for a in node.args if isinstance(a, ast.Constant) and str(a.value).startswith("--")}
                dashed = {name for name in names if "-" in name.removeprefix("--")}
                assert dashed <= DASHES, f"{path.relative_to(ROOT)}: {dashed}"
