"""Running rows of the table of interventions: arms shared between rows, every run once, failures kept to their rows."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from paper import row_flags as commands
from paper.rows import Row
from paper.rows import seeds as paper_seeds
from paper.table import Table
from studies.arms import Arm, Setting
from studies.head_to_head import numbers
from studies.jobs import Job, RunFailed, launch, slots

STAND_IN_LAYERS = (10, 20)  # of SmolLM2's 30: their axes correlate 0.2 and 0.6 with that of the last but one
STAND_INS = "further axes: two other layers of the bundled model stand in for other models (--axes names real ones)"


class Campaign:
    """The rows of one table in one base setting.

    Args:
        argv: flags of ``train.py fit`` for all rows.
        command: as it was typed, for the record.
        planted: a simulated cohort draws its own axis.
        seeds: of the pairs, separated by commas.
        devices: CUDA devices, separated by commas.
        devices_per_run: how many a run takes.
        axes: artifacts of further language models, separated by commas.
        run_dir: where settings and their runs go.
        table: where the record goes.
        rows: not used here; the caller has chosen.
    """

    def __init__(
        self,
        argv: list[str],
        *,
        command: str,
        planted: bool,
        seeds: str | None,
        devices: str | None,
        devices_per_run: str | None,
        axes: str | None,
        run_dir: str | None,
        table: str | None,
        rows: str | None = None,
    ) -> None:
        self.devices = devices.split(",") if devices else []
        self.per_run = numbers(devices_per_run or "1", flag="--devices_per_run")[0]
        slots(devices=self.devices, per_run=self.per_run)  # refuses what does not fit before anything is made
        self.seeds = numbers(seeds, flag="--seeds") if seeds else paper_seeds()
        self.planted, self.root = planted, Path(run_dir or "runs")
        self.axes = _existing(axes)
        self.base = Setting(argv, planted=planted, root=self.root, per_run=self.per_run)
        self.settings = {tuple(self.base.argv): self.base}
        folder = Path(table) if table else self.base.folder / "interventions"
        facts = {"data": type(self.base.data).__name__, "simulated": self.base.data.spec.simulated}
        self.table = Table(folder=folder, epochs=self.base.epochs, command=command, **facts)
        if (folder / "table.json").is_file():
            self.table.rows = Table.load(folder).rows

    def run(self, chosen: Sequence[Row]) -> bool:
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

    def arms(self, row: Row) -> dict[str, Arm]:
        """Both arms of a row, ``control`` first.

        Raises:
            ValueError: the row cannot be run like this.
            SystemExit: there is no such strategy.
        """
        words = commands.setting(row, self.base.argv)
        axes = (self.axes or self._stand_ins()) if row.axes else ()
        flags = commands.arms(row, self.base.argv, axes=axes)
        key = tuple(words)
        if key not in self.settings:
            self.settings[key] = Setting(words, planted=self.planted, root=self.root, per_run=self.per_run, quiet=True)
        return {arm: self.settings[key].arm(flags[arm]) for arm in ("control", "treated")}

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


def _existing(axes: str | None) -> list[Path]:
    found = [Path(name) for name in axes.split(",")] if axes else []
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(
                f"--axes: no file {path}; make one with: python -m vaxis extract --llm MODEL --out FILE"
            )
    return found
