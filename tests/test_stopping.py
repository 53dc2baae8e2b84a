"""How runs end that cannot go on: no success without a result, no message without a reason."""

import errno
import fcntl
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment

from command_line.cluster import environments
from command_line.config_files import check_config_files, with_files
from command_line.limits import check_trainer
from command_line.stopping import said_when_stopped
from console.errors import one_line_errors
from datamodules.simulation.folder import MARK, claim
from records.files import atomic
from records.layout import RunDirectory
from records.lock import hold, lock
from records.reading import DamagedFile
from sweeps.search import main as search
from tests.conftest import ROOT
from tests.runs import SMALL, environment, train


class TestStopped:
    @pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
    def test_a_run_ends_with_a_failure_and_the_line_that_says_how_it_goes_on(self, number, word, capsys):
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended, said_when_stopped():
                _kill_and_wait(number)
        finally:
            signal.signal(signal.SIGTERM, before)
        assert ended.value.code == 128 + number
        assert capsys.readouterr().err == (
            f"stopped by {word}; the same command goes on after its last complete epoch\n"
        )


def _kill_and_wait(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.slow
def test_a_fit_that_is_sent_sigterm_fails_in_one_line_and_goes_on(tmp_path):
    cache, run_dir = tmp_path / "cache", tmp_path / "run"
    words = [*SMALL, "--loss", "rsa", "--trainer.max_epochs=60", f"--run_dir={run_dir}"]
    options = {"cwd": ROOT, "env": environment(cache), "stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "train.py", *words], text=True, **options)
    while not RunDirectory(run_dir).last.exists() and process.poll() is None:
        time.sleep(0.1)
    process.terminate()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143
    assert said.splitlines()[-1] == "stopped by SIGTERM; the same command goes on after its last complete epoch"
    assert "Traceback" not in said
    assert not RunDirectory(run_dir).result.exists()
    assert "resuming" in train(*words, cache=cache).stdout


class TestLocks:
    def test_without_flock_the_bytes_of_the_file_are_locked(self, tmp_path, monkeypatch):
        def missing(file, kind):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(fcntl, "flock", missing)
        held = lock(tmp_path)
        child = os.fork()  # byte locks are a process' own
        if not child:
            try:
                lock(tmp_path)
            except ValueError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        held.close()

    def test_without_any_lock_the_file_and_the_mount_option_are_named(self, tmp_path, monkeypatch):
        def missing(file, kind):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(fcntl, "flock", missing)
        monkeypatch.setattr(fcntl, "lockf", missing)
        with open(tmp_path / "x.lock", "w") as file, pytest.raises(OSError, match=r"x\.lock cannot be locked.*flock"):
            hold(file)


class TestFullDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_is_named_with_its_bytes_and_the_file(self, tmp_path, number):
        with pytest.raises(OSError, match=r"x could not be written: the disk of / .*[\d,]+ bytes free") as caught:  # noqa: SIM117
            with atomic(tmp_path / "x"):
                raise OSError(number, os.strerror(number))
        assert caught.value.errno == number

    def test_is_seen_behind_the_words_of_torch(self, tmp_path, monkeypatch):
        def save():
            with atomic(tmp_path / "last.ckpt"):
                raise RuntimeError("[enforce fail at inline_container.cc:672]")

        with pytest.raises(RuntimeError, match="inline_container"):
            save()
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 0))
        with pytest.raises(OSError, match=r"last\.ckpt could not be written: the disk .* full \(0 bytes free\)"):
            save()


class TestCluster:
    @pytest.fixture(autouse=True)
    def allocation(self, monkeypatch):
        shape = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": "0"}
        for name, value in shape.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MASTER_PORT", raising=False)

    def test_a_run_that_no_srun_started_takes_nothing_of_the_shape_of_its_job(self):
        (found,) = environments(devices=1, nodes=1)
        assert isinstance(found, LightningEnvironment), "its own ranks, and not those of the job"

    def test_the_tasks_of_srun_are_ranks(self, monkeypatch):
        monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
        assert [type(found) for found in environments(devices=4, nodes=1)] == [SLURMEnvironment]

    def test_several_machines_without_srun_are_refused(self):
        with pytest.raises(ValueError, match="needs srun"):
            environments(devices=1, nodes=2)

    def test_a_port_that_is_taken_is_left_for_another(self, monkeypatch, capsys):
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            port = taken.getsockname()[1]
            monkeypatch.setenv("MASTER_PORT", str(port))
            environments(devices=1, nodes=1)
            assert os.environ["MASTER_PORT"] == str(port), "a single rank needs none"
            environments(devices=2, nodes=1)
            assert os.environ["MASTER_PORT"] != str(port)
            assert f"MASTER_PORT={port} is taken" in capsys.readouterr().out
            monkeypatch.setenv("MASTER_PORT", str(port))
            monkeypatch.delenv("SLURM_JOB_ID")
            monkeypatch.delenv("SLURM_NTASKS")
            with pytest.raises(ValueError, match=f"MASTER_PORT={port} is taken"):
                environments(devices=1, nodes=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("devices", 0), ("devices", "0"), ("devices", -7), ("devices", []), ("max_epochs", -5), ("max_epochs", 0)]
    + [(name, 0) for name in ("log_every_n_steps", "check_val_every_n_epoch", "accumulate_grad_batches")],
)
def test_settings_that_mean_nothing_are_refused_by_flag(name, value):
    with pytest.raises(ValueError, match=rf"--trainer\.{name} "):
        check_trainer({name: value})
    check_trainer({"devices": -1, "max_epochs": 1, "check_val_every_n_epoch": None, "val_check_interval": 0.5})


def test_a_command_does_not_spawn_its_ranks():
    with pytest.raises(ValueError, match=r"--trainer\.strategy ddp_spawn: .* use ddp"):
        check_trainer({"strategy": "ddp_spawn"})
    check_trainer({"strategy": "ddp_find_unused_parameters_true"})


def test_a_settings_file_is_named_when_it_or_a_value_in_it_is_wrong(tmp_path, monkeypatch):
    file = tmp_path / "mine.yaml"
    file.write_text("data:\n  snr: [\n")
    with pytest.raises(DamagedFile, match=r"--config: .*mine\.yaml cannot be read as YAML \(line 3"):
        check_config_files(["fit", "--config", str(file)])
    file.write_text("residual_gradient: []\n")
    with pytest.raises(DamagedFile, match=r"mine\.yaml: 'residual_gradient' is a list"):
        check_config_files(["fit", f"--config={file}"])
    monkeypatch.setattr(sys, "argv", ["train.py", "fit", f"--config={file}", "--config", '{"a": 1}'])
    assert with_files("snr must be >= 0") == f"snr must be >= 0 (settings: {file} and the flags)"
    assert with_files(f"{file} is wrong") == f"{file} is wrong"


def test_an_answer_is_shown_on_a_terminal_that_lacks_its_letters(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    with one_line_errors():
        print("Zürich −0.5")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"Z?rich ?0.5\n"


def test_a_database_that_does_not_answer_is_one_line_without_its_password(tmp_path):
    url = "postgresql://someone:secret@127.0.0.1:1/x"
    with pytest.raises(RuntimeError, match=r"--storage 127\.0\.0\.1:1/x does not answer .*refused") as caught:
        search(["--loss", "rsa", "--storage", url, "--folder", str(tmp_path)])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "null", '{"simulated": true, "parameters": 3}'])
def test_a_damaged_mark_of_a_cohort_is_named(tmp_path, content):
    claim(tmp_path, dataset="faced", parameters={"seed": 0})
    claim(tmp_path, dataset="faced", parameters={"seed": 0})
    (tmp_path / MARK).write_text(content)
    with pytest.raises(DamagedFile, match=f"{MARK} cannot be read"):
        claim(tmp_path, dataset="faced", parameters={"seed": 0})


def test_a_number_in_the_place_of_a_group_of_settings_is_refused_by_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("effective_rank: 3\n")
    with pytest.raises(DamagedFile, match=r"c\.yaml: 'effective_rank' is a number"):
        check_config_files(["fit", "--config", str(file)])
    file.write_text("seed_everything: 3\nonline: true\n")
    check_config_files(["fit", "--config", str(file)])
