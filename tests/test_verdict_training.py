"""Training length in a verdict: slower against lower, runs that still rise, and what runs warn of."""

import json

import pytest

from analysis.lengths import lengths
from analysis.training import ending
from analysis.verdict_record import Verdict
from records.run import Run
from tests.finished_runs import edit_result, write_arms, write_run
from tests.verdict_cases import pair, words


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp("helped"), deltas=(0.06, 0.07, 0.05, 0.065, 0.055), plateau=True)


@pytest.mark.parametrize(
    ("short", "long", "reading"),
    [
        (-0.05, 0.0, "learns slower"),
        (-0.05, -0.04, "ends lower"),
        (0.05, 0.0, "learns faster"),
        (0.0, 0.03, "ends higher"),
        (0.0, 0.0, "no difference shown"),
    ],
)
def test_slower_and_lower_are_told_apart(tmp_path, short, long, reading):
    given = {8: pair(tmp_path / "8", 8, 0.55, 0.55 + short), 32: pair(tmp_path / "32", 32, 0.65, 0.65 + long)}
    found = lengths(given, margin=0.01)
    assert (found.reading, found.best) == (reading, (32, 32))
    assert [a.paired.mean for a in found.at] == pytest.approx([short, long], abs=0.001)
    assert found.settled


def test_each_arm_has_its_own_best_length_by_validation(tmp_path):
    given = {8: pair(tmp_path / "8", 8, 0.55, 0.62), 32: pair(tmp_path / "32", 32, 0.65, 0.60)}
    verdict = Verdict.from_runs(*given[8], lengths={32: given[32]})
    assert verdict.lengths.best == (32, 8)
    assert verdict.lengths.own_best.mean == pytest.approx(-0.03, abs=0.001)
    assert "own best (32, 8 epochs) 0.650 0.620" in words(verdict)


def test_the_best_length_is_not_chosen_by_the_test(tmp_path):
    given = {8: pair(tmp_path / "8", 8, 0.55, 0.55), 32: pair(tmp_path / "32", 32, 0.65, 0.65)}
    for run in (*given[8][0], *given[8][1]):
        edit_result(run.path, val={**run.result["val"], "balanced_accuracy": 0.9})
    reread = {epochs: tuple([Run.load(run.path) for run in runs] for runs in arms) for epochs, arms in given.items()}
    assert lengths(reread, margin=0.01).best == (8, 8)


def test_lengths_that_still_rise_are_not_settled(tmp_path):
    given = {
        8: pair(tmp_path / "8", 8, 0.55, 0.50, plateau=False),
        16: pair(tmp_path / "16", 16, 0.65, 0.65, plateau=False),
    }
    verdict = Verdict.from_runs(*given[8], lengths=given)
    assert not verdict.lengths.settled
    assert "Runs still rise at the longest" in words(verdict)
    with pytest.raises(ValueError, match="was given as one of 9"):
        lengths({8: given[8], 9: given[16]}, margin=0.01)


def test_a_run_that_still_rises_is_told_from_one_that_has_ended(tmp_path):
    rising, flat = (
        ending(Run.load(write_run(tmp_path / str(k), epochs=12, accuracy=0.9, plateau=k > 0))) for k in (0, 1)
    )
    assert (rising.still_rising, rising.best_is_last) == (True, True)
    assert (flat.still_rising, flat.best_is_last) == (False, False)
    assert rising.rise > 0.01 > abs(flat.rise)


def test_a_run_whose_best_epoch_is_early_does_not_rise(tmp_path):
    run = Run.load(write_run(tmp_path, epochs=12, accuracy=0.9))
    edit_result(run.path, best_epoch=5)
    found = ending(Run.load(run.path))
    assert found.rise > 0.01
    assert not found.still_rising


def test_what_runs_warn_of_reaches_the_verdict(tmp_path, helped):
    arms = write_arms(tmp_path, epochs=2, warmup=5)
    text, content = words(Verdict.from_runs(*arms)), json.loads(Verdict.from_runs(*arms).to_json())
    assert "WARNING: 5 of 5 without and 5 of 5 with runs end within their warm-up" in text
    assert "last epoch as the best one" in text
    assert content["training"]["with"][0]["best_is_last"] is True
    assert "WARNING" not in words(Verdict.from_runs(*helped))


def test_pretraining_is_not_part_of_the_curve(tmp_path):
    run = Run.load(write_run(tmp_path, epochs=12, plateau=True))
    edit_result(run.path, epochs=4, best_epoch=9)
    found = ending(Run.load(run.path))
    assert (found.epochs, found.best_epoch) == (4, 1)
