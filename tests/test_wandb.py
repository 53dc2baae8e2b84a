"""W&B in runs as a user starts them: whatever the server does, no prompt, no long wait, and no row is lost."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from callbacks.wandb_scalp import WandbScalp, electrode_r
from tests.conftest import ROOT
from tests.loss_cases import SPEC
from tests.runs import SMALL, TWO_RANKS, environment, train
from tests.wandb_records import records
from tests.wandb_server import KEY, FakeServer, SilentServer
from tracking import server as wandb_server
from tracking.run_logger import facts

EPOCHS = 2
WORDS = (*SMALL, "--loss", "rsa", f"--trainer.max_epochs={EPOCHS}")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def epochs_logged(run_dir):
    with open(run_dir / "metrics.csv") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file) if row["val/balanced_accuracy"]]


def assert_complete(run_dir):
    """Every epoch in the CSV, once, and the test."""
    assert epochs_logged(run_dir) == list(range(EPOCHS))
    assert (run_dir / "result.json").exists()


def sync(*words, **extra):
    """``wandb sync`` as docs/wandb.md has it; it writes a log into the folder it is called in."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")} | extra
    environment |= {"WANDB_MODE": "online", "WANDB_ERROR_REPORTING": "false"}
    return subprocess.run(
        [sys.executable, "-m", "wandb", "sync", *map(str, words)], cwd=words[-1].parent, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


class TestServer:
    """Whether there is a server is told within seconds, before W&B is imported."""

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch, tmp_path):
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_key_in_the_login_file(self, monkeypatch, tmp_path):
        monkeypatch.delenv("WANDB_API_KEY")
        with FakeServer() as server:
            monkeypatch.setenv("WANDB_BASE_URL", server.url)
            assert "no API key" in wandb_server.why_offline()
            (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login user password {KEY}\n")
            assert wandb_server.why_offline() is None

    def test_nobody_listens(self, monkeypatch):
        monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
        assert "no connection to 127.0.0.1" in wandb_server.why_offline()

    def test_a_server_that_never_answers(self, monkeypatch):
        with SilentServer() as server:
            monkeypatch.setenv("WANDB_BASE_URL", server.url)
            begun = time.monotonic()
            assert "no answer" in wandb_server.why_offline()
            assert time.monotonic() - begun < 10

    def test_a_name_that_is_looked_up_for_ever(self, monkeypatch):
        monkeypatch.setattr(wandb_server, "ANSWER_SECONDS", 0.2)
        over = threading.Event()

        def look_up(*_, **__):
            over.wait(60)
            raise socket.gaierror("no such name")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        begun = time.monotonic()
        assert "no answer from api.example.org" in self._asked("https://api.example.org", monkeypatch)
        assert time.monotonic() - begun < 5
        over.set()

    @pytest.mark.parametrize(("status", "offline"), [(200, False), (404, False), (501, False), (503, True)])
    def test_a_server_that_is_down_for_repair(self, status, offline, monkeypatch):
        reply = requests.Response()
        reply.status_code = status
        monkeypatch.setattr(requests, "head", lambda *_, **__: reply)
        assert bool(self._asked("http://w.example.org", monkeypatch)) == offline

    @staticmethod
    def _asked(url, monkeypatch):
        monkeypatch.setenv("WANDB_BASE_URL", url)
        return wandb_server.why_offline()


def test_facts_of_a_composition(monkeypatch):
    monkeypatch.delenv("VAXIS_TRIAL", raising=False)
    parts = [{"class_path": f"losses.{name}.X", "init_args": {"weight": w}} for name, w in (("rsa", 1.0), ("rkd", 2))]
    settings = {
        "data": {"class_path": "datamodules.faced.FACED"},
        "network": {"class_path": "networks.emod.EMOD"},
        "loss": {"class_path": "losses._composition.Composition", "init_args": {"parts": parts}},
    }
    found = facts(settings)
    assert (found["strategy"], found["dataset"], found["kind"]) == ("rsa+rkd", "FACED", "train")
    assert (found["loss_rsa_weight"], found["loss_rkd_weight"]) == (1.0, 2)


def test_electrodes_that_carry_the_axis_are_found():
    """Electrode 0 follows the axis, 1 goes against it, 2 is constant; the sign is that of the mean of all."""
    v = np.repeat(np.arange(4.0), 2)
    means = np.zeros((8, 3, 5))
    means[:, 0, 2], means[:, 1, 2] = 3 * v, -v
    for sign in (1, -1):
        np.testing.assert_allclose(electrode_r(sign * means, v, np.arange(8) // 2), [1, -1, np.nan], atol=1e-12)


def test_what_has_no_place_on_the_scalp_costs_the_figure_and_not_the_run(caplog):
    spec = replace(SPEC, channels=("here", "there", "Cz", "Fz", "Pz"))
    WandbScalp()._log_figure(SimpleNamespace(loggers=[]), np.zeros(5), spec)
    assert "no test/scalp: electrodes ['HERE', 'THERE']" in caplog.text


def test_tokens_of_no_electrode_have_no_scalp(monkeypatch):
    monkeypatch.setattr("callbacks.wandb_scalp.run_loggers", lambda trainer: ["one"])
    trainer = SimpleNamespace(testing=True)
    for keeps in (True, False):
        module = SimpleNamespace(network=SimpleNamespace(keeps_electrodes=keeps))
        assert WandbScalp().wanted(trainer, module) is keeps


def test_without_wandb_it_is_not_imported():
    code = "import tracking.loggers, callbacks.wandb_tables, callbacks.wandb_results, callbacks.wandb_scalp, sys; "
    code += "assert not {'wandb', 'mne', 'requests', 'wandb_workspaces'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)


def test_a_silent_server_and_a_terminal_give_an_offline_run(cache, tmp_path):
    """Standard input is a terminal here: W&B would ask there, and nobody would answer."""
    terminal, other_end = os.openpty()
    with SilentServer() as server:
        extra = {"WANDB_MODE": "", "WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url, "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "train.py", *WORDS, "--online", f"--run_dir={tmp_path / 'run'}"], cwd=ROOT,
            env=environment(cache, **extra), stdin=other_end, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert "W&B stays offline: no answer" in done.stdout
    assert_complete(tmp_path / "run")
    (record,) = records(tmp_path / "run")
    assert "test/recall" in record.history


@pytest.mark.slow
def test_online_run_sends_rows_configuration_checkpoint_and_axis(cache, tmp_path):
    with FakeServer() as server:
        extra = {**server.environment, "HOME": str(tmp_path)}
        done = train(*WORDS, "--online", "--group=study", f"--run_dir={tmp_path / 'run'}", cache=cache, **extra)
    assert "stays offline" not in done.stdout
    (run,) = server.runs.values()
    assert (run["groupName"], run["project"], run["jobType"]) == ("study", "vaxis-align", "train")
    assert json.loads(run["config"])["strategy"]["value"] == "rsa"
    assert [row["epoch"] for row in server.rows if "val/balanced_accuracy" in row] == list(range(EPOCHS))
    kinds = {artifact["input"]["artifactTypeName"] for artifact in server.artifacts}
    assert {"model", "axis", "run_table"} <= kinds
    assert_complete(tmp_path / "run")


@pytest.mark.slow
class TestFaults:
    def test_server_that_dies_while_the_run_trains(self, cache, tmp_path):
        """The record beside the run has every row, and the end waits for the server a few seconds only."""
        with FakeServer(dies=True) as server:
            extra = {**server.environment, "HOME": str(tmp_path)}
            train(*WORDS, "--online", f"--run_dir={tmp_path / 'run'}", cache=cache, **extra)
            written = (tmp_path / "run" / "result.json").stat().st_mtime
            assert time.time() - written < 20
        assert_complete(tmp_path / "run")
        (record,) = records(tmp_path / "run")
        assert [row["epoch"] for row in record.rows if "val/balanced_accuracy" in row] == list(range(EPOCHS))
        with FakeServer() as server:
            done = sync("--include-online", *(tmp_path / "run" / "wandb").glob("run-2*"), **server.environment)
        assert done.returncode == 0, done.stderr
        assert len(server.rows) == len(record.rows)

    def test_server_that_opens_no_run(self, cache, tmp_path):
        """It answers the first question and nothing else."""
        with FakeServer(dies=True) as server:
            server.rows.append({})
            extra = {**server.environment, "HOME": str(tmp_path)}
            done = train(*WORDS, "--online", f"--run_dir={tmp_path / 'run'}", cache=cache, **extra)
        assert "W&B stays offline" in done.stdout
        assert_complete(tmp_path / "run")

    def test_killed_run_goes_on_as_the_same_wandb_run_and_is_uploaded_whole(self, cache, tmp_path):
        run_dir, words = tmp_path / "run", (*WORDS, f"--run_dir={tmp_path / 'run'}")
        process = subprocess.Popen(
            [sys.executable, "train.py", *words], cwd=ROOT, env=environment(cache, WANDB_MODE="offline"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while not (run_dir / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = epochs_logged(run_dir)
        assert "resuming" in train(*words, cache=cache, WANDB_MODE="offline").stdout
        assert epochs_logged(run_dir)[: len(before)] == before
        assert set(epochs_logged(run_dir)) == set(range(EPOCHS))
        pieces = records(run_dir)
        assert len(pieces) == 2
        assert len({piece.run["run_id"] for piece in pieces}) == 1
        files = sorted((run_dir / "wandb").glob("offline-run-*"))

        kept = {file: file.read_bytes() for folder in files for file in folder.glob("*.wandb")}
        quick = {"WANDB_X_GRAPHQL_RETRY_MAX": "1", "WANDB_X_GRAPHQL_TIMEOUT_SECONDS": "5"}  # docs/wandb.md has them
        dead = sync(*files, WANDB_API_KEY=KEY, WANDB_BASE_URL="http://127.0.0.1:9", **quick)
        assert "connection refused" in dead.stderr
        assert {file: file.read_bytes() for file in kept} == kept
        no_key = sync(*files, HOME=str(tmp_path))
        assert no_key.returncode != 0
        assert "API key" in no_key.stderr
        assert not list((run_dir / "wandb").glob("*/*.synced"))
        with FakeServer() as server:
            done = sync(*files, **server.environment)
        assert done.returncode == 0, done.stderr
        assert len(server.rows) == sum(len(piece.rows) for piece in pieces)
        assert len(server.runs) == 1

    def test_two_ranks_are_one_wandb_run(self, cache, tmp_path):
        train(*WORDS, *TWO_RANKS, f"--run_dir={tmp_path / 'run'}", cache=cache, WANDB_MODE="offline")
        (record,) = records(tmp_path / "run")
        assert {"test/scalp", "test/recall", "val/balanced_accuracy"} <= record.history
        assert "final/test/balanced_accuracy" in record.summary
