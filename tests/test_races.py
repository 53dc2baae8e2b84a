"""Two commands that want the same thing at once, and a command that is killed while others work for it."""

import threading
import time

from records.lock import lock
from studies.jobs import Job, launch
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
