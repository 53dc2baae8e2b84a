"""One run over several machines: ``python -m studies.nodes --nodes 2 --gpus 4 -- --loss rsa --run_dir DIR``.

Checks the flags, writes the sbatch script of a job that may be requeued, and prints the torchrun commands for machines
without Slurm. Every machine needs the same checkout, data and run directory under the same paths (a shared file
system). A run that is preempted, or loses a machine, ends on all of them; started again it goes on after its last
complete epoch.
"""

import argparse
import shlex
import sys
from pathlib import Path

from command_line.settings import RunSettings
from console.arguments import Arguments, before_dashes
from console.errors import one_line_errors
from records.files import atomic
from studies.jobs import SETTINGS
from studies.slots import TRAIN

# --gpus-per-node and not --gpus-per-task: a process must see all devices of its node and takes that of its local rank.
SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={ranks}
#SBATCH --cpus-per-task={cpus}
#SBATCH --time={time}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={output}
{extra}cd {root}
export OMP_NUM_THREADS={cpus}
exec srun --kill-on-bad-exit=1 {command}
"""


def main(argv: list[str]) -> None:
    """Check, write the script and print how to start.

    Args:
        argv: flags of the job, ``--``, flags of ``train.py fit``.
    """
    before, after = before_dashes(argv)
    parser = Arguments("python -m studies.nodes", about=__doc__, usage="%(prog)s [flags] -- flags of train.py fit")
    parser.add_argument("--nodes", type=int, default=2, help="machines")
    parser.add_argument("--gpus", type=int, default=1, help="of a machine; one process each")
    parser.add_argument("--ranks", type=int, default=1, help="processes of a machine where --gpus is 0")
    parser.add_argument("--cpus", type=int, default=4, help="of a process")
    parser.add_argument("--time", default="24:00:00", help="of the job")
    parser.add_argument("--sbatch", action="append", default=[], help="such as --sbatch=--partition=gpu")
    args = parser.parse_args(before)
    args.ranks = args.gpus or args.ranks
    if not after:
        parser.error("flags of the run are missing: ... -- --loss rsa --run_dir DIR")
    if min(args.nodes, args.ranks) < 1:
        raise ValueError("--nodes and --gpus (or --ranks, without GPUs) must be >= 1")
    run = RunSettings.parse(after)
    folder = checked(run, processes=args.nodes * args.ranks)
    folder.mkdir(parents=True, exist_ok=True)
    words = train_words(run.save(folder / SETTINGS), args, folder=folder)
    with atomic(folder / "job.sbatch") as partial:
        partial.write_text(script(args, words=words, folder=folder), encoding="utf-8")
    print(f"Slurm    sbatch {shlex.quote(str(folder / 'job.sbatch'))}")
    print(f"without  on each machine, in {TRAIN.parent}; N = 0, 1, ... is its number, HOST the name of machine 0:")
    print(f"         {torchrun(args, words=words)}")


def checked(run: RunSettings, *, processes: int) -> Path:
    """The folder of a run; what is wrong with it is told now, not after the queue.

    Raises:
        ValueError: it has no folder, its parts do not fit each other, or its batches do not divide.
    """
    from command_line.reader import instantiate

    if run.run_dir is None:
        raise ValueError("name the folder of the run, which all machines see: --run_dir DIR")
    data, _, _ = instantiate(run)
    if data.batch_size % processes:
        raise ValueError(f"--data.batch_size {data.batch_size} must be a multiple of the {processes} processes")
    return Path(run.run_dir).absolute()


def train_words(settings: Path, args: argparse.Namespace, *, folder: Path) -> list[str]:
    """Words after ``python`` of every process: the settings as they are now, and the shape of the job."""
    shape = [f"--trainer.num_nodes={args.nodes}", f"--trainer.devices={args.ranks}", "--trainer.strategy=ddp"]
    shape += [] if args.gpus else ["--trainer.accelerator=cpu"]
    named = [f"--config={settings}", *shape, "--trainer.enable_progress_bar=false", f"--run_dir={folder}"]
    return [TRAIN.name, "fit", *named]


def script(args: argparse.Namespace, *, words: list[str], folder: Path) -> str:
    """Text for sbatch."""
    extra = [f"--gpus-per-node={args.gpus}"] if args.gpus else []
    return SCRIPT.format(
        name=shlex.quote(f"run-{folder.name}"),  # Lightning takes a job named bash for an interactive one
        nodes=args.nodes, ranks=args.ranks, cpus=args.cpus, time=args.time,
        output=shlex.quote(str(folder / "slurm.txt")),
        extra="".join(f"#SBATCH {line}\n" for line in [*extra, *args.sbatch]), root=shlex.quote(str(TRAIN.parent)),
        command=shlex.join([sys.executable, *words]),
    )  # fmt: skip


def torchrun(args: argparse.Namespace, *, words: list[str]) -> str:
    """The command of one machine."""
    shape = f"--nnodes {args.nodes} --nproc-per-node {args.ranks} --node-rank N --master-addr HOST --master-port 29500"
    return f"{shlex.quote(sys.executable)} -m torch.distributed.run {shape} {shlex.join(words)}"


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
