"""One measure in two arms of paired runs, and where their gradients point: the parts of a verdict."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from measures.names import ACCURACY, MeasureName
from measures.paired import Paired, paired
from records.run import Run

SHARES = ("feature_share", "feature_chance", "sample_share", "sample_chance")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measure in both arms.

    Attributes:
        name: key of its row in ``measures.names``.
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

    @property
    def measured(self) -> Paired:
        """The paired statistics of a measure that a pair defines, as the accuracy always is."""
        if self.paired is None:
            raise ValueError(f"no pair of runs defines {self.name}")
        return self.paired


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
        runs: how many runs the means are over; fewer than the arm has where the share of one is not defined.
        of: how many runs the arm has.
    """

    source: str
    arm: str
    feature_share: float
    feature_chance: float
    sample_share: float
    sample_chance: float
    runs: int
    of: int

    @property
    def label(self) -> str:
        """Which loss of which arm, and of how many of its runs where not of all."""
        return f"{self.source} loss, {self.arm}" + (f" ({self.runs}/{self.of})" if self.runs < self.of else "")


def compare(row: MeasureName, baseline: list[Run], treated: list[Run]) -> Comparison:
    """One measure over the pairs that define it; the arms are in the order of their seeds.

    Raises:
        ValueError: the accuracy of a run is not finite.
    """
    name = row.key
    read = [[r.alignment(name) if row.null else {"value": r.score(name)} for r in arm] for arm in (baseline, treated)]
    keep = [i for i in range(len(baseline)) if all(math.isfinite(arm[i]["value"]) for arm in read)]
    arms = [[arm[i] for i in keep] for arm in read]
    values = [tuple(entry["value"] for entry in arm) for arm in arms]
    if row is ACCURACY and len(keep) < len(baseline):
        lost = sorted({run.seed for run in baseline} - {baseline[i].seed for i in keep})
        raise ValueError(f"test.balanced_accuracy is not finite for seeds {lost}: did these runs diverge?")
    with warnings.catch_warnings():
        if row is not ACCURACY:  # said once, for the primary measure
            warnings.simplefilter("ignore", UserWarning)
        difference = paired(*values) if keep else None
    nulls: dict[str, Any] = {}
    if row.null and keep:
        nulls = {key: tuple(float(np.mean([e[key] for e in arm])) for arm in arms) for key in ("null_mean", "null_95")}
        nulls["above_null"] = tuple(sum(e["value"] > e["null_95"] for e in arm) for arm in arms)
    seeds = tuple(baseline[i].seed for i in keep)
    return Comparison(name=name, seeds=seeds, baseline=values[0], treated=values[1], paired=difference, **nulls)


def gradients(baseline: list[Run], treated: list[Run]) -> list[GradientShare]:
    """Mean over the runs of each arm; of an arm that measured no gradients there is no entry.

    Raises:
        ValueError: some runs of an arm have them and another lacks them: a mean over the others would be of other
            seeds than everything beside it. Names the run.
    """
    shares = []
    for source, arm, runs in (("alignment", "with", treated), ("task", "with", treated), ("task", "without", baseline)):
        if any(run.gradient(source) for run in runs):
            columns = {field: [_share(run, source, field) for run in runs] for field in SHARES}
            defined = min(sum(map(math.isfinite, column)) for column in columns.values())
            means = {field: _mean(column) for field, column in columns.items()}
            shares.append(GradientShare(source=source, arm=arm, runs=defined, of=len(runs), **means))
    return shares


def _share(run: Run, source: str, field: str) -> float:
    shares = run.gradient(source) or {}
    if field not in shares:
        raise ValueError(
            f"{run.files.result} lacks the field residual_gradient.{source}.{field}, which other runs of its arm have; "
            "run it again"
        )
    return shares[field]


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
