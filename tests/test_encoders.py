"""The encoders of other papers against their published sizes, names and formulas, and what they ask of the data."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lightning_modules.heads import build_head
from networks.cbramod import LEFT_OUT, RENAMED, CBraMod
from networks.de_linear import DELinear
from networks.de_mlp import DEMLP
from networks.eeg_conformer import EEGConformer
from networks.eegnet import EEGNet, SpatialFilter
from networks.efficientnet_b0 import EfficientNetB0
from networks.emod import EMOD
from networks.shapes import trials_of
from networks.weights import rename
from tests.test_networks import count, make

FACED, SEEDV = trials_of("faced"), trials_of("seedv")
BANDS = trials_of("faced", features="de")
SMALL = replace(FACED, channels=FACED.channels[:6], shape=(6, 400), window_seconds=2)


@pytest.mark.parametrize(
    ("network", "spec", "tokens", "parameters", "head", "whole"),
    [
        (CBraMod, FACED, (32, 10, 200), 4_883_600, "flatten_mlp", 4_883_600 + 128_404_009),
        (CBraMod, FACED, (32, 10, 200), 4_883_600, "flatten_two", 4_883_600 + 12_802_009),
        (CBraMod, FACED, (32, 10, 200), 4_883_600, "flatten_linear", 4_883_600 + 576_009),
        (CBraMod, FACED, (32, 10, 200), 4_883_600, "mean_linear", 4_883_600 + 1_809),
        (CBraMod, SEEDV, (62, 1, 200), 4_883_600, "flatten_mlp", 4_883_600 + 10_082_005),
        (EMOD, FACED, (32, 50, 128), 845_384, "emod", 4_189_650),
        (EEGNet, FACED, (1, 62, 16), 1_616, "flatten_linear", 10_553),
        (EEGNet, SEEDV, (1, 6, 16), 2_096, "flatten_linear", 2_581),
        (EEGConformer, FACED, (1, 127, 40), 172_320, "conformer", 1_481_577),
        (EEGConformer, SEEDV, (1, 7, 40), 220_320, "conformer", 300_645),
        (EfficientNetB0, FACED, (1, 70, 1280), 4_007_548, "mean_linear", 4_007_548 + 9 * 1281),
        (DELinear, BANDS, (1, 1, 64), 161 * 64, "mean_linear", 161 * 64 + 65 * 9),
        (DEMLP, BANDS, (1, 1, 64), 29_248, "mean_linear", 29_248 + 585),
    ],
)
def test_sizes_are_the_published_ones(network, spec, tokens, parameters, head, whole):
    with torch.device("meta"):
        made = network()
        made.build(spec)
        grid = made.grid(spec)
        classes = len(spec.classes)
        sizes = {"rows": grid.rows, "n_tokens": grid.columns, "dim": made.dim, "n_classes": classes}
        classifier = build_head(head, **sizes, dropout=0.1)
        out = made.eval()(torch.empty(2, *spec.shape))
    assert (grid.rows, grid.columns, made.dim) == tokens
    assert out.shape == (2, *tokens)
    assert count(made) == parameters
    assert count(made) + count(classifier) == whole


# CBraMod


def authors_names(depth: int = 12) -> dict[str, tuple[int, ...]]:
    """Tensors of the authors' pretrained file (arXiv 2412.07236) and their shapes; braindecode's port has the same."""
    patch = {
        "mask_encoding": (200,), "positional_encoding.0.weight": (200, 1, 19, 7), "positional_encoding.0.bias": (200,),
        "spectral_proj.0.weight": (200, 101), "spectral_proj.0.bias": (200,), "proj_in.0.weight": (25, 1, 1, 49),
        "proj_in.3.weight": (25, 25, 1, 3), "proj_in.6.weight": (25, 25, 1, 3),
    }  # fmt: skip
    patch |= {f"proj_in.{i}.bias": (25,) for i in (0, 3, 6)}
    patch |= {f"proj_in.{i}.{part}": (25,) for i in (1, 4, 7) for part in ("weight", "bias")}
    layer: dict[str, tuple[int, ...]] = {
        "linear1.weight": (800, 200), "linear1.bias": (800,), "linear2.weight": (200, 800), "linear2.bias": (200,),
    }  # fmt: skip
    layer |= {f"norm{i}.{part}": (200,) for i in (1, 2) for part in ("weight", "bias")}
    for axis in "st":
        layer |= {f"self_attn_{axis}.in_proj_weight": (300, 100), f"self_attn_{axis}.in_proj_bias": (300,)}
        layer |= {f"self_attn_{axis}.out_proj.weight": (100, 100), f"self_attn_{axis}.out_proj.bias": (100,)}
    names = {f"patch_embedding.{name}": shape for name, shape in patch.items()}
    names |= {f"encoder.layers.{i}.{name}": shape for i in range(depth) for name, shape in layer.items()}
    return names | {"proj_out.0.weight": (200, 200), "proj_out.0.bias": (200,)}


def authors_state(*, prefix: str = "", depth: int = 12, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {prefix + n: 0.1 * torch.randn(shape, generator=generator) for n, shape in authors_names(depth).items()}


def test_the_list_of_the_authors_names_has_the_published_size():
    shapes = authors_names().values()
    assert sum(torch.Size(shape).numel() for shape in shapes) == 4_924_000
    assert len(shapes) == 211


@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_cbramod_loads_the_authors_file_strictly(tmp_path, prefix):
    state = authors_state(prefix=prefix)
    head = {"classifier.1.weight": torch.zeros(9, 200)} if prefix == "backbone." else {}
    torch.save(state | head, tmp_path / "weights.pth")
    made = make(CBraMod, FACED, weights=str(tmp_path / "weights.pth"))
    assert set(made.loaded) == set(made.state_dict())
    own = made.state_dict()
    for theirs in authors_names():
        if not theirs.startswith(LEFT_OUT):
            assert torch.equal(own[rename(theirs, RENAMED)], state[prefix + theirs]), theirs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 11}, r"'blocks\.11\..*' is missing.*the file has 11 blocks"),
        ({"depth": 13}, r"'blocks\.12\..*' is not a tensor of the network; the file has 13 blocks"),
    ],
)
def test_a_file_of_another_depth_is_refused(tmp_path, change, message):
    torch.save(authors_state(**change), tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=message):
        make(CBraMod, FACED, weights=str(tmp_path / "weights.pth"))


def written_out(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """CBraMod from its published description and the authors' tensors, by PyTorch's own modules, trial by trial."""
    rows = []
    for trial in x.unflatten(-1, (-1, 200)):
        channels, seconds = trial.shape[:2]
        maps = trial.reshape(1, 1, channels * seconds, 200)
        for i, stride, padding in ((0, 25, 24), (3, 1, 1), (6, 1, 1)):
            weight, bias = (state[f"patch_embedding.proj_in.{i}.{part}"] for part in ("weight", "bias"))
            maps = F.conv2d(maps, weight, bias, stride=(1, stride), padding=(0, padding))
            weight, bias = (state[f"patch_embedding.proj_in.{i + 1}.{part}"] for part in ("weight", "bias"))
            maps = F.gelu(F.group_norm(maps, 5, weight, bias))
        tokens = maps[0].permute(1, 0, 2).reshape(channels, seconds, 200)
        spectrum = torch.fft.rfft(trial).abs() / 200
        names = [f"patch_embedding.spectral_proj.0.{part}" for part in ("weight", "bias")]
        tokens = tokens + F.linear(spectrum, *(state[name] for name in names))
        names = [f"patch_embedding.positional_encoding.0.{part}" for part in ("weight", "bias")]
        places = F.conv2d(tokens.permute(2, 0, 1)[None], *(state[n] for n in names), padding=(9, 3), groups=200)
        rows.append(tokens + places[0].permute(1, 2, 0))
    tokens = torch.stack(rows)
    depth = len({name.split(".")[2] for name in state if name.startswith("encoder.")})
    for i in range(depth):
        layer = {n.removeprefix(f"encoder.layers.{i}."): t for n, t in state.items() if f"layers.{i}." in n}
        normed = F.layer_norm(tokens, (200,), layer["norm1.weight"], layer["norm1.bias"])
        spatial, temporal = normed[..., :100], normed[..., 100:]
        spatial = attended(spatial.transpose(1, 2), layer, "s").transpose(1, 2)
        tokens = tokens + torch.cat([spatial, attended(temporal, layer, "t")], dim=-1)
        inner = F.layer_norm(tokens, (200,), layer["norm2.weight"], layer["norm2.bias"])
        inner = F.gelu(F.linear(inner, layer["linear1.weight"], layer["linear1.bias"]))
        tokens = tokens + F.linear(inner, layer["linear2.weight"], layer["linear2.bias"])
    return tokens


def attended(x: torch.Tensor, layer: dict[str, torch.Tensor], axis: str) -> torch.Tensor:
    """PyTorch's own attention along the last axis but one."""
    attention = nn.MultiheadAttention(100, 4, batch_first=True)
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    attention.load_state_dict({name: layer[f"self_attn_{axis}.{name}"] for name in names})
    flat = x.reshape(-1, *x.shape[2:])
    return attention(flat, flat, flat)[0].view(x.shape)


def test_cbramod_is_its_published_formula(tmp_path):
    state = authors_state(depth=2)
    torch.save(state, tmp_path / "weights.pth")
    made = make(CBraMod, SMALL, depth=2, weights=str(tmp_path / "weights.pth"))
    x = torch.randn(2, *SMALL.shape)
    with torch.no_grad():
        torch.testing.assert_close(made(x), written_out(state, x), rtol=1e-3, atol=1e-4)


# EfficientNet-B0


def torchvision_names() -> dict[str, tuple[int, ...]]:
    """Tensors of torchvision's efficientnet_b0 as Tan and Le's table makes them, without its classifier."""
    names: dict[str, tuple[int, ...]] = {}

    def convolution(at: str, shape: tuple[int, ...]) -> None:
        names[f"{at}.0.weight"] = shape
        names.update({f"{at}.1.{part}": shape[:1] for part in ("weight", "bias", "running_mean", "running_var")})
        names[f"{at}.1.num_batches_tracked"] = ()

    convolution("features.0", (32, 3, 3, 3))
    inputs = 32
    table = ((1, 3, 16, 1), (6, 3, 24, 2), (6, 5, 40, 2), (6, 3, 80, 3), (6, 5, 112, 3), (6, 5, 192, 4), (6, 3, 320, 1))
    for stage, (factor, kernel, outputs, layers) in enumerate(table, start=1):
        for layer in range(layers):
            at, wide, part = f"features.{stage}.{layer}.block", inputs * factor, 0
            if factor > 1:
                convolution(f"{at}.0", (wide, inputs, 1, 1))
                part = 1
            convolution(f"{at}.{part}", (wide, 1, kernel, kernel))
            hidden = inputs // 4
            names |= {f"{at}.{part + 1}.fc1.weight": (hidden, wide, 1, 1), f"{at}.{part + 1}.fc1.bias": (hidden,)}
            names |= {f"{at}.{part + 1}.fc2.weight": (wide, hidden, 1, 1), f"{at}.{part + 1}.fc2.bias": (wide,)}
            convolution(f"{at}.{part + 2}", (outputs, wide, 1, 1))
            inputs = outputs
    convolution("features.8", (1280, 320, 1, 1))
    return names


def test_efficientnet_loads_torchvisions_file_strictly(tmp_path):
    state = {name: torch.rand(shape) for name, shape in torchvision_names().items()}
    classifier = {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}
    assert len(state | classifier) == 360
    torch.save(state | classifier, tmp_path / "efficientnet_b0.pth")
    made = make(EfficientNetB0, SMALL, weights=str(tmp_path / "efficientnet_b0.pth"))
    own = made.state_dict()
    assert set(made.loaded) == set(own)
    assert all(
        torch.equal(own[name.replace("features.", "blocks.")], value.to(own[name.replace("features.", "blocks.")]))
        for name, value in state.items()
    )
    torch.save({n: t for n, t in state.items() if n != "features.8.0.weight"}, tmp_path / "cut.pth")
    with pytest.raises(ValueError, match=r"'blocks\.8\.0\.weight' is missing"):
        make(EfficientNetB0, SMALL, weights=str(tmp_path / "cut.pth"))


def test_folding_puts_an_electrodes_periods_below_each_other():
    made = make(EfficientNetB0, SMALL, period=0.5)
    x = torch.randn(2, *SMALL.shape)
    picture = made.fold(x)
    assert picture.shape == (2, 3, 6 * 4, 100)
    assert torch.equal(picture[1, 2, 4 * 3 + 1], x[1, 3, 100:200])
    # Two periods and a rest: what does not fill a row is left out.
    odd = make(EfficientNetB0, SMALL, period=0.7)
    assert torch.equal(odd.fold(x)[0, 0, 1], x[0, 0, 140:280])
    assert odd(x).shape == (2, 1, odd.n_tokens, 1280)


def test_skipped_layers_keep_the_expectation():
    made = make(EfficientNetB0, SMALL, drop=0.4)
    layer = made.blocks[4][1]
    assert layer.residual
    assert layer.drop == pytest.approx(0.4 * 6 / 16)
    maps = torch.randn(1, 80, 3, 3).expand(4000, -1, -1, -1)
    torch.manual_seed(0)
    with torch.no_grad():
        change = layer(maps)[:1] - maps[:1]
        layer.drop, layer.training = 0.4, True
        seen = layer(maps) - maps
    kept = (seen.flatten(1).abs().sum(1) > 0).float().mean().item()
    assert kept == pytest.approx(0.6, abs=0.03)
    torch.testing.assert_close(seen[seen.flatten(1).abs().sum(1) > 0][:1], change / 0.6, rtol=1e-3, atol=1e-4)


# EEGNet and EEG-Conformer


def test_eegnets_spatial_filters_stay_within_a_norm_of_one():
    torch.manual_seed(0)
    layer, x = SpatialFilter(2, 4, kernel_size=(5, 1), groups=2, bias=False), torch.randn(3, 2, 5, 7)
    with torch.no_grad():
        layer.weight.mul_(torch.tensor([0.1, 1.0, 5.0, 20.0])[:, None, None, None])
    lengths = layer.weight.flatten(1).norm(dim=1)
    within = layer.weight / lengths.clamp(min=1)[:, None, None, None]
    assert lengths.min() < 1 < lengths.max()
    torch.testing.assert_close(layer(x), F.conv2d(x, within, groups=2))


def test_conformer_divides_logits_by_the_root_of_the_whole_width():
    made = make(EEGConformer, SMALL, depth=1)
    attention, x = made.blocks[0].attention, torch.randn(2, 7, 40)
    q, k, v = (part.view(2, 7, 10, 4).transpose(1, 2) for part in attention.qkv(x).split(40, dim=-1))
    weights = (q @ k.transpose(2, 3) / 40**0.5).softmax(dim=-1)
    expected = attention.proj((weights @ v).transpose(1, 2).reshape(2, 7, 40))
    torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


# Band features


def test_de_linear_reaches_every_linear_map_to_logits():
    made, head = make(DELinear, BANDS), nn.Linear(64, 9)
    x, wanted = torch.randn(400, *BANDS.shape), torch.randn(160, 9)
    with torch.no_grad():
        made.blocks[0].weight[:9] = wanted.T
        made.blocks[0].bias[:9] = 0
        head.weight.copy_(torch.eye(9, 64))
        head.bias.zero_()
        torch.testing.assert_close(head(made(x).mean(dim=(1, 2))), x.flatten(1) @ wanted, rtol=1e-3, atol=1e-3)


# What they ask of the data
