"""Where caches live, and writing a file so that a crash leaves the old one or the new one, never half of one."""

import errno
import os
import platform
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# No room, in the words of a file system: of the disk, of a user's share of it, of a single file (ulimit -f).
NO_ROOM = {errno.ENOSPC: "full", errno.EDQUOT: "full for you (quota)", errno.EFBIG: "closed to so large a file"}
NEARLY_NOTHING = 2**20  # bytes; a disk that has less is what a writer without a reason died of


def cache_dir() -> Path:
    """Folder of everything that can be made again: ``$VAXIS_CACHE``, else ``.cache`` beside the code."""
    return Path(os.environ.get("VAXIS_CACHE") or Path(__file__).resolve().parents[1] / ".cache")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; it replaces ``path`` on success and is removed on an error."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    # Machines that share a folder count processes alike.
    partial = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}-{threading.get_native_id()}.partial")
    try:
        with room_named(path):  # within the other block: what was written still takes its room
            yield partial
            os.replace(partial, path)
    except PermissionError as error:
        raise _unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def room_named(path: str | Path) -> Iterator[None]:
    """Say which disk is full, and what was being written, in the place of a bare "No space left on device".

    Args:
        path: of the file that is written in the block.

    Raises:
        OSError: with the number of the first one, in words.
    """
    path = Path(path)
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        free = shutil.disk_usage(folder).free
        # torch's writer says "inline_container.cc:672" and nothing else when it has no room.
        if number not in NO_ROOM and not (isinstance(error, RuntimeError) and free < NEARLY_NOTHING):
            raise
        disk = next(parent for parent in (folder, *folder.parents) if os.path.ismount(parent))
        said = OSError(
            f"{path} could not be written: the disk of {disk} is {NO_ROOM.get(number or 0, 'full')} ({free:,} bytes "
            "free); make room and start the same command again, a run goes on after its last complete epoch"
        )
        said.errno = number or errno.ENOSPC
        raise said from error


def _unwritable(path: Path, error: OSError) -> OSError:
    fix = "VAXIS_CACHE=FOLDER names another one" if cache_dir() in path.parents else "name another folder"
    return OSError(f"{path.parent} cannot be written ({error.strerror}); {fix}")
