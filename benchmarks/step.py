"""Cost of one training step: the command with all callbacks and its log against a hand-written loop, in one run.

``python -m benchmarks.step [--epochs 16] [--network global_context_de] [--loss vaxis_mse] [--where] [--device cuda]``.
Same network, loss, batches and optimiser on all sides. On a processor it is processor time on one thread: whatever else
runs on the machine only ever adds, so each place between two rows of the log has the fastest of its steps, and the step
is the mean over the places. On a GPU it is the clock, read after the device has ended the last of 25 steps, and the
fastest 25 count. The framework's cost is what is left over the loop: the same for a large network and for a small
batch.
"""

import cProfile
import os
import pstats
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F

os.environ["WANDB_MODE"] = "disabled"

from command_line.parser import parse
from command_line.words import normalise
from console.allocator import keep_freed_memory
from console.arguments import Arguments
from losses.base import LossSpec, Output
from tracking.loggers import ResumableCSVLogger
from vaxis.axis import Axis
from vaxis.targets import Targets

PLACES = 25  # steps between two rows of the log, and between two probes of gradients


class StepClock(L.Callback):
    """Time from one training step to the next, without validation, in milliseconds.

    Args:
        profile: runs during the steps of all epochs but the first, and at no other time.
        device: ``cuda`` times 25 steps at once, because the processor runs ahead of the device.
    """

    def __init__(self, profile: cProfile.Profile | None = None, *, device: str = "cpu") -> None:
        self.steps: list[list[float]] = [[] for _ in range(PLACES)]
        self.last: float | None = None
        self.count, self.profile, self.device = 0, profile, device

    def on_train_epoch_start(self, trainer: L.Trainer | None = None, *modules: object) -> None:
        self.last = None
        if self.device == "cuda":
            self.count = 0
        if self.profile and trainer and trainer.current_epoch:
            self.profile.enable()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *batch: Any) -> None:
        self.tick()
        if self.profile and batch[-1] + 1 == trainer.num_training_batches:
            self.profile.disable()

    def tick(self) -> None:
        """A step has ended."""
        if self.device == "cuda":
            self._tick_of_many()
            return
        now = time.process_time()
        if self.last is not None:
            self.steps[self.count % PLACES].append(1e3 * (now - self.last))
        self.last, self.count = now, self.count + 1

    def _tick_of_many(self) -> None:
        self.count += 1
        if self.count % PLACES == 1:
            torch.cuda.synchronize()
            now = time.perf_counter()
            if self.last is not None:
                self.steps[0].append(1e3 * (now - self.last) / PLACES)
            self.last = now

    @property
    def milliseconds(self) -> float:
        """A step: the fastest at each place, averaged over the places."""
        return fmean(min(steps) for steps in self.steps if steps)


def command(words: list[str], *, measured: bool, device: str = "cpu", profile: cProfile.Profile | None = None) -> float:
    """Milliseconds a step of ``train.py fit``; unless ``measured`` without callbacks, log and scores."""
    cli, clock = parse(normalise(["fit", *words])[1:]), StepClock(profile, device=device)
    trainer: Any = cli.trainer  # its callbacks are set from outside its class
    if measured:
        trainer.loggers = [ResumableCSVLogger(tempfile.mkdtemp(dir=Path(trainer.default_root_dir).parent))]
    else:
        trainer.callbacks, trainer.limit_val_batches = [], 0
    trainer.callbacks.append(clock)
    trainer.fit(cli.model, datamodule=cli.datamodule)
    return clock.milliseconds


def by_hand(words: list[str], *, epochs: int, device: str = "cpu") -> float:
    """Milliseconds a step of a loop in plain PyTorch over the same parts."""
    cli = parse(normalise(["fit", *words])[1:])
    data, network, loss = cli.datamodule, cli.model.network, cli.model.loss
    data.prepare_data()
    data.setup("fit")
    network.build(data.spec)
    head = torch.nn.Linear(network.dim, len(data.spec.classes))
    targets = Targets.from_axis(Axis.load(data.axis_path))
    loss.build(LossSpec(targets=targets, dim=network.dim, data=data.spec, grid=network.grid(data.spec)))
    for module in (network, head, loss):
        module.to(device)
    parameters = [*network.parameters(), *head.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True if device == "cuda" else None)
    loader, clock = data.train_dataloader(), StepClock(device=device)
    # On a GPU the loop finds its batches there, as the command does.
    batches = loader if device == "cpu" else [type(b)(*(column.to(device) for column in b)) for b in loader]
    for _ in range(epochs):
        clock.on_train_epoch_start()
        for batch in batches:
            tokens = network(batch.x)
            output = Output(logits=head(tokens.mean(dim=(1, 2))), h=tokens.mean(dim=(1, 2)), tokens=tokens)
            value = F.cross_entropy(output.logits, batch.y, label_smoothing=0.1) + loss.weight * loss(output, batch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            clock.tick()
    return clock.milliseconds


def where(profile: cProfile.Profile) -> dict[str, float]:
    """Share of the profiled time spent in the files of each part, PyTorch's kernels under ``kernels``."""
    shares: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        parts = file.replace("\\", "/").split("/")
        if "site-packages" in parts:
            inside = parts[parts.index("site-packages") + 1 :]
            name = ".".join(inside[:3] if inside[0] == "lightning" else inside[:2]).removesuffix(".py")
        else:
            name = "kernels and builtins" if file == "~" else parts[-2] if len(parts) > 1 else file
        shares[name] += own
    total = sum(shares.values())
    return {name: share / total for name, share in sorted(shares.items(), key=lambda pair: -pair[1])}


def main() -> None:
    parser = Arguments("python -m benchmarks.step", about=__doc__)
    parser.add_argument("--epochs", type=int, default=16, help="the first is a warm-up")
    parser.add_argument("--network", default="global_context_de", help="encoder of band features")
    parser.add_argument("--loss", default="vaxis_mse", help="a strategy of one phase")
    parser.add_argument("--where", action="store_true", help="also which part of the code the time goes to")
    parser.add_argument("--batch_size", type=int, default=128, help="small ones leave the framework's own cost")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as ``train.py fit`` does, and here for the loop too: what is left over it is the framework's
    device = options.device
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *("--network", options.network, "--loss", options.loss, f"--trainer.max_epochs={options.epochs}"),
            f"--data.batch_size={options.batch_size}",
            *(f"--data.root={folder}/cohort", f"--data.cache={folder}/stores", f"--run_dir={folder}/run"),
            *(f"--trainer.accelerator={'gpu' if device == 'cuda' else 'cpu'}", "--trainer.enable_progress_bar=false"),
        ]
        loop = by_hand(words, epochs=options.epochs, device=device)
        rows = {"hand-written loop": loop}
        rows["Trainer and Decoder"] = command(words, measured=False, device=device)
        rows["the command: callbacks, log"] = command(words, measured=True, device=device)
        where_it_is = torch.cuda.get_device_name() if device == "cuda" else "processor time a step on one thread"
        print(f"{options.network}, {options.loss}: batch {options.batch_size}: {where_it_is}")
        for name, value in rows.items():
            print(f"  {name:<28} {value:7.2f} ms   {value / loop:5.2f} x   {value - loop:+6.2f} ms")
        if options.where:
            profile = cProfile.Profile()
            command(words, measured=True, profile=profile)
            print("where the command's step goes (a profiler makes calls dearer than kernels)")
            for name, share in list(where(profile).items())[:14]:
                print(f"  {name:<40} {share:6.1%}")


if __name__ == "__main__":
    main()
