"""A search on a cluster: ``python -m sweeps.slurm --workers 8 --gpus 2 -- --loss rsa --storage postgresql://...``.

Makes the study here, then writes an sbatch script of an array of workers, or submits it (needs ``submitit``). A worker
that is preempted, requeued or lost puts its trial back or is found dead; the array may end and be submitted again.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from console.arguments import Arguments, before_dashes
from console.errors import one_line_errors
from records.files import atomic
from studies.slots import TRAIN
from sweeps import search, worker

SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
#SBATCH --gpus-per-task={gpus}
#SBATCH --time={time}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60
#SBATCH --output={folder}/slurm-%a.txt
{extra}cd {root}
export {variable}="$(cat {secret})"
exec {python} -m sweeps.worker --study {name} --devices "$CUDA_VISIBLE_DEVICES" --threads {cpus}
"""


class Work:
    """One worker, as submitit wants it: callable, and able to say how it goes on after a preemption."""

    def __init__(self, *, study: str, secret: Path, cpus: int) -> None:
        self.study, self.secret, self.cpus = study, secret, cpus

    def __call__(self) -> None:
        os.chdir(TRAIN.parent)
        os.environ[worker.STORAGE] = self.secret.read_text(encoding="utf-8")
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        worker.main(["--study", self.study, "--devices", devices, "--threads", str(self.cpus)])

    def checkpoint(self):
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def main(argv: list[str]) -> None:
    """Write the script, or submit.

    Args:
        argv: flags of the array, ``--``, flags of the search.
    """
    before, after = before_dashes(argv)
    parser = Arguments("python -m sweeps.slurm", about=__doc__, usage="%(prog)s [flags] -- flags of sweeps.search")
    parser.add_argument("--workers", type=int, default=4, help="size of the array")
    parser.add_argument("--gpus", type=int, default=1, help="of a worker; more than one: its trials are DDP")
    parser.add_argument("--cpus", type=int, default=8, help="of a worker")
    parser.add_argument("--time", default="24:00:00", help="of a worker; whatever is left goes to the next array")
    parser.add_argument("--sbatch", action="append", default=[], help="such as --sbatch=--partition=gpu")
    parser.add_argument("--submit", choices=("slurm", "local"), help="by submitit: to Slurm, or here")
    args = parser.parse_args(before)
    if not after:
        parser.error("flags of the search are missing: ... -- --loss rsa --storage postgresql://USER@HOST/DATABASE")
    wanted, rest = search.parse(after)
    if not (wanted.storage or "").startswith("postgresql") and args.submit != "local":
        raise ValueError("workers on several machines need --storage postgresql://USER@HOST/DATABASE")
    store, study, folder = search.prepare(wanted, rest)
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "storage.url"
    with atomic(secret) as partial:
        partial.touch(mode=0o600)
        partial.write_text(store.url, encoding="utf-8")
    if args.submit:
        submit(args, Work(study=study.study_name, secret=secret, cpus=args.cpus), folder=folder)
        return
    with atomic(folder / "array.sbatch") as partial:
        partial.write_text(script(args, study=study.study_name, folder=folder, secret=secret), encoding="utf-8")
    print(f"submit   sbatch {folder / 'array.sbatch'}")


def script(args: argparse.Namespace, *, study: str, folder: Path, secret: Path) -> str:
    """Text for sbatch; the storage's URL, which may hold a password, stays in a file of its own."""
    return SCRIPT.format(
        name=shlex.quote(study), last=args.workers - 1, cpus=args.cpus, gpus=args.gpus, time=args.time, folder=folder,
        extra="".join(f"#SBATCH {option}\n" for option in args.sbatch), root=shlex.quote(str(TRAIN.parent)),
        variable=worker.STORAGE, secret=shlex.quote(str(secret)), python=shlex.quote(sys.executable),
    )  # fmt: skip


def submit(args: argparse.Namespace, work: Work, *, folder: Path) -> list:
    """Jobs of an array."""
    try:
        import submitit
    except ImportError:
        raise ValueError("--submit needs: pip install submitit; or leave it out and use sbatch") from None
    executor = submitit.AutoExecutor(folder=folder / "slurm", cluster=args.submit)
    gpus = args.gpus if args.submit == "slurm" else 0
    executor.update_parameters(name=work.study, cpus_per_task=args.cpus, tasks_per_node=1, gpus_per_node=gpus)
    if args.submit == "slurm":
        options = dict(option.removeprefix("--").split("=", 1) for option in args.sbatch)
        executor.update_parameters(slurm_time=args.time, slurm_additional_parameters={"requeue": True, **options})
    with executor.batch():
        jobs = [executor.submit(work) for _ in range(args.workers)]
    print("jobs     " + " ".join(job.job_id for job in jobs))
    return jobs


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
