"""Where a study lives, and who runs which of its trials: no trial lost, none run twice, whoever dies or restarts.

A search of N trials is N trials of the study from the start, waiting. A worker takes one, and while it trains changes
an entry of it now and then, its beat. A trial whose worker is gone goes back to waiting, with its number, its
parameters and its run directory. Optuna's own heartbeat makes a copy instead, knows no Journal and waits even for a
process of this machine that is known to be dead.
"""

import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from records.checksums import SEAL
from records.lock import hold
from records.reading import refusing
from studies.processes import born
from sweeps import seals

Result = TypeVar("Result")
GIVE_UP_SECONDS = 900.0
SMALLEST = 512  # bytes of a page of SQLite
AWAY = ("locked", "busy", "unable to open", "readonly", "disk is full", "disk I/O")  # what SQLite says of its disk
REMEDY = "take a copy of it, or name another study: runs that are finished are in its folder"


class Store:
    """A study's storage: an SQLite file, a PostgreSQL server or an Optuna journal.

    Args:
        url: ``sqlite:///FILE``, ``postgresql://USER@HOST/DATABASE`` or ``journal:FILE``.

    Raises:
        ValueError: another kind of storage.
    """

    def __init__(self, url: str) -> None:
        self.storage: optuna.storages.RDBStorage | optuna.storages.JournalStorage
        self.url, self.kind = url, url.split(":")[0].split("+")[0]
        if self.kind == "sqlite":
            self._file = Path(url.removeprefix("sqlite:///"))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {"connect_args": {"timeout": 60}}
            # Looked at and made alone: tables are made where there are none, and two who see none would both make them.
            with self.exclusive(), _damage_named(self._file):
                if self._file.exists() or self._file.is_symlink():
                    _check_sqlite(self._file)
                self.storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        elif self.kind == "postgresql":
            options = {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
            driver = url.replace("postgresql://", "postgresql+psycopg2://")
            try:
                with _alone_on(driver, options):
                    self.storage = optuna.storages.RDBStorage(driver, engine_kwargs=options)
            except ImportError:
                raise ValueError("PostgreSQL needs: pip install psycopg2-binary") from None
        elif self.kind == "journal":
            self._file = Path(url.removeprefix("journal:"))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            backend = JournalFileBackend(str(self._file))
            with _damage_named(self._file):
                self.storage = optuna.storages.JournalStorage(backend)
        else:
            raise ValueError(
                f"--storage {url.split('@')[-1]}: give sqlite:///FILE, postgresql://USER@HOST/DATABASE or journal:FILE"
            )

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone among all workers of the study; the lock dies with the process or its connection."""
        if self.kind == "postgresql":
            from sqlalchemy import text

            assert isinstance(self.storage, optuna.storages.RDBStorage)
            with self.storage.engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(2606, 129)"))
                yield
        else:
            with open(f"{self._file}.turn", "w") as file:  # FILE.lock is the journal's own
                hold(file)
                yield

    def study(self, name: str) -> optuna.Study:
        """The study of a name, every trial of it readable and as it ended.

        Raises:
            KeyError: there is none of this name.
            DamagedFile: the file of the study is damaged; names it and the trial.
        """
        if self.kind == "postgresql":
            study = optuna.load_study(study_name=name, storage=self.storage)
            seals.check(study, where=self.url.split("@")[-1])
            return study
        if name not in self._names():
            raise KeyError(name)
        with _damage_named(self._file):
            study = optuna.load_study(study_name=name, storage=self.storage)
            seals.check(study, where=str(self._file))
            return study

    def _names(self) -> list[str]:
        with _damage_named(self._file):
            return [study.study_name for study in self.storage.get_all_studies()]


@contextlib.contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    """A damaged file by its name; a database that is busy or away is another matter and raises as it does."""
    from sqlalchemy.exc import OperationalError

    away: Exception | None = None
    with refusing(file, what="a study", remedy=REMEDY):
        try:
            yield
        except (OperationalError, StorageInternalError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            if not isinstance(cause, OperationalError) or not any(word in str(cause) for word in AWAY):
                raise
            away = error
    if away is not None:
        raise away


def _check_sqlite(file: Path) -> None:
    """SQLite's own look at the structure of its file: milliseconds, also for a thousand trials."""
    with refusing(file, what="a study in SQLite", remedy=REMEDY):
        size = file.stat().st_size
        if not size and any(file.parent.glob("trial-*")):
            raise ValueError("it is empty, and trials lie beside it")
        if 0 < size < SMALLEST:  # SQLite takes it for a new one, and the search would begin again beside its own runs
            raise ValueError(f"it is cut off after {size} bytes")
        with contextlib.closing(sqlite3.connect(file, timeout=60)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise ValueError(found)


@contextlib.contextmanager
def answered(url: str | None) -> Iterator[None]:
    """One line where a database does not answer, for commands; workers wait for it instead (``patiently``)."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (StorageInternalError, DBAPIError) as error:
        said = str(error.__cause__ or error).split("\n")[0]
        shown = (url or "the study").split("@")[-1]  # without user and password
        raise RuntimeError(f"--storage {shown} does not answer ({said}); is it there, and may you use it?") from error


@contextlib.contextmanager
def _alone_on(driver: str, options: dict[str, Any]) -> Iterator[None]:
    """Alone on a PostgreSQL server that may have no tables yet; the lock dies with its connection."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(driver, poolclass=NullPool, connect_args=options["connect_args"]).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(2606, 130)"))
        yield


def patiently(action: Callable[[], Result], *, give_up: float = GIVE_UP_SECONDS) -> Result:
    """Repeat while the database does not answer; trials train on meanwhile."""
    from sqlalchemy.exc import DBAPIError

    started, pause = time.monotonic(), 0.2
    while True:
        try:
            return action()
        except (StorageInternalError, DBAPIError):
            if time.monotonic() - started > give_up:
                raise
            time.sleep(pause)
            pause = min(5.0, 2 * pause)


class Owner:
    """The worker behind this process: takes trials, keeps them alive and puts back those of dead workers.

    Args:
        store: of the study.
        study: whose trials.
        beat_seconds: between two signs of life; a worker of another machine counts as dead after six without one, by
            the clock of the one who waits, and only time in which the database answered counts.
    """

    def __init__(self, store: Store, study: optuna.Study, *, beat_seconds: float = 15.0) -> None:
        self.store, self.study, self.beat_seconds = store, study, beat_seconds
        self.me = {"host": socket.gethostname(), "pid": os.getpid(), "born": born(os.getpid())}
        self._seen: dict[int, tuple[Any, float]] = {}
        self._looked = self._beat = 0.0

    def take(self) -> FrozenTrial | None:
        """The next waiting trial, now ours, after those of dead workers are put back; None when none waits."""
        with self.store.exclusive():
            if time.monotonic() - self._looked > 2 * self.beat_seconds:
                self._seen.clear()
            self._looked = time.monotonic()
            for trial in self._trials(TrialState.RUNNING):
                if trial.user_attrs.get("owner") == self.me:
                    return trial  # taken, but the database went away before we knew
                if self._dead(trial):
                    self._put_back(trial._trial_id)
            waiting = self._trials(TrialState.WAITING)
            if waiting:
                self.store.storage.set_trial_user_attr(waiting[0]._trial_id, "owner", self.me)
                self.store.storage.set_trial_state_values(waiting[0]._trial_id, TrialState.RUNNING)
            return waiting[0] if waiting else None

    def keep(self, trial: optuna.Trial) -> bool:
        """Give a sign of life when one is due; False when the trial is no longer ours, and what runs must stop.

        Never waits for a database that does not answer.
        """
        if time.monotonic() - self._beat < self.beat_seconds:
            return True
        self._beat = time.monotonic()
        with contextlib.suppress(Exception):
            if not self.owns(trial):
                return False
            trial.set_user_attr("beat", time.time())
        return True

    def owns(self, trial: optuna.Trial) -> bool:
        now = self.store.storage.get_trial(trial._trial_id)
        return now.state == TrialState.RUNNING and now.user_attrs.get("owner") == self.me

    def finish(self, trial: optuna.Trial, state: TrialState, values: list[float] | None = None) -> None:
        """Close a trial, once, if it is still ours."""

        def close() -> None:
            with self.store.exclusive():
                if self.owns(trial):
                    self._seal(trial._trial_id, values)
                    self.store.storage.set_trial_state_values(trial._trial_id, state, values)

        patiently(close)

    def release(self, trial: optuna.Trial) -> None:
        """Put our trial back: another worker, or the next search, resumes its run."""
        with self.store.exclusive():
            if self.owns(trial):
                self._put_back(trial._trial_id)

    def _seal(self, trial_id: int, values: list[float] | None) -> None:
        storage = self.store.storage
        storage.set_trial_user_attr(trial_id, SEAL, seals.of_trial(storage.get_trial(trial_id), values))

    def _put_back(self, trial_id: int) -> None:
        with contextlib.suppress(UpdateFinishedTrialError):
            self.store.storage.set_trial_state_values(trial_id, TrialState.WAITING)

    def _trials(self, state: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(state,))

    def _dead(self, trial: FrozenTrial) -> bool:
        owner, beat = trial.user_attrs.get("owner"), trial.user_attrs.get("beat")
        if owner is None:
            return True
        if owner["host"] == self.me["host"]:
            return born(owner["pid"]) != owner["born"]
        sign = (owner, beat)
        last, since = self._seen.get(trial.number, (None, 0.0))
        if sign != last:
            self._seen[trial.number] = (sign, time.monotonic())
            return False
        return time.monotonic() - since > 6 * self.beat_seconds
