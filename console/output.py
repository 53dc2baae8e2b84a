"""What is printed must not decide whether work is done: letters that a terminal has not, readers that leave."""

import errno
import io
import os
import stat
import sys
from typing import Any

GONE = (errno.EPIPE, errno.EIO)  # of a pipe whose reader has ended (``| head``), of a terminal that was closed


def robust_output() -> None:
    """Let stdout and stderr write what they can: a question mark for a letter that they have not, nothing to nobody.

    Twice is as good as once. A file, and what a test or a notebook has put in their place, keeps its errors.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors="replace")
        if _has_reader(stream) and not isinstance(getattr(stream.buffer, "raw", stream.buffer), _Heard):
            stream.flush()
            setattr(sys, name, _heard(stream))


def _has_reader(stream: io.TextIOWrapper) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # no file of the system
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def _heard(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Heard(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(raw),  # raw: PYTHONUNBUFFERED
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Heard(io.FileIO):
    """Writes into nothing from the moment on when nobody reads; so do the processes that are started later."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE:
                raise
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.fileno())
        os.close(nothing)
        return memoryview(data).nbytes
