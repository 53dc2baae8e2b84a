"""EMOD against the published shapes, parameter counts, names and the layout of its released attention."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS
from networks.emod import ELECTRODE_ID, EMOD, RENAMED, Attention, Block
from networks.weights import rename
from tests.test_networks import FACED, RAW, count, make


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
    theirs = released_file(tmp_path / "theirs.ckpt", make(EMOD, RAW, depth=1, dim=16))
    with pytest.raises(ValueError, match="trained with time_axis_layout 'released'"):
        make(EMOD, RAW, depth=1, dim=16, time_axis_layout="proper", weights=theirs)
    with pytest.raises(FileNotFoundError, match=r"network\.weights"):
        make(EMOD, RAW, weights=str(tmp_path / "absent.ckpt"))
    (tmp_path / "text.ckpt").write_text("not weights")
    with pytest.raises(ValueError, match="state dict"):
        make(EMOD, RAW, weights=str(tmp_path / "text.ckpt"))
    path = released_file(tmp_path / "weights.ckpt", make(EMOD, RAW, depth=1, dim=24))
    with pytest.raises(ValueError, match=r"tokeniser\.time\.0\.weight. is \(24, 1, 1, 25\) there and \(16"):
        make(EMOD, RAW, depth=1, dim=16, weights=path)


# AxialDE
