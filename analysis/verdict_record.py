"""The verdict: one strategy against its baseline over paired seeds, and all that its answer must stand beside."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from analysis import verdict_sentence, verdict_text
from analysis.arms import arm, same_seeds
from analysis.base import finite
from analysis.comparison import Comparison, GradientShare, compare, gradients
from analysis.controls import Control, control
from analysis.instead import Vote, vote
from analysis.lengths import Lengths, lengths
from analysis.new_clips import SEEN, NewClips, new_clips
from analysis.people import People, people
from analysis.said import said
from analysis.training import Ending, ending, warnings_of
from analysis.under_trained import AgainstLinear, against_linear
from measures.baselines import Baseline
from measures.names import ACCURACY, exploratory
from measures.outcome import MARGIN, Judged, Outcome, judged
from measures.paired import Paired, holm
from records.files import atomic
from records.run import Run, check_comparable

FORMAT = 2  # of verdict.json; 1 had three judgements and called equivalent what 2 calls so unresolved
Arms = tuple[Sequence[Run], Sequence[Run]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one strategy at one weight changed the test balanced accuracy, and what else it moved.

    Attributes:
        dataset: name of the data set.
        features: what the network saw.
        loss: registry name of the strategy.
        weight: its weight.
        control: what the treated runs were aligned with in the place of the axis; None for the axis itself.
        baseline_loss: what the baseline ran, ``none`` or a structural strategy at weight 0.
        simulated: True where the signal was simulated.
        chance: balanced accuracy of guessing.
        epochs: training length of every run.
        seeds: seeds of the pairs.
        accuracy: the primary comparison.
        judged: its outcome, with the margin and the looks.
        people: test people one by one, and the interval for new ones; None with fewer than two seeds or people.
        baselines: the simplest models on the same split.
        against_linear: the best linear one of them beside the arm without the strategy.
        controls: the same loss with targets that are not the axis.
        lengths: the difference by training length.
        new_clips: seen clips beside clips that training did not see.
        clips_held_back: training saw none of the test clips of these very runs.
        training: how the runs of each arm, ``without`` and ``with``, ended.
        others: kappa and the measures beside a null, exploratory.
        gradients: where the losses pull.
        instead: the vote of the runs without the strategy, which costs no training more.
        warnings: reasons to doubt the answer.
        notes: what a reader must know about the pairing (different code versions and the like).
    """

    dataset: str
    features: str
    loss: str
    weight: float
    control: str | None
    baseline_loss: str
    simulated: bool
    chance: float
    epochs: int
    seeds: tuple[int, ...]
    accuracy: Comparison
    judged: Judged
    people: People | None
    baselines: tuple[Baseline, ...]
    against_linear: AgainstLinear | None
    controls: tuple[Control, ...]
    lengths: Lengths | None
    new_clips: NewClips | None
    clips_held_back: bool
    training: dict[str, tuple[Ending, ...]]
    others: tuple[Comparison, ...]
    gradients: tuple[GradientShare, ...]
    instead: Vote | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def from_runs(
        cls,
        baseline_runs: Sequence[Run],
        treated_runs: Sequence[Run],
        *,
        margin: float = MARGIN,
        looks: tuple[int, ...] | None = None,
        controls: Mapping[str, Sequence[Run]] | None = None,
        lengths: Mapping[int, Arms] | None = None,
        new_clips: Mapping[str, Arms] | None = None,
        baselines: Sequence[Baseline] = (),
    ) -> "Verdict":
        """Pair two arms by seed and compare them.

        Args:
            baseline_runs: finished runs without the strategy.
            treated_runs: finished runs with it, one for each seed of the baseline.
            margin: largest difference in balanced accuracy that is of no consequence.
            looks: all numbers of pairs at which one planned to look; None where their number was fixed before.
            controls: name of a target that is not the axis to runs of the same loss with it, the same seeds.
            lengths: other numbers of epochs to both arms trained that long, the same seeds in all of them.
            new_clips: fold to both arms on a split that holds clips back; by default the arms themselves, where they
                are on such a split.
            baselines: the simplest models on the same data and split.

        Raises:
            ValueError: seeds are missing, repeated or unequal, an arm mixes strategies, or the runs are not comparable.
        """
        baseline, treated = arm(baseline_runs, name="baseline"), arm(treated_runs, name="treated")
        seeds = same_seeds(baseline, treated, names=("baseline", "treated"))
        runs, first = [*baseline, *treated], treated[0]
        check_comparable(runs)
        accuracy = compare(ACCURACY, baseline, treated)
        answer = judged(accuracy.measured, margin=margin, looks=looks)
        linear = against_linear(baselines, baseline)
        training, lost = _training(baseline, treated)
        problems = [
            *([linear.warning] if linear and linear.warning else []),
            *warnings_of(training),
            *said(without=baseline, treated=treated),
        ]
        return cls(
            dataset=first.result["dataset"],
            features=first.result["features"],
            loss=first.loss,
            weight=first.weight,
            control=first.result.get("control"),
            baseline_loss=baseline[0].loss,
            simulated=first.result["simulated"],
            chance=first.chance,
            epochs=first.result["epochs"],
            seeds=seeds,
            accuracy=accuracy,
            judged=answer,
            people=people(baseline, treated, difference=accuracy.measured, judged=answer, margin=margin),
            baselines=tuple(baselines),
            against_linear=linear,
            controls=tuple(
                control(
                    name,
                    arm(found, name=f"control {name}"),
                    baseline=baseline,
                    treated=treated,
                    margin=margin,
                    looks=looks,
                )
                for name, found in (controls or {}).items()
            ),
            lengths=_lengths(lengths, baseline, treated, margin=margin),
            new_clips=_new_clips(new_clips, baseline, treated, margin=margin),
            clips_held_back=all(run.result.get(SEEN) for run in runs),
            training=training,
            others=_others(baseline, treated),
            gradients=tuple(gradients(baseline, treated)),
            instead=vote(baseline),
            warnings=tuple(problems),
            notes=(*lost, *_notes(runs)),
        )

    @property
    def paired(self) -> Paired:
        """The primary difference."""
        return self.accuracy.measured

    @property
    def judgement(self) -> Outcome:
        return self.judged.outcome

    @property
    def headline(self) -> str:
        """The answer, for these people and for new ones."""
        return verdict_sentence.headline(self)

    @property
    def sentence(self) -> str:
        """The headline, and whether it is the axis."""
        return " ".join(part for part in (self.headline, verdict_sentence.because(self)) if part)

    @property
    def scope(self) -> list[str]:
        """What the sentence speaks for, a line each."""
        return verdict_sentence.scope(self)

    def text(self, *, verbose: bool = False) -> str:
        """Closing summary for a terminal, at most 96 columns.

        Args:
            verbose: with where the gradients of the losses point.
        """
        return verdict_text.summary(self, verbose=verbose)

    def to_json(self) -> str:
        """Everything above as JSON; NaN becomes null."""
        content: dict[str, Any] = {"format": FORMAT, "judgement": self.judgement, "sentence": self.sentence}
        content |= {"scope": self.scope, **asdict(self)}
        return json.dumps(finite(content), indent=2, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write verdict.json into the folder; returns its path."""
        path = Path(folder) / "verdict.json"
        with atomic(path) as partial:
            partial.write_text(self.to_json() + "\n", encoding="utf-8")
        return path


def _training(baseline: list[Run], treated: list[Run]) -> tuple[dict[str, tuple[Ending, ...]], list[str]]:
    """How the runs ended, and a note on those that cannot say it."""
    training: dict[str, tuple[Ending, ...]] = {}
    lost = []
    for name, runs in (("without", baseline), ("with", treated)):
        ends = []
        for run in runs:
            try:
                ends.append(ending(run))
            except (FileNotFoundError, KeyError):
                lost.append(f"Note: {run.path} has no validation curve; whether it was still rising is not known.")
        training[name] = tuple(ends)
    return training, lost


def _lengths(
    given: Mapping[int, Arms] | None, baseline: list[Run], treated: list[Run], *, margin: float
) -> Lengths | None:
    """The arms of the verdict are one of the lengths."""
    if not given:
        return None
    return lengths({treated[0].result["epochs"]: (baseline, treated), **given}, margin=margin)


def _new_clips(
    given: Mapping[str, Arms] | None, baseline: list[Run], treated: list[Run], *, margin: float
) -> NewClips | None:
    own = all(run.result.get(SEEN) for run in (*baseline, *treated))
    found = given or ({"these runs": (baseline, treated)} if own else None)
    return new_clips(found, margin=margin) if found else None


def _others(baseline: list[Run], treated: list[Run]) -> tuple[Comparison, ...]:
    runs = [*baseline, *treated]
    measured = [row for row in exploratory() if all(row.key in run.result["test"] for run in runs)]
    found = [compare(row, baseline, treated) for row in measured]
    corrected = holm([c.paired.p if c.paired else math.nan for c in found])
    return tuple(replace(c, p_holm=float(p)) for c, p in zip(found, corrected, strict=True))


def _notes(runs: list[Run]) -> list[str]:
    absent = {row.key for run in runs for row in exploratory() if row.key not in run.result["test"]}
    notes = [f"Note: {name} was not measured in every run and is left out." for name in sorted(absent)]
    notes += [f"Note: {sentence}." for sentence in runs[0].result.get("differences") or ()]
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
