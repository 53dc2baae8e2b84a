"""Arrays of the Zarr format, versions 2 and 3, read block by block with the standard library.

The public EEG repositories hold plain float32 arrays in C order, in blocks along their first axis, compressed with gzip
or Zstandard: zarr-python (with numcodecs, donfig and google-crc32c) would be four packages for one loop. What is read
follows the specification (zarr-specs.readthedocs.io, core 3.0 and 2.0): the last block is padded, a block without a
file holds the fill value. Anything else the format knows (sharding, Blosc, other orders) is refused by name.
"""

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, None: 0.0}


@dataclass(frozen=True, kw_only=True)
class ZarrArray:
    """An array of n rows on disk.

    Attributes:
        folder: of the array.
        shape: (n, ...).
        block: shape of every block file; all of the array but for the first axis.
        dtype: as stored, byte order included.
        fill: value of a block without a file.
        compressor: ``gzip``, ``zlib``, ``zstd`` or None.
        name: template of a block's path.
    """

    folder: Path
    shape: tuple[int, ...]
    block: tuple[int, ...]
    dtype: np.dtype
    fill: float
    compressor: str | None
    name: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The block files that there are."""
        return tuple(path for path in map(self._file, range(self._blocks)) if path.is_file())

    @property
    def absent(self) -> int:
        """How many blocks have no file, and so hold the fill value."""
        return self._blocks - len(self.files)

    def read(self) -> np.ndarray:
        """The whole array.

        Raises:
            ValueError: a damaged block, or one that needs a package that is not installed; names the file.
        """
        values = np.full(self.shape, self.fill, dtype=self.dtype.newbyteorder("="))
        for first, rows in self._rows():
            values[first : first + len(rows)] = rows
        return values

    def glance(self) -> np.ndarray:
        """The first row of the first block that holds more than the fill value: enough to see how large numbers are.

        Only that row is decompressed; a block of a public recording is twenty megabytes.
        """
        rows = (self._decoded(path, rows=1)[0] for path in self.files)
        return next((row for row in rows if (row != self.fill).any()), np.zeros(self.shape[1:]))

    @property
    def _blocks(self) -> int:
        return -(-self.shape[0] // self.block[0])

    def _file(self, number: int) -> Path:
        return self.folder / self.name.format(number)

    def _rows(self) -> Iterator[tuple[int, np.ndarray]]:
        """First row and rows of each block that has a file."""
        for number in range(self._blocks):
            path = self._file(number)
            if path.is_file():
                first = number * self.block[0]
                yield first, self._decoded(path)[: self.shape[0] - first]

    def _decoded(self, path: Path, *, rows: int | None = None) -> np.ndarray:
        """A block, or its first rows."""
        shape = (rows or self.block[0], *self.block[1:])
        size = math.prod(shape) * self.dtype.itemsize if rows else -1
        try:
            content = _decompressed(path.read_bytes(), self.compressor, size)
            return np.frombuffer(content, dtype=self.dtype).reshape(shape)
        except ImportError as error:
            raise ValueError(
                f"{path} is compressed with Zstandard; install its reader: pip install 'backports.zstd>=1'"
            ) from error
        except Exception as error:  # each compressor has its own kinds
            raise ValueError(f"{path}: a damaged block ({error}); delete the file and fetch it again") from error


def open_array(folder: Path) -> ZarrArray:
    """The array in a folder, known from its metadata; no block is read.

    Raises:
        ValueError: not an array of the plain kind; names the file, the field and what it holds.
    """
    if (folder / "zarr.json").is_file():
        return _version_3(folder, read_json(folder / "zarr.json"))
    if (folder / ".zarray").is_file():
        return _version_2(folder, read_json(folder / ".zarray"))
    raise ValueError(f"{folder} has no zarr.json or .zarray; complete the download")


def attributes(folder: Path) -> dict[str, Any]:
    """User attributes of a group, either version."""
    if (folder / "zarr.json").is_file():
        found = read_json(folder / "zarr.json").get("attributes", {})
    else:
        found = read_json(folder / ".zattrs")
    if not isinstance(found, dict):
        raise ValueError(f"{folder}: its attributes must be a mapping, found {type(found).__name__}")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A mapping from a JSON file.

    Raises:
        ValueError: missing, damaged or no mapping; names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as JSON ({error}); delete it and fetch it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, found {type(content).__name__}; delete it and fetch it again")
    return content


def _version_3(folder: Path, found: dict[str, Any]) -> ZarrArray:
    path = folder / "zarr.json"
    codecs = [codec if isinstance(codec, dict) else {"name": codec} for codec in found.get("codecs", [])]
    names = [codec.get("name") for codec in codecs]
    grid, keys = found.get("chunk_grid", {}), found.get("chunk_key_encoding", {"name": "default"})
    if found.get("node_type") != "array" or grid.get("name") != "regular" or keys.get("name") != "default":
        raise ValueError(f"{path} is no array on a regular grid with default keys; this reader knows no other")
    if names[:1] != ["bytes"] or names[1:] not in ([], ["gzip"], ["zstd"]):
        raise ValueError(f"{path}: codecs {names}; this reader knows bytes and then gzip, zstd or nothing")
    little = codecs[0].get("configuration", {}).get("endian", "little") == "little"
    return _array(
        path,
        shape=found.get("shape"),
        block=grid.get("configuration", {}).get("chunk_shape"),
        dtype=np.dtype(str(found.get("data_type"))).newbyteorder("<" if little else ">"),
        fill=found.get("fill_value"),
        compressor=names[1] if names[1:] else None,
        separator=keys.get("configuration", {}).get("separator", "/"),
        prefix=["c"],
    )


def _version_2(folder: Path, found: dict[str, Any]) -> ZarrArray:
    path, compressor = folder / ".zarray", found.get("compressor")
    name = compressor.get("id") if isinstance(compressor, dict) else None
    if found.get("order") != "C" or found.get("filters") or name not in (None, "gzip", "zlib", "zstd"):
        raise ValueError(f"{path}: order, filters or compressor {name}; this reader knows C, none, and gzip or zstd")
    return _array(
        path,
        shape=found.get("shape"),
        block=found.get("chunks"),
        dtype=np.dtype(str(found.get("dtype"))),
        fill=found.get("fill_value"),
        compressor=name,
        separator=found.get("dimension_separator", "."),
        prefix=[],
    )


def _array(
    path: Path, *, shape: Any, block: Any, separator: str, prefix: list[str], fill: Any, **rest: Any
) -> ZarrArray:
    plain = all(
        isinstance(sizes, list) and sizes and all(isinstance(n, int) for n in sizes) for sizes in (shape, block)
    )
    if not plain or rest["dtype"].kind != "f" or len(block) != len(shape) or block[1:] != shape[1:] or block[0] < 1:
        raise ValueError(
            f"{path}: shape {shape}, blocks {block}, type {rest['dtype']}; expected floating point, cut along the "
            "first axis alone"
        )
    keys = [*prefix, "{}", *["0"] * (len(shape) - 1)]
    return ZarrArray(
        folder=path.parent,
        shape=tuple(shape),
        block=tuple(block),
        fill=float(FILL.get(fill, fill)),
        name=separator.join(keys),
        **rest,
    )


def _decompressed(content: bytes, compressor: str | None, size: int) -> bytes:
    """What was compressed, checked against its checksum, or the first ``size`` bytes of it where that is not -1."""
    if compressor is None:
        return content[: None if size < 0 else size]
    if compressor == "zstd":
        from backports import zstd  # the standard library's from Python 3.14 on

        return zstd.decompress(content) if size < 0 else zstd.ZstdDecompressor().decompress(content, size)
    any_header = 47  # gzip's or zlib's
    if size < 0:
        return zlib.decompress(content, wbits=any_header)
    return zlib.decompressobj(wbits=any_header).decompress(content, size)
