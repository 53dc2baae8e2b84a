"""Runs on a GPU. ``make test-gpu`` runs them; on a machine without one, what can be said of it without."""

import pytest
import torch
from lightning.pytorch.strategies import Strategy

from command_line.parser import parse
from command_line.words import normalise
from records.result import read
from tests.runs import SMALL, train

WORDS = ("--data.n_subjects=12", "--trainer.max_epochs=1", "--model.optimisation.warmup_epochs=1", "--loss=rsa")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.parametrize("control", [None, "random"])
def test_what_a_decoder_is_built_of_is_made_on_the_processor(tmp_path, monkeypatch, axis, control):
    """Lightning builds a model on the device of the run, where numpy cannot read them."""
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    axis.save(tmp_path / "axis.npz")
    words = [*SMALL[1:], *WORDS, f"--axis={tmp_path / 'axis.npz'}", f"--run_dir={tmp_path / 'run'}"]
    words += ["--trainer.accelerator=cpu", *([f"--model.control={control}"] if control else [])]
    # As a GPU would: a tensor that is made on "meta" cannot be read or moved.
    monkeypatch.setattr(Strategy, "tensor_init_context", lambda self, empty_init=None: torch.device("meta"))
    cli = parse(normalise(["fit", *words])[1:])
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    assert cli.trainer.current_epoch == 1


@gpu
@pytest.mark.parametrize("control", [None, "random"])
def test_a_run_on_a_gpu(tmp_path, axis, control):
    axis.save(tmp_path / "axis.npz")
    words = [*SMALL, *WORDS, f"--axis={tmp_path / 'axis.npz'}", f"--run_dir={tmp_path / 'run'}"]
    train(*words, *([f"--model.control={control}"] if control else []), cache=tmp_path / "cache")
    assert "NVIDIA" in read(tmp_path / "run" / "result.json")["device"]
