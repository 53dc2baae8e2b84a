"""The main job against its floor: the same runs in a loop written by hand, in one process.

``python -m benchmarks.floor [-- flags of the main job]`` gives a verdict in a folder of its own and then trains each of
its runs once more: same network, loss, batches, optimiser, epochs and evaluation, and nothing else. No Trainer, log,
measures, checkpoint on disk or process a run; data are opened and modules built outside the clock. Processor seconds of
all processes on both sides, one thread each; what the loop imports is counted once. The main job is given once more,
with nothing left to train: what it takes for simple models, nulls and report, which the loop has not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

from benchmarks.processor import measured
from console.arguments import before_dashes
from records.layout import RESULT
from studies.jobs import SETTINGS
from studies.slots import TRAIN

LOOP = "--loop"


def main(argv: list[str]) -> None:
    """Run both and print the ratio.

    Args:
        argv: ``--``, flags of the main job.
    """
    if argv[:1] == [LOOP]:
        return loop([Path(run) for run in argv[1:]])
    own, words = before_dashes(argv)
    argparse.ArgumentParser("python -m benchmarks.floor", description=__doc__).parse_args(own)
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(TRAIN), *words, f"--run_dir={folder}"]
        wall, used = measured(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        runs = sorted(str(file.parent) for file in Path(folder).rglob(RESULT))
        print(f"main job  {len(runs)} runs: {used:.1f} processor seconds, {wall:.1f} s", flush=True)
        _, answer = measured(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        print(f"          {answer:.1f} of them for the answer: simple models, nulls, report, imports", flush=True)
        again = [sys.executable, "-m", "benchmarks.floor", LOOP, *runs]
        said = subprocess.run(again, cwd=TRAIN.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
        seconds, imports, differences = map(float, said.split())
    print(f"by hand   the same {len(runs)}: {seconds + imports:.1f} processor seconds, {imports:.1f} of them imports")
    print(f"          largest difference of a test accuracy between the two: {differences:.4f}")
    print(f"ratio     {used / (seconds + imports):.2f}, of the runs alone {(used - answer) / (seconds + imports):.2f}")


def loop(runs: list[Path]) -> None:
    """Train each run of a folder once more by hand and print: seconds, seconds of imports, largest difference."""
    started = time.process_time()
    import numpy  # noqa: F401
    import torch

    imports = time.process_time() - started
    from records.result import read

    torch.set_num_threads(1)
    seconds, differences = 0.0, []
    for run in runs:
        used, accuracy = by_hand(run)
        seconds += used
        differences.append(abs(accuracy - read(run / RESULT)["test"]["balanced_accuracy"]))
    print(seconds, imports, max(differences))


def by_hand(run: Path) -> tuple[float, float]:
    """Processor seconds and test accuracy of a run, from its settings."""
    import torch.nn.functional as F

    from command_line.reader import instantiate
    from command_line.settings import RunSettings
    from lightning_modules.control import axis_of
    from lightning_modules.optimisation import configure
    from losses.base import Output
    from vaxis.axis import Axis

    settings = RunSettings.load(run / SETTINGS)
    data, decoder, _ = instantiate(settings)
    for stage in ("fit", "test"):
        data.setup(stage)
    decoder.control_axis = axis_of(decoder.control)
    decoder.build_on(Axis.load(decoder.axis or data.axis_path), spec=data.spec, epochs=settings.epochs)
    if len(decoder.phases) > 1 or data.source:
        raise ValueError(f"--loss {decoder.loss.name} trains in phases; the loop by hand knows one")
    network, head, strategy = decoder.network, decoder.classifier, decoder.loss
    training: Any = data.train_dataloader()
    validation = data.val_dataloader()

    started = time.process_time()
    recipe: Any = configure(
        decoder.optimisation,
        encoder_params=network.parameters(),
        other_params=[*head.parameters(), *strategy.parameters()],
        steps_per_epoch=len(training),
        epochs=settings.epochs,
    )
    optimizer, schedule = recipe["optimizer"], recipe["lr_scheduler"]["scheduler"]
    best, kept = -1.0, dict[str, Any]()
    for epoch in range(settings.epochs):
        decoder.train()
        training.sampler.set_epoch(epoch)
        for batch in training:
            batch = data.on_after_batch_transfer(batch, 0)
            tokens = network(batch.x)
            logits, h = head(tokens), tokens.mean(dim=(1, 2))
            loss = F.cross_entropy(logits, batch.y, label_smoothing=decoder.label_smoothing)
            if strategy.active:
                loss = loss + strategy.weight * strategy(Output(logits=logits, h=h, tokens=tokens), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if (score := accuracy(decoder, data, validation)) > best:
            best, kept = score, deepcopy(decoder.state_dict())
    decoder.load_state_dict(kept)
    tests = data.test_dataloader()
    found = [accuracy(decoder, data, loader) for loader in (tests if isinstance(tests, list) else [tests])]
    return time.process_time() - started, found[0]


def accuracy(decoder: Any, data: Any, loader: Any) -> float:
    """Balanced accuracy on the trials of a loader."""
    import torch

    decoder.eval()
    classes = len(data.spec.classes)
    confusion = torch.zeros(classes * classes, dtype=torch.long)
    with torch.no_grad():
        for batch in loader:
            batch = data.on_after_batch_transfer(batch, 0)
            called = decoder(batch.x).argmax(dim=1)
            confusion += torch.bincount(batch.y * classes + called, minlength=classes * classes)
    confusion = confusion.reshape(classes, classes).double()
    shown = confusion.sum(dim=1)
    return float((confusion.diag() / shown)[shown > 0].mean())


if __name__ == "__main__":
    main(sys.argv[1:])
