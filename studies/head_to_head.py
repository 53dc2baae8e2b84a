"""The main job: alignment losses against the same decoder without them, on paired seeds, down to a verdict."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from command_line.lean import import_torchmetrics, kept
from command_line.located import located
from studies.hosted import hosted, possible
from studies.losses import runs_of, words_of_each
from studies.plan import Plan
from tracking.offline import sync_line

if TYPE_CHECKING:
    from studies.study import Study


def main(argv: list[str]) -> None:
    """Train the arms of every loss, print and save the verdicts; of several losses, their table too.

    Args:
        argv: flags of ``train.py fit`` and, beside them, those of ``studies.plan.Plan``.
    """
    plan, words = Plan.parse(argv)
    commands, command = words_of_each(words), shlex.join(["python", "train.py", *argv])
    if plan.looks and len(commands) > 1:
        raise ValueError(
            "--seeds auto judges one loss: corrections for several assume seeds that were fixed before; name the seeds"
        )
    if plan.per_run == 1 and possible():
        hosted(verdicts, plan, commands, command)
    else:
        verdicts(plan, commands, command)


def verdicts(plan: Plan, commands: list[list[str]], command: str) -> None:
    """From parsed flags to saved verdicts.

    Args:
        plan: what was asked for.
        commands: words of the run with each loss.
        command: all of it as it was typed, for the report.
    """
    with kept():
        import_torchmetrics()
        from studies.answer import save, train
        from studies.arms import prepare
        from studies.controls import check_controls
        from studies.preflight import preflight
        from studies.study import Study

    runs = runs_of(commands)
    plan = plan.on_this_machine(runs[0])
    conditions = prepare(
        runs[0], planted=plan.planted, folder=runs[0].run_dir, per_run=plan.per_run, verbose=plan.verbose
    )  # fmt: skip
    with located():
        studies = [Study.prepare(run, plan=plan, conditions=conditions) for run in runs]
    arms = [arm for study in studies for arm in study.to_try(plan.seeds)]
    taught = preflight(arms, conditions=conditions, seed=plan.seeds[0])
    for study in studies:
        check_controls(study.controls, treated=study.pair.treated, taught=taught)
    if isinstance(plan.per_device, str):
        measured = plan.measured(studies[0].pair.treated.settings)
        studies = [replace(study, plan=measured) for study in studies]
    seeds = train(studies)
    for study in studies:
        answer, files = save(study, seeds, command=command)
        if len(studies) > 1:
            print(f"\n{answer.sentence}")
        else:
            print(f"\n4  The verdict\n\n{answer.text(verbose=plan.verbose)}")
        print("", *files, sep="\n")
    if len(studies) > 1:
        _table(studies, seeds, command=command)
    jobs = [job for study in studies for job in (*study.pair.jobs(seeds), *study.beside(seeds))]
    if line := sync_line({job.run_dir for job in jobs}):
        print(line)


def _table(studies: "list[Study]", seeds: tuple[int, ...], *, command: str) -> None:
    from studies import losses

    text, folder = losses.save(losses.table(studies, seeds), studies, command=command)
    print(f"\n4  The verdicts beside each other\n\n{text}\n\ntable    {folder}/losses.json, losses.txt, forest.png")
