"""A search on a cluster: the text for sbatch, and workers started by submitit on this machine."""

import os
import subprocess
import sys
import time

import pytest
from optuna.trial import TrialState

from sweeps import search, slurm
from sweeps.storage import Store
from tests.conftest import ROOT
from tests.runs import environment
from tests.sweep_runs import QUICK


def arguments(**changes):
    import argparse

    values = {"workers": 3, "gpus": 2, "cpus": 6, "time": "1:00:00", "sbatch": ["--partition=a100"], "submit": None}
    return argparse.Namespace(**(values | changes))


def test_script_is_an_array_that_may_be_requeued(tmp_path):
    secret = tmp_path / "storage.url"
    text = slurm.script(arguments(), study="mine", folder=tmp_path, secret=secret)
    lines = text.splitlines()
    for expected in ("--array=0-2", "--requeue", "--gpus-per-task=2", "--partition=a100", "--signal=B:TERM@60"):
        assert f"#SBATCH {expected}" in lines
    first_command = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(line.startswith("#") for line in lines[:first_command]), "sbatch reads options before the first command"
    assert lines[-1].startswith("exec "), "so that Slurm's signal reaches the worker"
    script = tmp_path / "array.sbatch"
    script.write_text(text)
    assert subprocess.run(["bash", "-n", script]).returncode == 0


def test_script_starts_a_worker_with_the_storage_and_devices_it_is_given(tmp_path, monkeypatch):
    secret = tmp_path / "storage.url"
    secret.write_text("postgresql://user:pass word@host/db")
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/bash\nprintf "%s|" "${worker_variable()}" "$@"\n')
    fake.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fake))
    text = slurm.script(arguments(), study="mine", folder=tmp_path, secret=secret)
    assert "pass word" not in text
    said = subprocess.run(
        ["bash", "-c", text], env=os.environ | {"CUDA_VISIBLE_DEVICES": "2,3"}, capture_output=True, text=True
    ).stdout
    words = "postgresql://user:pass word@host/db|-m|sweeps.worker|--study|mine|--devices|2,3|--threads|6|"
    assert said == words


def worker_variable() -> str:
    from sweeps.worker import STORAGE

    return STORAGE


def test_several_machines_need_a_server(capsys):
    with pytest.raises(ValueError, match="postgresql"):
        slurm.main(["--workers", "2", "--", "--loss", "rsa"])
    with pytest.raises(SystemExit):
        slurm.main(["--workers", "2"])
    assert "flags of the search are missing" in capsys.readouterr().err


def test_search_flags_after_the_dashes_are_those_of_the_search():
    args, rest = search.parse(["--loss", "rsa", "--trials", "7", "--trainer.max_epochs", "2"])
    assert (args.loss, args.trials, rest) == ("rsa", 7, ["--trainer.max_epochs", "2"])


@pytest.mark.slow
def test_workers_started_by_submitit_finish_the_study(tmp_path):
    pytest.importorskip("submitit")
    words = ["--workers=2", "--cpus=1", "--submit=local", "--", "--loss=rsa", "--trials=3", f"--folder={tmp_path}"]
    with open(tmp_path / "said.txt", "w") as said:  # not a pipe: the workers go on with it
        subprocess.run(
            [sys.executable, "-m", "sweeps.slurm", *words, "--study=study", *QUICK], cwd=ROOT, check=True,
            env=environment(tmp_path / "cache", CUDA_VISIBLE_DEVICES=""), stdin=subprocess.DEVNULL, stdout=said,
            timeout=100,
        )  # fmt: skip
    assert "jobs" in (tmp_path / "said.txt").read_text()
    study = Store(f"sqlite:///{tmp_path}/study/study.db").study("study")
    deadline = time.monotonic() + 250
    while [t.state for t in study.get_trials()] != [TrialState.COMPLETE] * 3:
        assert time.monotonic() < deadline, [t.state for t in study.get_trials()]
        time.sleep(1)
    assert len({t.user_attrs["owner"]["pid"] for t in study.get_trials()}) == 2, "both workers took trials"
