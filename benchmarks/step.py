"""Cost of one training step: Decoder with all callbacks and loggers against a hand-written loop, in one run.

``python -m benchmarks.step [--epochs 6]``. Same network, loss, batches and optimiser on both sides; processor time on
one thread. The small network is the worst case: the fixed cost of the framework is the same for a large one.
"""

import argparse
import os
import tempfile
import time

import lightning as L
import torch
import torch.nn.functional as F

os.environ["WANDB_MODE"] = "disabled"

from callbacks.residual_alignment import ResidualAlignment
from callbacks.residual_gradient import ResidualGradient
from callbacks.vaxis_cosine import VAxisCosine
from datamodules.simulated import SimulatedFACED
from lightning_modules.decoder import Decoder
from losses.base import LossSpec, Output
from losses.rsa import RSA
from networks.axial_de import AxialDE
from tracking.loggers import ResumableCSVLogger
from vaxis.axis import Axis
from vaxis.targets import Targets


class StepClock(L.Callback):
    """Processor time of the training steps alone, without validation."""

    def __init__(self) -> None:
        self.total, self.steps = 0.0, 0

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.started = time.process_time()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if batch_idx + 1 == trainer.num_training_batches and trainer.current_epoch > 0:
            self.total += time.process_time() - self.started
            self.steps += trainer.num_training_batches


def framework(data: SimulatedFACED, *, epochs: int, folder: str, measured: bool, depth: int) -> float:
    """Milliseconds a step of the Trainer; ``measured`` adds the callbacks and the CSV log."""
    torch.manual_seed(0)
    clock = StepClock()
    callbacks = [ResidualGradient(), ResidualAlignment(), VAxisCosine()] if measured else []
    trainer = L.Trainer(
        max_epochs=epochs,
        callbacks=[*callbacks, clock],
        logger=ResumableCSVLogger(folder) if measured else False,
        log_every_n_steps=25 if measured else 10**9,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if measured else 0,
        use_distributed_sampler=False,
        accelerator="cpu",
    )
    trainer.fit(Decoder(network=AxialDE(depth=depth), loss=RSA()), datamodule=data)
    return 1e3 * clock.total / clock.steps


def by_hand(data: SimulatedFACED, *, epochs: int, depth: int) -> float:
    """Milliseconds a step of a loop in plain PyTorch."""
    torch.manual_seed(0)
    network, loss = AxialDE(depth=depth), RSA()
    network.build(data.spec)
    head = torch.nn.Linear(network.dim, len(data.spec.classes))
    targets = Targets.from_axis(Axis.load(data.axis_path))
    loss.build(LossSpec(targets=targets, dim=network.dim, data=data.spec, grid=network.grid(data.spec)))
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-3)
    loader, total, steps = data.train_dataloader(), 0.0, 0
    for epoch in range(epochs):
        started = time.process_time()
        for batch in loader:
            tokens = network(batch.x)
            h = tokens.mean(dim=(1, 2))
            value = F.cross_entropy(head(h), batch.y, label_smoothing=0.1) + loss(Output(h=h), batch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        if epoch > 0:
            total, steps = total + time.process_time() - started, steps + len(loader)
    return 1e3 * total / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="the first is a warm-up")
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = SimulatedFACED(n_subjects=24, root=f"{folder}/cohort", cache=f"{folder}/stores")
        data.prepare_data()
        data.setup("fit")
        for depth, label in ((1, "AxialDE depth 1"), (0, "AxialDE depth 0 (as small as a network gets)")):
            loop = by_hand(data, epochs=epochs, depth=depth)
            rows = {"hand-written loop": loop}
            rows["Trainer and Decoder"] = framework(data, epochs=epochs, folder=folder, measured=False, depth=depth)
            rows["with callbacks and log"] = framework(data, epochs=epochs, folder=folder, measured=True, depth=depth)
            print(f"{label}, batch {data.batch_size}, rsa, processor time a step on one thread")
            for name, value in rows.items():
                print(f"  {name:<26} {value:7.2f} ms   {value / loop:5.2f} x")


if __name__ == "__main__":
    main()
