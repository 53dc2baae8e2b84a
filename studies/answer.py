"""From finished runs to the answer: after how many seeds it is there, and what is printed and saved of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measures.outcome import judged
from measures.paired import paired
from records.files import atomic
from studies.hosted import launch
from studies.study import Study, distinct, runs

if TYPE_CHECKING:
    from analysis.verdict_record import Verdict
    from measures.baselines import Baseline
    from measures.topography import Topography
    from records.run import Run


def train(studies: Sequence[Study]) -> tuple[int, ...]:
    """Run what is not finished yet; returns the seeds that the answer rests on.

    Several studies share plan and conditions, and so their baselines: each run is started once.
    """
    plan = studies[0].plan
    if plan.looks is None:
        seeds = plan.seeds
        jobs = [job for study in studies for job in study.pair.jobs(seeds)]
    else:
        seeds, jobs = _as_needed(studies[0]), []
    jobs = distinct([*jobs, *(job for study in studies for job in study.beside(seeds))])
    if jobs:
        _launch(studies[0], jobs)
    return seeds


def _as_needed(study: Study) -> tuple[int, ...]:
    """Add paired seeds until the answer is there or the budget is spent; started again, it repeats the looks."""
    plan, looks = study.plan, study.plan.looks or ()
    for look, n in enumerate(looks, start=1):
        seeds = plan.seeds[:n]
        _launch(study, study.pair.jobs(seeds))
        arms = study.pair.runs(seeds)
        difference = paired(*([run.score("balanced_accuracy") for run in arm] for arm in arms))
        found = judged(difference, margin=plan.margin, looks=looks)
        interval = f"{difference.mean:+.3f}, repeated interval {found.low:+.3f} to {found.high:+.3f}"
        print(f"   look {look} of {len(looks)}, {n} pairs: {found.outcome} ({interval})", flush=True)
        if found.outcome != "unresolved":
            break
    return seeds


def _launch(study: Study, jobs: list) -> None:
    finished = sum(job.finished for job in jobs)
    lengths = sorted({job.epochs for job in jobs})
    epochs = f"{lengths[0]} epochs" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} epochs"
    where = f"{study.conditions.folder}/, {finished} finished before"
    print(f"\n3  Training: {len(jobs)} runs of {epochs} in {where}", flush=True)
    launch(jobs, on=study.plan.slots(jobs=len(jobs)))


def simple_models(study: Study) -> "list[Baseline]":
    """Linear models on the data and split of a study, cached beside the folders of all settings of these data."""
    from analysis.baselines import of_data

    conditions = study.conditions
    data = conditions.data
    if data.features == "raw" and not data.bands:
        print(f"   no linear baselines: {type(data).__name__} names no frequency bands to read raw signals by")
        return []
    return of_data(data, cache=conditions.folder if conditions.named else conditions.folder.parent)


def verdict(study: Study, seeds: Sequence[int]) -> "Verdict":
    """The answer of these seeds with all that it must stand beside."""
    from analysis.verdict_record import Verdict

    clip_seeds = study.clip_seeds(seeds)
    return Verdict.from_runs(
        *study.pair.runs(seeds),
        margin=study.plan.margin,
        looks=study.plan.looks,
        controls={_label(name): runs(arm, seeds) for name, arm in study.controls.items()},
        lengths={epochs: pair.runs(seeds) for epochs, pair in study.lengths.items()},
        new_clips={fold: pair.runs(clip_seeds) for fold, pair in study.new_clips.items()},
        baselines=simple_models(study),
    )


def _label(control: str) -> str:
    return Path(control).stem if control.endswith(".npz") else control


def _scalp(baseline: "list[Run]", treated: "list[Run]") -> "list[Topography]":
    """Maps of both arms; where somebody has deleted checkpoints, the report is worth having without them."""
    from studies.scalp import of_arms

    try:
        return of_arms(baseline, treated)
    except FileNotFoundError as error:
        print(f"   the report has no scalp maps of the two arms: {error}")
        return []


def save(study: Study, seeds: Sequence[int], *, command: str) -> "tuple[Verdict, list[str]]":
    """Write the answer as JSON, picture and HTML report beside the runs of the strategy; the lines say where."""
    from analysis import verdict_figures as figures
    from analysis.canvas import png
    from analysis.report import write_report
    from studies.scalp import topographies
    from vaxis.axis import Axis

    answer, axis = verdict(study, seeds), Axis.load(study.conditions.axis_path)
    arms, folder = study.pair.runs(seeds), study.pair.treated.path
    saved = answer.save(folder)
    report = write_report(
        folder / "report.html",
        verdict=answer,
        runs=[*arms[0], *arms[1]],
        axis=axis,
        topographies=[*topographies(study.conditions.data, axis), *_scalp(*arms)],
        command=command,
    )
    with atomic(folder / "verdict.png") as partial:
        partial.write_bytes(png(figures.overview(answer, *arms)))
    return answer, [f"verdict  {saved}", f"report   {report}"]
