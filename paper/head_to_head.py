"""The main job: one alignment loss against the same decoder without it, on paired seeds, down to a verdict."""

import hashlib
import inspect
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from eeg.files import atomic
from lightning_modules.command_line import option
from sweeps.launch import slots

SEEDS = (42, 123, 456, 789, 2025)  # the paper's five paired seeds
NO_LOSS = "losses.none.NoAlignment"
DEFAULT_LOSS = ["--loss", "losses.vaxis_mse.VAxisMSE", "--loss.weight=0.5"]
NOT_OURS = ("torch", "abc", "builtins")
NOT_SETTINGS = (
    "model.axis",
    "data.init_args.axis",
    "seed_everything",
    "group",
    "online",
    "project",
    "trainer.default_root_dir",
)


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
    if not any(word.split("=")[0] == "--loss" for word in argv):
        argv = [*DEFAULT_LOSS, *argv]
    names = devices.split(",") if devices else ()
    size = _numbers(per_run or "1", flag="--devices_per_run")[0]
    slots(devices=names, per_run=size)  # refuses what does not fit before anything is made
    numbers = _numbers(seeds, flag="--seeds") if seeds else SEEDS
    study = Study(argv, seeds=numbers, planted=planted, folder=folder, per_run=size)
    study.train(devices=names, per_run=size)
    study.judge(command=command)


class Study:
    """One comparison: axis and data made ready, two arms of runs, a verdict.

    Args:
        argv: flags of ``train.py fit``, loss included.
        seeds: one run of each arm a seed.
        planted: let a simulated cohort draw its own axis.
        folder: where runs and verdict go; by default a folder named by data, axis, settings and source of the network,
            so that the runs without a loss serve every loss that is tried in the same setting; a loss whose file has
            changed since gets runs of its own.
        per_run: devices a run.
    """

    def __init__(
        self, argv: list[str], *, seeds: Sequence[int], planted: bool, folder: str | None, per_run: int = 1
    ) -> None:
        from lightning_modules.cli import parse
        from vaxis.axis import Axis

        cli = parse(argv)
        own = cli.datamodule.spec.simulated and not hasattr(cli.datamodule, "simulation")
        if cli.model.axis is None and not planted and not own:
            argv = [*argv, *_axis_of_a_language_model(cli.datamodule)]
            cli = parse(argv)
        print(f"\n2  The data: {type(cli.datamodule).__name__} in {cli.datamodule.root}")
        cli.datamodule.prepare_data()
        self.argv, self.seeds = argv, seeds
        self.data, self.epochs = cli.datamodule, cli.trainer.max_epochs
        self.axis_path = cli.model.axis or self.data.axis_path
        loss, settings = _settings(cli)
        codes = [_source(type(cli.model.network)), Axis.load(self.axis_path).fingerprint, per_run]
        self.structural = cli.model.loss.structural
        name = f"{type(self.data).__name__}-{_digest(settings, self.data.fingerprint, *codes)}"
        self.folder = Path(folder) if folder else Path("runs") / name
        self.arms = {
            "baseline": f"{loss[0]}-control" if self.structural else "none",
            "treated": f"{loss[0]}-{_digest(loss[1], _source(type(cli.model.loss)))}",
        }

    def jobs(self, arm: str) -> list:
        """The runs of an arm, ``treated`` or ``baseline``."""
        from sweeps.launch import Job

        argv = self.argv
        if arm == "baseline":
            argv = [*argv, "--loss.weight=0"] if self.structural else [f"--loss={NO_LOSS}", *_without_loss(argv)]
        return [
            Job(
                argv=[*argv, f"--seed_everything={seed}", f"--group={self.arms[arm]}"],
                run_dir=self.folder / self.arms[arm] / f"s{seed}",
                epochs=self.epochs,
            )
            for seed in self.seeds
        ]

    def train(self, *, devices: Sequence[str], per_run: int) -> None:
        """Run what is not finished yet, the two arms of a seed side by side."""
        from sweeps.launch import launch

        jobs = [job for pair in zip(self.jobs("baseline"), self.jobs("treated")) for job in pair]
        finished = sum(job.finished for job in jobs)
        print(f"\n3  Training: {len(jobs)} runs of {self.epochs} epochs in {self.folder}/, {finished} finished before")
        launch(jobs, on=slots(devices=devices, per_run=per_run, jobs=len(jobs)))

    def judge(self, *, command: str) -> None:
        """Print the verdict; write it as JSON, picture and HTML report beside the runs of the strategy."""
        from analysis import figures
        from analysis.report import write_report
        from analysis.runs import Run
        from analysis.verdict import Verdict
        from vaxis.axis import Axis

        runs = {arm: [Run.load(job.run_dir) for job in self.jobs(arm)] for arm in self.arms}
        verdict, axis = Verdict.from_runs(runs["baseline"], runs["treated"]), Axis.load(self.axis_path)
        folder = self.folder / self.arms["treated"]
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
    from analysis.topography import Topography, axis_topography
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


def _axis_of_a_language_model(data) -> list[str]:
    """Flags that name the axis of the bundled model, extracted now unless it has been before; prints it."""
    from vaxis.axis import Axis
    from vaxis.describe import summary
    from vaxis.extraction import ensure_axis

    print("1  The axis: nine sentences read by a language model")
    path = ensure_axis(llm="bundled", taxonomy=data.taxonomy.name)
    print(summary(Axis.load(path)))
    return [f"--data.axis={path}" if hasattr(data, "simulation") else f"--model.axis={path}"]


def _settings(cli) -> tuple[tuple[str, dict], dict]:
    """Name and settings of the strategy, and the settings of everything else that a run's numbers depend on."""
    settings = json.loads(cli.parser.dump(cli.config, format="json", skip_none=False))
    loss = settings.pop("loss")
    for name in NOT_SETTINGS:
        *scopes, key = name.split(".")
        part = settings
        for scope in scopes:
            part = part.get(scope, {})
        part.pop(key, None)
    return (loss["class_path"].split(".")[-2], loss), settings


def _without_loss(argv: list[str]) -> list[str]:
    kept, skip = [], False
    for word in argv:
        name = word.split("=")[0]
        if skip:
            skip = False
        elif name == "--loss" or name.startswith("--loss."):
            skip = "=" not in word
        else:
            kept.append(word)
    return kept


def _numbers(text: str, *, flag: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise SystemExit(f"error: {flag} takes whole numbers separated by commas, got '{text}'") from None
    if len(set(numbers)) < len(numbers):
        raise SystemExit(f"error: {flag} {text} names a number twice")
    return numbers


def _source(cls: type) -> list[str]:
    """Source of the project's files that define a plug-in and what it inherits from."""
    files = {inspect.getsourcefile(base) for base in cls.__mro__ if base.__module__.split(".")[0] not in NOT_OURS}
    return [Path(file).read_text() for file in sorted(files)]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:6]
