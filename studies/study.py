"""One comparison: two arms of runs under the same conditions, and the runs that its answer must stand beside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from command_line.settings import RunSettings
from studies.arms import Arm, Conditions
from studies.controls import RANDOM, check_random, control_target
from studies.jobs import Job
from studies.plan import Plan

if TYPE_CHECKING:
    from records.run import Run


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms that are compared seed by seed.

    Attributes:
        baseline: without what teaches the axis.
        treated: with it.
    """

    baseline: Arm
    treated: Arm

    def under(self, conditions: Conditions) -> "Pair":
        """The same arms under other conditions."""
        return Pair(baseline=conditions.moved(self.baseline), treated=conditions.moved(self.treated))

    def jobs(self, seeds: Sequence[int]) -> list[Job]:
        """Both runs of a seed side by side."""
        return [job for both in zip(self.baseline.jobs(seeds), self.treated.jobs(seeds)) for job in both]

    def runs(self, seeds: Sequence[int]) -> "tuple[list[Run], list[Run]]":
        """The finished runs of both arms."""
        return runs(self.baseline, seeds), runs(self.treated, seeds)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A strategy against its baseline.

    Attributes:
        conditions: axis, data and folder of both arms.
        pair: the arms of the answer.
        plan: what was asked for.
        controls: the same strategy with other targets, by name.
        lengths: both arms at other numbers of epochs.
        new_clips: both arms on each fold of a split that holds clips back.
    """

    conditions: Conditions
    pair: Pair
    plan: Plan
    controls: dict[str, Arm] = field(default_factory=dict)
    lengths: dict[int, Pair] = field(default_factory=dict)
    new_clips: dict[str, Pair] = field(default_factory=dict)

    @classmethod
    def prepare(cls, run: RunSettings, *, plan: Plan, conditions: Conditions) -> "Study":
        """Make every arm ready; what does not fit is refused before a run starts.

        Args:
            run: of the treated arm.
            plan: what is asked for.
            conditions: of both arms.

        Raises:
            ValueError: the run has no strategy, or its settings, controls or splits are refused.
        """
        from vaxis.axis import Axis

        if run.plain:
            raise ValueError("--loss none is the baseline itself; name a loss to compare with it")
        treated = conditions.arm(run)
        # Adapters and second data sets are there in the control arm as well; only what teaches the axis is off.
        without = run.with_value("loss.weight", 0.0) if treated.structural else None
        pair = Pair(baseline=conditions.arm(without), treated=treated)
        axis = Axis.load(conditions.axis_path)
        if RANDOM in plan.controls:
            check_random(axis, positions=run.value("model.positions"), seeds=plan.seeds)
        lengths = [epochs for epochs in plan.lengths if epochs != run.epochs]
        return cls(
            conditions=conditions,
            pair=pair,
            plan=plan,
            controls={name: conditions.arm(run, control=control_target(name, axis=axis)) for name in plan.controls},
            lengths={n: pair.under(conditions.varied(f"{n}-epochs", {"trainer.max_epochs": n})) for n in lengths},
            new_clips={
                name: pair.under(conditions.varied(f"new-clips-{name}", changes))
                for name, changes in folds(conditions).items()
            }
            if plan.new_clips
            else {},
        )

    def to_try(self, seeds: Sequence[int]) -> list[Arm]:
        """Configurations that differ by more than length or split and have runs to train; with a control its loss."""
        every = [self.pair.baseline, self.pair.treated, *self.controls.values()]
        waiting = [arm for arm in every if not all(job.finished for job in arm.jobs(seeds))]
        if self.pair.treated not in waiting and any(arm in waiting for arm in self.controls.values()):
            waiting.append(self.pair.treated)
        return waiting

    def beside(self, seeds: Sequence[int]) -> list[Job]:
        """The runs that the answer of these seeds must stand beside."""
        jobs = [job for arm in self.controls.values() for job in arm.jobs(seeds)]
        jobs += [job for pair in self.lengths.values() for job in pair.jobs(seeds)]
        return jobs + [job for pair in self.new_clips.values() for job in pair.jobs(self.clip_seeds(seeds))]

    def clip_seeds(self, seeds: Sequence[int]) -> Sequence[int]:
        """Those that the folds of new clips are run with, often fewer: a fold costs as much as a seed."""
        return seeds[: self.plan.new_clips]


def runs(arm: Arm, seeds: Sequence[int]) -> "list[Run]":
    """The finished runs of an arm."""
    from records.run import Run

    return [Run.load(arm.run_dir(seed)) for seed in seeds]


def folds(conditions: Conditions) -> dict[str, dict[str, object]]:
    """Settings of each fold of the split of the data set that holds clips back.

    Raises:
        ValueError: the data set has no such split with a fixed number of folds.
    """
    data = conditions.data
    found = next((split for split in data.splits if split.new_clips and split.folds), None)
    if found is None:
        names = ", ".join(split.name for split in data.splits)
        raise ValueError(f"--new_clips: no split of {data.taxonomy.name} holds clips back (it has {names})")
    return {str(fold): {"data.split": found.name, "data.fold": fold} for fold in range(found.folds)}


def distinct(jobs: Iterable[Job]) -> list[Job]:
    """Each run once, in order: studies of several losses share baselines."""
    return list({job.run_dir: job for job in jobs}.values())
