"""What may be written into a run directory and resumed from it."""

import pytest
import torch

from lightning_modules.checkpointing import AtomicCheckpointIO, resumable
from records.lock import lock


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def disk_full(content, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match=r"last.ckpt could not be written: the disk of .* is full .*bytes free"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_nothing_to_resume_in_a_new_folder(tmp_path):
    assert resumable(tmp_path, {}) is None


def test_lock_is_free_again_after_its_holder(tmp_path):
    with lock(tmp_path), pytest.raises(ValueError, match="another process"):
        lock(tmp_path)
    lock(tmp_path).close()
