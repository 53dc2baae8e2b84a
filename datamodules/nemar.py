"""NEMAR nm000112, FACED in BIDS: small files from its public git repository, signals from its object store.

In the place of each signal the repository holds git-annex's pointer, ``/annex/objects/SHA256E-s<bytes>--<digest>.bdf``,
and the object store has the file under that key: size and content are checked against the commit itself.
"""

import hashlib
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm import tqdm

DATASET = "nm000112"
COMMIT = "e6fabfda7eb65dcaee87e74b7e3626cedff40ac1"  # version 1.0.1, 11 March 2026
TREE = f"https://codeload.github.com/nemarDatasets/{DATASET}/tar.gz/{COMMIT}"
OBJECTS = f"https://nemar.s3.us-east-2.amazonaws.com/{DATASET}/objects/"
KEY = re.compile(r"/annex/objects/(SHA256E-s(\d+)--([0-9a-f]{64})\.\w+)\s*")
CHUNK = 1 << 20
ATTEMPTS = 5
NO_NETWORK = (
    f"NEMAR {DATASET} cannot be fetched ({{}}); where there is a network: git clone "
    f"https://github.com/nemarDatasets/{DATASET} and, in it, git annex get .; then copy the folder here and name it "
    "with --data.root"
)


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A file of the object store.

    Attributes:
        path: where it belongs, below the top of the data set.
        key: its name in the store.
        size: bytes.
        digest: SHA-256 of its content.
    """

    path: PurePosixPath
    key: str
    size: int
    digest: str


def fetch(folder: Path, *, subjects: tuple[str, ...] | None = None) -> None:
    """Complete a copy: small files first, then each signal, resumed where it was and checked when it is whole.

    Args:
        folder: of the copy; made where missing.
        subjects: numbers of the people whose signals are wanted, three digits; all by default.

    Raises:
        ConnectionError: no network, or it broke off too often; one line with what to do.
        OSError: too little space.
        ValueError: a file that is not what the commit says it is; it is deleted.
    """
    wanted = [signal for signal in _small_files(folder) if subjects is None or signal.path.parts[0][4:] in subjects]
    if subjects and len(wanted) < len(subjects):
        raise ValueError(f"{DATASET} has people 000 to 122; not all of {', '.join(subjects)} are among them")
    have = {signal: _present(folder / signal.path) for signal in wanted}
    need = sum(signal.size - have[signal] for signal in wanted)
    if (free := shutil.disk_usage(folder).free) < need:
        raise OSError(f"{folder} needs {need:,} more bytes and has {free:,} free; make room, or name fewer --subjects")
    total = sum(signal.size for signal in wanted)
    with tqdm(total=total, initial=sum(have.values()), unit="B", unit_scale=True, desc=DATASET) as bar:
        for signal in wanted:
            _complete(folder / signal.path, signal, bar)


def _present(path: Path) -> int:
    """Bytes of a signal that are there, whole or in part."""
    found = next((p for p in (path, _partial(path)) if p.is_file()), None)
    return found.stat().st_size if found else 0


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _small_files(folder: Path) -> list[Signal]:
    """Write every small file of the commit, and return what the large ones are."""
    signals = []
    with tempfile.TemporaryFile() as archive:
        # Short, and not tried again: where there is no network this ends within seconds.
        with _response(TREE, timeout=(5, 60)) as response:
            for chunk in response.iter_content(CHUNK):
                archive.write(chunk)
        archive.seek(0)
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in _members(archive):
            if pointer := KEY.fullmatch(content.decode("latin-1")) if len(content) < 512 else None:
                key, size, digest = pointer.groups()
                signals.append(Signal(path=path, key=key, size=int(size), digest=digest))
            else:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return sorted(signals, key=lambda signal: signal.path)


def _members(archive: IO[bytes]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path below the top and content of the archive's files; nothing is written where the archive says."""
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            for member in tar:
                path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
                if member.isfile() and ".." not in path.parts and not path.is_absolute():
                    file = tar.extractfile(member)
                    assert file is not None  # it is a file
                    yield path, file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{TREE} did not come whole ({error}); run the same command again") from error


def _complete(path: Path, signal: Signal, bar: tqdm) -> None:
    """Fetch what is missing of a signal and check all of it."""
    partial = _partial(path)
    if path.is_file():
        path.replace(partial)  # checked like one that has just come
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        have = partial.stat().st_size if partial.is_file() else 0
        if have >= signal.size:
            break
        time.sleep(attempt)
        try:
            _append(partial, signal, have, bar)
        except ConnectionError:
            if attempt == ATTEMPTS - 1:
                raise
    with open(partial, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != signal.digest:
        partial.unlink()
        raise ValueError(f"{path}: SHA-256 is {digest}, not {signal.digest}; it was deleted, run the command again")
    partial.replace(path)


def _append(partial: Path, signal: Signal, have: int, bar: tqdm) -> None:
    with _response(OBJECTS + signal.key, timeout=(10, 60), headers={"Range": f"bytes={have}-"}) as response:
        resumed = response.status_code == 206
        if have and not resumed:
            bar.update(-have)  # the server starts again, and so do we
        with open(partial, "ab" if resumed else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


@contextmanager
def _response(url: str, **options: Any) -> Iterator[Any]:
    """A response whose body is still to come; every failure, also of the body, is one line."""
    import requests

    try:
        with requests.get(url, stream=True, **options) as response:
            response.raise_for_status()
            yield response
    except requests.RequestException as error:
        raise ConnectionError(NO_NETWORK.format(type(error).__name__ + f" at {url}")) from error
