"""Running rows of the table of interventions: arms shared between rows, every run once, failures kept to their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from command_line.located import located
from command_line.settings import RunSettings, digest
from paper import row_flags
from paper.rows import PublishedRow
from paper.table import Table
from studies.arms import Arm, Conditions, prepare
from studies.jobs import Job, RunFailed, launch
from studies.preflight import preflight
from studies.slots import slots

STAND_IN_LAYERS = (10, 20)  # of SmolLM2's 30: their axes correlate 0.2 and 0.6 with that of the last but one
STAND_INS = "further axes: two other layers of the bundled model stand in for other models (--axes names real ones)"


@dataclass(kw_only=True)
class Campaign:
    """The rows of one table under one set of conditions, or under those that a row changes.

    Attributes:
        base: conditions of the rows that change none.
        shared: what all rows start from: settings of the base, and the second data set where the user named one.
        table: the record.
        seeds: of the pairs.
        planted: a simulated cohort draws its own axis.
        root: where the folders of all conditions lie.
        devices: CUDA devices.
        per_run: how many a run takes.
        axes: artifacts of further language models.
        known: conditions that are ready, by what they depend on.
    """

    base: Conditions
    shared: RunSettings
    table: Table
    seeds: Sequence[int]
    planted: bool
    root: Path
    devices: Sequence[str] = ()
    per_run: int = 1
    axes: Sequence[Path] = ()
    known: dict[str, Conditions] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        run: RunSettings,
        *,
        command: str,
        folder: str | None,
        planted: bool,
        root: Path,
        per_run: int = 1,
        **options,
    ) -> "Campaign":
        """Make the axis and the data of the base ready, and open the table.

        Args:
            run: settings of all rows.
            command: as it was typed, for the record.
            folder: of the table; by default beside the runs.
            planted: a simulated cohort draws its own axis.
            root: where the folders of all conditions lie.
            per_run: devices a run.
            options: further fields.
        """
        base = prepare(run, planted=planted, root=root, per_run=per_run)
        place = Path(folder) if folder else base.folder / "interventions"
        facts = {"data": type(base.data).__name__, "simulated": base.data.spec.simulated}
        table = Table(folder=place, epochs=base.settings.epochs, command=command, **facts)
        if (place / "table.json").is_file():
            table.rows = Table.load(place).rows
        shared = base.settings.with_value("source", run.value("source"))
        return cls(base=base, shared=shared, table=table, planted=planted, root=root, per_run=per_run, **options)

    def run(self, chosen: Sequence[PublishedRow]) -> bool:
        """Run what is not finished; True if a run failed or a row could not be started."""
        print(f"\n3  The arms of {len(chosen)} rows", flush=True)
        jobs: dict[Path, Job] = {}
        problems = 0
        for row in tqdm(chosen, desc="preparing", unit="row", mininterval=0.5):
            try:
                arms = self.arms(row)
            except (ValueError, OSError, SystemExit) as error:
                problems += 1
                self.table.rows[row.id] = {"problem": f"not started: {str(error).removeprefix('error: ')}"}
                continue
            note = STAND_INS if row.axes and not self.axes else ""
            self.table.add(row, control=arms["control"].path, treated=arms["treated"].path, seeds=self.seeds, note=note)
            pairs = zip(*(arm.jobs(self.seeds) for arm in arms.values()))
            jobs |= {job.run_dir: job for pair in pairs for job in pair if job.run_dir not in jobs}
        self.table.save()
        return self._launch(list(jobs.values())) or problems > 0

    def arms(self, row: PublishedRow) -> dict[str, Arm]:
        """Both arms of a row, ``control`` first.

        Raises:
            ValueError: the row cannot be run like this.
            SystemExit: there is no such strategy.
        """
        axes = (self.axes or self._stand_ins()) if row.axes else ()
        runs = row_flags.arms(row, self.shared, axes=list(map(str, axes)))
        return {arm: self._tried(run) for arm, run in runs.items()}

    def _tried(self, run: RunSettings) -> Arm:
        """The arm of a run, once a batch has gone through it; a bug costs the row and not its baselines."""
        conditions = self._conditions(run)
        with located():
            arm = conditions.arm(run)
        if not all(job.finished for job in arm.jobs(self.seeds)):
            preflight([arm], conditions=conditions, seed=self.seeds[0])
        return arm

    def _conditions(self, run: RunSettings) -> Conditions:
        """Axis and data of a run, made ready once; the base serves every row that changes the strategy alone."""
        plain = run.with_strategy(self.base.settings)
        if plain == self.base.settings:
            return self.base
        if (key := digest(plain.content)) not in self.known:
            self.known[key] = prepare(plain, planted=self.planted, root=self.root, per_run=self.per_run, quiet=True)
        return self.known[key]

    def _stand_ins(self) -> list[Path]:
        from vaxis.language.extraction import ensure_axis

        if self.planted:
            raise ValueError("with --planted the axes of further language models must be named: --axes A,B")
        taxonomy = self.base.data.taxonomy.reference
        return [ensure_axis(llm="bundled", taxonomy=taxonomy, layer=layer, quiet=True) for layer in STAND_IN_LAYERS]

    def _launch(self, jobs: list[Job]) -> bool:
        finished = sum(job.finished for job in jobs)
        print(f"\n4  Training: {len(jobs)} runs under {self.root}/, {finished} finished before", flush=True)
        try:
            launch(jobs, on=slots(devices=self.devices, per_run=self.per_run, jobs=len(jobs)))
        except RunFailed as failure:
            print(f"\n{failure}\n")
            return True
        print()
        return False


def existing(axes: str | None) -> list[Path]:
    """Files of the axes in a comma-separated list.

    Raises:
        FileNotFoundError: one is not there.
    """
    found = [Path(name) for name in axes.split(",")] if axes else []
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(
                f"--axes: no file {path}; make one with: python -m vaxis extract --llm MODEL --out FILE"
            )
    return found
