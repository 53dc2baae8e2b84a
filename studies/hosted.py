"""A command whose own work is a fork of the warm process, too: what needs torch is imported once, and not twice.

A fork of the fork server cannot start runs there: the standard library gives it a server of its own with its first
process. So it asks who has started it, a process of 30 MB that only waits, to launch them.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from console.errors import one_line_errors
from studies import jobs
from studies.process_title import show_as
from studies.slots import Slot
from studies.warm import fork

LOST = 255  # what the standard library says of a fork whose server has gone
_starter: Connection | None = None  # in a fork: to the process that has started it


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
        process.kill()
        process.wait()
    if status < 0 or status == LOST:
        by = f"by signal {-status}" if status < 0 else "with the fork server"
        raise RuntimeError(
            f"the process that prepares and judges the runs was ended {by}, perhaps for lack of memory; "
            "the same command goes on where it was"
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
    _starter.send((runs, on))
    if (error := _starter.recv()) is not None:
        raise error


def _serve(fork: Connection) -> None:
    """Launch what is asked for until the other end is closed, or end as the work says."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while not isinstance(asked := fork.recv(), SystemExit):
            fork.send(_launched(*asked))
        raise asked


def _launched(runs: list[jobs.Job], on: list[Slot]) -> Exception | None:
    """What came of it, where that is an error that the work may catch or tell."""
    try:
        jobs.launch(runs, on=on)
    except (ValueError, OSError, RuntimeError) as error:
        return error
    return None


def _work(starter: Connection, work: Callable[..., None], arguments: tuple, command: list[str]) -> None:
    """In the fork; ``ps`` shows it as the command that has started it."""
    global _starter
    from command_line.explain import explain

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started this one hears it, too, and ends it
    _starter = starter
    show_as(command)
    try:
        with one_line_errors(explain):
            work(*arguments)
    except SystemExit as end:  # its message is told by who has started this
        sys.stdout.flush()
        sys.stderr.flush()
        starter.send(end)
