"""Help that fits 80 columns, explains every flag and knows what was meant; progress in a log."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState

from console.arguments import Arguments, no_such
from console.fitting import fitted
from docs.every_command import every_command
from measures.outcome import LOOKS, MARGIN
from studies import flags
from studies.plan import Plan
from studies.progress import Progress
from studies.seeds import PAPER
from sweeps import progress as sweep_progress
from tests.conftest import ROOT
from train import main


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_paragraphs_are_filled_and_rows_broken_below_their_second_column():
    text = "One sentence that\ngoes on.\n\n  python -m x NAME   what it does, at some length\n  short"
    assert fitted(text, columns=40).splitlines() == [
        "One sentence that goes on.",
        "",
        "  python -m x NAME",
        "      what it does, at some length",
        "  short",
    ]
    assert fitted("  ab   word word word", columns=16).splitlines() == ["  ab   word word", "       word"]
    assert fitted("``rsa`` of ``losses``") == "rsa of losses"


def test_flags_say_their_default_once(capsys):
    parser = Arguments("python -m x", about="Does.")
    parser.add_argument("--plain", default=3, help="a number")
    parser.add_argument("--told", default=3, help="a number (default three)")
    parser.add_argument("--none", help="nothing")
    parser.add_argument("--switch", action="store_true", help="on")
    text = " ".join(parser.format_help().split())
    assert "a number (default 3)" in text
    assert text.count("(default") == 2


def test_the_short_help_fits_and_explains_every_flag_of_a_verdict(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    text = capsys.readouterr().out
    assert widest(text) <= 80
    for action in flags.parser()._actions:
        assert action.help
        assert action.option_strings[-1] in text
        assert " ".join(action.help.split())[:30] in " ".join(text.split())
    said = " ".join(text.split())
    assert f"(default {','.join(map(str, PAPER))})" in said
    assert f"{LOOKS[0]} and more until there is an answer, {LOOKS[-1]} at most" in said
    assert f"default {MARGIN:g}" in said
    assert Plan.parse([])[0].margin == MARGIN == flags.MARGIN


def test_every_flag_of_a_verdict_reaches_the_plan():
    assert Plan.parse(["-v"])[0].verbose
    assert Plan.parse(["--verbose"])[0].verbose
    assert not Plan.parse([])[0].verbose


@pytest.mark.parametrize(("word", "meant"), [("fitt", "fit"), ("vaildate", "validate"), ("predcit", "predict")])
def test_a_mistyped_subcommand_is_told_the_nearest(word, meant):
    with pytest.raises(SystemExit, match=f"no subcommand '{word}'. Did you mean '{meant}'"):
        main([word])


def test_what_resembles_nothing_gets_the_list_alone():
    assert no_such("xyz", ["fit", "test"], what="subcommand") == "error: no subcommand 'xyz'. There is: fit, test"


@pytest.mark.slow
@pytest.mark.parametrize("words", every_command())
def test_every_help_fits_80_columns(words):
    done = subprocess.run(
        [sys.executable, *words.split(), "--help"], cwd=ROOT, env={"COLUMNS": "80", "PATH": ""}, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert widest(done.stdout) <= 80


def job(folder, name: str, *, finished: bool):
    done = 2 if finished else 0
    files = SimpleNamespace(log=folder / "log.txt")
    return SimpleNamespace(run_dir=folder / "arm" / name, finished=finished, epochs=2, epochs_done=done, files=files)


def test_without_a_terminal_every_event_is_a_line_and_failures_are_counted(tmp_path, capsys):
    jobs = [job(tmp_path, "s1", finished=False), job(tmp_path, "s2", finished=False)]
    progress = Progress(jobs)
    progress.show(jobs)
    jobs[0].finished = True
    for each in jobs:
        progress.ended(each)
    progress.close()
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.endswith("arm/s1 finished (1/2 runs)")
    assert second.endswith(f"arm/s2 FAILED, see {tmp_path}/log.txt (1/2 runs, 1 FAILED)")
    assert not err


def test_in_a_terminal_the_bar_counts_failures(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    jobs = [job(tmp_path, "s1", finished=False)]
    progress = Progress(jobs)
    progress.ended(jobs[0])
    progress.show([])
    assert "0/1 runs, 1 FAILED" in str(progress.bar)
    progress.close()


def trial(number: int, state: TrialState, value: float | None = None, **attrs):
    return SimpleNamespace(number=number, state=state, values=None if value is None else [value], user_attrs=attrs)


def test_a_search_without_a_terminal_says_each_trial_once(capsys):
    waiting = [trial(n, TrialState.WAITING) for n in range(3)]
    progress = sweep_progress.Progress([trial(0, TrialState.COMPLETE, 0.4), *waiting[1:]])
    now = [trial(0, TrialState.COMPLETE, 0.4), trial(1, TrialState.FAIL, error="no memory"), waiting[2]]
    progress.show(now)
    progress.show(now)
    progress.close()
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    assert "trial 1 fail: no memory (2/3, best 0.4000, 0 pruned, 1 failed)" in line
    assert not err
