"""Runs that start warm: torch, Lightning and the parser are imported once, and each run is a fork of that process.

A plain ``python train.py`` spends about five seconds on imports, which is most of a short trial. The standard library's
fork server imports them once in a process that does nothing else: it has no CUDA context, no threads and no OpenMP
region, all of which a fork would break (pytorch #75147, #17199). Every run is a process of its own all the same, with
its own log, exit status and process group.

Runs of several ranks start plainly: Lightning starts the other ranks by running the script again, so only one of them
could be warm, and the ranks would wait for the cold ones.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing import context, get_context
from pathlib import Path
from typing import Any

from studies.processes import born

# What a run imports before it knows its flags. Importing them must start no thread: a test forks and counts.
PRELOAD = ["studies.warm_imports"]


class WarmProcess:
    """A run, with the part of ``subprocess.Popen`` that launchers use."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while the run goes on."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            from subprocess import TimeoutExpired

            raise TimeoutExpired("train.py", timeout or 0.0)
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def start_warm(
    words: list[str], *, log: Path, environment: Mapping[str, str], threads: int | None, own_group: bool
) -> WarmProcess:
    """Start ``train.py`` with these words in a fork of the warm process.

    Args:
        words: after ``train.py``.
        log: gets its output, appended.
        environment: the whole environment of the run.
        threads: of the processor; None leaves torch's choice.
        own_group: lead a process group.
    """
    server = _server()
    arguments = (words, str(log), dict(environment), threads, own_group, os.getpid())
    process = server.Process(target=_run, args=arguments, daemon=False)
    process.start()
    return WarmProcess(process)


def _server() -> context.ForkServerContext:
    server = get_context("forkserver")
    server.set_forkserver_preload(PRELOAD)
    return server


def _run(
    words: list[str], log: str, environment: dict[str, str], threads: int | None, own_group: bool, launcher: int
) -> None:
    """In the fork: become the run."""
    threading.Thread(target=_follow, args=(launcher,), daemon=True).start()
    if own_group:
        os.setsid()
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    # The signals of a process that was started plainly: the server ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import train

    if threads is not None:
        import torch

        torch.set_num_threads(threads)  # OMP_NUM_THREADS was read when the server imported torch
    sys.argv = [str(Path(train.__file__).resolve()), *words]
    train.main(words)


def _follow(launcher: int) -> None:
    """End this process when the launcher ends, however it ends.

    The kernel's own signal would come when the *parent* ends, which is the fork server; and that one lives as long as
    any of its forks.
    """
    try:
        if hasattr(os, "pidfd_open"):
            select.select([os.pidfd_open(launcher)], [], [])
        else:
            while born(launcher) is not None:
                time.sleep(0.5)
    except ProcessLookupError:
        pass  # it was gone before we looked
    os.kill(os.getpid(), signal.SIGKILL)
