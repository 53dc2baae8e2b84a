"""Staged runs as a user starts them: killed in any phase they end as if nothing had happened; every strategy runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from command_line.catalogue import plugins
from tests.conftest import ROOT
from tests.runs import SMALL, TWO_RANKS, environment, train, weights

STAGED = (
    *SMALL, "--data.n_subjects=6", "--data.batch_size=32", "--trainer.max_epochs=2",
    "--trainer.callbacks=tests.phase_runs.PowerCut",
)  # fmt: skip
EPOCH = {"first phase": 1, "boundary": 2, "last phase": 3}
CASES = [
    ("pretrain_finetune", "boundary", 1),
    ("peft_lora", "last phase", 1),
    *(
        pytest.param(name, moment, ranks, marks=pytest.mark.slow)
        for ranks, names in (
            (1, ("pretrain_finetune", "teacher_kd", "peft_lora", "xeeg")),
            (2, ("teacher_kd", "peft_lora")),
        )
        for name in names
        for moment in EPOCH
        if (name, moment, ranks) not in (("pretrain_finetune", "boundary", 1), ("peft_lora", "last phase", 1))
    ),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def killed(*words: str, cache: Path, epoch: int) -> None:
    """Start a run in a process group of its own; it is killed -9 in the second step of the epoch."""
    done = subprocess.run(
        [sys.executable, "train.py", *words],
        cwd=ROOT,
        env=environment(cache, POWER_CUT=str(epoch)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,  # on a machine that does much else, too
        start_new_session=True,
    )
    assert done.returncode == -9, done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(cache, tmp_path_factory):
    """The uninterrupted run of a strategy, made once."""
    made: dict[tuple, Path] = {}

    def run(name: str, ranks: int) -> Path:
        if (name, ranks) not in made:
            made[name, ranks] = tmp_path_factory.mktemp("whole") / "run"
            train(*words_of(name, ranks), f"--run_dir={made[name, ranks]}", cache=cache)
        return made[name, ranks]

    return run


def words_of(name: str, ranks: int) -> tuple[str, ...]:
    small_source = (
        ("--source", "SimulatedSEEDV", "--source.n_subjects=1", "--source.batch_size=32") if name == "xeeg" else ()
    )
    return (*STAGED, "--loss", name, *small_source, *(TWO_RANKS if ranks == 2 else ()))


@pytest.mark.parametrize(("name", "moment", "ranks"), CASES)
def test_killed_staged_run_ends_as_if_nothing_had_happened(name, moment, ranks, cache, whole, tmp_path):
    words = (*words_of(name, ranks), f"--run_dir={tmp_path}")
    killed(*words, cache=cache, epoch=EPOCH[moment])
    left = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert (left["epoch"], left["phase"]) == (EPOCH[moment] - 1, int(EPOCH[moment] >= 2))
    assert not (tmp_path / "result.json").exists()
    assert (tmp_path / "checkpoints" / "best.ckpt").exists() == (moment == "last phase")
    assert "resuming" in train(*words, cache=cache).stdout
    for file in ("last", "best"):
        expected, found = weights(whole(name, ranks), file), weights(tmp_path, file)
        assert expected.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in expected.items())
    before, after = (json.loads((folder / "result.json").read_text()) for folder in (whole(name, ranks), tmp_path))
    for field in ("test", "val", "phases", "frozen", "epochs", "best_epoch", "residual_gradient"):
        assert before[field] == after[field], field
    assert len(after["phases"]) == 2
    assert after["epochs"] == 2 <= after["best_epoch"]
    assert after["world_size"] == ranks


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [(), TWO_RANKS], ids=["one process", "two ranks"])
@pytest.mark.parametrize("name", [*(p.name for p in plugins("loss")), "prototype_kd+topo_optimal", "prototype_kd+rsa"])
def test_every_strategy_runs_through_the_command(name, ranks, cache):
    train(*SMALL, "--loss", name, "--trainer.fast_dev_run=2", *ranks, cache=cache)
