"""How a run that is a trial of a sweep and the worker that started it talk: two files and a variable, no database."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from records.files import atomic
from records.layout import RunDirectory

VARIABLE = "VAXIS_TRIAL"  # in the environment of a run that a worker started: the number of its trial


def trial_number() -> int | None:
    """Number of the trial that this process is; None where no worker started it."""
    return int(os.environ[VARIABLE]) if VARIABLE in os.environ else None


class TrialChannel:
    """Both ends of the talk; each process uses its own.

    The run appends a line to ``reports.jsonl`` after each epoch and waits for the worker's answer in ``stop.json``.
    Files carry both, so a run knows neither Optuna nor its storage, which may restart meanwhile.

    Args:
        run_dir: folder of the run.
    """

    def __init__(self, run_dir: str | Path) -> None:
        files = RunDirectory(Path(run_dir))
        self.reports, self.stop = files.reports, files.stop
        self._read = 0

    # The run's end.

    def report(self, values: Mapping[str, float], *, epoch: int) -> None:
        """Say how the run does after an epoch."""
        with open(self.reports, "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **values}) + "\n")

    def told_to_stop(self, *, epoch: int, patience_seconds: float) -> bool:
        """Wait until the worker has answered the report of an epoch; without an answer its last word holds."""
        deadline = time.monotonic() + patience_seconds
        while True:
            answer = self.answer()
            if answer.get("epoch", -1) >= epoch or time.monotonic() > deadline:
                return bool(answer.get("stop", False))
            time.sleep(0.01)

    def answer(self) -> dict[str, Any]:
        """The last word of the worker; empty before there is one."""
        try:
            return json.loads(self.stop.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    # The worker's end.

    def new_reports(self) -> list[dict[str, Any]]:
        """Complete lines since the last call; a line that is being written comes with the next one."""
        with contextlib.suppress(FileNotFoundError), open(self.reports, "rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(newline)
            return [json.loads(line) for line in whole.splitlines() if line]
        return []

    def tell(self, *, epoch: int, stop: bool) -> None:
        """Answer the report of an epoch; a full disk keeps the run going, it will not wait for ever."""
        with contextlib.suppress(OSError), atomic(self.stop) as partial:
            partial.write_text(json.dumps({"epoch": epoch, "stop": stop}), encoding="utf-8")

    def forget(self) -> None:
        """Take back what was told, before the run is started again."""
        self.stop.unlink(missing_ok=True)
