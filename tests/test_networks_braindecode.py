"""Models of braindecode by name: what becomes of their features, of their classifier, and of an absent library."""

import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from command_line.words import normalise
from eeg.montage import SEEDV_CHANNELS
from networks import braindecode
from networks.base import checked_grid
from networks.braindecode import Braindecode
from networks.shapes import trials_of
from tests.conftest import ROOT

FACED = trials_of("faced")
SMALL = replace(FACED, channels=FACED.channels[:6], shape=(6, 400), window_seconds=2)


class Standard(nn.Module):
    """The constructor that all models of braindecode share."""

    def __init__(self, *, n_chans, n_times, sfreq, n_outputs=3, chs_info=None, width=8):
        super().__init__()
        self.facts = {"n_chans": n_chans, "n_times": n_times, "sfreq": sfreq, "n_outputs": n_outputs}
        self.chs_info, self.width = chs_info, width
        self.unused = nn.Linear(2, 2)
        self.first = nn.Linear(200, width)


class Maps(Standard):
    """Features (B, D, N, 1), as its convolutional models have them."""

    def __init__(self, **facts):
        super().__init__(**facts)
        self.final_layer = nn.Sequential(nn.Flatten(), nn.LazyLinear(facts.get("n_outputs", 3)))

    def forward(self, input):
        seconds = input.unflatten(-1, (-1, 200)).mean(dim=1)
        return self.final_layer(self.first(seconds).transpose(1, 2)[..., None])


class Vector(Maps):
    """One vector a trial."""

    def forward(self, X):
        return self.final_layer(self.first(X.unflatten(-1, (-1, 200))).mean(dim=(1, 2)))


class Labram(Maps):
    """Tokens electrode by electrode, (B, C seconds, D), by ``return_features``; needs names at call time."""

    def forward(self, x, return_features=False, *, ch_names=None):
        assert ch_names == list(SMALL.channels)
        tokens = self.first(x.unflatten(-1, (-1, 200))).flatten(1, 2)
        return {"features": tokens, "cls_token": None} if return_features else self.final_layer(tokens)

    @classmethod
    def from_pretrained(cls, source, **facts):
        if source != "somebody/labram":
            raise OSError("no such repository\non the hub")
        made = cls(**facts)
        nn.init.ones_(made.first.weight)
        return made


class Headless(Standard):
    def __init__(self, **facts):
        super().__init__(**facts)
        self.final_layer = nn.ModuleList([nn.Linear(2, 2)])


@pytest.fixture
def library(monkeypatch):
    models = ModuleType("braindecode.models")
    vars(models).update({kind.__name__: kind for kind in (Maps, Vector, Labram, Headless)})
    monkeypatch.setitem(sys.modules, "braindecode", ModuleType("braindecode"))
    monkeypatch.setitem(sys.modules, "braindecode.models", models)


def built(**options) -> Braindecode:
    torch.manual_seed(0)
    made = Braindecode(**options)
    made.build(SMALL)
    return made


@pytest.mark.parametrize(
    ("model", "grid", "electrodes"), [("Maps", (1, 2), False), ("vector", (1, 1), False), ("LABRAM", (6, 2), True)]
)
def test_features_before_the_classifier_become_tokens(library, model, grid, electrodes):
    made = built(model=model, options={"width": 5})
    found = checked_grid(made, SMALL)
    assert (found.rows, found.columns, made.dim) == (*grid, 5)
    assert (found.electrodes == SMALL.channels) is electrodes
    x = torch.randn(3, *SMALL.shape)
    seconds = made.model.first(x.unflatten(-1, (-1, 200)))
    expected = {"Maps": made.model.first(x.unflatten(-1, (-1, 200)).mean(dim=1))[:, None], "LABRAM": seconds}
    expected["vector"] = seconds.mean(dim=(1, 2))[:, None, None]
    torch.testing.assert_close(made(x), expected[model])


def test_models_are_told_what_the_data_are(library):
    made = built(model="Maps").model
    assert made.facts == {"n_chans": 6, "n_times": 400, "sfreq": 200.0, "n_outputs": 9}
    assert [channel["ch_name"] for channel in made.chs_info] == list(SMALL.channels)
    assert all(torch.tensor(channel["loc"][:3]).isfinite().all() for channel in made.chs_info)


def test_every_electrode_of_seedv_has_a_place():
    spec = trials_of("seedv")
    places = np.array([channel["loc"][:3] for channel in braindecode._electrodes(spec)])
    assert np.isfinite(places).all()
    assert places[SEEDV_CHANNELS.index("CB1"), 0] < 0 < places[SEEDV_CHANNELS.index("CB2"), 0]


def test_the_classifier_is_gone_and_what_tokens_do_not_need_is_frozen(library):
    made = built(model="Maps").train()
    assert not any("final_layer" in name for name, _ in made.named_parameters())
    assert not any(p.requires_grad for p in made.model.unused.parameters())
    made(torch.randn(2, *SMALL.shape)).square().mean().backward()
    assert all(p.grad is not None for p in made.parameters() if p.requires_grad)
    assert [site.module for site in made.adaptable()] == [made.model.first]


def test_the_same_seed_makes_the_same_model_and_moves_no_random_number(library):
    torch.manual_seed(3)
    Maps(n_chans=6, n_times=400, sfreq=200.0)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Braindecode(model="Maps").build(SMALL)
    assert torch.equal(torch.rand(1), expected)


def test_pretrained_models_come_from_a_folder_or_the_hub(library):
    made = built(model="labram", pretrained="somebody/labram")
    assert (made.model.first.weight == 1).all()
    with pytest.raises(
        ValueError, match=r"Labram from nobody/x cannot read 6 .*OSError: no such repository on the hub"
    ):
        built(model="labram", pretrained="nobody/x")


def test_a_model_that_is_not_there_lists_those_that_are(library):
    with pytest.raises(ValueError, match=r"no model 'REVEE'; --network.model is one of Headless, Labram, Maps, Vector"):
        built(model="REVEE")
    with pytest.raises(ValueError, match="Headless has no single final_layer"):
        built(model="Headless")


@pytest.mark.parametrize(
    "broken", [ImportError("No module named 'torchaudio'"), OSError("libc10_cuda.so: cannot open")]
)
def test_without_the_library_one_line_says_what_to_install(monkeypatch, broken):
    def fails(name):
        raise broken

    monkeypatch.setattr(braindecode.importlib, "import_module", fails)
    with pytest.raises(ValueError, match=r"pip install 'vaxis-align\[braindecode\]'.*torchaudio of the same") as error:
        built(model="REVE")
    assert str(broken) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_short_spelling_names_a_model():
    words = normalise(["fit", "--network", "braindecode:REVE", "--network.pretrained=brain-bzh/reve-base"])
    path = "networks.braindecode.Braindecode"
    assert words == ["fit", "--network", path, "--network.model=REVE", "--network.pretrained=brain-bzh/reve-base"]
    assert normalise(words) == words
    with pytest.raises(SystemExit, match="unknown network 'nonsense'"):
        normalise(["fit", "--network=nonsense:REVE"])


def test_importing_the_networks_does_not_import_the_library():
    code = "import sys, networks.braindecode; print('braindecode' in sys.modules, 'mne' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def real() -> bool:
    try:
        braindecode.installed()
    except ValueError:
        return False
    return True


needs_braindecode = pytest.mark.skipif(not real(), reason="braindecode is an optional extra")


@needs_braindecode
@pytest.mark.parametrize(
    ("model", "tokens"),
    [("CBraMod", (32, 10, 200)), ("Labram", (32, 10, 200)), ("EEGNet", (1, 62, 16)), ("BIOT", (1, 1, 256))],
)
def test_real_models_have_the_listed_tokens(model, tokens):
    made = Braindecode(model=model)
    made.build(FACED)
    assert made.eval()(torch.randn(1, *FACED.shape)).shape == (1, *tokens)


@needs_braindecode
def test_ours_and_the_port_of_cbramod_agree_on_the_same_file(tmp_path):
    from braindecode.models import CBraMod as Port

    from networks.cbramod import CBraMod

    Port(n_chans=32, n_times=2000, sfreq=200, n_outputs=9, return_encoder_output=True).save_pretrained(tmp_path)
    ours = CBraMod(weights=str(tmp_path / "model.safetensors"))
    port = Braindecode(model="CBraMod", pretrained=str(tmp_path))
    x = torch.randn(2, *FACED.shape)
    for network in (ours, port):
        network.build(FACED)
        network.eval()
    torch.testing.assert_close(ours(x), port(x), rtol=1e-4, atol=1e-4)
