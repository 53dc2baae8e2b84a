"""The table of ``make bench``: what it is made of, on sizes of a second; no time is asserted."""

import json
import subprocess
import sys

import pytest

from benchmarks import printed, table
from benchmarks.rows import Cost, Row, line
from tests.conftest import ROOT

STEP = """AxialDE depth 1, batch 128
  hand-written loop            2.00 ms    1.00 x   +0.00 ms
  Trainer and Decoder          3.00 ms    1.50 x   +1.00 ms
  with callbacks and log       4.00 ms    2.00 x   +2.00 ms
where
  kernels and builtins                     60.0%
AxialDE depth 0
  hand-written loop            1.00 ms    1.00 x
"""
VAXIS = """8 film reviews, one thread
framed, 1 phrase(s)
  plain loop, one by one              4.0 texts/s   x  1.00   r with the plain loop 1.00000   first 8 texts   1.0 s
  plain, batches of 32, unsorted      5.0 texts/s   x  1.25   r with the plain loop 1.00000   first 8 texts   1.0 s
  vaxis, float32                      8.0 texts/s   x  2.00   r with the plain loop 1.00000   first 8 texts   1.0 s
  vaxis, bfloat16                    16.0 texts/s   x  4.00   r with the plain loop 0.99990   first 8 texts   1.0 s
  limit: its matrix products alone   10.0 texts/s   x  2.50
ensemble, 4 phrase(s)
  plain loop, one by one              1.0 texts/s   x  1.00
"""
SWEEPS = """worker import: 0.20 processor seconds, 43 MB
processes: 6.0 s a trial, 12.0 processor seconds
  0.1 s between trials
ddp_spawn: 9.0 s a trial, 15.0 processor seconds
ratio (processes / ddp_spawn): wall 0.67, processor 0.80
"""
FLOOR = """main job  4 runs: 30.0 processor seconds, 12.0 s
by hand   the same 4: 20.0 processor seconds, 4.0 of them imports
          largest difference of a test accuracy between the two: 0.0000
ratio     1.50, of the runs alone 1.20
"""


def test_ratios_say_how_much_better_whichever_way_the_unit_goes():
    rate = Row(what="a", unit="trials/s", ours=30.0, today=10.0, limit=40.0)
    time = Row(what="b", unit="ms", ours=2.0, today=6.0, limit=1.5)
    assert (rate.ratio, rate.of_limit) == (3.0, 0.75)
    assert (time.ratio, time.of_limit) == (3.0, 0.75)
    unmeasured = Row(what="c", unit="ms", ours=None, today=1.0)
    assert (unmeasured.ratio, unmeasured.of_limit) == (None, None)
    assert "x 3.00" in line(rate)
    assert "75% of the limit" in line(time)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_cost_is_the_slope_of_logarithms(power):
    sizes = (10, 20, 40)
    assert Cost(what="a", by="runs", sizes=sizes, seconds=tuple(3 * n**power for n in sizes)).exponent == pytest.approx(
        power
    )


def test_printed_lines_become_rows(monkeypatch):
    text = {"step": STEP, "vaxis": VAXIS, "sweeps": SWEEPS, "floor": FLOOR}
    monkeypatch.setattr(printed, "said", lambda module, *words: text[module])
    first, second = printed.step(quick=True)
    assert (first.what, first.ratio) == ("a training step, Trainer and Decoder", pytest.approx(2 / 3))
    assert second.ours == 4.0
    full, low = printed.vaxis(quick=True)
    assert (full.ratio, full.of_limit, low.ratio) == (2.0, 0.8, 4.0)
    used, wall = printed.sweeps(quick=True)
    assert (used.ratio, wall.ratio) == (1.25, 1.5)
    (job,) = printed.floor(quick=True)
    assert (job.ours, job.ratio) == (30.0, pytest.approx(2 / 3))
    assert "1.20 times" in job.note


def test_every_part_is_a_benchmark_and_its_reader_is_there():
    there = [name for name in table.PARTS if (ROOT / "benchmarks" / f"{name}.py").is_file()]
    assert {"loading", "preprocessing", "start", "step", "step_skorch", "networks", "vaxis", "sweeps", "runs"} <= set(
        there
    )
    for name in there:
        source = (ROOT / "benchmarks" / f"{name}.py").read_text()
        assert hasattr(printed, name) or "\ndef rows(*, quick" in source or "\ndef costs(*, quick" in source, name


def test_the_table_of_a_part_comes_whole_from_its_own_process(tmp_path):
    command = [sys.executable, "-m", "benchmarks.table", "--quick", "--only", "loading,runs"]
    done = subprocess.run([*command, "--out", str(tmp_path / "t.md")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "t.md").read_text()
    assert text == done.stdout
    lines = text.splitlines()
    head = next(i for i, row in enumerate(lines) if row.startswith("| | ours"))
    rows = lines[head : lines.index("", head)]
    assert {row.count("|") for row in rows} == {9}
    assert [row for row in rows if row.startswith("| a batch of raw trials to a step, store, memory-mapped | ")]
    assert sum("unmeasured" in row for row in rows) == len(table.GPU)
    costs = [row.split("|") for row in lines if ", by " in row]
    assert [cells[1].strip().rpartition(" ")[2] for cells in costs] == ["trials", "runs"]
    assert all(float(cells[3]) for cells in costs)


def test_a_part_that_fails_is_named_and_the_others_stay(monkeypatch, capsys):
    def run(command, **_):
        if command[4] == "step":
            return subprocess.CompletedProcess(command, 1, "", "Traceback\nValueError: no such loss\n")
        found = {"rows": [{"what": "a", "unit": "ms", "ours": 1.0}], "costs": []}
        return subprocess.CompletedProcess(command, 0, "noise\n" + json.dumps(found) + "\n", "")

    monkeypatch.setattr(table.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["table", "--only", "loading,step"])
    assert table.main() == 1
    said = capsys.readouterr().out
    assert "Not measured: step: ValueError: no such loss" in said
    assert "| a | 1 | - | - | ms | - | - |" in said


def test_an_unknown_part_lists_the_known(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["table", "--only", "loadng"])
    with pytest.raises(SystemExit):
        table.main()
    assert "--only loadng: choose from loading, preprocessing" in capsys.readouterr().err


def test_skorch_trains_the_same_network_on_the_same_trials():
    command = [sys.executable, "-m", "benchmarks.table", "--quick", "--part", "step_skorch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert min(row["ours"], row["today"]) > 0
    assert row["today_is"].startswith("skorch")
