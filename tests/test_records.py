"""What records promise: one schema of a result, one channel between a trial and its worker, one list of file names."""

import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from records import layout, result
from records.layout import RunDirectory
from records.trial_channel import TrialChannel, trial_number
from tests.conftest import ROOT
from tests.finished_runs import write_run


def test_nan_becomes_null_and_comes_back_as_nan(tmp_path):
    content = json.loads((write_run(tmp_path) / layout.RESULT).read_text())
    del content["format"]
    content["val"] = {"kappa": math.nan, "rows": [1.0, math.inf]}
    result.write(tmp_path / "again.json", content)
    read = result.read(tmp_path / "again.json")
    assert read["val"] == {"kappa": None, "rows": [1.0, None]}
    assert math.isnan(result.number(read["val"]["kappa"]))
    assert read["format"] == result.FORMAT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 0}, "has format 0, this version reads 1; run it again"),
        ({"seed": None}, "field seed is None, of the wrong type; give each run a seed"),
        ({"test": {"chance": 0.1}}, "lacks the field test.balanced_accuracy"),
    ],
)
def test_a_result_of_another_version_is_refused_in_one_line(change, said, tmp_path):
    file = write_run(tmp_path) / layout.RESULT
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        result.read(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


class TestTrialChannel:
    def test_the_worker_reads_each_report_once_and_whole_lines_only(self, tmp_path):
        run, worker = TrialChannel(tmp_path), TrialChannel(tmp_path)
        assert worker.new_reports() == []
        run.report({"val/kappa": 0.5}, epoch=0)
        assert worker.new_reports() == [{"epoch": 0, "val/kappa": 0.5}]
        run.report({}, epoch=1)
        with open(run.reports, "a") as file:
            file.write('{"epoch": 2')
        assert worker.new_reports() == [{"epoch": 1}]
        with open(run.reports, "a") as file:
            file.write("}\n")
        assert worker.new_reports() == [{"epoch": 2}]

    def test_the_run_obeys_the_answer_to_its_epoch(self, tmp_path):
        run, worker = TrialChannel(tmp_path), TrialChannel(tmp_path)
        assert not run.told_to_stop(epoch=0, patience_seconds=0)
        worker.tell(epoch=3, stop=True)
        assert run.told_to_stop(epoch=3, patience_seconds=0)
        worker.forget()
        assert not run.told_to_stop(epoch=4, patience_seconds=0)

    def test_the_number_is_in_the_environment(self, monkeypatch):
        monkeypatch.delenv("VAXIS_TRIAL", raising=False)
        assert trial_number() is None
        monkeypatch.setenv("VAXIS_TRIAL", "7")
        assert trial_number() == 7


@pytest.mark.parametrize("place", ["checkpoints/best.ckpt", "epochs/0004.ckpt", "given.ckpt"])
def test_a_checkpoint_names_its_run(place, tmp_path):
    assert RunDirectory.of(tmp_path / place).path == tmp_path


def test_kept_epochs_are_found_in_order(tmp_path):
    files = RunDirectory(tmp_path)
    assert files.kept_epochs == []
    for epoch in (10, 4):
        files.kept(epoch).parent.mkdir(exist_ok=True)
        files.kept(epoch).touch()
    assert files.kept_epochs == [4, 10]


def test_no_other_code_spells_a_file_of_a_run_directory():
    """In strings that are code; prose may name files."""
    names = [value for name, value in vars(layout).items() if name.isupper() and "." in value[1:]]
    names += ["best.ckpt", "last.ckpt"]
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    spelled = re.compile("|".join(rf"""["'/]{re.escape(name)}["']""" for name in names))
    found = {
        f"{path}: {line.strip()}"
        for path in listed.stdout.split()
        if not path.startswith(("tests/", "records/layout.py")) and Path(ROOT, path).is_file()
        for line in Path(ROOT, path).read_text().splitlines()
        if spelled.search(line)
    }
    assert not found
