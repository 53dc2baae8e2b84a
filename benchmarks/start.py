"""``train.py fit`` from its start to its first step, by the clock: a fork of a warm process against a plain one.

``python -m benchmarks.start [--rounds 3] [-- flags of the run]``. Cohort, store and axis are ready on both sides, as
they are from the second run of a study on. The step has been made when its row is in ``metrics.csv``. The fork is what
a verdict, a search and the paper's tables start; a plain process imports everything itself. The sides take turns and
the fastest round of each counts. The first warm run, which waits for the imports of the warm process, is given beside.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu_runs import jobs
from benchmarks.rows import Row, line
from console.arguments import before_dashes

if TYPE_CHECKING:
    from studies.jobs import Job, Running
    from studies.slots import Slot

PATIENCE = 300.0  # seconds for a first step; a run without one by then has failed


def measure(*, rounds: int, flags: list[str]) -> dict[str, list[float]]:
    """Seconds to the first step of each run, by how it was started."""
    from studies.jobs import start, start_plainly
    from studies.slots import slots

    found: dict[str, list[float]] = {"first": [], "warm": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        every_step = [*flags, "--trainer.log_every_n_steps=1"]
        waiting = jobs(Path(folder), runs=2 * rounds + 2, epochs=1, flags=every_step)
        (slot,) = slots(jobs=1)
        first_step(waiting.pop(), slot, by=start_plainly)  # files that nobody has read since the machine started
        found["first"].append(first_step(waiting.pop(), slot, by=start))
        for _ in range(rounds):
            found["warm"].append(first_step(waiting.pop(), slot, by=start))
            found["plain"].append(first_step(waiting.pop(), slot, by=start_plainly))
    return found


def first_step(job: "Job", slot: "Slot", *, by: "Callable[[Job, Slot], Running]") -> float:
    """Seconds until the first step of a run; returns when the run has ended.

    Raises:
        RuntimeError: it ended, or ``PATIENCE`` was over, without a step; with the end of its log.
    """
    started = time.perf_counter()
    process = by(job, slot)
    while _rows(job.files.metrics) < 2:  # of which the first names the columns
        if process.poll() is not None or time.perf_counter() - started > PATIENCE:
            process.kill()
            raise RuntimeError(f"no step: {job.files.log.read_text(encoding='utf-8')[-300:]}")
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    process.wait()
    return seconds


def _rows(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def rows(*, quick: bool = False, rounds: int = 3, flags: list[str] | None = None) -> list[Row]:
    """Both starts beside each other."""
    found = measure(rounds=1 if quick else rounds, flags=flags or [])
    return [
        Row(
            what="`fit` to its first step",
            unit="s",
            ours=min(found["warm"]),
            today=min(found["plain"]),
            today_is="a plain process",
            note=f"the first of a study, with the imports of its warm process: {found['first'][0]:.1f} s",
        )
    ]


def main(argv: list[str]) -> None:
    """Print the row.

    Args:
        argv: own flags, ``--``, flags of the run.
    """
    own, flags = before_dashes(argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    for row in rows(rounds=parser.parse_args(own).rounds, flags=flags):
        print(line(row))
        print(row.note)


if __name__ == "__main__":
    main(sys.argv[1:])
