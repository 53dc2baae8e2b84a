"""A PostgreSQL server for tests, from the binaries of the system, on loopback; it vanishes with its folder."""

import os
import shutil
import socket
import subprocess
import tempfile
from glob import glob
from pathlib import Path

import pytest

USER = "optuna"


class Server:
    """Started, stopped and started again at will.

    Raises:
        pytest.skip: the machine has no PostgreSQL binaries, or root has no user to lend it.
    """

    def __init__(self) -> None:
        found = shutil.which("initdb") or next(iter(sorted(glob("/usr/lib/postgresql/*/bin/initdb"))), None)
        if found is None:
            pytest.skip("no PostgreSQL here: initdb is not on the PATH (Debian: apt install postgresql)")
        self.bin = Path(found).resolve().parent
        self.user = []
        if os.getuid() == 0:  # the server refuses to run as root
            if not shutil.which("runuser"):
                pytest.skip("PostgreSQL does not run as root, and there is no runuser")
            self.user = ["runuser", "-u", "postgres" if _exists("postgres") else "nobody", "--"]
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        os.chmod(self.folder, 0o777)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", USER, "--no-sync")
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        data, log = str(self.folder / "data"), str(self.folder / "log")
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def remove(self) -> None:
        command = [*self.user, str(self.bin / "pg_ctl"), "-D", str(self.folder / "data"), "-m", "immediate", "stop"]
        subprocess.run(command, cwd="/", capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self.user, str(self.bin / program), *words], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def _exists(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
