"""How far the runs of a launch are: one bar in a terminal, one line an event where there is none."""

import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from studies.jobs import Job


class Progress:
    """Epochs of all runs, those of an earlier start included, and what has failed.

    The log of a run is read while it runs and no more than twice a second: with forty runs, reading all of them at
    every poll took a quarter of the processor time of the runs themselves.

    Args:
        jobs: all of them.
    """

    def __init__(self, jobs: "list[Job]") -> None:
        self.jobs, self.next, self.failed = len(jobs), 0.0, 0
        self.epochs = {job.run_dir: job.epochs_done for job in jobs}
        self.finished = sum(job.finished for job in jobs)
        self.terminal = sys.stderr.isatty()  # a log of a cluster would hold every state of the bar
        total = sum(job.epochs for job in jobs)
        self.bar = tqdm(total=total, unit="epoch", desc="training", mininterval=0.5, disable=not self.terminal)

    def ended(self, job: "Job") -> None:
        """A run is over, well or not."""
        self.epochs[job.run_dir], self.next = job.epochs_done, 0.0
        self.finished += job.finished
        self.failed += not job.finished
        if not self.terminal:
            what = "finished" if job.finished else f"FAILED, see {job.files.log}"
            print(f"   {time.strftime('%H:%M:%S')} {_name(job)} {what} ({self._counts()})", flush=True)

    def show(self, running: "list[Job]") -> None:
        """Read where the running ones are."""
        if time.monotonic() < self.next or not self.terminal:
            return
        self.next = time.monotonic() + 0.5
        self.epochs |= {job.run_dir: job.epochs_done for job in running}
        now = ", ".join(map(_name, running))
        self.bar.set_postfix_str(f"{self._counts()} {now}", refresh=False)
        self.bar.update(sum(self.epochs.values()) - self.bar.n)

    def close(self) -> None:
        self.bar.close()

    def _counts(self) -> str:
        failed = f", {self.failed} FAILED" if self.failed else ""
        return f"{self.finished}/{self.jobs} runs{failed}"


def _name(job: "Job") -> str:
    return f"{job.run_dir.parent.name}/{job.run_dir.name}"
