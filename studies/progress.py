"""How far the runs of a launch are, as one bar."""

import time
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from studies.jobs import Job


class Progress:
    """The bar: epochs of all runs, those of an earlier start included.

    The log of a run is read while it runs and no more than twice a second: with forty runs, reading all of them at
    every poll took a quarter of the processor time of the runs themselves.

    Args:
        jobs: all of them.
    """

    def __init__(self, jobs: "list[Job]") -> None:
        self.jobs, self.next = len(jobs), 0.0
        self.epochs = {job.run_dir: job.epochs_done for job in jobs}
        self.finished = sum(job.finished for job in jobs)
        self.bar = tqdm(total=sum(job.epochs for job in jobs), unit="epoch", desc="training", mininterval=0.5)

    def ended(self, job: "Job") -> None:
        """A run is over, well or not."""
        self.epochs[job.run_dir], self.next = job.epochs_done, 0.0
        self.finished += job.finished

    def show(self, running: "list[Job]") -> None:
        """Read where the running ones are."""
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + 0.5
        self.epochs |= {job.run_dir: job.epochs_done for job in running}
        now = ", ".join(f"{job.run_dir.parent.name}/{job.run_dir.name}" for job in running)
        self.bar.set_postfix_str(f"{self.finished}/{self.jobs} runs {now}", refresh=False)
        self.bar.update(sum(self.epochs.values()) - self.bar.n)

    def close(self) -> None:
        self.bar.close()
