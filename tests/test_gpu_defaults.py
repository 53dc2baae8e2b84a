"""What a run on a GPU is set to without being asked, as far as a processor can tell."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from callbacks.matmul import Matmul
from datamodules import slices
from datamodules.normalisation import Affine
from datamodules.slices import resolved
from lightning_modules.checkpointing import RunCheckpoint
from lightning_modules.optimisation import kernels

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_a_cohort_lives_on_the_gpu_where_it_takes_at_most_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(slices.torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    assert resolved("auto", nbytes=500, device=CUDA) == "device"
    assert resolved("auto", nbytes=501, device=CUDA) == "memmap"
    assert resolved("auto", nbytes=1, device=CPU) == "memmap"
    assert resolved("ram", nbytes=1, device=CUDA) == "ram"


def test_the_optimiser_is_fused_where_all_parameters_are_on_a_gpu():
    here, there = (SimpleNamespace(device=device, numel=lambda: 9) for device in (CPU, CUDA))
    assert kernels([there, there]) == {"fused": True}
    assert kernels([there, here]) == {}
    assert kernels([here]) == {"foreach": True}


@pytest.mark.parametrize(("device", "expected"), [(CUDA, ["high"]), (CPU, [])])
def test_a_processor_keeps_float32(device, expected, monkeypatch):
    said = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", said.append)
    Matmul().setup(SimpleNamespace(strategy=SimpleNamespace(root_device=device)), None, "fit")
    assert said == expected


class Writing:
    """A trainer that writes a file as a checkpoint."""

    def __init__(self):
        self.global_step, self.is_global_zero, self.loggers, self.saved = 0, True, [], []
        self.strategy = SimpleNamespace(broadcast=lambda value: value)

    def save_checkpoint(self, path, weights_only):
        self.saved.append(os.path.basename(path))
        with open(path, "w") as file:
            file.write(f"step {self.global_step}")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "a file system without"])
def test_the_last_checkpoint_is_a_second_name_of_the_best_where_they_are_one(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError("not supported")))
    trainer, callback = Writing(), RunCheckpoint(tmp_path)
    best, last = (str(tmp_path / name) for name in ("best.ckpt", "last.ckpt"))
    callback.best_model_path, trainer.global_step = best, 5
    callback._save_checkpoint(trainer, best)
    callback._save_checkpoint(trainer, last)
    assert trainer.saved == (["best.ckpt"] if links else ["best.ckpt", "last.ckpt"])
    assert os.path.samefile(best, last) == links
    trainer.global_step = 9  # an epoch that is not the best
    os.unlink(last)  # as a rename over it does
    callback._save_checkpoint(trainer, last)
    assert [(tmp_path / name).read_text() for name in ("best.ckpt", "last.ckpt")] == ["step 5", "step 9"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_batches_of_a_memory_map_are_gathered_into_pinned_memory():
    x, zeros = torch.arange(24.0).reshape(4, 3, 2), np.zeros(4, dtype=np.int64)
    trials = SimpleNamespace(y=zeros, stimulus=zeros, subject=zeros)
    store = SimpleNamespace(x=x.numpy(), trials=trials, as_tensor=lambda: x)
    affine = Affine(centre=torch.zeros(1, 3, 2), spread=torch.ones(1, 3, 2))
    part = slices.TrialSlices(store, affine=affine, residence="memmap", device=torch.device("cuda"))
    batch = part[np.array([2, 0])]
    assert all(column.is_pinned() for column in batch)
    assert torch.equal(batch.x, x[[2, 0]])
