"""Whether a result can be written, asked before a model is read for minutes."""

import tempfile
from pathlib import Path


def check_writable(flag: str, path: Path) -> None:
    """Try it: access rights say nothing of read-only disks, nor to root.

    Args:
        flag: that names the file.
        path: of the file.

    Raises:
        ValueError: names both, and what is wrong.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{flag} {path} cannot be written ({error.strerror or error}); give another folder") from error
    if path.is_dir():
        raise ValueError(f"{flag} {path} is a folder; give a file in it")
