"""A command whose own work is a fork of the warm process, too: what needs torch is imported once, and not twice.

A fork of the fork server cannot start runs there: the standard library gives it a server of its own with its first
process. So it asks who has started it, a process of 40 MB that only waits, to launch them.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import Pipe, current_process
from multiprocessing.connection import Connection
from typing import Any

from console.errors import one_line_errors
from studies import jobs
from studies.process_title import show_as
from studies.slots import Slot
from studies.warm import PLAIN, WarmProcess, fork

DEBUG = "VAXIS_DEBUG"
TERMINATED = 128 + signal.SIGTERM  # status of work that was told to end and has cleaned up
LOST = 255  # what the standard library says of a fork whose server has gone
GONE = (EOFError, BrokenPipeError, ConnectionResetError)
_starter: Connection | None = None  # in a fork: to the process that has started it


def possible() -> bool:
    """Whether the work of this process may be a fork's: nobody has redirected what it prints, or wants to debug it."""
    if os.environ.get(PLAIN) == "1" or DEBUG in os.environ or current_process().daemon:
        return False
    try:
        return (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
    except (OSError, ValueError, AttributeError):  # a notebook's, a test's, or closed
        return False


def hosted(work: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a fork of the warm process, and launch the runs that it asks for; returns when it has.

    Args:
        work: a function of a module; its runs go through ``launch`` of this one.
        arguments: of it; they are pickled.

    Raises:
        SystemExit: the work has ended with it.
        RuntimeError: somebody has ended it.
    """
    ours, theirs = Pipe()
    process = fork(_work, theirs, work, arguments, sys.orig_argv, environment=os.environ)
    theirs.close()
    try:
        _serve(ours)
        status = process.wait()
    finally:
        _end(process)
    if status in (LOST, TERMINATED) or status < 0:
        number = signal.Signals(-status if status < 0 else signal.SIGTERM)
        how = "with the fork server" if status == LOST else f"by {number.name}"
        why = ", perhaps for lack of memory" if status in (LOST, -signal.SIGKILL) else ""
        raise RuntimeError(
            f"the process that prepares and judges the runs was ended {how}{why}; the same command goes on where it was"
        )
    if status:
        raise SystemExit(status)


def launch(runs: list[jobs.Job], *, on: list[Slot]) -> None:
    """``studies.jobs.launch``, in a fork by the process that has started it.

    Raises:
        RunFailed: as there.
    """
    if _starter is None:
        return jobs.launch(runs, on=on)
    sys.stdout.flush()
    try:
        _starter.send((runs, on))
        error = _starter.recv()
    except GONE:
        os._exit(1)  # it has ended, and this process is about to be ended for it
    if error is not None:
        raise error


def _serve(fork: Connection) -> None:
    """Launch what is asked for until the other end is closed, or end as the work says."""
    while True:
        try:
            asked = fork.recv()
        except GONE:
            return
        if isinstance(asked, SystemExit):
            raise asked
        error = _launched(*asked)
        with contextlib.suppress(*GONE):  # then there is nothing to receive either
            fork.send(error)


def _launched(runs: list[jobs.Job], on: list[Slot]) -> Exception | None:
    """What came of it, where that is an error that the work may catch or tell."""
    try:
        jobs.launch(runs, on=on)
    except (ValueError, OSError, RuntimeError) as error:
        return error
    return None


def _end(process: WarmProcess, *, grace_seconds: float = 5.0) -> None:
    """Let it end what it has started and remove what it needs no more."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    process.kill()
    process.wait()


def _work(starter: Connection, work: Callable[..., None], arguments: tuple, command: list[str]) -> None:
    """In the fork; ``ps`` shows it as the command that has started it."""
    global _starter
    from command_line.explain import explain

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started this one hears it, too, and ends it
    signal.signal(signal.SIGTERM, _stop)
    _starter = starter
    show_as(command)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # two processes write, in the order in which they say it
    try:
        with one_line_errors(explain):
            work(*arguments)
    except SystemExit as end:  # its message is told by who has started this
        if signal.getsignal(signal.SIGTERM) is not _stop:
            sys.exit(TERMINATED)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends as it is
        sys.stdout.flush()
        sys.stderr.flush()
        starter.send(end)


def _stop(*_: object) -> None:
    """End as by Ctrl-C, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
