"""Checksums of a finished run: a flipped bit in one of its files is refused by name and changes no number silently."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from records.files import atomic
from records.layout import SUMS
from records.reading import DamagedFile, read_text

SEAL = "checksum"


def digest(content: bytes) -> str:
    """SHA-256 as ``sha256sum`` prints it."""
    return hashlib.sha256(content).hexdigest()


def write(folder: Path, files: Iterable[Path], *, coming: Mapping[Path, bytes] | None = None) -> None:
    """Write ``SHA256SUMS``, which ``sha256sum --check`` reads too.

    Args:
        folder: of the run.
        files: in it; those that are not there are left out.
        coming: content of files that are written next, so that the last of them can mark the run as finished.
    """
    sums = {file.name: digest(file.read_bytes()) for file in files if file.is_file()}
    sums |= {file.name: digest(content) for file, content in (coming or {}).items()}
    with atomic(folder / SUMS) as partial:
        partial.write_text("".join(f"{found}  {name}\n" for name, found in sums.items()), encoding="utf-8")


def verify(file: Path) -> None:
    """Refuse a file that is not the one that the run wrote; without a checksum beside it nothing is known.

    Raises:
        DamagedFile: names the file and what to do.
    """
    beside = file.parent / SUMS
    if not beside.is_file():
        return
    wanted = _sums(beside).get(file.name)
    if wanted and file.is_file() and digest(file.read_bytes()) != wanted:
        raise DamagedFile(
            f"{file} differs from its checksum in {SUMS}: it was damaged or edited; copy it again or run it again "
            f"(or delete {SUMS}, and it is believed as it is)"
        )


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same plain JSON values with a checksum of themselves, for a record that stands alone."""
    bare = {name: value for name, value in content.items() if name != SEAL}
    return {**bare, SEAL: digest(json.dumps(bare, sort_keys=True).encode())}


def unsealed(content: Mapping[str, Any], *, file: Path, remedy: str) -> dict[str, Any]:
    """A record without its checksum, after a look at it; what an earlier version wrote has none.

    Raises:
        DamagedFile: a value has changed since it was written.
    """
    if SEAL in content and sealed(content)[SEAL] != content[SEAL]:
        raise DamagedFile(f"{file} differs from its checksum: it was damaged or edited; {remedy}")
    return {name: value for name, value in content.items() if name != SEAL}


def _sums(beside: Path) -> dict[str, str]:
    lines = read_text(beside, what="checksums", remedy="delete it, and the files are believed as they are").splitlines()
    return {name: found for found, _, name in (line.partition("  ") for line in lines)}
