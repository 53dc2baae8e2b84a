"""Processor seconds of a command and of everything that it starts, also of what outlives who started it.

``python -m benchmarks.processor COMMAND...`` runs one and prints them; ``time`` of a shell misses forks of a server.
"""

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

PR_SET_CHILD_SUBREAPER = 36


def measured(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of an action that starts processes.

    Whose parent has ended becomes a child of this process, where Linux allows that, and is waited for: runs are
    children of a fork server, which nobody waits for.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    wall, used = time.perf_counter(), _children_seconds()
    action()
    seconds = time.perf_counter() - wall
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return seconds, _children_seconds() - used


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    wall, used = measured(lambda: subprocess.run(sys.argv[1:], check=True))
    print(f"{used:.1f} processor seconds, {wall:.1f} s")
