"""Who may write into a folder: one process at a time."""

import errno
import fcntl
from pathlib import Path
from typing import TextIO

from records.layout import RunDirectory

# What a file system without locks says: Lustre that is mounted without -o flock, some FUSE and network file systems.
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
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
        OSError: its file system has no locks.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    file = open(RunDirectory(run_dir).lock, "w")  # noqa: SIM115 - held for the life of the process
    try:
        hold(file, wait=False)
    except BlockingIOError:
        file.close()
        raise Taken(f"{run_dir} is being trained by another process; wait for it or name another --run_dir") from None
    return file


def hold(file: TextIO, *, wait: bool = True) -> None:
    """Lock an open file until it is closed or the process ends.

    A whole-file lock where the file system has it; else a lock of its bytes, which some have in its place.

    Args:
        file: open for writing.
        wait: for another process to let go.

    Raises:
        BlockingIOError: another process holds it, and this one is not to wait.
        OSError: the file system has neither; names the file and what to do.
    """
    kind = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    for locked_by in (fcntl.flock, fcntl.lockf):
        try:
            locked_by(file, kind)
            return
        except OSError as error:
            # A byte lock that another holds is EACCES in some systems, and means the same.
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise BlockingIOError(error.errno, error.strerror, file.name) from None
            if error.errno not in NO_LOCKS:
                raise
    raise OSError(
        f"{file.name} cannot be locked: its file system has no locks, and two processes could write there at once; "
        "mount it with locks (Lustre: -o flock) or name a folder on another (--run_dir, --folder, VAXIS_CACHE)"
    )
