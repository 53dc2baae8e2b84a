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
from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS
from networks.axial_de import AxialDE
from networks.base import Network, checked_grid
from networks.emod import ELECTRODE_ID, EMOD, RENAMED, Attention, Block
from networks.global_context_de import GlobalContextDE
from networks.weights import rename

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
}


def found() -> list[type[Network]]:
    """All concrete networks of the package."""
    modules = [importlib.import_module(f"networks.{m.name}") for m in pkgutil.iter_modules(networks.__path__)]
    classes = {c for module in modules for c in vars(module).values() if inspect.isclass(c)}
    return sorted((c for c in classes if issubclass(c, Network) and c is not Network), key=lambda c: c.__name__)


def make(network: type[Network], spec: DataSpec, **init_args) -> Network:
    torch.manual_seed(0)
    made = network(**init_args)
    made.build(spec)
    return made.eval()


@pytest.fixture(params=[(c, kind) for c in found() for kind in c.reads], ids=lambda p: f"{p[0].__name__}-{p[1]}")
def row(request):
    """A network, its arguments and data of a kind that it reads."""
    network, kind = request.param
    return network, ROWS.get(network, {}), KINDS[kind]


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


# EMOD


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("depth", "total"), [(3, 845_384), (6, 1_641_488)])
def test_emod_parameter_counts(depth, total):
    made = make(EMOD, FACED, depth=depth)
    assert (made.n_tokens, made.dim) == (50, 128)
    assert count(made.tokeniser) == 40_064
    assert count(made.electrode_table) == 9_216
    assert {count(block) for block in made.blocks} == {265_368}
    assert count(made) == total


def test_emod_electrode_ids_are_the_released_ones():
    released = "36 37 41 23 24 27 28 29 30 33 34 20 7 8 65 66 13 14 17 18 60 47 48 51 52 53 54 44 42 43 1 2"
    ids = [ELECTRODE_ID[name.upper()] for name in FACED_CHANNELS]
    assert ids == [int(i) for i in released.split()]
    assert sorted(ELECTRODE_ID.values()) == list(range(1, 69))
    assert {name.upper() for name in SEEDV_CHANNELS} <= set(ELECTRODE_ID)
    with pytest.raises(ValueError, match="Nasion"):
        make(EMOD, replace(RAW, channels=("Nasion", *FACED_CHANNELS[:5])))


def test_emod_embedding_follows_the_electrode_not_the_row():
    swapped = replace(RAW, channels=RAW.channels[::-1])
    x = torch.randn(2, *RAW.shape)
    tokens = make(EMOD, RAW, depth=1, dim=16)(x)
    torch.testing.assert_close(make(EMOD, swapped, depth=1, dim=16)(x.flip(1)).flip(1), tokens, rtol=1e-4, atol=1e-5)


def test_emod_refuses_long_trials():
    with pytest.raises(ValueError, match="at most 10 s"):
        make(EMOD, replace(RAW, window_seconds=11))


def test_attention_agrees_with_its_definition():
    torch.manual_seed(0)
    attention, x = Attention(dim=16, relative=True), torch.randn(2, 7, 16)
    q, k, v = (part.view(2, 7, 2, 8) for part in attention.qkv(x).split(16, dim=-1))
    out = torch.zeros(2, 7, 2, 8)
    for m, h, i in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(7)):
        logits = [q[m, i, h] @ (k[m, j, h] / 8**0.5 + attention.relative[i - j + 49]) for j in range(7)]
        out[m, i, h] = F.softmax(torch.stack(logits), dim=0) @ v[m, :, h]
    torch.testing.assert_close(attention(x), attention.proj(out.flatten(2)), rtol=1e-4, atol=1e-5)


def sources(layout: str, *, token: tuple[int, int], shape: tuple[int, int, int]) -> torch.Tensor:
    """(C, N, D) bool: which inputs of the second attention one output token depends on."""
    torch.manual_seed(0)
    block = Block(dim=shape[-1], dropout=0.0, layout=layout).double()
    x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    block._along_time(x)[0, token[0], token[1]].sum().backward()
    return x.grad[0] != 0


@pytest.mark.parametrize("layout", ["released", "proper"])
def test_second_attention_stays_within_an_electrode(layout):
    seen = sources(layout, token=(1, 3), shape=(3, 5, 16))
    assert seen[1].all()
    assert not seen[[0, 2]].any()


def rows_seen_by(layout: str, *, n_tokens: int, dim: int) -> torch.Tensor:
    """(N, D) ids ``1000 n + d`` of the numbers that the attention receives as its N tokens."""
    block = Block(dim=dim, dropout=0.0, layout=layout)
    block.time_attention = torch.nn.Identity()
    ids = 1000.0 * torch.arange(n_tokens)[:, None] + torch.arange(dim)
    return block._along_time(ids[None, None])[0, 0].long()


def test_released_layout_mixes_time_and_features():
    rows = rows_seen_by("released", n_tokens=50, dim=128)
    time, feature = rows // 1000, rows % 1000
    assert set(feature[0].tolist()) == {0, 1, 2}
    assert set(feature[1].tolist()) == {2, 3, 4, 5}
    assert all(set(row.tolist()) == set(range(50)) for row in time)


def test_proper_layout_hands_over_time_points():
    rows = rows_seen_by("proper", n_tokens=50, dim=128)
    assert torch.equal(rows, 1000 * torch.arange(50)[:, None] + torch.arange(128))


@pytest.mark.parametrize(("layout", "equivariant"), [("proper", True), ("released", False)])
def test_only_proper_attention_is_equivariant_in_time_without_positions(layout, equivariant):
    torch.manual_seed(0)
    block, x, order = Block(dim=16, dropout=0.0, layout=layout), torch.randn(2, 3, 6, 16), torch.randperm(6)
    torch.nn.init.zeros_(block.time_attention.relative)
    with torch.no_grad():
        assert torch.allclose(block(x[:, :, order]), block(x)[:, :, order], atol=1e-5) is equivariant


def released_file(path, network: EMOD):
    """Save the network under the authors' names, as data-parallel training does, with a head of pretraining."""
    names = {
        "tokeniser.time.": "embd.time_tokenConv.",
        "tokeniser.frequency.": "embd.freq_tokenConv.",
        "tokeniser.fuse.": "embd.l.1.",
        "electrode_table.": "pos_embeddings.",
        "blocks.": "axial_transformer.layers.",
        ".time_attention.relative": ".width_attn.rel_pos_embed.rel_embed",
        ".time_attention.": ".width_attn.",
        ".channel_attention.": ".height_attn.",
        ".channel_norm.": ".norm_height.",
        ".time_norm.": ".norm_width.",
        ".ffn_norm.": ".norm_ffn.",
    }
    state = {"module.projection_head.3.weight": torch.zeros(1)}
    for name, value in network.state_dict().items():
        theirs = name
        for ours, other in names.items():
            theirs = theirs.replace(ours, other)
        assert rename(theirs, RENAMED) == name
        state[f"module.{theirs}"] = value
    torch.save(state, path)
    return str(path)


def test_emod_loads_a_released_file(tmp_path):
    pretrained = make(EMOD, RAW, depth=2, dim=16)
    with torch.no_grad():
        for parameter in pretrained.parameters():
            parameter.add_(1)
    path = released_file(tmp_path / "weights.ckpt", pretrained)
    made, x = make(EMOD, RAW, depth=2, dim=16, weights=path), torch.randn(2, *RAW.shape)
    assert set(made.loaded) == {name for name, _ in made.named_parameters()}
    assert torch.equal(made(x), pretrained(x))


def test_deeper_emod_keeps_its_further_blocks_random(tmp_path, caplog):
    pretrained = make(EMOD, RAW, depth=1, dim=16)
    path = released_file(tmp_path / "weights.ckpt", pretrained)
    made = make(EMOD, RAW, depth=3, dim=16, weights=path)
    assert {name.split(".")[1] for name in made.loaded if name.startswith("blocks.")} == {"0"}
    assert len(made.loaded) == len(pretrained.state_dict())
    assert "blocks [1, 2] keep their random start" in caplog.text


def test_emod_refuses_unfit_weights(tmp_path):
    with pytest.raises(ValueError, match="released"):
        EMOD(time_axis_layout="proper", weights="any.ckpt")
    with pytest.raises(FileNotFoundError, match=r"network\.weights"):
        make(EMOD, RAW, weights=str(tmp_path / "absent.ckpt"))
    (tmp_path / "text.ckpt").write_text("not weights")
    with pytest.raises(ValueError, match="state dict"):
        make(EMOD, RAW, weights=str(tmp_path / "text.ckpt"))
    path = released_file(tmp_path / "weights.ckpt", make(EMOD, RAW, depth=1, dim=24))
    with pytest.raises(ValueError, match=r"tokeniser\.time\.0\.weight. is \(24, 1, 1, 25\) there and \(16"):
        make(EMOD, RAW, depth=1, dim=16, weights=path)


# AxialDE


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
