"""What goes wrong in a search, done for real: killed ranks, bad losses, no memory, no disk, no database."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import time

import pytest
from optuna.trial import TrialState

from tests.postgres import Server
from tests.sweep_runs import QUICK, Search, kill_everything

pytestmark = pytest.mark.slow
TWO_RANKS = ("--devices_per_trial=2", "--workers=1")
LONG = ("--config", "configs/simulated.yaml", "--trainer.max_epochs=4", "--pruner=none", "--beat=0.5")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def server():
    server = Server()
    server.start()
    yield server
    server.remove()


def space(folder, text: str) -> str:
    (folder / "space.yaml").write_text(text)
    return f"--space={folder / 'space.yaml'}"


def checkpoint(search: Search, number: int = 0):
    return (search.folder / f"trial-{number:04d}" / "checkpoints" / "last.ckpt").exists


@pytest.mark.parametrize("rank", [0, 1])
def test_killed_rank_ends_all_ranks_and_the_trial_resumes(rank, cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=1", *TWO_RANKS, *LONG)
    process = search.start()
    search.wait(lambda: checkpoint(search)() and len(search.training()) == 2, process)
    ranks = sorted(search.training(), key=lambda p: p.pid)
    started = {p.pid for p in ranks}
    ranks[rank].kill()
    search.wait(lambda: len(search.training()) == 2 and not started & {p.pid for p in search.training()}, process)
    said, _ = process.communicate(timeout=1200)
    assert "1 trials: 1 complete" in said
    assert "resuming" in (search.folder / "trial-0000" / "log.txt").read_text()
    (trial,) = search.trials()
    assert (trial.user_attrs["starts"], trial.user_attrs["deaths"]) == (2, 1)
    assert json.loads((search.folder / "trial-0000" / "result.json").read_text())["world_size"] == 2
    assert sorted(trial.intermediate_values) == [0, 1, 2, 3]
    search.assert_nobody_left()


@pytest.mark.parametrize("moment", ["rank 1 has just started", "training"])
def test_no_rank_outlives_a_search_worker_and_rank_zero_killed_at_once(moment, cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=1", *TWO_RANKS, *LONG)
    process = search.start()
    search.wait(lambda: len(search.training()) == 2 and (moment != "training" or checkpoint(search)()), process)
    (worker,) = search.workers(process)
    (rank_zero,) = worker.children()
    for victim in (process.pid, worker.pid, rank_zero.pid):
        with contextlib.suppress(ProcessLookupError):  # it went with the one before
            os.kill(victim, signal.SIGKILL)
    search.assert_nobody_left(within=5)
    process.wait()
    assert "1 trials: 1 complete" in search.run()
    assert ("resuming" in (search.folder / "trial-0000" / "log.txt").read_text()) == (moment == "training")


def test_two_searches_that_start_at_once_on_a_new_study_share_it(cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=4", "--workers=1", *QUICK)
    both = [search.start(), search.start()]
    said = [process.communicate(timeout=1200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all("4 trials: 4 complete" in text for text in said)
    assert [trial.user_attrs["starts"] for trial in search.trials(TrialState.COMPLETE)] == [1] * 4
    search.assert_nobody_left()


def test_trial_that_raises_fails_and_the_others_go_on(cache, tmp_path):
    words = space(tmp_path, "data.batch_size: [16, 1000000]\nloss.weight: 1.0")
    search = Search(
        tmp_path, cache, "--network=axial_de", "--loss=rsa", "--trials=5", "--workers=2", words, "--seed=3", *QUICK
    )
    search.run()
    by_size = {t.params["data.batch_size"]: set() for t in search.trials()}
    for trial in search.trials():
        by_size[trial.params["data.batch_size"]].add(trial.state)
    assert by_size == {16: {TrialState.COMPLETE}, 1000000: {TrialState.FAIL}}
    failed = next(t for t in search.trials() if t.state == TrialState.FAIL)
    assert "log.txt ends" in failed.user_attrs["error"]
    assert failed.user_attrs["deaths"] == 2, "tried once more: it might have been the machine"


def test_loss_that_is_not_a_number_fails_at_once(cache, tmp_path):
    words = space(tmp_path, "loss.weight: 1.0\nmodel.optimisation.lr: [1.0e-3, 1.0e+30]")
    search = Search(tmp_path, cache, "--loss=vaxis_mse", "--trials=4", "--workers=2", words, *LONG)
    search.run()
    states = {t.params["model.optimisation.lr"]: t for t in search.trials()}
    assert states[1e-3].state == TrialState.COMPLETE
    assert states[1e30].state == TrialState.FAIL
    assert "not finite" in states[1e30].user_attrs["error"]
    assert states[1e30].user_attrs["starts"] == 1


def test_trial_without_memory_fails_and_the_others_go_on(cache, tmp_path):
    words = space(tmp_path, "network.dim: [32, 60000]\nloss.weight: 1.0")
    search = Search(tmp_path, cache, "--network=axial_de", "--loss=rsa", "--trials=3", "--workers=1", words, *QUICK)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, limit[1]))
    try:
        process = search.start()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    try:
        process.communicate(timeout=1200)
    finally:
        process.kill()
    states = {t.params["network.dim"]: t for t in search.trials()}
    assert states[32].state == TrialState.COMPLETE
    assert states[60000].state == TrialState.FAIL
    assert "memory" in states[60000].user_attrs["error"].lower()


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 16 KB, which only root can make."""
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system ({done.stderr.strip()}); a limit of a file's size is tested too")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_full_disk_fails_the_trial_and_not_the_search(cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=2", "--workers=1", *QUICK)
    disk = search.folder / "trial-0000"
    disk.mkdir(parents=True)
    with small_disk(disk):
        search.run(timeout=1200)
        trials = search.trials()
    assert trials[0].state == TrialState.FAIL
    assert f"the disk of {disk} is full" in trials[0].user_attrs["error"]
    assert trials[0].user_attrs["starts"] == 2, "tried once more: it might have been the machine"
    assert trials[1].state == TrialState.COMPLETE


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_checkpoint_that_does_not_fit_fails_the_trial_and_leaves_no_half_one(cache, tmp_path):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=2", "--workers=1", *QUICK)
    process = search.start()
    while process.poll() is None:
        for run in search.training():
            if f"{search.folder}/trial-0000" in " ".join(run.info["cmdline"]):
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))  # half a checkpoint
        time.sleep(0.1)
    assert [t.state for t in search.trials()] == [TrialState.FAIL, TrialState.COMPLETE], process.stdout.read()
    assert "log.txt ends: error:" in search.trials()[0].user_attrs["error"]
    assert not list((search.folder / "trial-0000").glob("checkpoints/*"))


def test_database_that_restarts_costs_nothing(cache, tmp_path, server):
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=3", "--workers=2", *LONG, storage=server.url)
    process = search.start()
    search.wait(checkpoint(search), process)
    training = {p.pid for p in search.training()}
    server.stop()
    time.sleep(4)
    assert training & {p.pid for p in search.training()}, "runs do not notice"
    server.start()
    said, _ = process.communicate(timeout=1200)
    assert "3 trials: 3 complete" in said
    assert [t.user_attrs["starts"] for t in search.trials()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_killed_search_goes_on_from_other_storages(kind, cache, tmp_path, request):
    url = f"journal:{tmp_path}/journal" if kind == "journal" else request.getfixturevalue("server").url
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=3", "--workers=2", *QUICK, storage=url)
    process = search.start()
    search.wait(lambda: search.results() and search.training(), process)
    kill_everything(process)
    search.assert_nobody_left()
    finished = search.results()
    assert "3 trials: 3 complete" in search.run()
    assert all(path.stat().st_mtime_ns == changed for path, changed in finished.items())


def test_paired_seeds_their_mean_and_what_fresh_seeds_say(cache, tmp_path):
    words = ("--seeds=2", "--confirm=1", "--confirm_seeds=2")
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=2", "--workers=2", *words, *QUICK)
    said = search.run()
    for trial in search.trials():
        runs = [search.folder / f"trial-{trial.number:04d}" / f"s{seed}" / "result.json" for seed in (42, 123)]
        values = [json.loads(run.read_text())["val"]["balanced_accuracy"] for run in runs]
        assert trial.value == pytest.approx(sum(values) / 2)
        assert trial.intermediate_values[1] == pytest.approx(trial.value), "the running mean is what the pruner sees"
    report = json.loads((search.folder / "confirm.json").read_text())
    assert report["fresh_seeds"] == [456, 789]
    (row,) = report["trials"]
    best = max(search.trials(), key=lambda t: t.value)
    runs = [search.folder / "confirm" / f"trial-{best.number:04d}" / f"s{seed}" / "result.json" for seed in (456, 789)]
    values = [json.loads(run.read_text())["val"]["balanced_accuracy"] for run in runs]
    assert row["optimism"] == pytest.approx(best.value - sum(values) / 2)
    assert "too good" in said


def test_two_objectives(cache, tmp_path):
    words = ("--objective=val/balanced_accuracy,val/within_class_r", "--trials=2", "--workers=2")
    search = Search(tmp_path, cache, "--loss=rsa", *words, *QUICK)
    search.run()
    for trial in search.trials(TrialState.COMPLETE):
        result = json.loads((search.folder / f"trial-{trial.number:04d}" / "result.json").read_text())["val"]
        assert trial.values == [result["balanced_accuracy"], result["within_class_residual"]["value"]]
    assert len(search.trials(TrialState.COMPLETE)) == 2


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_stopped_search_puts_its_trials_back_within_ten_seconds(sent, cache, tmp_path):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    search = Search(tmp_path, cache, "--loss=rsa", "--trials=1", *TWO_RANKS, *LONG)
    process = search.start()
    search.wait(lambda: len(search.training()) == 2, process)
    process.send_signal(sent)
    process.communicate(timeout=10)
    search.assert_nobody_left(within=0.5)
    assert [t.state for t in search.trials()] == [TrialState.WAITING]


def test_pruned_trials_stop_on_both_ranks_and_are_not_tested(cache, tmp_path):
    words = space(tmp_path, "loss.weight: 1.0e-4")
    # Class means saturate within two epochs in this world and network, and not in the default ones.
    early = ("--config", "configs/linear_world.yaml", "--network=axial_de", "--data.n_subjects=24")
    pruner = (*LONG[:2], *early, "--trainer.max_epochs=6", "--pruner=saturation", "--beat=0.5", "--no_none")
    search = Search(tmp_path, cache, "--loss=procrustes", "--trials=1", *TWO_RANKS, words, *pruner)
    assert "1 trials: 1 pruned" in search.run()
    (trial,) = search.trials()
    assert sorted(trial.intermediate_values) == [0, 1], "watched for a quarter of the epochs, two at least"
    assert trial.value == trial.intermediate_values[1]
    assert not search.results()
    search.assert_nobody_left()
