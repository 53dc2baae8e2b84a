"""Runs that start from a pretrained encoder: adapters, a frozen one, and layouts that must not be mixed up."""

import pytest
import torch

from lightning_modules.decoder import Decoder
from lightning_modules.objectives.masked_patches import MaskedPatches
from lightning_modules.optimisation import Optimisation
from losses.none import NoAlignment
from losses.peft_fullhead import PEFTFullhead
from losses.peft_ia3 import PEFTIA3
from losses.peft_lora import PEFTLoRA
from networks.cbramod import CBraMod
from networks.emod import EMOD
from tests.pretraining_cases import SECONDS, built, decoder


@pytest.mark.parametrize("loss", [PEFTLoRA, PEFTIA3, PEFTFullhead])
def test_cbramod_takes_its_own_pretraining_strictly_and_adapts_it(loss, tmp_path, targets):
    network, _, batch = built(MaskedPatches(), "cbramod")
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "pretraining": {}}, tmp_path / "encoder.ckpt")
    model = decoder(CBraMod(depth=1, dropout=0.0, weights=str(tmp_path / "encoder.ckpt")), loss(pretrained="network"))
    model.build(spec=SECONDS, targets=targets)
    assert torch.allclose(model.network(batch.x), network(batch.x), atol=1e-5)  # adapters start neutral
    resting = model.resting()
    assert set(resting.values()) == {"network"}
    assert 0 < len(resting) <= len(state)
    assert any(name.startswith("network.") for name, _ in model.trained_parameters())
    torch.save({"state_dict": {name: state[name] for name in list(state)[1:]}}, tmp_path / "less.ckpt")
    with pytest.raises(ValueError, match="is missing"):
        CBraMod(depth=1, weights=str(tmp_path / "less.ckpt")).build(SECONDS)


def test_a_frozen_encoder_runs_as_in_evaluation_and_says_where_it_is_from(tmp_path, targets):
    network, _, batch = built(MaskedPatches(), "cbramod")
    torch.save({f"network.{n}": v for n, v in network.state_dict().items()}, tmp_path / "encoder.ckpt")
    frozen = Optimisation(encoder_lr_scale=0.0)
    encoder = CBraMod(depth=1, weights=str(tmp_path / "encoder.ckpt"))
    model = Decoder(network=encoder, loss=NoAlignment(), optimisation=frozen)
    model.build(spec=SECONDS, targets=targets)
    assert {name.split(".")[0] for name, _ in model.trained_parameters()} == {"classifier"}
    assert set(model.resting().values()) == {str(tmp_path / "encoder.ckpt")}
    model.train()
    model._rest_what_does_not_train()
    assert torch.equal(model.network(batch.x), model.network(batch.x))  # no dropout
    adapted = CBraMod(depth=1, weights=str(tmp_path / "encoder.ckpt"))
    model = Decoder(network=adapted, loss=PEFTLoRA(pretrained="network"), optimisation=frozen)
    with pytest.raises(ValueError, match="encoder_lr_scale 0 freezes the encoder, which --loss peft_lora adapts"):
        model.build(spec=SECONDS, targets=targets)


def test_layouts_of_emod_are_not_mixed_up(tmp_path):
    made, _, _ = built(MaskedPatches(), "emod")
    state = {"state_dict": {f"network.{name}": value for name, value in made.state_dict().items()}}
    torch.save({**state, "pretraining": {"network": {"time_axis_layout": "proper"}}}, tmp_path / "encoder.ckpt")
    for layout in ("proper", "released"):
        network = EMOD(depth=1, dim=16, time_axis_layout=layout, weights=str(tmp_path / "encoder.ckpt"))
        if layout == "proper":
            network.build(SECONDS)
            assert set(network.loaded) == set(made.state_dict())
        else:
            with pytest.raises(ValueError, match="trained with time_axis_layout 'proper'"):
                network.build(SECONDS)
