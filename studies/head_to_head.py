"""The main job: one alignment loss against the same decoder without it, on paired seeds, down to a verdict."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from command_line.settings import RunSettings
from command_line.words import chooses_strategy
from console.arguments import Arguments
from records.files import atomic
from studies.arms import Arm, Conditions, prepare
from studies.jobs import Job, launch, slots

SEEDS = (42, 123, 456, 789, 2025)  # the paper's five paired seeds
DEFAULT_LOSS = ("--loss", "vaxis_mse", "--loss.weight=0.5")


def main(argv: list[str]) -> None:
    """Train both arms on paired seeds, print and save the verdict.

    Args:
        argv: normalised flags of ``train.py fit`` and, beside them, ``--seeds 1,2,..``, ``--devices 0,1,..``,
            ``--devices_per_run N`` and ``--planted`` (a simulated cohort draws its axis; no language model is used).
    """
    parser = Arguments("python train.py", add_help=False)
    parser.add_argument("--seeds")
    parser.add_argument("--devices")
    parser.add_argument("--devices_per_run", default="1")
    parser.add_argument("--planted", action="store_true")
    args, words = parser.parse_known_args(argv)
    devices = args.devices.split(",") if args.devices else []
    per_run = numbers(args.devices_per_run, flag="--devices_per_run")[0]
    slots(devices=devices, per_run=per_run)  # refuses what does not fit before anything is made
    seeds = numbers(args.seeds, flag="--seeds") if args.seeds else SEEDS
    run = RunSettings.parse(words)
    if run.plain and not chooses_strategy(words):
        run = run.with_loss(DEFAULT_LOSS)
    study = Study.prepare(run, seeds=seeds, planted=args.planted, per_run=per_run)
    study.train(devices=devices, per_run=per_run)
    study.judge(command=shlex.join(["python", "train.py", *argv]))


@dataclass(frozen=True, kw_only=True)
class Study:
    """One comparison: two arms of runs under the same conditions, and a verdict on their difference.

    Attributes:
        conditions: axis, data and folder of both arms.
        arms: ``baseline`` and ``treated``.
        seeds: one run of each arm a seed.
    """

    conditions: Conditions
    arms: dict[str, Arm]
    seeds: Sequence[int]

    @classmethod
    def prepare(cls, run: RunSettings, *, seeds: Sequence[int], planted: bool, per_run: int = 1) -> "Study":
        """Make axis, data and both arms ready.

        Args:
            run: of the treated arm; its run directory, where one is named, is that of the study, by default a folder
                that all studies of the same conditions share.
            seeds: one run of each arm a seed.
            planted: let a simulated cohort draw its own axis.
            per_run: devices a run.

        Raises:
            ValueError: the run has no strategy, or its settings are refused.
        """
        if run.plain:
            raise ValueError("--loss none is the baseline itself; name a loss to compare with it")
        conditions = prepare(run, planted=planted, folder=run.run_dir, per_run=per_run)
        treated = conditions.arm(run)
        # Adapters and second data sets are there in the control arm as well; only what teaches the axis is off.
        control = run.with_value("loss.weight", 0.0) if treated.structural else None
        return cls(conditions=conditions, arms={"baseline": conditions.arm(control), "treated": treated}, seeds=seeds)

    def jobs(self, arm: str) -> list[Job]:
        """The runs of an arm, ``treated`` or ``baseline``."""
        return self.arms[arm].jobs(self.seeds)

    def train(self, *, devices: Sequence[str], per_run: int) -> None:
        """Run what is not finished yet, the two arms of a seed side by side."""
        jobs = [job for pair in zip(self.jobs("baseline"), self.jobs("treated")) for job in pair]
        finished = sum(job.finished for job in jobs)
        where = f"{self.conditions.folder}/, {finished} finished before"
        print(f"\n3  Training: {len(jobs)} runs of {jobs[0].epochs} epochs in {where}")
        launch(jobs, on=slots(devices=devices, per_run=per_run, jobs=len(jobs)))

    def judge(self, *, command: str) -> None:
        """Print the verdict; write it as JSON, picture and HTML report beside the runs of the strategy."""
        from analysis import verdict_figures as figures
        from analysis.report import write_report
        from analysis.verdict_record import Verdict
        from records.run import Run
        from vaxis.axis import Axis

        runs = {arm: [Run.load(job.run_dir) for job in self.jobs(arm)] for arm in self.arms}
        verdict, axis = Verdict.from_runs(runs["baseline"], runs["treated"]), Axis.load(self.conditions.axis_path)
        folder = self.arms["treated"].path
        saved = verdict.save(folder)
        report = write_report(
            folder / "report.html",
            verdict=verdict,
            runs=[*runs["baseline"], *runs["treated"]],
            axis=axis,
            topographies=topographies(self.conditions.data, axis),
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
