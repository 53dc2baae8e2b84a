"""Write a Neuroscan continuous file (.cnt, 32 bit) as SEED-V ships them; only the fields that readers use are set."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from datamodules.simulation.truth import scalp_position
from records.files import atomic

HEADER_BYTES, ELECTRODE_BYTES = 900, 75
CALIBRATION = 6.1  # with sensitivity 1 one step is CALIBRATION / 204.8 = 0.0298 microvolt
STEP = CALIBRATION / 204.8
CORRUPT_SAMPLES = -732  # what the header of the published 7_1_20180411.cnt says


def write_cnt(
    path: str | Path,
    segments: Iterable[np.ndarray],
    *,
    channels: Sequence[str],
    rate: int,
    samples: int,
    date: str,
    corrupt: bool = False,
) -> None:
    """Write the segments one after the other.

    Args:
        path: of the file.
        segments: (E, n) pieces in microvolt, together ``samples`` long.
        channels: E names of at most 9 letters (from the fifth letter on, old readers see a flag).
        rate: Hz.
        samples: length of the recording.
        date: of the recording, yyyymmdd.
        corrupt: write the sample count that makes readers fail unless they are told the 32-bit format.
    """
    header = bytearray(HEADER_BYTES)
    header[225:235] = f"{date[4:6]}/{date[6:8]}/{date[2:4]}".encode().ljust(10, b"\0")
    header[235:247] = b"12:00:00".ljust(12, b"\0")
    struct.pack_into("<H", header, 370, len(channels))
    struct.pack_into("<H", header, 376, rate)
    struct.pack_into("<i", header, 864, CORRUPT_SAMPLES if corrupt else samples)
    event_table = HEADER_BYTES + ELECTRODE_BYTES * len(channels) + 4 * len(channels) * samples
    # Past 2 GiB the position does not fit; readers then compute it.
    struct.pack_into("<I", header, 886, event_table % 2**32)
    struct.pack_into("<f", header, 890, samples / rate)
    written = 0
    with atomic(path) as partial, open(partial, "wb") as file:
        file.write(header)
        for name in channels:
            file.write(_electrode(name))
        for segment in segments:
            file.write(np.ascontiguousarray(np.rint(segment.T / STEP), dtype="<i4").tobytes())
            written += segment.shape[1]
        if written != samples:
            raise ValueError(f"{path}: header says {samples} samples, {written} were given")
        file.write(struct.pack("<Bii", 1, 0, 0))


def _electrode(name: str) -> bytes:
    record = bytearray(ELECTRODE_BYTES)
    record[: len(name)] = name.encode()
    struct.pack_into("<ff", record, 19, *scalp_position(name))
    struct.pack_into("<f", record, 59, 1.0)
    struct.pack_into("<f", record, 71, CALIBRATION)
    return bytes(record)
