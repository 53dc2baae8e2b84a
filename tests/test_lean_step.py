"""What a step is spared, and that it is what Lightning does otherwise."""

import ctypes
import gc
import sys
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler

import train
from command_line.lean import kept
from command_line.parser import parse
from console import allocator
from datamodules.pool import pool
from datamodules.transfer import Transfer
from datamodules.unmoved import Unmoved
from eeg.batch import Batch
from lightning_modules.checkpointing import RunCheckpoint
from lightning_modules.lean_hooks import OF_BATCHES, Unprofiled, lean
from tests.loss_cases import decoder_with, strategy
from tests.small_decoder import SmallDecoder, make_axis, make_trainer


def test_a_profile_that_somebody_asked_for_is_kept():
    asked = SimpleProfiler()
    assert lean(SimpleNamespace(profiler=asked, callbacks=[])).profiler is asked
    assert type(lean(SimpleNamespace(profiler=PassThroughProfiler(), callbacks=[])).profiler) is Unprofiled
    with Unprofiled().profile("anything"), Unprofiled().profile("within it"):
        pass


class Silent(L.Callback):
    """Does nothing, and claims to be one of the project's."""

    __module__ = "callbacks.silent"


class Listening(L.Callback):
    """Notes the hooks that reach it."""

    __module__ = "callbacks.listening"

    def __init__(self):
        self.heard = []

    def on_train_batch_end(self, *_):
        self.heard.append("on_train_batch_end")

    def on_after_backward(self, *_):
        self.heard.append("on_after_backward")


def test_hooks_that_do_something_are_called_and_the_others_are_not_looked_up(tmp_path):
    _, path = make_axis(tmp_path / "axis.npz")
    heard = []
    for make_lean in (False, True):
        named, silent, foreign = Listening(), Silent(), L.Callback()
        named.on_before_zero_grad = lambda *_, named=named: named.heard.append("of the object alone")
        trainer = make_trainer(tmp_path, callbacks=[named, silent, foreign], max_epochs=1, enable_checkpointing=False)
        if make_lean:
            lean(trainer)
            assert all(getattr(silent, hook) is None for hook in OF_BATCHES)
            assert callable(silent.on_train_epoch_end)
            assert all(callable(getattr(foreign, hook)) for hook in OF_BATCHES)
        trainer.fit(SmallDecoder(axis_path=path))
        heard.append(named.heard)
    assert heard[0] == heard[1]
    assert {"on_train_batch_end", "on_after_backward", "of the object alone"} == set(heard[0])


def test_the_checkpoint_of_a_run_hears_only_what_it_listens_to(tmp_path):
    of_epochs, of_steps = RunCheckpoint(tmp_path), RunCheckpoint(tmp_path, every_n_train_steps=2)
    lean(SimpleNamespace(profiler=SimpleProfiler(), callbacks=[of_epochs, of_steps]))
    heard = [{hook for hook in OF_BATCHES if callable(getattr(one, hook))} for one in (of_epochs, of_steps)]
    assert heard == [{"on_validation_batch_end"}, {"on_train_batch_end", "on_validation_batch_end"}]


def test_processes_that_preprocess_keep_freed_memory(monkeypatch):
    kept = []
    monkeypatch.setattr("datamodules.pool.keep_freed_memory", lambda: kept.append(True))
    monkeypatch.setattr("datamodules.pool.threading", SimpleNamespace(Thread=lambda **_: SimpleNamespace(start=int)))
    processes = pool(1)
    try:
        processes._initializer()
    finally:
        processes.shutdown()
    assert kept == [True]


def test_every_hook_that_may_be_skipped_is_one_of_lightnings():
    assert all(callable(getattr(L.Callback, hook)) for hook in OF_BATCHES)


@pytest.fixture
def asked(monkeypatch):
    """What the C library is asked for; ``answers`` says whether it agrees to a size."""
    calls, answers = [], {}

    def mallopt(name, size):
        calls.append((name, size))
        return answers.get(size, 1)

    for variable in (*allocator.CHOICES, "LD_PRELOAD", "GLIBC_TUNABLES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    return calls, answers


def test_freed_memory_is_kept_where_the_c_library_can_and_nobody_has_chosen(asked, monkeypatch):
    calls, answers = asked
    allocator.keep_freed_memory()
    assert calls == [(-3, 2**30), (-1, 2**30)]
    calls.clear()
    answers[2**30] = 0  # an older glibc
    allocator.keep_freed_memory()
    assert calls[:2] == [(-3, 2**30), (-3, 2**25)]
    calls.clear()
    for variable, value in (("MALLOC_TRIM_THRESHOLD_", "1"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1")):
        monkeypatch.setenv(variable, value)
        allocator.keep_freed_memory()
        monkeypatch.delenv(variable)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # musl
    allocator.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    allocator.keep_freed_memory()
    assert not calls


def test_the_decoder_takes_what_is_written_often_and_registers_the_rest(targets):
    model = decoder_with(strategy("vaxis_mse"), targets)
    model._current_fx_name = "training_step"
    assert model._current_fx_name == "training_step"
    model.further = torch.nn.Linear(2, 2)
    assert {"further.weight", "further.bias"} <= set(model.state_dict())


def test_a_batch_that_is_there_is_not_moved_and_one_that_is_elsewhere_is():
    model, cpu = Unmoved(), torch.device("cpu")
    batch = Batch(*(torch.zeros(2) for _ in Batch._fields))
    assert model.transfer_batch_to_device(batch, cpu, 0) is batch
    elsewhere = Batch(torch.zeros(2), *(torch.zeros(2, device="meta") for _ in Batch._fields[1:]))
    moved = model.transfer_batch_to_device(elsewhere, torch.device("meta"), 0)
    assert isinstance(moved, Batch)
    assert all(column.device.type == "meta" for column in moved)
    assert model.transfer_batch_to_device([torch.zeros(2)], torch.device("meta"), 0)[0].device.type == "meta"


def test_the_command_trains_with_all_of_it(monkeypatch):
    called = []
    monkeypatch.setattr(train, "keep_freed_memory", lambda: called.append("memory"))
    monkeypatch.setattr("command_line.parser.run", lambda words: called.append("run"))
    train.main(["fit"])
    assert called == ["memory", "run"]
    cli = parse(["--config", "configs/simulated.yaml"])
    assert type(cli.trainer.profiler) is Unprofiled
    assert any(vars(callback).get("on_train_batch_start", 0) is None for callback in cli.trainer.callbacks)
    assert isinstance(cli.datamodule, Unmoved)
    assert issubclass(Transfer, Unmoved)


def test_imports_are_kept_from_the_collector_which_then_goes_on():
    frozen = gc.get_freeze_count()
    try:
        with kept():
            within = gc.isenabled()
            raise ImportError
    except ImportError:
        pass
    assert not within
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()
