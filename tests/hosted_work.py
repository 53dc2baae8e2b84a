"""Work for ``tests/test_hosted.py``: functions of a module, for a fork finds them by name."""

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from command_line.settings import RunSettings
from studies.hosted import launch
from studies.jobs import Job, RunFailed, Slot


def run(folder: str, *words: str) -> None:
    """Launch a run and say what this process is."""
    launch([Job(settings=RunSettings.parse(words), run_dir=Path(folder))], on=[Slot(threads=1)])
    print(f"torch in the work: {'torch' in sys.modules}", flush=True)


def survives(folder: str, *words: str) -> None:
    """Launch a run that fails, and catch that."""
    try:
        run(folder, *words)
    except RunFailed as error:
        print("caught:", str(error).splitlines()[0], flush=True)


def refuses() -> None:
    raise ValueError("--loss rsa: no")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_meanwhile(folder: str, *words: str) -> None:
    """Be killed as soon as the run has a log."""

    def kill() -> None:
        while not (Path(folder) / "log.txt").exists():
            time.sleep(0.01)
        dies()

    threading.Thread(target=kill, daemon=True).start()
    run(folder, *words)


def is_told_to_end(folder: str) -> None:
    """Hear SIGTERM while a folder lies there that goes with the end."""
    with tempfile.TemporaryDirectory(dir=folder):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)


def speaks() -> None:
    print("first")
    time.sleep(60)


def loses_its_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def waits(folder: str) -> None:
    """Write a file for ever, beside a folder that goes with the end."""
    with tempfile.TemporaryDirectory(dir=folder):
        while True:
            (Path(folder) / "alive").write_text(str(time.monotonic()))
            time.sleep(0.05)


def main() -> None:
    """In the process that starts the work: name it, and say afterwards what was imported here."""
    from console.errors import one_line_errors
    from studies.hosted import hosted

    with one_line_errors():
        hosted(globals()[sys.argv[1]], *sys.argv[2:])
    print(f"torch in the launcher: {'torch' in sys.modules}")
