"""The main job: one alignment loss against the same decoder without it, on paired seeds, down to a verdict."""

import shlex
from collections.abc import Sequence

from command_line.words import option
from records.files import atomic
from studies.arms import NO_LOSS, Setting, loss_words
from studies.jobs import Job, launch, slots

SEEDS = (42, 123, 456, 789, 2025)  # the paper's five paired seeds
DEFAULT_LOSS = ["--loss", "losses.vaxis_mse.VAxisMSE", "--loss.weight=0.5"]


def main(argv: list[str]) -> None:
    """Train both arms on paired seeds, print and save the verdict.

    Args:
        argv: normalised flags of ``train.py fit`` and, beside them, ``--seeds 1,2,..``, ``--devices 0,1,..``,
            ``--devices_per_run N`` and ``--planted`` (a simulated cohort draws its axis; no language model is used).
    """
    command = shlex.join(["python", "train.py", *argv])
    planted, argv = "--planted" in argv, [word for word in argv if word != "--planted"]
    seeds, argv = option(argv, "--seeds")
    devices, argv = option(argv, "--devices")
    per_run, argv = option(argv, "--devices_per_run")
    folder, argv = option(argv, "--trainer.default_root_dir")
    names = devices.split(",") if devices else ()
    size = numbers(per_run or "1", flag="--devices_per_run")[0]
    slots(devices=names, per_run=size)  # refuses what does not fit before anything is made
    chosen = numbers(seeds, flag="--seeds") if seeds else SEEDS
    study = Study(argv, seeds=chosen, planted=planted, folder=folder, per_run=size)
    study.train(devices=names, per_run=size)
    study.judge(command=command)


class Study:
    """One comparison: axis and data made ready, two arms of runs, a verdict.

    Args:
        argv: flags of ``train.py fit``, loss included.
        seeds: one run of each arm a seed.
        planted: let a simulated cohort draw its own axis.
        folder: where runs and verdict go; by default a folder that all studies of the same setting share.
        per_run: devices a run.
    """

    def __init__(
        self, argv: list[str], *, seeds: Sequence[int], planted: bool, folder: str | None, per_run: int = 1
    ) -> None:
        setting = Setting(argv, planted=planted, folder=folder, per_run=per_run)
        baseline = setting.arm(["--loss", NO_LOSS])
        treated = setting.arm(loss_words(argv))
        if treated.path == baseline.path and not loss_words(argv):
            treated = setting.arm(DEFAULT_LOSS)
        if treated.path == baseline.path:
            raise ValueError("--loss none is the baseline itself; name a loss to compare with it")
        if treated.structural:
            baseline = setting.arm([*loss_words(argv), "--loss.weight=0"])
        self.seeds, self.folder = seeds, setting.folder
        self.data, self.axis_path = setting.data, setting.axis_path
        self.arms = {"baseline": baseline, "treated": treated}

    def jobs(self, arm: str) -> list[Job]:
        """The runs of an arm, ``treated`` or ``baseline``."""
        return self.arms[arm].jobs(self.seeds)

    def train(self, *, devices: Sequence[str], per_run: int) -> None:
        """Run what is not finished yet, the two arms of a seed side by side."""
        jobs = [job for pair in zip(self.jobs("baseline"), self.jobs("treated")) for job in pair]
        finished = sum(job.finished for job in jobs)
        print(
            f"\n3  Training: {len(jobs)} runs of {jobs[0].epochs} epochs in {self.folder}/, {finished} finished before"
        )
        launch(jobs, on=slots(devices=devices, per_run=per_run, jobs=len(jobs)))

    def judge(self, *, command: str) -> None:
        """Print the verdict; write it as JSON, picture and HTML report beside the runs of the strategy."""
        from analysis import figures
        from analysis.report import write_report
        from analysis.verdict import Verdict
        from records.run import Run
        from vaxis.axis import Axis

        runs = {arm: [Run.load(job.run_dir) for job in self.jobs(arm)] for arm in self.arms}
        verdict, axis = Verdict.from_runs(runs["baseline"], runs["treated"]), Axis.load(self.axis_path)
        folder = self.arms["treated"].path
        saved = verdict.save(folder)
        report = write_report(
            folder / "report.html",
            verdict=verdict,
            runs=[*runs["baseline"], *runs["treated"]],
            axis=axis,
            topographies=topographies(self.data, axis),
            command=command,
        )
        with atomic(folder / "verdict.png") as partial:
            partial.write_bytes(figures.png(figures.overview(verdict, runs["baseline"], runs["treated"])))
        print(f"\n4  The verdict\n\n{verdict.text()}\n\nverdict  {saved}\nreport   {report}")


def topographies(data, axis) -> list:
    """How band features of the training subjects follow the axis over the scalp; none for raw signals."""
    from measures.topography import Topography, axis_topography
    from vaxis.targets import Targets

    if data.spec.features == "raw":
        return []
    data.setup()
    rows, trials = data.indices["train"], data.store.trials
    r = axis_topography(
        data.store.x[rows],
        stimulus=trials.stimulus[rows],
        subject=trials.subject[rows],
        v=Targets.from_axis(axis).v.numpy(),
    )
    people = len(set(trials.subject[rows].tolist()))
    return [
        Topography(
            title=f"{data.spec.features.upper()} of the {people} training subjects against the axis",
            r=r,
            channels=data.spec.channels,
            bands=("delta", "theta", "alpha", "beta", "gamma"),
            stimuli=len(data.spec.class_of),
        )
    ]


def numbers(text: str, *, flag: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas, each once."""
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise SystemExit(f"error: {flag} takes whole numbers separated by commas, got '{text}'") from None
    if len(set(found)) < len(found):
        raise SystemExit(f"error: {flag} {text} names a number twice")
    return found
