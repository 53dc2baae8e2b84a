"""Pretraining: what is hidden and learned, whose trials are read, and runs that start from the file."""

import math
from dataclasses import replace

import lightning as L
import pytest
import torch
from torch import nn

from command_line.catalogue import plugins
from datamodules.simulated import SimulatedFACED
from lightning_modules.objectives.masked_patches import MaskedPatches
from lightning_modules.objectives.valence_arousal import ValenceArousal
from lightning_modules.optimisation import Optimisation
from lightning_modules.pretraining import Pretraining, cohort, save_encoder
from losses.none import NoAlignment
from losses.peft_lora import PEFTLoRA
from networks.axial_de import AxialDE
from networks.eegnet import EEGNet
from networks.emod import EMOD
from networks.weights import pretraining_of
from tests.loss_cases import SPEC
from tests.pretraining_cases import KINDS, SECONDS, built, decoder
from train import main


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_masked_patches_drops(kind):
    network, objective, batch = built(MaskedPatches(), kind)
    optimizer = torch.optim.AdamW([*network.parameters(), *objective.parameters()], lr=4e-3)
    seen = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = objective(network, batch)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert sum(seen[-5:]) < 0.75 * sum(seen[:5])


def test_the_encoder_sees_nothing_of_what_it_fills_in():
    network, objective, batch = built(MaskedPatches(ratio=0.5), "emod")
    given = []

    class Looks(nn.Module):
        def forward(self, x):
            given.append(x)
            return network(x)

    torch.manual_seed(3)
    loss = objective(Looks(), batch)
    hidden = (given[0] == 0) & (batch.x != 0)
    stretches = hidden.unflatten(-1, (2, 200)).float().mean(dim=-1)  # five tokens of EMOD are a second
    assert set((stretches > 0.9).float().add((stretches < 0.01).float()).flatten().tolist()) == {1.0}
    assert 0.4 < float((stretches > 0.5).float().mean()) < 0.6
    assert torch.equal(given[0][~hidden], batch.x[~hidden])
    assert loss.requires_grad


def test_the_loss_is_one_for_a_guess_of_zeros_whatever_the_unit():
    network, objective, batch = built(MaskedPatches(), "cbramod")
    nn.init.zeros_(objective.head.weight)
    nn.init.zeros_(objective.head.bias)
    values = []
    for unit in (1.0, 1000.0):
        torch.manual_seed(1)
        values.append(objective(network, batch._replace(x=unit * batch.x)).item())
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    assert values[0] == pytest.approx(1, abs=0.3)


def test_the_contrast_is_its_formula():
    _, objective, batch = built(ValenceArousal(), "axial_de")
    features = torch.randn(6, 512, generator=torch.Generator().manual_seed(1))
    objective.head = nn.Identity()
    value = float(objective(lambda x: features[:, None, None], batch))
    unit = features / features.norm(dim=1, keepdim=True)
    places = objective.plane[batch.y].tolist()
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        norm = sum(math.exp(float(unit[i] @ unit[j]) / 0.07) for j in others)
        weight = {j: max(0.0, 1 - math.dist(places[i], places[j]) / 5) for j in others}
        share = {j: float(unit[i] @ unit[j]) / 0.07 - math.log(norm) for j in others}
        total -= sum(weight[j] * share[j] for j in others) / sum(weight.values()) / 6
    assert value == pytest.approx(total, rel=1e-4)


def test_what_cannot_be_pretrained_is_one_line():
    odd = replace(SECONDS, shape=(32, 403))
    for network, spec, message in (
        (EEGNet(), SECONDS, "mixes the electrodes before its tokens; take --network cbramod"),
        (EMOD(depth=1, dim=16), odd, "403 samples do not divide into the 10 tokens"),
    ):
        network.build(spec)
        with pytest.raises(ValueError, match=message):
            MaskedPatches().build(spec=spec, grid=network.grid(spec), dim=16)
    with pytest.raises(ValueError, match="has no place for the class 'bored'"):
        ValenceArousal().build(spec=replace(SPEC, classes=("bored",)), grid=None, dim=4)


def test_every_objective_is_a_value_of_the_flag_and_mistakes_are_one_line(capsys):
    assert [plugin.name for plugin in plugins("objective")] == ["masked_patches", "valence_arousal"]
    main(["pretrain", "--help"])
    assert "valence_arousal" in capsys.readouterr().out
    for words, message in (
        (["--objective", "masked"], "Did you mean 'masked_patches'"),
        (["--objective", "masked_patches", "--objective.share", "1"], "no argument 'share'"),
        (["--objective", "masked_patches", "--objective.ratio", "1.5"], "must lie above 0 and below 1"),
        (["--objective", "masked_patches", "--loss", "rsa"], "in the place of a loss"),
        (["--objective", "masked_patches", "--trainer.fast_dev_run", "1"], "has no meaning in pretraining"),
        (["--network", "axial_de"], "needs --objective, one of masked_patches"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(["pretrain", *words])


class OnlyTraining(SimulatedFACED):
    """Keeps which trials were handed out, and gives no others than those of the training."""

    def __init__(self, **options):
        super().__init__(**options)
        self.handed_out = set()

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.handed_out |= set(batch.index.tolist())
        return batch

    def val_dataloader(self):
        raise AssertionError("validation trials were asked for")

    test_dataloader = predict_dataloader = val_dataloader


def cohort_of(folder, *, kind=SimulatedFACED, **options):
    return kind(n_subjects=8, root=str(folder / "faced"), cache=str(folder / "stores"), batch_size=64, **options)


def trainer(folder, **options) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=folder, use_distributed_sampler=False, max_epochs=2, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pretraining")


@pytest.fixture(scope="module")
def encoder(folder):
    """An encoder of two epochs on the training people of the first fold, its file and its data."""
    L.seed_everything(1, verbose=False)
    data = cohort_of(folder, kind=OnlyTraining, split="loso", fold=0)
    module = Pretraining(network=AxialDE(dim=8, depth=2), objective=MaskedPatches(), optimisation=Optimisation())
    trainer(folder, limit_val_batches=0).fit(module, datamodule=data)
    file = folder / "encoder.ckpt"
    save_encoder(module, file, data=data, facts={"network": {"dim": 8}})
    return module, file, data


def test_only_trials_of_the_training_are_read(encoder):
    module, file, data = encoder
    assert data.handed_out <= set(data.indices["train"].tolist())
    assert len(data.handed_out) > 64
    people = {data.spec.subjects[i] for i in data.store.trials.subject[data.indices["train"]]}
    others = {data.spec.subjects[i] for role in ("val", "test") for i in data.store.trials.subject[data.indices[role]]}
    about = pretraining_of(file)
    assert set(about["trials"]) == people
    assert people.isdisjoint(others)
    assert about["losses"] == module.losses
    assert module.losses[1] < module.losses[0]


@pytest.mark.filterwarnings("ignore:the run of")
def test_a_run_starts_from_the_file_and_lora_leaves_it_as_it_is(encoder, folder):
    module, file, _ = encoder
    start = decoder(AxialDE(dim=8, depth=2, weights=str(file)), NoAlignment())
    lora = decoder(AxialDE(dim=8, depth=2), PEFTLoRA(pretrained=str(file), rank=2))
    for model in (start, lora):
        data = cohort_of(folder, split="loso", fold=0)
        trainer(folder, limit_train_batches=1 if model is lora else 0).fit(model, datamodule=data)
    wanted = module.network.state_dict()
    got = start.network.state_dict()
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)
    adapted = lora.network.state_dict()
    held = {name.replace("parametrizations.", "").replace(".original", ""): adapted[name] for name in adapted}
    assert all(torch.equal(held[name], wanted[name]) for name in wanted)
    assert any(value.abs().max() > 0 for name, value in adapted.items() if name.endswith(".up"))


def test_a_file_that_saw_the_test_people_is_refused(encoder, folder):
    _, file, data = encoder
    model = decoder(AxialDE(dim=8, depth=2, weights=str(file)), NoAlignment())
    with pytest.raises(ValueError, match=r"was pretrained on \d+ of the people whose trials this run is judged by"):
        trainer(folder).fit(model, datamodule=cohort_of(folder, split="loso", fold=1))
    other = SimulatedFACED(n_subjects=8, people_seed=7)
    assert cohort(other) != cohort(data)


def test_an_interrupted_pretraining_goes_on_to_the_same_encoder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    words = ["pretrain", "--objective=masked_patches", "--network=axial_de", "--data.n_subjects=8",
             "--data.batch_size=64", "--trainer.max_epochs=4", "--trainer.enable_progress_bar=false"]  # fmt: skip
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    main([*words, f"--run_dir={whole}"])
    assert "--network.weights" in capsys.readouterr().out

    def until_the_third(module):
        if module.current_epoch == 2:
            raise ValueError("pulled out")
        begin(module)

    begin = Pretraining.on_train_epoch_start
    monkeypatch.setattr(Pretraining, "on_train_epoch_start", until_the_third)
    with pytest.raises(SystemExit, match="pulled out"):
        main([*words, f"--run_dir={broken}"])
    assert not (broken / "encoder.ckpt").exists()
    with pytest.raises(SystemExit, match=r"other settings \(objective.init_args.ratio was 0.5, now 0.3\)"):
        main([*words, "--objective.ratio=0.3", f"--run_dir={broken}"])
    monkeypatch.setattr(Pretraining, "on_train_epoch_start", begin)
    main([*words, f"--run_dir={broken}"])
    assert "resuming" in capsys.readouterr().out
    states = [torch.load(folder / "encoder.ckpt", weights_only=True) for folder in (whole, broken)]
    assert states[0]["pretraining"] == states[1]["pretraining"]
    assert all(torch.equal(value, states[1]["state_dict"][name]) for name, value in states[0]["state_dict"].items())
    with pytest.raises(SystemExit):
        main([*words, f"--run_dir={broken}"])
    assert "holds a finished pretraining" in capsys.readouterr().err
