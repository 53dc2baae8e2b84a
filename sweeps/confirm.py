"""The best trials trained again with fresh seeds: what a search promises is the luckiest of many draws."""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import optuna
from optuna.trial import TrialState

from records import result
from records.files import atomic
from studies.jobs import Job, Slot, launch
from sweeps.sweep import SEEDS, Sweep, scores


def confirm(study: optuna.Study, *, trials: int, seeds: int, on: list[Slot]) -> dict[str, Any]:
    """Train again, compare on validation, and score the one that is best *then* on test data, once.

    The optimism of a trial is its value in the search minus the mean over fresh seeds; 0 is expected of a trial that
    was not chosen for its value. Runs that are finished are not repeated.

    Args:
        study: with complete trials.
        trials: how many of the best.
        seeds: how many fresh seeds, none of which the search used.
        on: where the runs compute.

    Returns:
        What ``confirm.json`` in the folder of the study says.

    Raises:
        ValueError: no trial is complete, or fewer than two seeds.
    """
    sweep = Sweep.of(study)
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    if not complete or seeds < 2:
        raise ValueError("there is no complete trial to confirm" if not complete else "--confirm_seeds must be >= 2")
    best = sorted(complete, key=lambda trial: -trial.values[0])[:trials]
    fresh = [seed for seed in (*SEEDS, *range(3000, 3000 + seeds)) if seed not in sweep.seeds][:seeds]
    jobs = {trial.number: [_job(sweep, trial, seed, study.study_name) for seed in fresh] for trial in best}
    launch([job for of_trial in zip(*jobs.values()) for job in of_trial], on=on)
    results = {number: [_result(job) for job in of_trial] for number, of_trial in jobs.items()}
    rows = [_row(trial, results[trial.number], sweep) for trial in best]
    chosen = max(rows, key=lambda row: row["fresh_mean"])
    tests = [result["test"] for result in results[chosen["trial"]]]
    report = {
        "objective": sweep.objectives[0],
        "search_seeds": sweep.seeds,
        "fresh_seeds": fresh,
        "trials": rows,
        "optimism": rows[0]["optimism"],
        "chosen": chosen["trial"],
        "test_balanced_accuracy": mean(test["balanced_accuracy"] for test in tests),
        "test_chance": tests[0]["chance"],
    }
    with atomic(Path(sweep.folder) / "confirm.json") as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(text(report))
    return report


def text(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [
        f"\n{report['objective']} of the best trials, then again with {len(report['fresh_seeds'])} fresh seeds",
        f"{'trial':>6} {'search':>8} {'fresh':>8} {'sd':>7} {'optimism':>9}",
    ]
    for row in report["trials"]:
        values = "{trial:>6} {search:8.4f} {fresh_mean:8.4f} {fresh_sd:7.4f} {optimism:+9.4f}".format(**row)
        lines.append(values + ("  chosen" if row["trial"] == report["chosen"] else ""))
    lines.append(
        f"the best of the search was {report['optimism']:+.4f} too good; test balanced accuracy of the chosen trial "
        f"{report['test_balanced_accuracy']:.4f} (chance {report['test_chance']:.3f})"
    )
    return "\n".join(lines)


def _job(sweep: Sweep, trial: optuna.trial.FrozenTrial, seed: int, study: str) -> Job:
    run_dir = Path(sweep.folder) / "confirm" / f"trial-{trial.number:04d}" / f"s{seed}"
    run = sweep.run(trial.params, seed=seed).with_value("group", f"{study}-confirm")
    return Job(settings=run, run_dir=run_dir)


def _result(job: Job) -> dict[str, Any]:
    return result.read(job.files.result)


def _row(trial: optuna.trial.FrozenTrial, results: list[dict], sweep: Sweep) -> dict[str, Any]:
    values = [scores(result, sweep.objectives)[0] for result in results]
    return {
        "trial": trial.number,
        "params": trial.params,
        "search": trial.values[0],
        "fresh": values,
        "fresh_mean": mean(values),
        "fresh_sd": stdev(values),
        "optimism": trial.values[0] - mean(values),
    }
