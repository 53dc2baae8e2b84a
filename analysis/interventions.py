"""Many strategies against their baselines on paired seeds, corrected for their number: the table of interventions."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from measures.outcome import Outcome, judged
from measures.paired import Judgement, Paired, benjamini_hochberg, holm, judge, paired, resolvable_dz
from records.layout import RunDirectory
from records.run import Run, check_comparable

MAX_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One strategy against its baseline as it was asked for and published, before its runs are read.

    Attributes:
        id: name of the row.
        label: for people.
        group: heading under which it stands.
        family: of the strategy.
        baseline: folder of the control arm, one folder ``s<seed>`` a run; None where nothing was started.
        treated: folder of the arm with the strategy.
        seeds: asked for.
        delta: published change; None where there is none.
        p_text: published p as printed.
        problem: why the row could not be started.
        note: what to know before comparing.
        margin: largest difference that is of no consequence; None where equivalence is not asked for.
    """

    id: str
    label: str
    group: str
    family: str = ""
    baseline: Path | None = None
    treated: Path | None = None
    seeds: tuple[int, ...] = ()
    delta: float | None = None
    p_text: str = ""
    problem: str = ""
    note: str = ""
    margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class InterventionResult:
    """One intervention with what its finished runs say.

    Attributes:
        asked: what was asked for and what was published.
        seeds: of the pairs that are finished.
        before: test balanced accuracy of the control arm, in seed order.
        after: of the arm with the strategy.
        paired: their paired statistics; None without a finished pair.
        p_holm: p after Holm's correction over the comparisons of the table; NaN where there is none.
        p_bh: after Benjamini and Hochberg's.
        seeds_needed: paired seeds with 80 % power for the published change; None where that is unknown.
        simulated: whether the runs are on simulated data; None without a finished pair.
        missing: what is not there, a line a run; empty when the row is complete.
    """

    asked: Intervention
    seeds: tuple[int, ...] = ()
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    paired: Paired | None = None
    p_holm: float = math.nan
    p_bh: float = math.nan
    seeds_needed: int | None = None
    simulated: bool | None = None
    missing: tuple[str, ...] = ()

    @property
    def measured(self) -> Paired:
        """The paired statistics of a row that has a finished pair."""
        if self.paired is None:
            raise ValueError(f"row {self.asked.id} has no finished pair: {'; '.join(self.missing)}")
        return self.paired

    @property
    def verdict(self) -> Judgement | None:
        return judge(self.paired) if self.paired else None

    @property
    def answer(self) -> Outcome | None:
        """As the verdict on this strategy alone has it: the judgement, or equivalent within the margin."""
        if self.paired and self.verdict == "unresolved" and self.asked.margin is not None:
            return judged(self.paired, margin=self.asked.margin).outcome
        return self.verdict

    @property
    def unchanged(self) -> bool:
        """Every pair has the same accuracy: did the strategy do anything?"""
        return self.paired is not None and not any(self.paired.deltas)


def compare(entries: Sequence[Intervention]) -> list[InterventionResult]:
    """Read the runs, pair them by seed, correct over the distinct comparisons (two rows may share all their runs)."""
    lines = [_line(asked) for asked in entries]
    p = {_arms(line): line.paired.p for line in lines if line.paired}
    corrected = {name: dict(zip(p, rule(list(p.values())))) for name, rule in _RULES.items()}
    sd = typical_sd(lines)
    return [
        replace(
            line,
            p_holm=float(corrected["p_holm"].get(_arms(line), math.nan)),
            p_bh=float(corrected["p_bh"].get(_arms(line), math.nan)),
            seeds_needed=_needed(line, sd),
        )
        for line in lines
    ]


_RULES: dict[str, Callable] = {"p_holm": holm, "p_bh": benjamini_hochberg}


def typical_sd(lines: Sequence[InterventionResult]) -> float:
    """Standard deviation of paired differences, from the median variance over distinct comparisons; NaN without any.

    The median of a chi-square variable lies below its mean; each variance is raised accordingly.
    """
    from scipy import stats

    found = {_arms(line): line.paired for line in lines if line.paired and line.paired.n > 1 and line.paired.sd > 0}
    variances = [d.sd**2 * (d.n - 1) / stats.chi2.median(d.n - 1) for d in found.values()]
    return float(np.sqrt(np.median(variances))) if variances else math.nan


def seeds_needed(effect: float, *, sd: float) -> int | None:
    """Smallest number of pairs that detects a true mean difference with 80 % power at 5 %; None above ``MAX_SEEDS``.

    Args:
        effect: mean difference, of either sign.
        sd: standard deviation of the differences.
    """
    if not (math.isfinite(sd) and sd > 0 and effect):
        return None
    low, high = 2, MAX_SEEDS
    if resolvable_dz(high) * sd > abs(effect):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if resolvable_dz(middle) * sd <= abs(effect) else (middle + 1, high)
    return low


def _needed(line: InterventionResult, typical: float) -> int | None:
    """With the row's own sd where five pairs or more measure it, otherwise with that of the whole table."""
    own = line.paired.sd if line.paired and line.paired.n >= 5 else typical
    return None if line.asked.delta is None else seeds_needed(line.asked.delta, sd=own)


def _arms(line: InterventionResult) -> tuple[Path | None, Path | None, tuple[int, ...]]:
    return line.asked.baseline, line.asked.treated, line.seeds


def _line(asked: Intervention) -> InterventionResult:
    if asked.problem or not (asked.baseline and asked.treated):
        return InterventionResult(asked=asked, missing=(asked.problem or "not run",))
    runs: list[tuple[Run, Run]] = []
    missing: list[str] = []
    for seed in asked.seeds:
        before, after = (_read(folder / f"s{seed}") for folder in (asked.baseline, asked.treated))
        if isinstance(before, Run) and isinstance(after, Run):
            runs.append((before, after))
        found = (("control", before), ("strategy", after))
        missing += [f"{arm}, seed {seed}: {text}" for arm, text in found if isinstance(text, str)]
    if not runs:
        return InterventionResult(asked=asked, missing=tuple(missing))
    try:
        check_comparable([run for pair in runs for run in pair])
        arms = [tuple(run.score("balanced_accuracy") for run in arm) for arm in zip(*runs)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # equal differences: the table says so itself
            difference = paired(*arms)
    except (ValueError, KeyError, FileNotFoundError) as error:
        return InterventionResult(asked=asked, missing=(*missing, str(error)))
    return InterventionResult(
        asked=asked,
        seeds=tuple(before.seed for before, _ in runs),
        before=arms[0],
        after=arms[1],
        paired=difference,
        simulated=runs[0][0].result["simulated"],
        missing=tuple(missing),
    )


def _read(run_dir: Path) -> Run | str:
    """The run, or why there is none: its own last words where it failed."""
    if RunDirectory(run_dir).result.is_file():
        try:
            return Run.load(run_dir)
        except ValueError as error:
            return str(error)
    log = RunDirectory(run_dir).log
    if not log.is_file():
        return "not run"
    said = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    said = [line for line in said if "VAXIS_DEBUG" not in line][-12:]
    if not any("error" in line.lower() or "Traceback" in line for line in said):
        return f"unfinished ({run_dir})"
    last = next((line for line in reversed(said) if "error" in line.lower()), said[-1])
    return f"failed: {last.removeprefix('error: ')} ({log})"
