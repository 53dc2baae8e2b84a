"""The workers of one machine: started, watched, started again when they die, ended together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from studies.processes import PARENT
from studies.slots import TRAIN, Slot
from sweeps.progress import Progress
from sweeps.storage import Store, patiently
from sweeps.worker import STORAGE

RESTARTS = 20
HOPELESS = 5  # trials that all fail: the next would, too


class Pool:
    """Workers, one a slot; one that dies is started again.

    Args:
        store: storage of the study.
        name: of the study.
        on: slots.
        folder: gets the logs of the workers.
        beat: seconds between two signs of life.
    """

    def __init__(self, store: Store, name: str, *, on: list[Slot], folder: Path, beat: float) -> None:
        self.store, self.name, self.on, self.folder, self.beat = store, name, on, folder, beat
        self.workers: list[subprocess.Popen] = []

    def work(self, study: optuna.Study) -> None:
        if not _unfinished(patiently(lambda: study.get_trials(deepcopy=False))):
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.folder.mkdir(parents=True, exist_ok=True)
        restarts = 0
        progress = Progress(study.get_trials(deepcopy=False))
        try:
            self.workers = [self._start(index) for index in range(len(self.on))]
            while any(worker.poll() is None for worker in self.workers):
                time.sleep(0.5)
                for index, worker in enumerate(self.workers):
                    if worker.poll():
                        restarts += 1
                        if restarts > RESTARTS:
                            raise RuntimeError(f"workers keep dying; see {self.folder}/worker-{index}.txt")
                        self.workers[index] = self._start(index)
                trials = patiently(lambda: study.get_trials(deepcopy=False))
                progress.show(trials)
                _check_hope(trials)
        finally:
            progress.close()
            self._stop()

    def _start(self, index: int) -> subprocess.Popen:
        slot = self.on[index]
        words = ["--study", self.name, "--devices", ",".join(slot.devices), "--beat", str(self.beat)]
        words += ["--threads", str(slot.threads), "--ranks", str(slot.ranks), *(["--shared"] if slot.shared else [])]
        with open(self.folder / f"worker-{index}.txt", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "sweeps.worker", *words], cwd=TRAIN.parent,
                env=os.environ | {STORAGE: self.store.url, PARENT: str(os.getpid())}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _stop(self, *, grace_seconds: float = 6.0) -> None:
        """End the workers; they end their runs and put the trials back."""
        for worker in self.workers:
            worker.terminate()
        deadline = time.monotonic() + grace_seconds
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(max(0.0, deadline - time.monotonic()))
            worker.kill()


def _unfinished(trials: list[FrozenTrial]) -> int:
    return sum(not trial.state.is_finished() for trial in trials)


def _check_hope(trials: list[FrozenTrial]) -> None:
    ended = [trial for trial in trials if trial.state.is_finished()]
    if len(ended) >= HOPELESS and all(trial.state == TrialState.FAIL for trial in ended):
        raise RuntimeError(
            f"all of the first {len(ended)} trials failed; the last said: {ended[-1].user_attrs['error']}"
        )
