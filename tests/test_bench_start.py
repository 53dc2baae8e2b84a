"""The clock of a start: what counts as a step, and a run that never makes one. No time is asserted."""

from types import SimpleNamespace

import pytest

from benchmarks.start import first_step
from records.layout import RunDirectory


class Process:
    """A run that takes one poll to write its rows and, with a status, ends after the second."""

    def __init__(self, files, *, rows, status=None):
        self.files, self.rows, self.status, self.polls, self.killed = files, rows, status, 0, False

    def poll(self):
        self.polls += 1
        self.files.metrics.write_text(self.rows)
        return self.status if self.polls > 1 else None

    def kill(self):
        self.killed = True

    def wait(self):
        self.killed = False


def test_the_first_row_below_the_names_of_the_columns_is_the_first_step(tmp_path):
    files = RunDirectory(tmp_path)
    process = Process(files, rows="epoch,step\n0,0\n")
    assert first_step(SimpleNamespace(files=files), None, by=lambda *_: process) > 0
    assert process.polls == 1


def test_a_run_that_ends_without_a_step_is_an_error_with_the_end_of_its_log(tmp_path):
    files = RunDirectory(tmp_path)
    files.log.write_text("error: no such axis\n")
    process = Process(files, rows="epoch,step\n", status=1)
    with pytest.raises(RuntimeError, match="no such axis"):
        first_step(SimpleNamespace(files=files), None, by=lambda *_: process)
    assert process.killed
