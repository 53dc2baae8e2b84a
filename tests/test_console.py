"""How every command reads its flags and is found: one spelling, one line for a mistake, and a list without a word."""

import ast
import contextlib
import io
import os
import subprocess
import sys

import pytest

import analysis.__main__
import paper.__main__
import train
import vaxis.__main__
from console import rooms
from console.arguments import Arguments, before_dashes
from console.errors import one_line_errors
from tests.conftest import ROOT

ROOMS = ("sweeps", "studies", "tracking", "datamodules", "benchmarks", "networks", "command_line")
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
        assert about.replace("``", "") in " ".join(done.stdout.split())
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
    assert wrong.stderr.startswith("error: no command of sweeps 'serach'. Did you mean 'search'? There is: search")


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


@pytest.mark.parametrize("words", [["train.py", "--help"], *(["-m", room] for room in ("analysis", "paper", "sweeps"))])
def test_a_reader_that_leaves_ends_nothing(words):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("lost", ["stdout", "stderr"])
def test_work_goes_on_when_nobody_reads_and_so_do_processes_started_later(lost, unbuffered, tmp_path):
    read, write = os.pipe()
    os.close(read)
    code = f"""
import subprocess, sys
from console.output import robust_output
robust_output(); robust_output()
print("heard", file=sys.{lost}, flush=True)
subprocess.run([sys.executable, "-c", "import sys; print(1, file=sys.{lost}, flush=True)"], check=True)
open({str(tmp_path / "done")!r}, "w").close()
"""
    other = {"stdout": "stderr", "stderr": "stdout"}[lost]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, timeout=60,
        **{lost: write, other: subprocess.PIPE},
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 0
    assert not getattr(done, other)
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize(
    "main",
    [vaxis.__main__.main, paper.__main__.main, analysis.__main__.main, train.main, lambda _: rooms.main("sweeps")],
)
def test_letters_that_the_terminal_has_not_are_question_marks(main, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "--help"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with contextlib.suppress(SystemExit):  # as argparse ends its help
        main(["--help"])
    print("λ")
    sys.stdout.seek(0)
    assert sys.stdout.read().splitlines()[-1] == "?"


@pytest.mark.parametrize("place", ["flag", "VAXIS_CACHE", "working directory"])
def test_a_name_in_bytes_that_are_no_text_is_refused(place, monkeypatch):
    name = os.fsdecode(b"r\xfcn")
    monkeypatch.setattr(sys, "argv", ["x", f"--run_dir={name if place == 'flag' else ''}"])
    monkeypatch.setenv("VAXIS_CACHE", name if place == "VAXIS_CACHE" else "")
    if place == "working directory":
        monkeypatch.setattr(os, "getcwd", lambda: name)
    with (
        pytest.raises(SystemExit, match="holds bytes that are no text in utf-8; give it a name in ASCII"),
        one_line_errors(),
    ):
        raise AssertionError("the command must not begin")
