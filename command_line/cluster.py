"""How the ranks of a run find each other: torchrun, srun, or processes that Lightning starts itself."""

import os
import socket
from typing import Any

from lightning.fabric.plugins.environments import ClusterEnvironment, LightningEnvironment, TorchElasticEnvironment
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from command_line.loopback import loopback

PORT = "MASTER_PORT"


def environments(*, devices: Any, nodes: int) -> list[ClusterEnvironment]:
    """The plug-in of the Trainer, where its own choice would be wrong; none where it is right.

    Inside an allocation Lightning takes the shape of the job for that of the run, even where no ``srun`` has started
    it: a run of one device in a job of four tasks ends with an error, and one of several waits for ranks that nobody
    starts.

    Args:
        devices: ``--trainer.devices``.
        nodes: ``--trainer.num_nodes``.

    Raises:
        ValueError: several machines without ``srun``, or a port that is taken and that all of them have agreed on.
    """
    if TorchElasticEnvironment.detect():
        return []
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        # On SIGUSR1 Lightning would save in mid-epoch and requeue; a run goes on after its last whole epoch.
        return [SLURMEnvironment(auto_requeue=False)]
    slurm = "SLURM_JOB_ID" in os.environ or "SLURM_NTASKS" in os.environ
    if slurm and nodes > 1:
        raise ValueError(
            f"--trainer.num_nodes {nodes} inside a Slurm job needs srun, which starts a process a device; "
            "python -m studies nodes writes the script"
        )
    if devices not in (1, "1") or nodes > 1:
        _leave_taken_port(nodes)
    return loopback(nodes=nodes) or ([LightningEnvironment()] if slurm else [])


def _leave_taken_port(nodes: int) -> None:
    """Another port where ``MASTER_PORT`` names one that somebody listens on; the other ranks inherit it."""
    first = "LOCAL_RANK" not in os.environ and os.environ.get("NODE_RANK", "0") == "0"
    if not first or PORT not in os.environ or _free(int(os.environ[PORT])):
        return
    if nodes > 1:
        raise ValueError(f"{PORT}={os.environ[PORT]} is taken on this machine; name another one on all of them")
    taken, os.environ[PORT] = os.environ[PORT], str(_any_free())
    rank_zero_only(print)(f"port     {os.environ[PORT]}; {PORT}={taken} is taken", flush=True)


def _free(port: int) -> bool:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed is free
        try:
            connection.bind(("", port))
        except OSError:
            return False
    return True


def _any_free() -> int:
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return int(connection.getsockname()[1])
