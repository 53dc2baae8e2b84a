"""Schedule values, parameter groups and the three published recipes."""

import math
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn import Linear, Sequential

from lightning_modules.optimisation import SMALL, Optimisation, configure, kernels, layer_shares

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def rates(optimisation: Optimisation, *, steps_per_epoch: int, epochs: int) -> list[dict[str, float]]:
    """Learning rate of each group at every step, and after the last."""
    encoder, head = Linear(2, 2), Linear(2, 2)
    made = configure(
        optimisation,
        encoder_params=encoder.parameters(),
        other_params=head.parameters(),
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
    )
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    assert made["lr_scheduler"]["interval"] == "step"
    seen = []
    for _ in range(steps_per_epoch * epochs + 1):
        seen.append({group["name"]: group["lr"] for group in optimizer.param_groups})
        optimizer.step()
        scheduler.step()
    return seen


def test_warm_up_then_cosine():
    seen = rates(Optimisation(lr=0.4, warmup_epochs=2, min_lr=0.1), steps_per_epoch=2, epochs=6)
    other = [step["other"] for step in seen]
    assert other[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert other[5:] == pytest.approx([0.1 + 0.3 * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(1, 9)])
    assert other[8] == pytest.approx(0.25)
    assert other[-1] == pytest.approx(0.1)


def test_without_warm_up_the_cosine_is_torchs():
    seen = rates(Optimisation(lr=1e-3, warmup_epochs=0, min_lr=1e-6), steps_per_epoch=5, epochs=4)
    optimizer = torch.optim.SGD(Linear(1, 1).parameters(), lr=1e-3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=1e-6)
    for step in seen:
        assert step["other"] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        reference.step()


def test_encoder_rate_is_scaled_but_ends_at_the_same_floor():
    seen = rates(Optimisation(lr=1e-3, warmup_epochs=0, min_lr=1e-6, encoder_lr_scale=0.5), steps_per_epoch=1, epochs=9)
    assert seen[0] == pytest.approx({"encoder": 5e-4, "other": 1e-3})
    assert seen[-1] == pytest.approx({"encoder": 1e-6, "other": 1e-6})


@pytest.mark.parametrize(("algorithm", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_algorithm_decay_and_groups(algorithm, kind):
    encoder, head = Linear(2, 3), Linear(3, 4)
    optimizer = configure(
        Optimisation(algorithm=algorithm, weight_decay=0.3, betas=(0.5, 0.6)),
        encoder_params=encoder.parameters(),
        other_params=head.parameters(),
        steps_per_epoch=10,
        epochs=10,
    )["optimizer"]
    assert type(optimizer) is kind
    assert [sum(p.numel() for p in group["params"]) for group in optimizer.param_groups] == [9, 16]
    assert all(group["weight_decay"] == 0.3 and group["betas"] == (0.5, 0.6) for group in optimizer.param_groups)


@pytest.mark.parametrize("algorithm", ["adamw", "adam"])
def test_small_parameters_are_updated_at_once_and_come_out_bit_for_bit_the_same(algorithm):
    found = []
    for one_by_one in (False, True):
        torch.manual_seed(0)
        network = Sequential(Linear(6, 40), Linear(40, 5))
        optimizer = configure(
            Optimisation(algorithm=algorithm, weight_decay=0.1, warmup_epochs=1),
            encoder_params=network[0].parameters(),
            other_params=network[1].parameters(),
            steps_per_epoch=10,
            epochs=2,
        )["optimizer"]
        assert all(group["foreach"] for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group["foreach"] = not one_by_one
        for _ in range(12):
            optimizer.zero_grad()
            network(torch.randn(9, 6)).square().mean().backward()
            optimizer.step()
        found.append([parameter.detach().clone() for parameter in network.parameters()])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found))


def test_large_parameters_are_updated_one_by_one():
    large = torch.nn.Parameter(torch.empty(2 * SMALL))
    assert kernels([large]) == {}
    assert kernels([large, *(torch.nn.Parameter(torch.empty(1)) for _ in range(2))]) == {"foreach": True}
    assert kernels([torch.nn.Parameter(torch.empty(1, device="meta"))]) == {}


def test_frozen_encoder_leaves_one_group():
    made = configure(
        Optimisation(), encoder_params=[], other_params=Linear(1, 1).parameters(), steps_per_epoch=9, epochs=9
    )
    assert [group["name"] for group in made["optimizer"].param_groups] == ["other"]


def test_a_run_within_its_warm_up_warns():
    with pytest.warns(UserWarning, match="warmup_epochs"):
        rates(Optimisation(warmup_epochs=5), steps_per_epoch=2, epochs=3)


@pytest.mark.parametrize(
    "wrong", [{"lr": 0}, {"weight_decay": -1}, {"warmup_epochs": -1}, {"encoder_lr_scale": -1}, {"algorithm": "sgd"}]
)
def test_bad_values_name_the_field(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Optimisation(**wrong)


RECIPES = {
    "appendix": ("adamw", 1e-2, 5, 0.0, 1.0, 128),
    "archive": ("adam", 1e-4, 0, 1e-6, 0.5, 64),
    "official": ("adam", 1e-4, 0, 1e-6, 0.5, 64),
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_files_say_what_was_published(name):
    config = yaml.safe_load((CONFIGS / f"recipe_{name}.yaml").read_text())
    made = Optimisation(**config["model"]["optimisation"])
    numbers = (made.algorithm, made.weight_decay, made.warmup_epochs, made.min_lr, made.encoder_lr_scale)
    assert (*numbers, config["data"]["batch_size"]) == RECIPES[name]
    assert (made.lr, config["model"]["label_smoothing"], config["trainer"]["max_epochs"]) == (1e-3, 0.1, 100)


def test_blocks_learn_in_a_geometric_row_down_from_the_head():
    encoder = Sequential(Linear(1, 1), Sequential(Linear(1, 1), Linear(1, 1)))
    names = ["network.patches.weight", "network.patches.bias"]
    names += [f"network.blocks.{block}.{kind}" for block in (0, 1) for kind in ("weight", "bias")]
    made = configure(
        Optimisation(lr=1.0, encoder_lr_scale=0.5, layer_decay=0.1),
        encoder_params=encoder.parameters(),
        encoder_names=names,
        other_params=Linear(1, 1).parameters(),
        steps_per_epoch=9,
        epochs=9,
    )
    groups = {group["name"]: group for group in made["optimizer"].param_groups}
    wanted = {"encoder 0": 0.0005, "encoder 1": 0.005, "encoder 2": 0.05, "other": 1.0}
    assert {name: group["initial_lr"] for name, group in groups.items()} == pytest.approx(wanted)
    assert [len(group["params"]) for group in groups.values()] == [2, 2, 2, 2]
    assert groups["encoder 2"]["params"][0] is encoder[1][1].weight
    with pytest.raises(ValueError, match="needs a network with blocks"):
        layer_shares(names[:2], decay=0.1)
