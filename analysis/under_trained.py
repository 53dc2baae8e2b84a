"""Does the decoder beat the simplest models? One that does not is under-trained, and no loss should be judged on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arms import accuracies, quietly_paired
from analysis.people import scores
from measures.baselines import Baseline, best_linear
from records.run import Run


@dataclass(frozen=True, kw_only=True)
class AgainstLinear:
    """The baseline arm against the best linear model that, like it, has seen nothing of the test people.

    Attributes:
        label: of the linear model.
        linear: its test balanced accuracy.
        decoder: of the arm without the strategy, mean over seeds.
        low: lower end of the 95 % t interval over test people of the decoder's lead; NaN with fewer than two.
        high: upper end.
        beaten: the decoder is better beyond noise.
    """

    label: str
    linear: float
    decoder: float
    low: float
    high: float
    beaten: bool

    @property
    def warning(self) -> str | None:
        """What to say where the decoder does not beat it."""
        if self.beaten:
            return None
        noise = ", within noise of each other" if self.decoder >= self.linear else ""
        return (
            f"under-trained: a {self.label} scores {self.linear:.3f} where the decoder has {self.decoder:.3f}{noise}; "
            "no loss should be judged on a decoder that does not beat it."
        )


def against_linear(found: Sequence[Baseline], runs: Sequence[Run]) -> AgainstLinear | None:
    """Compare the baseline arm with the best of the linear models; None where there is none among them.

    Args:
        found: simple models on the same split.
        runs: of the arm without the strategy.

    Raises:
        ValueError: the linear model was scored on other people.
    """
    if not any(b.name in ("ridge", "logistic") for b in found):
        return None
    best, decoder = best_linear(found), float(np.mean(accuracies(runs)))
    tables = [scores(run) for run in runs]
    if set(best.by_person) != set(tables[0]):
        raise ValueError(
            f"the {best.label} was scored on people {sorted(best.by_person)} and the runs on {sorted(tables[0])}; make "
            "it again from the data and split of the runs"
        )
    lead = quietly_paired(
        [best.by_person[person] for person in tables[0]],
        [float(np.mean([table[person] for table in tables])) for person in tables[0]],
    )
    # With one person there is no interval; then the larger score is the better one.
    beaten = lead.low > 0 if math.isfinite(lead.low) else decoder > best.balanced_accuracy
    return AgainstLinear(
        label=best.label,
        linear=best.balanced_accuracy,
        decoder=decoder,
        low=lead.low,
        high=lead.high,
        beaten=beaten,
    )
