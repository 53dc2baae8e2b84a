"""Every network keeps one contract; EMOD is also held to the published shapes, counts and names."""

import importlib
import inspect
import pkgutil
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import networks
from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS
from networks.axial_de import AxialDE
from networks.base import Network, checked_grid
from networks.braindecode import Braindecode
from networks.cbramod import CBraMod
from networks.eeg_conformer import EEGConformer
from networks.efficientnet_b0 import EfficientNetB0
from networks.emod import EMOD
from networks.global_context_de import GlobalContextDE

RAW = DataSpec(
    dataset="faced",
    features="raw",
    channels=tuple(FACED_CHANNELS[:6]),
    shape=(6, 256),
    sampling_rate=128,
    window_seconds=2,
    classes=("a", "b"),
    class_of=(0, 1),
    subjects=("s",),
)
BANDS = replace(RAW, features="de", shape=(6, 5), sampling_rate=1)
FACED = replace(RAW, channels=tuple(FACED_CHANNELS), shape=(32, 2500), sampling_rate=250, window_seconds=10)

KINDS = {"raw": RAW, "de": BANDS, "psd": replace(BANDS, features="psd")}

# Small hyper-parameters; a network without a row is built with its defaults, so that a dropped-in file is tested too.
ROWS: dict[type[Network], dict] = {
    EMOD: {"depth": 1, "dim": 16},
    AxialDE: {"dim": 8},
    GlobalContextDE: {"dim": 8, "hidden": 12},
    CBraMod: {"depth": 1},
    EEGConformer: {"depth": 1},
    EfficientNetB0: {"drop": 0.0},  # a layer that is skipped has no gradient
}
SECONDS = {"raw": replace(RAW, shape=(6, 400), sampling_rate=200)}
SPECS: dict[type[Network], dict[str, DataSpec]] = {CBraMod: SECONDS}
ELSEWHERE = {Braindecode}  # names a model of a library: tests/test_networks_braindecode.py


def found() -> list[type[Network]]:
    """All concrete networks of the package."""
    modules = [importlib.import_module(f"networks.{m.name}") for m in pkgutil.iter_modules(networks.__path__)]
    classes = {c for module in modules for c in vars(module).values() if inspect.isclass(c)}
    concrete = {c for c in classes if issubclass(c, Network) and c is not Network} - ELSEWHERE
    return sorted(concrete, key=lambda c: c.__name__)


def make(network: type[Network], spec: DataSpec, **init_args) -> Network:
    torch.manual_seed(0)
    made = network(**init_args)
    made.build(spec)
    return made.eval()


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(params=[(c, kind) for c in found() for kind in c.reads], ids=lambda p: f"{p[0].__name__}-{p[1]}")
def row(request):
    """A network, its arguments and data of a kind that it reads."""
    network, kind = request.param
    return network, ROWS.get(network, {}), SPECS.get(network, KINDS)[kind]


def test_tokens_have_the_announced_shape(row):
    network, init_args, spec = row
    made = make(network, spec, **init_args)
    tokens, grid = made(torch.randn(3, *spec.shape)), checked_grid(made, spec)
    assert tokens.shape == (3, grid.rows, grid.columns, made.dim)
    assert tokens.isfinite().all()
    assert grid.electrodes == (spec.channels if made.keeps_electrodes else None)


def test_trials_do_not_see_each_other(row):
    network, init_args, spec = row
    made, x = make(network, spec, **init_args), torch.randn(4, *spec.shape)
    torch.testing.assert_close(made(x)[2:3], made(x[2:3]), rtol=1e-4, atol=1e-4)


def test_every_parameter_gets_a_finite_gradient(row):
    network, init_args, spec = row
    made = make(network, spec, **init_args).train()
    made(torch.randn(4, *spec.shape)).square().mean().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_state_dict_round_trip(row):
    network, init_args, spec = row
    made, x = make(network, spec, **init_args), torch.randn(2, *spec.shape)
    other = network(**init_args)
    other.build(spec)
    assert not torch.equal(other.eval()(x), made(x))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(x), made(x))


def test_wrong_features_are_refused(row):
    network, init_args, _ = row
    for kind in KINDS.keys() - set(network.reads):
        with pytest.raises(ValueError, match=r"data\.features"):
            network(**init_args).build(KINDS[kind])


def test_arguments_are_typed_keyword_only_and_documented(row):
    network = row[0]
    for name, parameter in list(inspect.signature(network.__init__).parameters.items())[1:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, name
        assert parameter.annotation is not inspect.Parameter.empty, name
        assert f"\n        {name}: " in network.__doc__ or f"\n    {name}: " in inspect.getdoc(network), name


class Loose(Network):
    """Tokens of any shape, with batch statistics, dropout and a draw of its own in every pass."""

    def __init__(self, *, shape: tuple[int, ...], **stated) -> None:
        super().__init__()
        self.shape = shape
        vars(self).update({"dim": shape[-1], "n_tokens": shape[1]} | stated)

    def build(self, spec: DataSpec) -> None:
        self.norm, self.frozen = nn.BatchNorm1d(len(spec.channels)), nn.Dropout(0.5).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen_training = self.training
        mean = self.norm(x).mean() + torch.randn(())
        return mean * torch.ones(len(x), *self.shape)


def loose(**options) -> Loose:
    made = Loose(**options)
    made.build(RAW)
    return made


def test_grids_with_and_without_electrodes_are_accepted():
    kept = checked_grid(loose(shape=(6, 3, 8)), RAW)
    assert (kept.rows, kept.columns, kept.electrodes) == (6, 3, RAW.channels)
    assert kept.rows_of(["fp2", "Fp1"], reader="x") == [1, 0]
    mixed = checked_grid(loose(shape=(1, 3, 8), keeps_electrodes=False), RAW)
    assert (mixed.rows, mixed.columns, mixed.electrodes) == (1, 3, None)
    # As many rows as electrodes do not make them electrodes.
    regions = checked_grid(loose(shape=(6, 3, 8), keeps_electrodes=False, n_rows=6), RAW)
    assert (regions.rows, regions.electrodes) == (6, None)
    with pytest.raises(ValueError, match=r"--loss topo_optimal .* --network test_networks mixes .*--loss vaxis_mse"):
        regions.rows_of(["Fp1"], reader="topo_optimal")


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (1, 3, 8)},  # electrodes mixed and not said
        {"shape": (6, 3, 8), "n_tokens": 4},
        {"shape": (6, 3, 8), "dim": 16},
        {"shape": (2, 3, 8), "keeps_electrodes": False},
        {"shape": (18, 8), "n_tokens": 3},
    ],
)
def test_tokens_of_another_shape_than_stated_are_one_line(options):
    with pytest.raises(ValueError, match=r"--network test_networks states tokens .* = \(2, .* returns \(2, ") as error:
        checked_grid(loose(**options), RAW)
    assert "\n" not in str(error.value)
    assert str((2, *options["shape"])) in str(error.value)


def test_the_check_leaves_no_trace():
    made = loose(shape=(6, 3, 8))
    before, random = {name: value.clone() for name, value in made.state_dict().items()}, torch.get_rng_state()
    checked_grid(made, RAW)
    assert not made.seen_training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert (made.training, made.norm.training, made.frozen.training) == (True, True, False)


def test_axial_de_without_blocks_is_a_linear_map_of_all_features():
    made = make(AxialDE, BANDS, depth=0, dim=40)
    x = torch.randn(50, *BANDS.shape)
    h = made(x).mean(dim=(1, 2)).detach()
    features = torch.cat([x.flatten(1), torch.ones(50, 1)], dim=1)
    fitted = features @ torch.linalg.lstsq(features, h).solution
    torch.testing.assert_close(fitted, h, rtol=1e-3, atol=1e-4)
    assert torch.linalg.matrix_rank(h - h.mean(dim=0)) == 30
    assert 0.3 < h.std() < 1


# GlobalContextDE


def test_global_context_de_has_the_published_formula_and_size():
    made = make(GlobalContextDE, replace(FACED, features="de", shape=(32, 5)))
    assert count(made) + 9 * 33 == 22_921  # with a linear classifier of nine emotions
    x = torch.randn(7, 32, 5)
    inner, outer = made.blocks[0].inner, made.blocks[0].outer
    shared = F.gelu(x.flatten(1) @ inner.weight.T + inner.bias) @ outer.weight.T + outer.bias
    own = 160 * made.gain * x[..., None] + made.offset
    torch.testing.assert_close(made(x), own + shared[:, None, None], rtol=1e-4, atol=1e-5)
    h = made(x).mean(dim=(1, 2))
    assert 0.3 < h.std() < 1


def test_global_context_de_sees_products_which_axial_de_without_a_second_layer_cannot():
    """The class is the sign of the product of two features: the mean of either says nothing."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, *BANDS.shape, generator=generator)
    y = (x[:, 0, 0] * x[:, 1, 1] > 0).long()
    found = {}
    for name, network in (("context", make(GlobalContextDE, BANDS)), ("linear", make(AxialDE, BANDS, depth=0))):
        head = torch.nn.Linear(32, 2)
        optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=2e-3, weight_decay=1e-2)
        for _ in range(150):
            loss = F.cross_entropy(head(network(x[:3000]).mean(dim=(1, 2))), y[:3000])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            guess = head(network(x[3000:]).mean(dim=(1, 2))).argmax(dim=1)
        found[name] = (guess == y[3000:]).float().mean().item()
    assert found["context"] > 0.8
    assert found["linear"] < 0.6
