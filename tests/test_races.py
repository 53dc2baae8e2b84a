"""Two commands that want the same thing at once, and a command that is killed while others work for it."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from datamodules.simulated import SimulatedFACED
from records.lock import lock
from studies.jobs import Job, launch
from sweeps.storage import Store
from tests.conftest import ROOT
from tests.runs import SMALL, environment
from tests.test_head_to_head import Stand, job

# As ``train.py fit`` does it: claim the folder, say so where it is somebody else's, count the starts, finish.
CLAIMED = """\
import pathlib, sys, time
from records.lock import TAKEN, Taken, lock
me = pathlib.Path(sys.argv[1])
if (me / 'result.json').exists(): sys.exit(TAKEN)
try: file = lock(me)
except Taken as taken: sys.exit(taken.exit_status)
with (me / 'starts').open('a') as starts: starts.write('x')
time.sleep(0.6)
(me / 'result.json').write_text('{}')
"""


def in_background(jobs: list[Job]) -> tuple[threading.Thread, list[Exception]]:
    """A launch of its own, as another process would do it, and what it died of."""
    died: list[Exception] = []

    def run() -> None:
        try:
            launch(jobs, on=[Stand()])
        except Exception as error:
            died.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, died


def test_two_launches_of_the_same_runs_share_them(tmp_path):
    jobs = [job(CLAIMED, tmp_path / str(n)) for n in range(4)]
    both = [in_background(jobs), in_background(jobs)]
    for thread, died in both:
        thread.join(60)
        assert not thread.is_alive()
        assert not died
    assert all(each.finished for each in jobs)
    assert [(each.run_dir / "starts").read_text() for each in jobs] == ["x"] * 4, "each run is trained once"


def test_a_run_that_another_process_gives_up_is_taken_over(tmp_path):
    mine, other = job(CLAIMED, tmp_path / "mine"), job(CLAIMED, tmp_path / "other")
    claim = lock(other.run_dir)
    thread, died = in_background([other, mine])
    deadline = time.monotonic() + 30
    while not mine.finished:
        assert time.monotonic() < deadline, "what is free is trained meanwhile"
        time.sleep(0.05)
    assert thread.is_alive()
    assert not other.finished
    claim.close()
    thread.join(30)
    assert other.finished
    assert not died


OPEN = """\
import sys, time, pathlib
from sweeps.storage import Store
go = pathlib.Path(sys.argv[2])
pathlib.Path(sys.argv[3]).touch()
while not go.exists(): time.sleep(0.001)
store = Store(sys.argv[1])
with store.exclusive():
    import optuna
    optuna.create_study(study_name='one', storage=store.storage, load_if_exists=True)
"""


def test_searches_that_start_at_once_on_no_database_all_find_one(tmp_path):
    """Without a lock around the making of the tables, most of these die: "table studies already exists"."""
    url, go = f"sqlite:///{tmp_path / 'study.db'}", tmp_path / "go"
    ready = [tmp_path / f"ready{n}" for n in range(3)]
    started = [
        subprocess.Popen([sys.executable, "-c", OPEN, url, str(go), str(file)], cwd=ROOT, stderr=subprocess.PIPE)
        for file in ready
    ]
    while not all(file.exists() for file in ready):
        time.sleep(0.05)
    go.touch()
    for process in started:
        said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 0, said
    assert Store(url).study("one").study_name == "one"


POOLED = """\
import pathlib, sys, time
from datamodules.pool import pool

def work(folder):
    import os
    pathlib.Path(folder, str(os.getpid())).touch()
    time.sleep(0.3)

if __name__ == "__main__":
    processes = pool(2)
    for _ in range(100): processes.submit(work, sys.argv[1])
    time.sleep(600)
"""


def test_a_kill_while_workers_preprocess_leaves_no_process_and_no_semaphore(tmp_path):
    script, here = tmp_path / "pooled.py", tmp_path / "here"
    script.write_text(POOLED)
    here.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(script), str(here)], env=environment, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(list(here.iterdir())) == 2)
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 3, "two workers and the one that removes semaphores"
    # By inode: the map still has the name that the C library gave the file before it was moved to its own.
    maps = Path(f"/proc/{parent.pid}/maps").read_text().splitlines()
    inodes = {int(line.split()[4]) for line in maps if "/dev/shm/sem." in line}
    semaphores = [path for path in Path("/dev/shm").glob("sem.*") if path.stat().st_ino in inodes]
    assert semaphores
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    wait_for(lambda: not any(path.exists() for path in semaphores))


def test_a_run_that_is_killed_while_its_workers_preprocess_leaves_nobody(tmp_path):
    words = [*SMALL, "--data.workers=2", f"--run_dir={tmp_path / 'run'}"]
    run = subprocess.Popen(
        [sys.executable, "train.py", *words], cwd=ROOT, env=environment(tmp_path / "cache"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def children() -> list[psutil.Process]:
        return psutil.Process(run.pid).children(recursive=True)

    wait_for(lambda: sum("spawn_main" in " ".join(child.cmdline()) for child in children()) == 2, seconds=120)
    left = children()
    run.kill()
    run.wait()
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in left))


def wait_for(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cache_that_is_removed_is_told_with_the_next_epoch(tmp_path):
    data = SimulatedFACED(n_subjects=8, root=str(tmp_path / "cohort"), features="de", cache=str(tmp_path / "stores"))
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    assert len(list(loader)) == len(loader)
    shutil.rmtree(tmp_path / "stores")
    with pytest.raises(FileNotFoundError, match="was removed while a run reads it"):
        next(iter(loader))
