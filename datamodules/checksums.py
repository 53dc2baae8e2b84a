"""Checksums of a store: CRC-32, which finds every flipped bit and every burst of up to 32 bits in a block."""

import json
import zlib
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal

import numpy as np

from datamodules.trials import Trials

# Raise it whenever the same files and parameters would give other numbers or another layout of the folder.
# 2: the name follows the content of the source files, checksums, statistics of each person.
FORMAT = 2
BLOCK = 2**20  # bytes of the array under one checksum, rounded down to whole trials
SAMPLE = 64 * 2**20  # bytes that a sampled check reads; a store up to this size is checked whole

Verify = Literal["sampled", "whole", "off"]


def whole(path: Path) -> bytes:
    """A small file whole; a pipe, which would wait for ever, and a folder are no files."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing or no file")
    return path.read_bytes()


def seal(meta: dict[str, Any]) -> bytes:
    """JSON with a checksum of itself on its first line."""
    content = json.dumps(meta, indent=1)
    return json.dumps({"checksum": zlib.crc32(content.encode()), "meta": meta}, indent=1).encode()


def sealed(data: bytes) -> dict[str, Any]:
    """What ``seal`` sealed.

    Raises:
        ValueError: it is not whole, or of another version.
    """
    try:
        document = json.loads(data)
        meta = document["meta"]
        same = zlib.crc32(json.dumps(meta, indent=1).encode()) == document["checksum"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"meta.json is damaged: {type(error).__name__}") from error
    if not same:
        raise ValueError("meta.json is damaged: its checksum is not the one that was written")
    if meta["format"] != FORMAT:
        raise ValueError(f"it has format {meta['format']} and this version reads {FORMAT}")
    return meta


def _block(x: np.ndarray) -> int:
    """Trials under one checksum."""
    return max(1, BLOCK // max(x[:1].nbytes, 1))


def of_blocks(rows: np.ndarray) -> np.ndarray:
    """One for each block of a subject's trials."""
    step = _block(rows)
    return np.array([zlib.crc32(rows[i : i + step].data) for i in range(0, len(rows), step)], dtype=np.uint32)


def verify(x: np.ndarray, trials: Trials, blocks: np.ndarray, *, how: Verify) -> None:
    """Compare blocks of the array with their checksums.

    Raises:
        ValueError: one differs; names the subject.
    """
    step = _block(x)
    starts = [
        (i, name, rows.stop)
        for name, rows in ((name, trials.rows(s)) for s, name in enumerate(trials.subjects))
        for i in range(rows.start, rows.stop, step)
    ]
    if len(starts) != len(blocks):
        raise ValueError(f"checks.npz has {len(blocks)} checksums and x.npy {len(starts)} blocks")
    count = {"off": 0, "whole": len(starts)}.get(how, -(-SAMPLE // max(step * x[:1].nbytes, 1)))
    # Other blocks every time, so that damage anywhere comes to light; the random state of training is not touched.
    chosen = range(len(starts)) if count >= len(starts) else sorted(SystemRandom().sample(range(len(starts)), count))
    for block in chosen:
        first, name, end = starts[block]
        if zlib.crc32(x[first : min(first + step, end)].data) != blocks[block]:
            raise ValueError(f"x.npy is damaged in the trials of {name}: the checksum is not the one that was written")
