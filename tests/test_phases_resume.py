"""Which epochs of a run in phases are kept, and that it goes on in any of its phases."""

import lightning as L
import pytest
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from lightning_modules.decoder import Decoder
from tests.phase_runs import checkpoint, data_for, equal, state
from tests.test_losses import strategy
from tests.test_phases import run

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def falling(monkeypatch):
    """Validation scores that fall from epoch to epoch, so the very first one would be the best."""

    def log_scores(self, split: str, confusion: MulticlassConfusionMatrix) -> None:
        confusion.reset()
        self.log(f"{split}/balanced_accuracy", 1 / (1.0 + self.trainer.current_epoch))

    monkeypatch.setattr(Decoder, "_log_scores", log_scores)


def test_best_is_of_the_last_phase_and_last_of_every_epoch(falling, tmp_path):
    found = []

    class Look(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            files = {path.stem: path for path in (tmp_path / "checkpoints").glob("*.ckpt")}
            kept = {stem: torch.load(path, weights_only=True) for stem, path in files.items()}
            found.append({stem: (content["epoch"], content["phase"]) for stem, content in kept.items()})

    run(tmp_path, strategy("pretrain_finetune"), checkpoint(tmp_path), Look(), limit_val_batches=None)
    assert found == [{}, {"last": (0, 0)}, {"last": (1, 1)}, {"last": (2, 1), "best": (2, 1)}]
    files = [tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("last", "best")]
    assert [torch.load(file, weights_only=True)["epoch"] for file in files] == [3, 2]


def test_best_is_an_epoch_that_was_validated(falling, tmp_path):
    """The score that still stands at the first epoch of the last phase is that of the axis phase."""
    keep = checkpoint(tmp_path)
    options = {"limit_val_batches": None, "check_val_every_n_epoch": 2}
    run(tmp_path, strategy("pretrain_finetune"), keep, **options)
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert (best["epoch"], float(keep.best_model_score)) == (3, 0.25)


@pytest.mark.parametrize("epoch", [1, 2, 3], ids=["first phase", "boundary", "last phase"])
@pytest.mark.parametrize("name", ["pretrain_finetune", "teacher_kd", "peft_lora", "xeeg"])
def test_an_interrupted_run_goes_on_in_its_phase(name, epoch, tmp_path):
    class Power(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if (trainer.current_epoch, batch_idx) == (epoch, 1):
                raise ConnectionAbortedError

    def go(folder, *callbacks, **options):
        loss = strategy(name)
        data = data_for(loss, tmp_path, source_batches=3)  # the phases have unequally many steps
        return run(folder, loss, *callbacks, checkpoint(folder), data=data, limit_val_batches=None, **options)

    whole, model = go(tmp_path / "whole")
    with pytest.raises(ConnectionAbortedError):
        go(tmp_path / "cut", Power())
    rest, resumed = go(tmp_path / "cut", resume=True)
    assert equal(state(model), state(resumed))
    for what in ("phase", "trials", "rate", "moments", "progress"):
        assert [s[what] for s in rest.steps] == [s[what] for s in whole.steps][-len(rest.steps) :]
    files = [folder / "checkpoints" / "best.ckpt" for folder in (tmp_path / "whole", tmp_path / "cut")]
    assert equal(*(torch.load(file, weights_only=True)["state_dict"] for file in files))
