"""Who may write into a run directory: one process at a time."""

import fcntl
from pathlib import Path
from typing import TextIO

from records.layout import RunDirectory

TAKEN = 75  # exit status of a run that found another process in its folder; EX_TEMPFAIL of sysexits.h


class Taken(ValueError):
    """The folder is somebody else's for now, or holds a finished run: whoever asked for both may share the result."""

    exit_status = TAKEN


def held(run_dir: Path) -> bool:
    """Whether another process trains in the folder at this moment."""
    try:
        lock(run_dir).close()
    except Taken:
        return True
    return False


def lock(run_dir: Path) -> TextIO:
    """Claim the folder for this process; the kernel lets go when it dies, however it dies.

    Raises:
        Taken: another process trains there.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    file = open(RunDirectory(run_dir).lock, "w")  # noqa: SIM115 - held for the life of the process
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Taken(f"{run_dir} is being trained by another process; wait for it or name another --run_dir") from None
    return file
