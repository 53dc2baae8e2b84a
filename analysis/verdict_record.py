"""The verdict: one strategy against its baseline over paired seeds, as text for a terminal and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

from analysis import verdict_text
from analysis.base import finite
from analysis.comparison import Comparison, GradientShare, compare, gradients
from measures.names import ACCURACY, exploratory
from measures.paired import Judgement, holm, judge, verdict_sentence
from records.files import atomic
from records.run import Run, check_comparable


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one strategy at one weight changed the test balanced accuracy, and what else it moved.

    Attributes:
        dataset: name of the data set.
        features: what the network saw.
        loss: registry name of the strategy.
        weight: its weight.
        baseline_loss: what the baseline ran, ``none`` or a structural strategy at weight 0.
        simulated: True where the signal was simulated.
        chance: balanced accuracy of guessing.
        epochs: training length of every run.
        seeds: seeds of the pairs.
        accuracy: the primary comparison.
        others: kappa and the measures beside a null, exploratory.
        gradients: where the losses pull.
        notes: what a reader must know about the pairing (different code versions and the like).
    """

    dataset: str
    features: str
    loss: str
    weight: float
    baseline_loss: str
    simulated: bool
    chance: float
    epochs: int
    seeds: tuple[int, ...]
    accuracy: Comparison
    others: tuple[Comparison, ...]
    gradients: tuple[GradientShare, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_runs(cls, baseline_runs: Sequence[Run], treated_runs: Sequence[Run]) -> "Verdict":
        """Pair two arms by seed and compare them.

        Args:
            baseline_runs: finished runs without the strategy.
            treated_runs: finished runs with it, one for each seed of the baseline.

        Raises:
            ValueError: seeds are missing, repeated or unequal, an arm mixes strategies, or the runs are not comparable.
        """
        baseline, treated = _arm(baseline_runs, name="baseline"), _arm(treated_runs, name="treated")
        seeds = tuple(run.seed for run in baseline)
        if seeds != tuple(run.seed for run in treated):
            only = sorted({run.seed for run in treated} ^ set(seeds))
            raise ValueError(f"seeds {only} are in one arm only; run the same seeds with and without the strategy")
        runs = [*baseline, *treated]
        check_comparable(runs)
        measured = [row for row in exploratory() if all(row.key in run.result["test"] for run in runs)]
        others = [compare(row, baseline, treated) for row in measured]
        corrected = holm([c.paired.p if c.paired else math.nan for c in others])
        others = [replace(c, p_holm=float(p)) for c, p in zip(others, corrected, strict=True)]
        first = treated[0]
        return cls(
            dataset=first.result["dataset"],
            features=first.result["features"],
            loss=first.loss,
            weight=first.weight,
            baseline_loss=baseline[0].loss,
            simulated=first.result["simulated"],
            chance=first.chance,
            epochs=first.result["epochs"],
            seeds=seeds,
            accuracy=compare(ACCURACY, baseline, treated),
            others=tuple(others),
            gradients=tuple(gradients(baseline, treated)),
            notes=tuple(_notes(runs)),
        )

    @property
    def judgement(self) -> Judgement:
        return judge(self.accuracy.paired)

    @property
    def sentence(self) -> str:
        """The headline."""
        verb = "is " if self.judgement == "unresolved" else ""
        return f"{self.loss} at weight {self.weight:g} {verb}{verdict_sentence(self.accuracy.paired)}."

    def text(self) -> str:
        """Closing summary for a terminal, at most 96 columns."""
        return verdict_text.summary(self)

    def to_json(self) -> str:
        """Everything above as JSON; NaN becomes null."""
        content = {"format": 1, "judgement": self.judgement, "sentence": self.sentence, **asdict(self)}
        return json.dumps(finite(content), indent=2, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write verdict.json into the folder; returns its path."""
        path = Path(folder) / "verdict.json"
        with atomic(path) as partial:
            partial.write_text(self.to_json() + "\n")
        return path


def _arm(runs: Sequence[Run], *, name: str) -> list[Run]:
    if not runs:
        raise ValueError(f"the {name} arm is empty: no runs")
    ordered = sorted(runs, key=lambda run: run.seed)
    for a, b in pairwise(ordered):
        if a.seed == b.seed:
            raise ValueError(f"seed {a.seed} is twice in the {name} arm: {a.path} and {b.path}; keep one")
        if (a.loss, a.weight) != (b.loss, b.weight):
            raise ValueError(
                f"the {name} arm mixes {a.loss} at weight {a.weight:g} ({a.path}) with {b.loss} at {b.weight:g} "
                f"({b.path}); one verdict is about one strategy at one weight"
            )
    return ordered


def _notes(runs: list[Run]) -> list[str]:
    absent = {row.key for run in runs for row in exploratory() if row.key not in run.result["test"]}
    notes = [f"Note: {name} was not measured in every run and is left out." for name in sorted(absent)]
    if runs[0].result["data"] is None:
        notes.append("Note: the runs carry no fingerprint of their data; that they share it is not checked.")
    commits = {str(run.result["code"].get("commit")) for run in runs}
    if len(commits) > 1:
        notes.append(f"Note: the runs come from {len(commits)} versions of the code: {', '.join(sorted(commits))}.")
    if any(run.result["code"].get("dirty") for run in runs):
        notes.append("Note: the code had uncommitted changes in at least one run.")
    setups = {(run.result.get("device"), run.result.get("world_size")) for run in runs}
    if len(setups) > 1:
        notes.append(
            f"Note: the runs used different devices: {', '.join(f'{n} x {d}' for d, n in sorted(setups, key=str))}."
        )
    return notes
