"""Runs of several settings, a few seeds each, as the commands of this room train them: shared, resumed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studies.arms import prepare
from studies.devices import chosen, named
from studies.jobs import launch
from studies.memory import AUTO, decided, default, per_device
from studies.slots import Slot, slots

if TYPE_CHECKING:
    import argparse

    from command_line.settings import RunSettings
    from console.arguments import Arguments
    from studies.arms import Arm


def add_arguments(parser: "Arguments", *, seeds: str | None) -> None:
    """Flags of where, how often and on what to train.

    Args:
        parser: gets them.
        seeds: default; None where it depends on what is trained.
    """
    parser.add_argument("--run", action="store_true", help="train; without it the commands are printed")
    parser.add_argument("--seeds", default=seeds, help=f"of each arm (default: {seeds or 'those of the source'})")
    parser.add_argument("--devices", help="GPUs: 0,1,... (default: all of the machine)")
    parser.add_argument(
        "--runs_per_device",
        metavar="N",
        help=f"at a time on each GPU (default: {AUTO}, as many as fit; without GPUs one a core)",
    )
    parser.add_argument("--planted", action="store_true", help="a simulated cohort draws its own axis")
    parser.add_argument("--run_dir", default="runs", help="where the runs go (default: runs)")


def places(args: "argparse.Namespace", run: "RunSettings", *, jobs: int) -> list[Slot]:
    """Where runs compute: on the devices that are named, else on all of the machine, else one a core.

    Args:
        args: with the flags of ``add_arguments``.
        run: one of those that are to come, its data prepared; it may ask for the processor.
        jobs: how many there are.
    """
    devices = chosen(named(args.devices), run)
    at_once = decided(default(per_device(args.runs_per_device), devices=devices), run, devices=devices)
    return slots(devices=devices, jobs=jobs, per_device=at_once if isinstance(at_once, int) else None)


def train(
    runs: "Mapping[str, RunSettings]", args: "argparse.Namespace", seeds: Sequence[int]
) -> "tuple[dict[str, Arm], bool]":
    """Train what is not finished; returns the arms by name, and whether nobody was recorded.

    Args:
        runs: settings by name; equal ones share their runs.
        args: with the flags of ``add_arguments``.
        seeds: of each.
    """
    arms: dict[str, Arm] = {}
    simulated = False
    for name, run in runs.items():
        conditions = prepare(run, planted=args.planted, root=Path(args.run_dir), quiet=bool(arms))
        arms[name] = conditions.arm(run)
        simulated = conditions.data.spec.simulated
    jobs = {job.run_dir: job for arm in arms.values() for job in arm.jobs(seeds)}
    done = sum(job.finished for job in jobs.values())
    print(f"\n3  Training: {len(jobs)} runs of {len(arms)} settings, {done} finished before", flush=True)
    launch(list(jobs.values()), on=places(args, next(iter(arms.values())).jobs(seeds)[0].settings, jobs=len(jobs)))
    return arms, simulated
