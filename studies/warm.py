"""Runs that start warm: torch, Lightning and the parser are imported once, and each run is a fork of that process.

A plain ``python train.py`` spends about five seconds on imports, which is most of a short trial. The standard library's
fork server imports them once in a process that does nothing else: it has no CUDA context, no threads and no OpenMP
region, all of which a fork would break (pytorch #75147, #17199). Every run is a process of its own all the same, with
its own log, exit status and process group.

Runs of several ranks start plainly: Lightning starts the other ranks by running the script again, so only one of them
could be warm, and the ranks would wait for the cold ones. Started by the launcher instead, no rank would be the parent
of another, and it is by that that ranks which have not found each other yet end together.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import context, forkserver, get_context
from pathlib import Path
from types import ModuleType
from typing import Any

from studies.process_title import show_as
from studies.processes import PARENT, born, cores, die_with_parent, physical_cores

# The launchers' own code, too, so that no run is half of what it was at the start and half of what it is by now.
PRELOAD = ["studies.warm_follow", "studies.hosted", "studies.warm_imports"]
PLAIN = "VAXIS_PLAIN_PROCESSES"  # 1 in the environment: start every run as a process of its own from the first import
ROOT = Path(__file__).resolve().parents[1]


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
    command: list[str], *, log: Path, environment: Mapping[str, str], threads: int | None, own_group: bool
) -> WarmProcess:
    """Start ``python train.py`` with its words in a fork of the warm process.

    Args:
        command: the words of a plain process; the interpreter and the script are known here.
        log: gets its output, appended.
        environment: the whole environment of the run.
        threads: of the processor; None takes as many as a plain process would.
        own_group: lead a process group. It does soon after the start, so whoever ends the group ends the process, too.
    """
    return fork(_run, command, str(log), environment=environment, threads=threads, own_group=own_group)


def fork(
    work: Callable[..., None],
    *arguments: Any,
    environment: Mapping[str, str],
    threads: int | None = None,
    own_group: bool = False,
) -> WarmProcess:
    """Call a function in a fork of the warm process, which ends with this one, however it ends.

    Args:
        work: a function of a module.
        arguments: of it; they are pickled.
        environment: the whole environment of the fork.
        threads: of the processor; None takes as many as a plain process would.
        own_group: lead a process group.

    Raises:
        RuntimeError: the warm process has ended, for an import that fails or for lack of memory.
    """
    server = _server()
    place = (dict(environment), threads or _threads(environment), own_group, os.getpid())
    process = server.Process(target=_become, args=(place, work, arguments), daemon=False)
    with _no_script():
        try:
            process.start()
        except (EOFError, ConnectionError):
            raise RuntimeError("the process that runs are forked from ended while it imported; see above") from None
    return WarmProcess(process)


def _threads(environment: Mapping[str, str]) -> int:
    """What torch would choose, without asking it: what MKL or OpenMP are told, at most a core each."""
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        if (named := environment.get(name, "")).isdecimal() and int(named) > 0:
            return min(int(named), cores())
    return physical_cores()


@contextmanager
def _no_script() -> Iterator[None]:
    """Let a fork not run the launcher's own script again, as ``multiprocessing`` would: a run needs nothing of it."""
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def get_ready() -> None:
    """Let the warm process start importing now, where runs will be forked from one."""
    if os.environ.get(PLAIN) != "1":
        _server()


def _server() -> context.ForkServerContext:
    """The process that runs are forked from, started with the first of them.

    With one thread, so that no library makes a pool while it is imported; each run asks for its own number. And with
    this folder to import from, wherever the launcher was started: the standard library passes no path on.
    """
    server = get_context("forkserver")
    server.set_forkserver_preload(PRELOAD)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with _environment(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONPATH=path, **{PARENT: str(os.getpid())}):
        forkserver.ensure_running()
    return server


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables that a process started in the block inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _become(place: tuple[dict[str, str], int, bool, int], work: Callable[..., None], arguments: tuple) -> None:
    """In the fork: get environment, threads, group and signals of a process of its own, and do the work."""
    environment, threads, own_group, launcher = place
    if own_group:
        os.setsid()
    die_with_parent()  # the server is killed: nobody could tell the launcher how this process ends
    threading.Thread(target=_follow, args=(launcher,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.environ[PARENT] = str(os.getpid())  # for what the work itself starts
    # The signals of a process that was started plainly: the server ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import torch
    from threadpoolctl import threadpool_limits

    # OMP_NUM_THREADS was read when the server imported torch and NumPy.
    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    work(*arguments)


def _run(command: list[str], log: str) -> None:
    """Become the run."""
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    show_as(command)
    import train

    _, *sys.argv = command
    train.main(sys.argv[1:])


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
