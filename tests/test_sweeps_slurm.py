"""A search on a cluster: the text for sbatch, and workers started by submitit on this machine."""

import os
import shlex
import signal
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
def test_a_worker_that_slurm_requeues_goes_on_with_its_trial(tmp_path):
    cache, last = tmp_path / "cache", tmp_path / "study" / "trial-0000" / "checkpoints" / "last.ckpt"
    words = ["--loss=rsa", "--trials=2", "--study=study", f"--folder={tmp_path}", *QUICK, "--trainer.max_epochs=4"]
    store, study, folder = search.prepare(*search.parse(words))
    secret = tmp_path / "storage.url"
    secret.write_text(store.url)
    script = tmp_path / "array.sbatch"
    script.write_text(slurm.script(arguments(cpus=1), study="study", folder=folder, secret=secret))
    # As in a task of an array: Lightning must not take the allocation for its own.
    allocation = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "CUDA_VISIBLE_DEVICES": ""}

    def task(**extra: str) -> subprocess.Popen:
        env = environment(cache, **allocation, **extra)
        command = shlex.split(f"bash {script}")
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, start_new_session=True)

    first = task()
    try:
        deadline = time.monotonic() + 120
        while not last.exists():
            assert first.poll() is None
            assert time.monotonic() < deadline, "the trial never got that far"
            time.sleep(0.02)
        first.send_signal(signal.SIGTERM)  # --signal=B:TERM@60
        assert first.wait(timeout=30) != 0
    finally:
        first.kill()
    states = [trial.state for trial in study.get_trials()]
    assert states == [TrialState.WAITING] * 2, "the trial is put back"
    assert task(SLURM_RESTART_COUNT="1").wait(timeout=200) == 0
    assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE] * 2
    assert "resuming" in (folder / "trial-0000" / "log.txt").read_text()


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
