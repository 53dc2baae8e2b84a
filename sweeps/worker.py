"""A worker: takes trials of a study one after the other and trains each in a process of its own. Knows no torch."""

import contextlib
import math
import os
import shutil
import signal
import sys
import time
import warnings
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from console.arguments import Arguments
from records import result
from records.trial_channel import VARIABLE, TrialChannel
from studies.jobs import Job, Running, Slot, start
from studies.processes import follow_parent
from studies.warm import get_ready
from sweeps import pruning
from sweeps.storage import Owner, Store, patiently
from sweeps.sweep import Sweep, scores

STORAGE = "VAXIS_SWEEP_STORAGE"  # in the environment, where a password in it is not seen by others
DEATHS, STARTS = 2, 10  # of a trial's processes: ends without a result, and starts, workers that died included
POLL_SECONDS = 0.03


class Failed(RuntimeError):
    """A trial that cannot be finished; the message says why."""


class Pruned(RuntimeError):
    """A trial that the pruner has stopped."""


class Lost(RuntimeError):
    """A trial that another worker has taken over."""


class Worker:
    """Trains trials on one slot until none waits and none runs.

    Args:
        store: storage of the study.
        name: of the study.
        slot: where its runs compute.
        beat_seconds: between two signs of life.
    """

    def __init__(self, store: Store, name: str, *, slot: Slot, beat_seconds: float) -> None:
        self.study = patiently(lambda: store.study(name))
        self.sweep = Sweep.of(self.study)
        self.slot, self.owner = slot, Owner(store, self.study, beat_seconds=beat_seconds)
        self.study.pruner = pruning.build(self.sweep.pruner, epochs=self.sweep.epochs, seeds=len(self.sweep.seeds))
        self.process: Running | None = None

    def work(self) -> None:
        while True:
            taken = patiently(self.owner.take)
            if taken is not None:
                # A random state of the trial's own: a worker that is started again repeats no draw.
                self.study.sampler = _sampler(self.sweep, taken.number)
                self.evaluate(patiently(partial(optuna.Trial, self.study, taken._trial_id)))
            elif not patiently(lambda: self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))):
                return
            else:
                time.sleep(1.0)  # the worker of a trial that runs may die

    def evaluate(self, trial: optuna.Trial) -> None:
        """Train a configuration with every seed and close the trial."""
        try:
            patiently(lambda: self.sweep.suggest(trial))
            self._note(trial, slot=",".join(self.slot.devices) or "cpu", begun=time.time())
            values = self._train(trial)
            self._note(trial, ended=time.time())
            self.owner.finish(trial, TrialState.COMPLETE, values)
        except Pruned:
            self._note(trial, ended=time.time())
            self.owner.finish(trial, TrialState.PRUNED, self._last(trial))
        except Failed as error:
            self._note(trial, error=str(error))
            self.owner.finish(trial, TrialState.FAIL)
        except Lost:
            pass
        except BaseException:
            self._end()
            with contextlib.suppress(Exception):
                self.owner.release(trial)
            raise
        finally:
            self._end()

    def _train(self, trial: optuna.Trial) -> list[float]:
        finished: list[list[float]] = []
        params = patiently(lambda: trial.params)
        for seed in self.sweep.seeds:
            run = self.sweep.run(params, seed=seed)
            run = run.with_value("group", run.value("group") or self.study.study_name)
            job = Job(settings=run, run_dir=self.sweep.run_dir(trial.number, seed))
            self._run(job, trial, finished)
            finished.append(self._result(job))
            if len(self.sweep.seeds) > 1:
                self._note(trial, seeds=finished)
                if self._report(trial, _mean(finished)[0], step=len(finished) * self.sweep.epochs - 1) and (
                    len(finished) < len(self.sweep.seeds)
                ):
                    raise Pruned
        return _mean(finished)

    def _run(self, job: Job, trial: optuna.Trial, finished: list) -> None:
        """Train one seed to its end, starting again where a process died of something else than its settings."""
        channel = TrialChannel(job.run_dir)
        while not job.finished:
            noted = patiently(lambda: trial.user_attrs)
            starts, deaths = noted.get("starts", 0) + 1, noted.get("deaths", 0)
            if deaths >= DEATHS or starts > STARTS * len(self.sweep.seeds):
                raise Failed(_end_of_log(job))
            self._note(trial, starts=starts)
            try:
                channel.forget()
                self.process = start(job, self.slot, extra={VARIABLE: str(trial.number), STORAGE: None}, own_group=True)
            except OSError as error:
                raise Failed(f"cannot start in {job.run_dir}: {error}") from None
            self._watch(job, trial, channel, seed_index=len(finished))
            if not job.finished:
                self._note(trial, deaths=deaths + 1)

    def _watch(self, job: Job, trial: optuna.Trial, channel: TrialChannel, *, seed_index: int) -> None:
        """Until the process ends: pass reports on, hand answers back, give signs of life."""
        stopping = False
        while self.process is not None:
            ended = self.process.poll() is not None
            for report in channel.new_reports():
                if not all(math.isfinite(report.get(name, 0.0)) for name in ("train/total", "train/task")):
                    self._end()
                    raise Failed(f"the training loss is not finite in epoch {report['epoch']}")
                self._note(trial, **{f"epoch {report['epoch']}": report} if seed_index == 0 else {})
                value = report.get(self.sweep.objectives[0]) if seed_index == 0 else None
                stop = value is not None and self._report(trial, value, step=report["epoch"])
                stopping = stopping or (stop and report["epoch"] + 1 < self.sweep.epochs)
                channel.tell(epoch=report["epoch"], stop=stopping)
            if ended:
                self._end()
                if stopping and not job.finished:
                    raise Pruned
                return
            if not self.owner.keep(trial):
                raise Lost
            time.sleep(POLL_SECONDS)

    def _report(self, trial: optuna.Trial, value: float, *, step: int) -> bool:
        """Tell the study an intermediate value; True when the pruner says stop."""
        if len(self.sweep.objectives) > 1:
            return False

        def tell() -> bool:
            with warnings.catch_warnings(action="ignore"):  # a resumed run repeats steps that are known
                trial.report(value, step)
            return bool(trial.should_prune())  # some pruners answer with numpy's, which JSON does not know

        return patiently(tell)

    def _result(self, job: Job) -> list[float]:
        values = scores(result.read(job.files.result), self.sweep.objectives)
        if not all(math.isfinite(value) for value in values):
            raise Failed(f"{job.run_dir}: the objective is not a number")
        return values

    def _last(self, trial: optuna.Trial) -> list[float] | None:
        steps = patiently(lambda: self.owner.store.storage.get_trial(trial._trial_id)).intermediate_values
        return [steps[max(steps)]] if steps else None

    def _note(self, trial: optuna.Trial, **values: Any) -> None:
        for name, value in values.items():
            patiently(partial(trial.set_user_attr, name, value))

    def _end(self) -> None:
        """Leave no process of the run behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()  # a fork that was only just made leads no group yet
            self.process.wait()
            self.process = None


def _sampler(sweep: Sweep, number: int) -> optuna.samplers.TPESampler:
    grouped = len(sweep.space) > 1 and len(sweep.objectives) == 1
    several: dict[str, Any] = {"multivariate": True, "group": True} if grouped else {}
    return optuna.samplers.TPESampler(seed=sweep.sampler_seed * 100_003 + number, **several)


def _mean(values: list[list[float]]) -> list[float]:
    return [sum(column) / len(column) for column in zip(*values)]


def _end_of_log(job: Job, *, lines: int = 5) -> str:
    """Why a run died, as far as it could still say."""
    try:
        text = job.files.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        full = shutil.disk_usage(job.run_dir).free < 2**20
    except OSError as error:
        return f"{job.run_dir}: {error}"
    errors = [number for number, line in enumerate(text) if line.startswith("error:")]
    said = " | ".join(text[errors[-1] :][:lines] if errors else text[-lines:])
    return f"{job.files.log} ends: {said}" + (": no space left on its disk" if full else "")


def main(argv: list[str]) -> None:
    """Work on a study that ``sweeps.search`` has made.

    Args:
        argv: words of the command line.
    """
    parser = Arguments("python -m sweeps.worker", about=__doc__)
    parser.add_argument("--study", required=True)
    parser.add_argument("--storage", default=os.environ.get(STORAGE), help=f"URL; by default ${STORAGE}")
    parser.add_argument("--devices", default="", help="CUDA devices of each run")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of a run without devices of its own")
    parser.add_argument("--shared", action="store_true", help="other workers have the same devices")
    parser.add_argument("--ranks", type=int, default=1, help="processes of a run without CUDA devices")
    parser.add_argument("--beat", type=float, default=15.0, help="seconds between two signs of life")
    args = parser.parse_args(argv)
    if not args.storage:
        parser.error(f"name the storage by --storage or ${STORAGE}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    devices = tuple(filter(None, args.devices.split(",")))
    slot = Slot(devices=devices, threads=args.threads, ranks=args.ranks, shared=args.shared)
    if slot.warm:
        get_ready()  # its imports take seconds, in which no trial should be ours
    store = patiently(lambda: Store(args.storage))
    Worker(store, args.study, slot=slot, beat_seconds=args.beat).work()


if __name__ == "__main__":
    follow_parent()
    main(sys.argv[1:])
