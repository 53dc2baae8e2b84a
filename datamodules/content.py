"""What a source file holds, as a digest: read whole once, remembered for as long as the file stays what it was."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from records.files import atomic, cache_dir

# A file that changes twice within one tick of its file system's clock looks unchanged; younger ones are read again.
SETTLED_NS = 3_000_000_000
READERS = 8  # files at a time; hashing runs outside Python's lock, so this follows cores and disk


def digests(paths: Sequence[Path]) -> list[str]:
    """A digest of the content of each file, whatever its name, place and time of change.

    Size and time of change alone are not enough: ``rsync -t`` and ``tar --mtime`` give other data the same ones. A
    file is therefore read whole, and read again when its inode, its size or one of its two times differs from what
    they were. The time of the last change of the inode (ctime) is among them, which no copying tool can set.

    Costs one pass over the files when they are new (they are about to be preprocessed, so the pass also brings them
    into the page cache), and one ``stat`` a file after that.

    Args:
        paths: regular files.

    Raises:
        OSError: a file cannot be read.
    """
    memory = cache_dir() / "digests.json"
    known = _recall(memory)
    states = [_state(path) for path in paths]
    names = [str(path.resolve()) for path in paths]
    new = [i for i, name in enumerate(names) if known.get(name, [None])[:-1] != states[i]]
    with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
        read = dict(zip(new, pool.map(_digest, [paths[i] for i in new])))
    found = [read[i] if i in read else str(known[name][-1]) for i, name in enumerate(names)]
    now = time.time_ns()
    settled = {names[i]: [*states[i], digest] for i, digest in read.items() if now - max(states[i][2:4]) > SETTLED_NS}
    if settled:
        kept = {name: entry for name, entry in _recall(memory).items() if os.path.exists(name)}
        # Only a memory: where it cannot be written, files are read again next time.
        with suppress(OSError), atomic(memory) as partial:
            partial.write_text(json.dumps({**kept, **settled}), encoding="utf-8")
    return found


def _state(path: Path) -> list[int]:
    """What changes when a file does: inode, size, time of change of the content and of the inode."""
    stat = path.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _recall(memory: Path) -> dict[str, list]:
    """Entries of the memory; none where it is missing, damaged or of another form, since it can be made again."""
    try:
        entries = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {k: v for k, v in entries.items() if isinstance(v, list) and len(v) == 5 and isinstance(v[-1], str)}
