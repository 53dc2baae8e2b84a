"""Runs many ``train.py`` processes over the device slots of one machine; finished ones are skipped, none orphaned."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from command_line.settings import RunSettings
from records.layout import RunDirectory
from records.lock import TAKEN, held
from studies.processes import PARENT
from studies.progress import Progress
from studies.slots import TRAIN, Slot
from studies.warm import WarmProcess, start_warm

SETTINGS = "settings.yaml"  # beside config.yaml, which the run itself writes: what it was asked, and what it made of it
Running = subprocess.Popen | WarmProcess


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training run.

    Attributes:
        settings: of the run, seed included; where it computes and its folder come on top.
        run_dir: folder of the run; ``result.json`` in it means finished.
    """

    settings: RunSettings
    run_dir: Path

    @property
    def epochs(self) -> int:
        """Length of the run, for the progress bar."""
        return self.settings.epochs

    @property
    def file(self) -> Path:
        """The settings as ``train.py fit --config`` reads them, written when the run starts."""
        return self.run_dir / SETTINGS

    @property
    def files(self) -> RunDirectory:
        """Where the files of the run are."""
        return RunDirectory(self.run_dir)

    @property
    def finished(self) -> bool:
        return self.files.result.exists()

    @property
    def epochs_done(self) -> int:
        """Epochs whose validation scores are in ``metrics.csv``."""
        if self.finished:
            return self.epochs
        try:
            header, *rows = self.files.metrics.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return 0
        epoch, score = (header.split(",").index(c) if c in header else -1 for c in ("epoch", "val/balanced_accuracy"))
        cells = [row.split(",") for row in rows] if min(epoch, score) >= 0 else []
        whole = [row for row in cells if len(row) > max(epoch, score) and row[score]]
        # A damaged number is the reader's to report and not the progress bar's.
        done = [int(row[epoch]) for row in whole if row[epoch].isdecimal()]
        return min(self.epochs, max(done, default=-1) + 1)


class RunFailed(RuntimeError):
    """One or more runs ended with an error; the message carries the end of their logs."""


def launch(jobs: list[Job], *, on: list[Slot], poll_seconds: float = 0.1) -> None:
    """Run all unfinished jobs, at most one a slot; a failing run does not stop the others.

    A run that another process trains at this moment is waited for and its result shared, so two studies that need the
    same runs may be started side by side; where the other one ends without a result, the run is taken over.

    Raises:
        RunFailed: after all others have ended, with the last lines of each failing log.
    """
    queue = _Queue([job for job in jobs if not job.finished])
    running: dict[int, tuple[Job, Running]] = {}
    failed: list[Job] = []
    progress = Progress(jobs)
    try:
        while queue.waiting or queue.elsewhere or running:
            for index in (i for i in range(len(on)) if i not in running):
                if (job := queue.take()) is not None:
                    running[index] = (job, start(job, on[index]))
            time.sleep(poll_seconds)
            for index, (job, process) in list(running.items()):
                if process.poll() is not None:
                    del running[index]
                    if process.returncode == TAKEN:
                        queue.elsewhere.append(job)
                        continue
                    progress.ended(job)
                    if process.returncode or not job.finished:
                        failed.append(job)
            for job in queue.shared():
                progress.ended(job)
            progress.show([job for job, _ in running.values()] + queue.elsewhere)
    finally:
        progress.close()
        _stop([process for _, process in running.values()])
    if failed:
        raise RunFailed("\n\n".join(_end_of_log(job) for job in failed))


class _Queue:
    """Jobs that wait for a slot here, and those that another process has begun.

    Whether somebody trains in a folder is asked at most twice a second: asking takes the lock for a moment, and a run
    that starts in that moment would take us for its owner.

    Args:
        waiting: in the order in which they are to start.
    """

    def __init__(self, waiting: list[Job]) -> None:
        self.waiting, self.elsewhere = waiting, list[Job]()
        self._next, self._said = 0.0, False

    def take(self) -> Job | None:
        """The next job that nobody else has; None where there is none now."""
        while self.waiting:
            job = self.waiting.pop(0)
            if not job.run_dir.is_dir() or not held(job.run_dir):
                return job
            self.elsewhere.append(job)
        return None

    def shared(self) -> list[Job]:
        """Those that another process has finished since; what it has left unfinished waits for a slot here again."""
        if not self.elsewhere or time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + 0.5
        if not self._said:
            self._said = True
            print(
                f"   {self.elsewhere[0].run_dir} and others are trained by another process; waiting for it", flush=True
            )
        finished = [job for job in self.elsewhere if job.finished]
        left = [job for job in self.elsewhere if not job.finished and not held(job.run_dir)]
        self.elsewhere = [job for job in self.elsewhere if job not in finished and job not in left]
        self.waiting += left
        return finished


def start(job: Job, slot: Slot, *, extra: dict[str, str | None] | None = None, own_group: bool = False) -> Running:
    """Start a run in a fork of a process that has imported everything already; plainly where that cannot be.

    Args:
        job: what to run.
        slot: where.
        extra: environment variables to set, or to leave out where None.
        own_group: lead a process group, so that all processes of the run can be ended together.
    """
    command = slot.command(job)
    if command[:2] != [sys.executable, str(TRAIN)] or not slot.warm:
        return start_plainly(job, slot, extra=extra, own_group=own_group)
    _write_settings(job)
    environment = _environment(slot, extra)
    return start_warm(
        command, log=job.files.log, environment=environment, threads=slot.own_threads, own_group=own_group
    )


def _environment(slot: Slot, extra: dict[str, str | None] | None) -> dict[str, str]:
    values = slot.environment() | {PARENT: str(os.getpid())} | (extra or {})
    return {name: value for name, value in values.items() if value is not None}


def _write_settings(job: Job) -> None:
    job.run_dir.mkdir(parents=True, exist_ok=True)
    job.settings.save(job.file)


def start_plainly(
    job: Job, slot: Slot, *, extra: dict[str, str | None] | None = None, own_group: bool = False
) -> subprocess.Popen:
    """Start a run as a process that imports everything itself; its settings are written to its folder first.

    Its output goes to ``log.txt`` there.

    Args:
        job: what to run.
        slot: where.
        extra: environment variables to set, or to leave out where None.
        own_group: lead a process group, so that all ranks can be ended together.
    """
    _write_settings(job)
    with open(job.files.log, "ab") as log:
        return subprocess.Popen(
            slot.command(job),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(slot, extra),
            start_new_session=own_group,
        )


def _stop(processes: list[Running], *, grace_seconds: float = 5.0) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + grace_seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _end_of_log(job: Job, *, lines: int = 15) -> str:
    try:
        text = job.files.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except OSError as error:
        return f"run {job.run_dir} failed before it could say why ({error})"
    return f"run {job.run_dir} failed; the end of its log.txt:\n" + "\n".join(f"  {line}" for line in text)
