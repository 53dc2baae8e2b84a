"""The calibration: what it calls uniform, conservative and failing; and a fast subset of it over every analysis."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.base import BESIDE, calibrations
from benchmarks import calibrate
from benchmarks.calibrate import main, null_row, planted_row, table

N = 500


@pytest.fixture
def uniform():
    return np.random.default_rng(0).random(N)


def test_uniform_p_values_are_called_uniform(uniform):
    row = null_row("a", "b", uniform)
    assert (row.judgement, row.cohorts) == ("uniform", N)
    assert row.interval[0] <= 0.05 <= row.interval[1]
    assert row.found == np.mean(uniform <= 0.05)


@pytest.mark.parametrize("power", [1.5, 3.0])
def test_p_values_that_are_too_small_fail(uniform, power):
    assert null_row("a", "b", uniform**power).judgement == "FAILS"


def test_too_small_only_above_five_percent_fails_as_well(uniform):
    """The share at .05 is right, and yet .2 comes far too often."""
    p = np.where((uniform > 0.05) & (uniform < 0.6), 0.051, uniform)
    assert null_row("a", "b", p).judgement == "FAILS"


def test_large_p_values_are_conservative_and_grids_are_no_fault(uniform):
    assert null_row("a", "b", np.sqrt(uniform)).judgement == "conservative"
    assert null_row("a", "b", np.ceil(uniform * 20) / 20).judgement != "FAILS"


def test_what_is_known_to_fail_is_shown_and_not_judged(uniform):
    for name in (f"{BESIDE}x", "as_published_x"):
        assert null_row("a", name, uniform**3).judgement == "shown"
    assert null_row("a", f"{BESIDE}x", uniform).name == "x"
    assert planted_row("a", f"{BESIDE}coverage", 0.5, cohorts=N).judgement == "shown"


def test_tests_that_could_not_be_made_are_not_counted(uniform):
    assert null_row("a", "b", [*uniform, np.nan]).cohorts == N
    assert null_row("a", "b", [np.nan]).judgement == "FAILS"


@pytest.mark.parametrize(
    ("name", "value", "judgement"),
    [
        ("coverage.x", 0.95, "holds"), ("x_coverage", 0.90, "FAILS"), ("coverage", 0.995, "conservative"),
        ("residual_cosine", 0.96, "holds"), ("cos.pattern", 0.94, "FAILS"), ("power.x", 0.2, "shown"),
    ],
)  # fmt: skip
def test_recovered_numbers_are_judged_by_name(name, value, judgement):
    assert planted_row("a", name, value, cohorts=N).judgement == judgement


def test_a_new_analysis_is_calibrated_by_having_the_two_functions(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(
        '"""Mine."""\ndef calibrate(*, cohorts, seed): ...\ndef recover(*, cohorts, seed): ...\n'
    )
    (tmp_path / "half.py").write_text('"""Half."""\ndef calibrate(*, cohorts, seed): ...\n')
    monkeypatch.setattr("analysis.base.FOLDER", tmp_path)
    assert calibrations() == {"mine": "Mine."}
    p = iter([np.linspace(0.01, 1, 40), np.full(40, 0.01)])
    fake = SimpleNamespace(
        calibrate=lambda *, cohorts, seed: {"|r|": next(p)[:cohorts]},
        recover=lambda *, cohorts, seed: {"coverage": 0.95},
    )
    monkeypatch.setitem(sys.modules, "analysis.mine", fake)
    assert main(["--cohorts", "40"]) == 0
    assert "| mine | \\|r\\| | 40 |" in capsys.readouterr().out
    assert main(["--cohorts", "40"]) == 1  # p-values that are all .01
    for words, said in ((["--only", "half"], "no such calibration"), (["--cohorts", "3"], "fewer than 10")):
        with pytest.raises(ValueError, match=said):
            main(words)


def test_the_table_is_markdown(uniform):
    rows = [null_row("a", "|r|", uniform), planted_row("a", "power", 0.5, cohorts=N)]
    assert {line.replace("\\|", "").count("|") for line in table(rows).splitlines()} == {8}


@pytest.mark.parametrize("name", sorted(calibrations()))
def test_every_analysis_is_calibrated_on_a_few_cohorts(name):
    """The fast subset; ``make calibrate`` is the whole."""
    rows = calibrate.rows_of(name, cohorts=10, seed=3)
    assert rows
    # Ten cohorts cannot tell a mean |cos| of .95 from .94; the whole run does.
    failing = [row for row in rows if row.judgement == "FAILS" and "cos" not in row.name]
    assert not failing
