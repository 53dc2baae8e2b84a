"""A training step of the default network here and under skorch, which braindecode's classifiers train with.

``python -m benchmarks.step_skorch [--epochs 8]``. The same network, head, trials, batch size and optimiser, no
alignment loss. skorch has its own callbacks (validation loss and accuracy) and PyTorch's default collation of single
trials, as ``braindecode.EEGClassifier`` has; ours is the command with all callbacks and its log. Processor time on one
thread; of each side the fastest step at each place between two rows of the log, averaged over the places.
"""

import tempfile
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.rows import Row, line
from benchmarks.step import StepClock, command
from command_line.parser import parse
from command_line.words import normalise
from console.allocator import keep_freed_memory
from console.arguments import Arguments


class Whole(nn.Module):
    """Network and head as one module, which is what skorch takes."""

    def __init__(self, *, network: Any, classes: int) -> None:
        super().__init__()
        self.network, self.head = network, nn.Linear(network.dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.network(x).mean(dim=(1, 2)))


def by_skorch(words: list[str], *, epochs: int) -> float:
    """Milliseconds a step of ``skorch.NeuralNetClassifier`` with its usual callbacks."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback
    from skorch.helper import predefined_split

    class Clock(Callback):
        def __init__(self) -> None:
            self.clock = StepClock()

        def on_epoch_begin(self, net: Any, **_: Any) -> None:
            self.clock.on_train_epoch_start()

        def on_batch_end(self, net: Any, *, training: bool, **_: Any) -> None:
            if training:
                self.clock.tick()

    cli = parse(normalise(["fit", *words])[1:])
    data, network = cli.datamodule, cli.model.network
    data.prepare_data()
    data.setup("fit")
    network.build(data.spec)
    train, validation = _trials(data.train_dataloader()), _trials(data.val_dataloader())
    net = NeuralNetClassifier(
        Whole(network=network, classes=len(data.spec.classes)),
        criterion=nn.CrossEntropyLoss,
        criterion__label_smoothing=0.1,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        batch_size=data.batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(validation),
        callbacks=[("clock", Clock())],
        verbose=0,
    )
    net.fit(train, None)
    return dict(net.callbacks_)["clock"].clock.milliseconds


def _trials(loader: DataLoader) -> TensorDataset:
    """All trials of a split, scaled, in memory: the best that a data set of single trials can be."""
    batches = list(loader)
    return TensorDataset(torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches]))


def rows(*, quick: bool = False, epochs: int = 8) -> list[Row]:
    """Both sides."""
    epochs = 2 if quick else epochs
    there = find_spec("skorch") is not None
    torch.set_num_threads(1)
    keep_freed_memory()  # as ``train.py fit`` does, here for both: without, either side is a third slower now and then
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *("--loss", "none", f"--trainer.max_epochs={epochs}", "--model.optimisation.warmup_epochs=0.5"),
            *(f"--data.root={folder}/cohort", f"--data.cache={folder}/stores", f"--run_dir={folder}/run"),
            *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        ]
        ours = command(words, measured=True)
        today = by_skorch(words, epochs=epochs) if there else None
    return [
        Row(
            what="a training step without alignment loss, the command",
            unit="ms",
            ours=ours,
            today=today,
            today_is="skorch, the trainer of braindecode's classifiers",
            note="" if there else "skorch is not installed: pip install skorch",
        )
    ]


def main() -> None:
    parser = Arguments("python -m benchmarks.step_skorch", about=__doc__)
    parser.add_argument("--epochs", type=int, default=8, help="the first is a warm-up")
    for row in rows(epochs=parser.parse_args().epochs):
        print(line(row))
        print(row.note or row.today_is)


if __name__ == "__main__":
    main()
