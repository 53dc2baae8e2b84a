"""Where caches live, and writing a file so that a crash leaves the old one or the new one, never half of one."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    partial = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except PermissionError as error:
        raise _unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> OSError:
    fix = "VAXIS_CACHE=FOLDER names another one" if cache_dir() in path.parents else "name another folder"
    return OSError(f"{path.parent} cannot be written ({error.strerror}); {fix}")
