"""Taking and giving back trials: each to one worker, and none lost, on every storage."""

import contextlib
import multiprocessing
import sqlite3
import time

import optuna
import pytest
from optuna.trial import TrialState

from records.reading import DamagedFile
from sweeps.storage import Owner, Store
from sweeps.sweep import Sweep
from tests import postgres
from tests.postgres import Server


@pytest.fixture(scope="module")
def server():
    server = Server()
    server.start()
    yield server
    server.remove()


SERVERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("journal", "postgresql")]


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("server").url
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else f"journal:{tmp_path}/study.log"


@pytest.fixture
def study(url, request):
    study = optuna.create_study(storage=Store(url).storage, study_name=request.node.name, direction="maximize")
    for _ in range(12):
        study.enqueue_trial({})
    return study


def work(url: str, name: str, taken) -> None:
    """Take trials until none waits; runs in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    store = Store(url)
    owner = Owner(store, store.study(name))
    while (found := owner.take()) is not None:
        trial = optuna.Trial(owner.study, found._trial_id)
        trial.suggest_float("x", 0, 1)
        taken.put(found.number)
        owner.finish(trial, TrialState.COMPLETE, [1.0])


def take_one(url: str, name: str, said) -> None:
    store = Store(url)
    owner = Owner(store, store.study(name))
    trial = optuna.Trial(owner.study, owner.take()._trial_id)
    said.put((trial.number, trial.suggest_float("x", 0, 1)))
    time.sleep(60)


def test_many_workers_take_every_trial_once(url, study):
    spawn = multiprocessing.get_context("spawn")
    taken = spawn.Queue()
    workers = [spawn.Process(target=work, args=(url, study.study_name, taken)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(taken.get(timeout=5) for _ in range(12)) == list(range(12))
    assert taken.empty()
    assert [t.state for t in Store(url).study(study.study_name).get_trials()] == [TrialState.COMPLETE] * 12


def test_trial_of_a_killed_worker_comes_back_with_its_parameters(url, study):
    spawn = multiprocessing.get_context("spawn")
    said = spawn.Queue()
    worker = spawn.Process(target=take_one, args=(url, study.study_name, said))
    worker.start()
    number, x = said.get(timeout=30)
    store = Store(url)
    owner = Owner(store, store.study(study.study_name))
    assert owner.take().number == number + 1, "its worker lives"
    worker.kill()
    worker.join()
    other = Owner(store, store.study(study.study_name))
    other.me = other.me | {"pid": 1}
    again = other.take()
    assert again.number == number
    assert optuna.Trial(other.study, again._trial_id).suggest_float("x", 0, 1) == x
    assert len(other.study.get_trials()) == 12


def test_worker_of_another_machine_is_dead_after_six_missed_beats(url, study):
    store = Store(url)  # beats of half a second: a busy machine may stall for less than six of them
    far, near = (Owner(store, store.study(study.study_name), beat_seconds=0.5) for _ in range(2))
    far.me = {"host": "elsewhere", "pid": 1, "born": "then"}
    trial = optuna.Trial(far.study, far.take()._trial_id)
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert near.take().number != trial.number, "a beating trial is left alone"
        near.release(optuna.Trial(near.study, near.take()._trial_id))
        assert far.keep(trial)
        time.sleep(0.1)
    until = time.monotonic() + 20
    while near.take().number != trial.number:
        near.release(optuna.Trial(near.study, near.take()._trial_id))
        assert time.monotonic() < until
        time.sleep(0.1)
    far._beat = 0
    assert not far.keep(trial), "the worker that was thought dead learns of it"
    far.finish(trial, TrialState.COMPLETE, [0.5])
    assert near.owns(trial), "and does not close what is no longer its own"


def test_closed_trials_stay_closed(url, study):
    store = Store(url)
    owner = Owner(store, store.study(study.study_name))
    trial = optuna.Trial(owner.study, owner.take()._trial_id)
    owner.finish(trial, TrialState.COMPLETE, [0.25])
    owner.finish(trial, TrialState.FAIL)
    owner.release(trial)
    assert owner.study.get_trials()[trial.number].value == 0.25


@pytest.fixture
def no_system_server(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres, "SYSTEM", "/nowhere/*/initdb")


@pytest.mark.slow
def test_without_a_server_of_the_system_that_of_the_wheel_keeps_a_study(no_system_server):
    server = Server()
    try:
        server.start()
        study = optuna.create_study(storage=Store(server.url).storage, study_name="kept")
        study.enqueue_trial({})
        server.stop()
        server.start()
        assert len(Store(server.url).study("kept").trials) == 1
        assert server.bin.is_relative_to(server.folder) or server.bin == postgres.of_the_wheel()
    finally:
        server.remove()


def test_without_any_server_the_reason_says_where_it_was_looked_for(no_system_server, monkeypatch):
    monkeypatch.setattr(postgres, "WHEEL", "no_such_package")
    with pytest.raises(pytest.skip.Exception, match=r"on the PATH nor at /nowhere.*pip install no-such-package"):
        Server()


def test_unknown_storage_names_the_choices():
    with pytest.raises(ValueError, match=r"sqlite:///FILE, postgresql://.* or journal:FILE"):
        Store("redis://host")


class TestDamage:
    @pytest.fixture
    def file(self, tmp_path):
        """A study of one finished trial, closed."""
        store = Store(f"sqlite:///{tmp_path}/study.db")
        study = optuna.create_study(storage=store.storage, study_name="s", direction="maximize")
        study.enqueue_trial({"x": 0.25})
        owner = Owner(store, study)
        trial = optuna.Trial(study, owner.take()._trial_id)
        trial.suggest_float("x", 0, 1)
        trial.report(0.4, 0)
        owner.finish(trial, TrialState.COMPLETE, [0.75])
        store.storage.engine.dispose()
        return tmp_path / "study.db"

    def open(self, file):
        return Store(f"sqlite:///{file}").study("s").trials[0].values

    def test_none_is_seen_where_there_is_none(self, file):
        assert self.open(file) == [0.75]

    @pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0" + bytes(5000), b"\x89PNG" * 500])
    def test_what_is_no_study_is_named(self, file, content):
        file.write_bytes(content)
        with pytest.raises(DamagedFile, match=r"study\.db cannot be read as a study"):
            self.open(file)

    def test_an_empty_file_beside_trials_is_no_new_study(self, file):
        file.write_bytes(b"")
        (file.parent / "trial-0000").mkdir()
        with pytest.raises(DamagedFile, match="it is empty, and trials lie beside it"):
            self.open(file)

    @pytest.mark.parametrize("size", [1, 100, 511])
    def test_what_is_left_of_a_first_page_is_no_new_study(self, file, size):
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(DamagedFile, match=rf"study\.db cannot be read .*cut off after {size} bytes"):
            self.open(file)

    def test_a_study_that_is_cut_off_is_named(self, file):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(DamagedFile, match=r"study\.db cannot be read"):
            self.open(file)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE trial_values SET value = 0.875",
            "UPDATE trial_params SET param_value = 0.5",
            "UPDATE trial_intermediate_values SET intermediate_value = 0.5",
        ],
    )
    def test_another_number_in_a_finished_trial_is_named(self, file, change):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute(change)
            connection.commit()
        with pytest.raises(DamagedFile, match=r"study\.db: trial 0 differs from its checksum"):
            self.open(file)

    def test_another_setting_of_the_search_is_named(self, file):
        study = Store(f"sqlite:///{file}").study("s")
        Sweep(
            argv=[], space={}, objectives=["val/kappa"], seeds=[1], epochs=3, pruner="none", folder=str(file.parent)
        ).save(study)
        assert self.open(file) == [0.75]
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("UPDATE study_user_attributes SET value_json = '4' WHERE \"key\" = 'epochs'")
            connection.commit()
        with pytest.raises(DamagedFile, match=r"study\.db: the settings of the search differ from their checksum"):
            self.open(file)
