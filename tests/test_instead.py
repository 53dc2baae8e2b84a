"""What would help instead: the vote of the runs without the strategy, said where the strategy does not help."""

import numpy as np
import pytest

from analysis.instead import vote
from analysis.people import scores
from analysis.verdict_record import Verdict
from tests.finished_runs import write_arms


def test_the_vote_of_runs_that_err_apart_is_measured_on_people(tmp_path) -> None:
    runs, _ = write_arms(tmp_path, deltas=(0.0,) * 5)
    found = vote(runs)
    assert found is not None
    alone = np.mean([list(scores(run).values()) for run in runs], axis=0)
    assert found.members == 5
    assert found.gain == pytest.approx(found.accuracy - alone.mean())
    assert found.gain > 0.05  # five runs that are right on trials of their own
    assert found.low < found.gain < found.high
    assert vote(runs[:1]) is None


def test_it_is_said_where_the_strategy_does_not_help(tmp_path) -> None:
    helped = Verdict.from_runs(*write_arms(tmp_path / "a", deltas=(0.06, 0.07, 0.05, 0.065, 0.055), plateau=True))
    assert helped.instead is not None
    assert "instead" not in helped.text()
    hurt = Verdict.from_runs(*write_arms(tmp_path / "b", deltas=(-0.06, -0.07, -0.05, -0.065, -0.055), plateau=True))
    (line,) = (line for line in hurt.text().splitlines() if "a vote of the 5 without it" in line)
    assert f"{hurt.instead.accuracy:.3f}  {hurt.instead.gain:+.3f}" in line
    assert "at 5 times the compute" in hurt.text()
    assert "on clips nobody trained on it is not measured" in " ".join(hurt.text().split())
