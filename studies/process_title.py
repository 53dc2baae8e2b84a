"""A fork under the command of the run that it became: ``ps``, ``top`` and ``kill`` find it as they find a plain run."""

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path


def show_as(words: Sequence[str]) -> None:
    """Write a command over the one that this process was started with, as far as there is room; Linux only.

    What ``setproctitle`` does, without a dependency for three lines: the kernel shows the memory in which the words of
    the process and, behind them, its environment were handed over. A command that overflows into the environment is
    read up to its end, with spaces between the words. The environment itself was copied from there long before.

    Args:
        words: of the command.
    """
    if not sys.platform.startswith("linux"):
        return
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, arguments_end, environment_start, environment_end = map(int, fields[45:49])  # proc(5): fields 48 to 51
    title = "\0".join(words).encode(errors="surrogateescape")
    if len(title) >= arguments_end - start:  # the kernel then expects one string
        title = title.replace(b"\0", b" ")
    room = (environment_end if environment_start == arguments_end else arguments_end) - start - 1
    ctypes.memmove(start, title[:room].ljust(room, b"\0") + b"\0", room + 1)
