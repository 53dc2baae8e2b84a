"""What would help instead of a loss: the vote of the very runs that were trained without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.people import scores
from measures.people import person_scores
from measures.votes import Estimate
from records.run import Run


@dataclass(frozen=True, kw_only=True)
class Vote:
    """The vote of the runs without the strategy, on test people.

    Attributes:
        members: how many runs vote.
        accuracy: balanced accuracy of the vote, mean over people.
        gain: on one of them, mean over people and members, with its interval for new people.
        low: lower end.
        high: upper end.
    """

    members: int
    accuracy: float
    gain: float
    low: float
    high: float


def vote(runs: Sequence[Run]) -> Vote | None:
    """The vote of some runs; None with fewer than two runs or people.

    Args:
        runs: of one arm, tested on the same trials.
    """
    test = runs[0].predictions()
    if len(runs) < 2 or len(np.unique(test["subject"])) < 2:
        return None
    p = np.mean([run.predictions()["probabilities"] for run in runs], axis=0)
    called = p.argmax(axis=1)
    together = np.array(list(person_scores(test["y"], called, test["subject"], n_classes=p.shape[1]).values()))
    gain = together - np.mean([list(scores(run).values()) for run in runs], axis=0)
    error = float(gain.std(ddof=1) / len(gain) ** 0.5)
    found = Estimate.of(float(gain.mean()), [(error, len(gain) - 1)])
    return Vote(members=len(runs), accuracy=float(together.mean()), gain=found.value, low=found.low, high=found.high)
