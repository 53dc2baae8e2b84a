"""Ranks of one machine meet on loopback: nobody else on the network can join or listen."""

import os
import socket
from typing import Any

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    LSFEnvironment,
    MPIEnvironment,
    TorchElasticEnvironment,
)

ADDRESS = "127.0.0.1"
# Others start the ranks, and choose where they meet.
OTHERS: tuple[type[ClusterEnvironment], ...] = (*(TorchElasticEnvironment, LSFEnvironment, MPIEnvironment),)


class Loopback(LightningEnvironment):
    """Rank 0 of a run on one machine, which starts the other ranks.

    torch's meeting point listens on every interface, whatever its address, and trusts whoever connects; gloo and NCCL
    listen where the machine's name leads. Here a socket is bound to loopback first and handed to the meeting point,
    which all ranks then join as clients: the way torchrun has its ranks do it. The port is held from the moment it is
    chosen, so no other process can take it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._store: Any = None

    @property
    def main_address(self) -> str:
        return ADDRESS

    @property
    def main_port(self) -> int:
        if self._main_port == -1:
            self._main_port = self._listen()
        return self._main_port

    def __getstate__(self) -> dict[str, Any]:
        """For ranks that are spawned: they know where to go, and the meeting point stays with rank 0."""
        return {**vars(self), "_store": None}

    def _listen(self) -> int:
        from torch.distributed import TCPStore

        listening = _bound(int(os.environ.get("MASTER_PORT", 0)))
        port = int(listening.getsockname()[1])
        # The store takes the file descriptor over and closes it in its end.
        self._store = TCPStore(
            ADDRESS, port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach()
        )
        os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True", **interfaces()}
        return port


def _bound(port: int) -> socket.socket:
    """A socket on loopback, at another port where this one is taken."""
    try:
        return socket.create_server((ADDRESS, port))
    except OSError:
        return socket.create_server((ADDRESS, 0))


def interfaces() -> dict[str, str]:
    """Variables that keep the connections between ranks on loopback, where the user has not named an interface."""
    name = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    wanted = {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": name}
    return {variable: value for variable, value in wanted.items() if value and variable not in os.environ}


def loopback(*, nodes: int) -> list[ClusterEnvironment]:
    """The plug-in for a run that starts its own ranks on this machine; none where it does not.

    Args:
        nodes: ``--trainer.num_nodes``.
    """
    started = "LOCAL_RANK" in os.environ  # this is another rank: its variables say where rank 0 listens
    return [] if nodes > 1 or started or any(other.detect() for other in OTHERS) else [Loopback()]
