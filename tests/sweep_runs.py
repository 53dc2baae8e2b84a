"""Starts searches the way a user does and looks at what they leave; shared by the tests of sweeps."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from sweeps.storage import Store
from sweeps.worker import STORAGE
from tests.conftest import ROOT
from tests.runs import environment

QUICK = ("--config", "configs/simulated.yaml", "--trainer.max_epochs=1", "--pruner=none", "--beat=0.5", "--no_none")


class Search:
    """One study in a folder; ``start`` runs the command in the background, ``run`` to its end.

    Args:
        folder: of studies.
        cache: of the simulated cohort.
        words: flags of ``sweeps.search``.
        storage: by default an SQLite file in the folder.
    """

    def __init__(self, folder: Path, cache: Path, *words: str, storage: str | None = None, **extra: str) -> None:
        self.folder, self.cache, self.extra = folder / "study", cache, extra
        self.url = storage or f"sqlite:///{self.folder / 'study.db'}"
        self.words = [*words, f"--folder={folder}", "--study=study", *([f"--storage={storage}"] if storage else [])]

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "sweeps.search", *self.words], cwd=ROOT, env=environment(self.cache, **self.extra),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *, check: bool = True, timeout: float = 1200) -> str:
        process = self.start()
        try:
            said, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert process.returncode == 0 or not check, said
        return said

    def study(self) -> optuna.Study:
        return Store(self.url).study("study")

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        return [t for t in self.study().get_trials() if not states or t.state in states]

    def results(self) -> dict[Path, int]:
        """Finished runs and when they finished."""
        return {path: path.stat().st_mtime_ns for path in self.folder.rglob("result.json")}

    def wait(self, condition: Callable[[], object], process: subprocess.Popen, *, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline, "the search never got that far"
            time.sleep(0.05)

    def training(self) -> list[psutil.Process]:
        """Processes of runs, all ranks."""
        return [p for p in self._processes() if "--trainer.default_root_dir=" in " ".join(p.info["cmdline"])]

    def workers(self, launcher: subprocess.Popen) -> list[psutil.Process]:
        return [p for p in psutil.Process(launcher.pid).children() if "sweeps.worker" in " ".join(p.cmdline())]

    def assert_nobody_left(self, *, within: float = 3.0) -> None:
        deadline = time.monotonic() + within
        while left := self._processes():
            assert time.monotonic() < deadline, [p.cmdline() for p in left]
            time.sleep(0.1)

    def _processes(self) -> list[psutil.Process]:
        """Runs, by the folder in their command, and workers, by the storage in their environment."""
        found = []
        for process in psutil.process_iter(["cmdline", "status", "environ"]):
            storage = (process.info["environ"] or {}).get(STORAGE)
            named = any(str(self.folder) in word for word in process.info["cmdline"] or [])
            if process.info["status"] != psutil.STATUS_ZOMBIE and (named or storage == self.url):
                found.append(process)
        return [process for process in found if process.pid != os.getpid()]


def kill_everything(launcher: subprocess.Popen) -> None:
    """kill -9 the command and nothing else: what it started must go by itself."""
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()
