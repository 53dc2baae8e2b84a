"""Reading a Neuroscan continuous file (.cnt, 32 bit) as SEED-V ships them, and telling a damaged one from a whole one.

mne's own reader stops at what is harmless here (a byte beyond ASCII in the date, an event table at position 0), and
takes what is not: where the header claims twice the samples, it halves the width of each and returns noise. SEED-V
needs neither dates nor events, so only the fields below are read; the samples are those that mne gives, bit by bit.

Layout, little endian, as mne documents it: a header of 900 bytes, 75 bytes an electrode, samples, a table of events.
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

HEADER, ELECTRODE, WIDTH = 900, 75, 4
RATE = 1000  # Hz; all of SEED-V
AT_ONCE = 50_000  # samples of each channel that are converted at a time


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a header says.

    Attributes:
        path: of the file.
        channels: names.
        samples: of each channel.
        block: samples of one channel that lie side by side.
        offset: (C,) integer that stands for 0 volt.
        volts: (C,) of one step.
    """

    path: Path
    channels: tuple[str, ...]
    samples: int
    block: int
    offset: np.ndarray
    volts: np.ndarray

    @property
    def seconds(self) -> float:
        return self.samples / RATE

    def read(self, channels: tuple[str, ...]) -> np.ndarray:
        """(len(channels), T) float64 in volt."""
        count = len(self.channels)
        start = HEADER + ELECTRODE * count
        counts = np.memmap(self.path, "<i4", mode="r", offset=start, shape=(count * self.samples,))
        blocks = counts.reshape(-1, count, self.block)
        rows = [self.channels.index(name) for name in channels]
        signal, step = np.empty((len(rows), self.samples)), max(1, AT_ONCE // self.block)
        # Samples of all electrodes lie together, so one pass over the file in pieces, not one for each electrode.
        for first in range(0, len(blocks), step):
            part = blocks[first : first + step, rows].swapaxes(0, 1).reshape(len(rows), -1).astype(np.float64)
            begin = first * self.block
            signal[:, begin : begin + part.shape[1]] = (part - self.offset[rows, None]) * self.volts[rows, None]
        return signal


def open_recording(path: Path) -> Recording:
    """Read and check a header.

    Raises:
        ValueError: not such a file, cut off, of 16-bit samples or of another sampling rate.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(HEADER)
        count = struct.unpack_from("<H", header, 370)[0] if len(header) == HEADER else 0
        electrodes = file.read(ELECTRODE * count)
        samples = _samples(file, header, start=HEADER + len(electrodes), count=count, size=size, path=path)
    if len(electrodes) < ELECTRODE * max(count, 1) or samples < 1:
        raise ValueError(f"{path}: not a whole Neuroscan recording; copy it again or use --data.exclude")
    (rate,) = struct.unpack_from("<H", header, 376)
    if rate != RATE:
        raise ValueError(f"{path}: its header says {rate} Hz and SEED-V is recorded at {RATE}; copy it again")
    (block,) = struct.unpack_from("<i", header, 894)
    block = block // WIDTH if block > 1 else 1
    if samples % block:
        raise ValueError(f"{path}: {samples} samples do not fill blocks of {block}; copy it again")
    fields = [electrodes[ELECTRODE * i : ELECTRODE * (i + 1)] for i in range(count)]
    volts = np.array([_float(f, 71) * _float(f, 59) * 1e-6 / 204.8 for f in fields])
    names = tuple(f[:10].split(b"\0")[0].decode("latin-1").strip() for f in fields)
    for name, step in zip(names, volts):
        if not np.isfinite(step) or step == 0:
            raise ValueError(f"{path}: channel {name} has no usable calibration; copy it again or use --data.exclude")
    offset = np.array([struct.unpack_from("<h", f, 47)[0] for f in fields])
    return Recording(path=path, channels=names, samples=samples, block=block, offset=offset, volts=volts)


def _float(field: bytes, position: int) -> float:
    return struct.unpack_from("<f", field, position)[0]


def _samples(file: BinaryIO, header: bytes, *, start: int, count: int, size: int, path: Path) -> int:
    """Samples of each channel, from where the events begin; the header's own count is corrupt in the published 7_1.

    Raises:
        ValueError: the count means samples of 16 bits, or more of them than there are.
    """
    if not count or size <= start:
        return 0
    stated, events = struct.unpack_from("<i", header, 864)[0], struct.unpack_from("<I", header, 886)[0]
    frame = WIDTH * count
    found = _events_at(file, events, size) and events > start and (events - start) % frame == 0
    held = ((events if found else size) - start) // frame
    problem = None
    if found and stated == 2 * held:
        problem = f"its header claims {stated} samples, which would be numbers of 16 bits, and SEED-V has 32"
    elif not found and stated > held:
        problem = f"its header claims {stated} samples and the file ends after {held}"
    elif not found and events == start + stated * frame:
        problem = "no events where its header says that they begin, so bytes are missing or there are too many"
    if problem:
        raise ValueError(f"{path}: {problem}; copy it again or use --data.exclude")
    # Events that are nowhere may leave some bytes behind the samples.
    if stated == held or (not found and 0 < stated < held and size - start - stated * frame < size // 100 + frame):
        return stated
    warnings.warn(f"{path}: corrupt header, read as {held} samples of 32 bits and not {stated}", stacklevel=2)
    return held


def _events_at(file: BinaryIO, position: int, size: int) -> bool:
    """Whether a table of events begins there and ends within the file."""
    if not 0 < position <= size - 9:
        return False
    file.seek(position)
    kind, length, _ = struct.unpack("<Bii", file.read(9))
    return kind in (1, 2, 3) and 0 <= length <= size - 9 - position
