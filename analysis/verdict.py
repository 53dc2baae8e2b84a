"""The verdict: one strategy against its baseline over paired seeds, as text for a terminal and as JSON."""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis import verdict_text
from measures.paired import Judgement, Paired, holm, judge, paired, verdict_sentence
from records.files import atomic
from records.run import ALIGNMENT, Run, check_comparable


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measure in both arms.

    Attributes:
        name: key in ``verdict_text.LABELS``.
        seeds: seeds of the pairs in which both runs define the measure.
        baseline: test values without the strategy, in seed order.
        treated: test values with it.
        paired: their paired statistics; None where no pair defines the measure.
        p_holm: p of ``paired`` after Holm's correction over the measures beside accuracy; NaN for accuracy itself.
        null_mean: mean over the runs of what unrelated positions score, (baseline, treated); None without a null.
        null_95: mean over the runs of the 95th percentile of that null.
        above_null: how many runs of each arm exceed their own 95th percentile.
    """

    name: str
    seeds: tuple[int, ...]
    baseline: tuple[float, ...]
    treated: tuple[float, ...]
    paired: Paired | None
    p_holm: float = math.nan
    null_mean: tuple[float, float] | None = None
    null_95: tuple[float, float] | None = None
    above_null: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class GradientShare:
    """How much of a loss's gradient lies in the class-mean directions, mean over runs, beside the isotropic chance.

    Attributes:
        source: ``alignment`` or ``task`` loss.
        arm: ``with`` or ``without`` the strategy.
        feature_share: share within the span of the class means of the features.
        feature_chance: that share for a gradient of random direction.
        sample_share: share left when each trial's gradient is replaced by the mean of its class.
        sample_chance: that share for a random gradient.
    """

    source: str
    arm: str
    feature_share: float
    feature_chance: float
    sample_share: float
    sample_chance: float


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
        others: kappa and the alignment measures, exploratory.
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
        measured = [name for name in ("kappa", *ALIGNMENT) if all(name in run.result["test"] for run in runs)]
        others = [_compare(name, baseline, treated) for name in measured]
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
            accuracy=_compare("balanced_accuracy", baseline, treated),
            others=tuple(others),
            gradients=tuple(_gradients(baseline, treated)),
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
        return json.dumps(_finite(content), indent=2, allow_nan=False)

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


def _compare(name: str, baseline: list[Run], treated: list[Run]) -> Comparison:
    with_null = name in ALIGNMENT
    read = [[r.alignment(name) if with_null else {"value": r.score(name)} for r in arm] for arm in (baseline, treated)]
    keep = [i for i in range(len(baseline)) if all(math.isfinite(arm[i]["value"]) for arm in read)]
    arms = [[arm[i] for i in keep] for arm in read]
    values = [tuple(entry["value"] for entry in arm) for arm in arms]
    if name == "balanced_accuracy" and len(keep) < len(baseline):
        lost = sorted({run.seed for run in baseline} - {baseline[i].seed for i in keep})
        raise ValueError(f"test.balanced_accuracy is not finite for seeds {lost}: did these runs diverge?")
    with warnings.catch_warnings():
        if name != "balanced_accuracy":  # said once, for the primary measure
            warnings.simplefilter("ignore", UserWarning)
        difference = paired(*values) if keep else None
    nulls = {}
    if with_null and keep:
        nulls = {key: tuple(float(np.mean([e[key] for e in arm])) for arm in arms) for key in ("null_mean", "null_95")}
        nulls["above_null"] = tuple(sum(e["value"] > e["null_95"] for e in arm) for arm in arms)
    seeds = tuple(baseline[i].seed for i in keep)
    return Comparison(name=name, seeds=seeds, baseline=values[0], treated=values[1], paired=difference, **nulls)


def _gradients(baseline: list[Run], treated: list[Run]) -> list[GradientShare]:
    fields = ("feature_share", "feature_chance", "sample_share", "sample_chance")
    shares = []
    for source, arm, runs in (("alignment", "with", treated), ("task", "with", treated), ("task", "without", baseline)):
        found = [share for run in runs if (share := run.gradient(source))]
        if found:
            means = {field: _mean([share[field] for share in found]) for field in fields}
            shares.append(GradientShare(source=source, arm=arm, **means))
    return shares


def _notes(runs: list[Run]) -> list[str]:
    absent = {name for run in runs for name in ALIGNMENT if name not in run.result["test"]}
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


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
