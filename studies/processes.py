"""No process of a run outlives the one that started it, however that one ends: kill -9 is passed on."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

PARENT = "VAXIS_PARENT"  # in the environment of a process: the one that it must not outlive
PR_SET_PDEATHSIG = 1
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def follow_parent() -> None:
    """Die when the process that started this one dies, and let those that this one starts do the same.

    For the first lines of a command: a rank that looks for a rank 0 that is dead already waits half an hour. Workers
    and runs are named their parent by who starts them, and the other ranks of DDP inherit the name of rank 0, where
    rank 0 starts them. torchrun, srun and shells give no name and are not followed: they end their ranks themselves,
    and Linux sends the signal when the *thread* that started a child ends, which need not be the end of a launcher
    that is not ours. On Linux the kernel kills at once; elsewhere, on macOS, a thread looks every half second.
    """
    parent, os.environ[PARENT] = int(os.environ.get(PARENT) or 0), str(os.getpid())
    if os.getppid() == parent:
        die_with_parent()
    if parent and os.getppid() != parent and born(parent) is None:
        os._exit(1)  # it died before the kernel was asked


def die_with_parent() -> None:
    """Let kill -9 of the parent, whoever it is, be kill -9 of this process."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def born(pid: int) -> str | None:
    """When a living process of this machine started, which tells it from a later one of the same number."""
    try:
        os.kill(pid, 0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except ProcessLookupError:
        return None
    except OSError:  # no /proc, or somebody else's process
        return "alive"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] == "Z" else f"{boot} {fields[19]}"


def cores() -> int:
    """Of the processor, that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def physical_cores() -> int:
    """Those among them that do not share what computes."""
    try:
        return len({Path(SIBLINGS.format(core)).read_text(encoding="ascii") for core in os.sched_getaffinity(0)})
    except (OSError, AttributeError):  # no /sys, or no Linux
        import psutil

        return min(cores(), psutil.cpu_count(logical=False) or cores())
