"""Where runs compute, one at a time a slot: CUDA devices, parts of one, or shares of the processor."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from records.launched import VARIABLE as BY_A_STUDY
from studies.processes import cores
from studies.warm import PLAIN

if TYPE_CHECKING:
    from studies.jobs import Job

TRAIN = Path(__file__).resolve().parents[1] / "train.py"


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where one run at a time may compute.

    Attributes:
        devices: CUDA devices; none for a share of the processor.
        threads: of the processor, where there are no devices or others compute on the same ones.
        ranks: processes of a run without devices.
        shared: other slots have the same devices.
    """

    devices: tuple[str, ...] = ()
    threads: int = 1
    ranks: int = 1
    shared: bool = False

    @property
    def warm(self) -> bool:
        """Whether runs here may be forks of a warm process.

        Of several ranks Lightning starts all but the first by running the script again: those would be cold, and rank
        0 would wait for them.
        """
        return len(self.devices) < 2 and self.ranks == 1 and os.environ.get(PLAIN) != "1"

    @property
    def own_threads(self) -> int | None:
        """How many threads of the processor a run here is given; None for as many as it chooses."""
        return self.threads if self.shared or not self.devices else None

    def command(self, job: "Job") -> list[str]:
        words = [sys.executable, str(TRAIN), "fit", f"--config={job.file}", f"--trainer.default_root_dir={job.run_dir}"]
        words.append("--trainer.enable_progress_bar=false")
        if len(self.devices) > 1:
            words += [f"--trainer.devices={len(self.devices)}", "--trainer.strategy=ddp"]
        elif self.ranks > 1:
            words += [f"--trainer.devices={self.ranks}", "--trainer.strategy=ddp", "--trainer.accelerator=cpu"]
        return words

    def environment(self) -> dict[str, str]:
        # Inside a cluster allocation Lightning would take the allocation's shape for that of this run.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {BY_A_STUDY: "1"}
        if self.devices:  # set in a warm run, too, before anything in it asks for CUDA
            environment |= {"CUDA_VISIBLE_DEVICES": ",".join(self.devices)}
        if self.own_threads:
            environment |= {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        return environment


def slots(*, devices: Iterable[str] = (), per_run: int = 1, jobs: int = 1, per_device: int | None = None) -> list[Slot]:
    """Slots on CUDA devices, or on the processor where none are named.

    Args:
        devices: named ones; one that is named n times takes n runs at a time.
        per_run: how many of them a run takes.
        jobs: how many runs there are; no more slots are made on the processor.
        per_device: runs at a time on each device; without devices that many share the processor. By default one a
            device, or one a core.

    Raises:
        ValueError: the numbers do not fit each other.
    """
    named = list(devices)
    if per_run < 1 or (named and per_run > len(named)) or (per_run > 1 and not named):
        raise ValueError(f"--devices_per_run {per_run} does not fit --devices {','.join(named) or '(none named)'}")
    if not named:
        count = max(1, min(per_device or cores(), jobs))
        return [Slot(threads=max(1, cores() // count)) for _ in range(count)]
    if per_run > 1 and len(set(named)) < len(named):
        raise ValueError(f"--devices {','.join(named)} names one twice; --devices_per_run {per_run} takes each once")
    groups = [tuple(named[i : i + per_run]) for i in range(0, len(named) - per_run + 1, per_run)]
    # Round by round, so that few runs are spread over all devices.
    found = [group for _ in range(per_device or 1) for group in groups]
    shared = len(set(found)) < len(found)
    return [Slot(devices=group, threads=max(1, cores() // len(found)), shared=shared) for group in found]
