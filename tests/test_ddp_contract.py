"""Two ranks on the halves of a batch give the gradient of one process on the whole of it: every strategy, every phase.

As a script it trains all of them, which is how the second rank starts; a new file in ``losses/`` is covered by itself.
"""

import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from command_line.catalogue import plugins
from lightning_modules.optimisation import Optimisation
from losses._composition import Composition
from losses.base import AlignmentLoss
from tests.phase_runs import data_for, decoder, fit
from tests.test_losses import strategy

# A step that no weight feels, so each batch of a phase is seen with the same weights.
STANDING = Optimisation(lr=1e-30, weight_decay=0.0, warmup_epochs=0)
VARIANTS = {
    "xeeg joint": lambda: strategy("xeeg", mode="joint"),
    "vaxis_mse pearson": lambda: strategy("vaxis_mse", criterion="pearson"),
    "pretrain_finetune frozen": lambda: strategy("pretrain_finetune", freeze=True),
    "faa covariate": lambda: strategy("faa", mode="covariate"),
    "prototype_kd+topo_optimal": lambda: composition("prototype_kd", "topo_optimal"),
    "prototype_kd+rsa": lambda: composition("prototype_kd", "rsa"),
    "peft_lora+rsa": lambda: composition("peft_lora", "rsa"),
}
CASES = [*(plugin.name for plugin in plugins("loss")), *VARIANTS]
Gradients = dict[str, dict[str, Tensor]]

pytestmark = pytest.mark.filterwarnings("ignore")


def composition(*names: str) -> Composition:
    return Composition(parts=[strategy(name) for name in names])


def case(name: str) -> AlignmentLoss:
    return VARIANTS[name]() if name in VARIANTS else strategy(name)


class Watch(L.Callback):
    """Moves every weight away from its start, where adapters are blind, and keeps the gradient of each step."""

    def __init__(self) -> None:
        self.seen: Gradients = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in pl_module.parameters():
                parameter += 0.02 * torch.randn(parameter.shape, generator=generator)

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer) -> None:
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        trained = {name: p.grad for name, p in pl_module.named_parameters() if id(p) in held}
        if absent := [name for name, gradient in trained.items() if gradient is None]:
            raise ValueError(f"in the optimiser but not in the loss, for which DDP waits in vain: {absent}")
        step = f"{pl_module.phase.name} step {trainer.global_step}"
        self.seen[step] = {name: gradient.clone() for name, gradient in trained.items()}


def gradients(name: str, folder: Path, *, devices: int) -> Gradients:
    """Of two batches in each phase."""
    L.seed_everything(3)
    loss, watch = case(name), Watch()
    fit(decoder(loss, optimisation=STANDING), data_for(loss, folder), folder, watch, devices=devices)
    return watch.seen


@pytest.fixture(scope="module")
def on_two_ranks(tmp_path_factory) -> dict[str, Gradients | str]:
    folder = tmp_path_factory.mktemp("ranks")
    data_for(strategy("xeeg"), folder)  # writes the axes, which both ranks would do at once
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return torch.load(folder / "gradients.pt", weights_only=True)


@pytest.mark.parametrize("name", CASES)
def test_halves_on_two_ranks_have_the_gradient_of_the_whole_batch(name, on_two_ranks, tmp_path):
    two, one = on_two_ranks[name], gradients(name, tmp_path, devices=1)
    assert not isinstance(two, str), two
    assert two.keys() == one.keys()
    assert len(one) == 2 * len({step.split(" step ")[0] for step in one}) * (2 if "joint" in name else 1)
    for step in one:
        assert two[step].keys() == one[step].keys()
        for parameter, value in one[step].items():
            scale = value.abs().max().item()
            tolerance = {"rtol": 1e-4, "atol": 1e-5 * scale + 1e-9}
            where = f"{step} {parameter}: ".__add__
            torch.testing.assert_close(two[step][parameter], value, **tolerance, msg=where)


if __name__ == "__main__":
    found = {}
    for each in CASES:
        try:
            found[each] = gradients(each, Path(sys.argv[1]), devices=2)
        except Exception as error:
            found[each] = f"{type(error).__name__}: {error}"
    if os.environ["LOCAL_RANK"] == "0":
        torch.save(found, Path(sys.argv[1]) / "gradients.pt")
