"""LoRA, IA3 and partial fine-tuning: what starts, what learns, what is left when they are merged, whose weights."""

import copy
import warnings
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from eeg.batch import DataSpec
from lightning_modules.decoder import Decoder
from losses._adapters import merge
from losses.none import NoAlignment
from losses.peft_fullhead import PEFTFullhead
from losses.peft_ia3 import PEFTIA3
from losses.peft_lora import PEFTLoRA
from networks.axial_de import AxialDE
from networks.emod import EMOD, RENAMED
from tests.loss_cases import SPEC, batch_of, normal, train_steps

PEFT = [PEFTFullhead, PEFTLoRA, PEFTIA3]
ADAPTERS = [PEFTLoRA, PEFTIA3]
RAW = replace(SPEC, features="raw", shape=(32, 200), sampling_rate=200.0, window_seconds=1.0)
NETWORKS = {"axial_de": (lambda: AxialDE(dim=8, depth=2), SPEC), "emod": (lambda: EMOD(dim=8, depth=2), RAW)}

pytestmark = pytest.mark.filterwarnings("ignore:the run of")


def make(loss, targets, *, network: str | EMOD = "axial_de", spec: DataSpec | None = None) -> Decoder:
    if isinstance(network, str):
        build, spec = NETWORKS[network]
        network = build()
    torch.manual_seed(42)
    model = Decoder(network=network, loss=loss)
    model.build(spec=spec or RAW, targets=targets, source=targets if loss.second_data else None)
    model.go_to(len(model.phases) - 1)
    return model.eval()


def signal(model: Decoder) -> Tensor:
    return normal(4, *model.spec.shape, seed=3).float()


def checkpoint(model: Decoder, path) -> str:
    torch.save({"state_dict": model.state_dict()}, path)
    return str(path)


def moved(model: Decoder) -> Decoder:
    """Every adapter away from its neutral start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.network.named_parameters():
            if "parametrizations" in name and "original" not in name:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def learning(model: Decoder) -> set[str]:
    return {name for name, _ in model.trained_parameters() if name.startswith("network.")}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("loss", ADAPTERS)
class TestAdapters:
    def test_weights_at_the_start_are_those_of_the_base_bit_for_bit(self, loss, network, targets):
        base, adapted = make(NoAlignment(), targets, network=network), make(loss(), targets, network=network)
        assert learning(adapted)
        assert torch.equal(base(signal(base)), adapted(signal(base)))
        merge(adapted.network)
        assert base.network.state_dict().keys() == adapted.network.state_dict().keys()
        assert all(torch.equal(w, adapted.network.state_dict()[n]) for n, w in base.network.state_dict().items())

    def test_merged_is_a_plain_network_with_the_same_outputs(self, loss, network, targets):
        base, adapted = make(NoAlignment(), targets, network=network), moved(make(loss(), targets, network=network))
        expected = adapted(signal(base))
        assert not torch.allclose(base(signal(base)), expected, atol=1e-4)
        merge(adapted.network)
        assert torch.equal(adapted(signal(base)), expected)
        base.network.load_state_dict(adapted.network.state_dict())
        assert torch.equal(base(signal(base)), expected)

    def test_copies_and_state_dicts_carry_the_adapters(self, loss, network, targets):
        adapted, other = moved(make(loss(), targets, network=network)), make(loss(), targets, network=network)
        expected = adapted(signal(adapted))
        twin = copy.deepcopy(adapted)
        other.load_state_dict(adapted.state_dict())
        for model in (twin, other):
            assert torch.equal(model(signal(model)), expected)
            # A gain that a weight and its bias share is one parameter in the copy too.
            assert learning(model) == learning(adapted)
        moved(twin)
        assert torch.equal(adapted(signal(adapted)), expected)
        assert not torch.equal(twin(signal(twin)), expected)


class TestWhatLearns:
    @pytest.mark.parametrize("network", NETWORKS)
    @pytest.mark.parametrize("loss", PEFT)
    def test_only_the_listed_parameters_move(self, loss, network, targets):
        model = make(loss(), targets, network=network)
        before = {name: p.clone() for name, p in model.named_parameters()}
        x = signal(model)
        batch = batch_of(torch.tensor([0, 3, 9, 20]))._replace(x=x)
        train_steps(model, count=2, batch=batch)
        changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        assert changed <= {name for name, _ in model.trained_parameters()}
        assert {name for name in changed if name.startswith("network.")} == learning(model) != set()
        assert {"classifier.linear.weight", "loss.head.weight"} <= changed

    def test_fullhead_has_the_last_two_blocks(self, targets):
        model = make(PEFTFullhead(), targets, network=EMOD(dim=8, depth=4))
        assert {name.split(".")[2] for name in learning(model)} == {"2", "3"}
        blocks = {f"network.{n}" for n, _ in model.network.named_parameters() if n.startswith(("blocks.2", "blocks.3"))}
        assert learning(model) == blocks

    def test_lora_is_on_both_sides_of_both_attentions(self, targets):
        model = make(PEFTLoRA(rank=3, alpha=6.0), targets, network="emod")
        places = {name.split(".parametrizations")[0] for name in learning(model)}
        attention = [f"network.blocks.{b}.{axis}_attention" for b in (0, 1) for axis in ("channel", "time")]
        assert places == {f"{place}.{layer}" for place in attention for layer in ("qkv", "proj")}
        change = model.network.blocks[0].channel_attention.qkv.parametrizations.weight[0]
        assert (change.down.shape, change.up.shape, change.scale) == ((3, 8), (24, 3), 2.0)

    def test_ia3_leaves_queries_and_first_layers_alone(self, targets):
        base, model = make(NoAlignment(), targets, network="emod"), make(PEFTIA3(), targets, network="emod")
        assert sum(p.numel() for n, p in model.named_parameters() if n in learning(model)) == 2 * (2 * 16 + 32)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in learning(model):
                    parameter.fill_(3.0)
        merge(model.network)
        for name, plain in base.network.state_dict().items():
            factor = torch.ones_like(plain)
            if ".qkv." in name:
                factor[8:] = 3
            elif name.endswith("ffn.3.weight"):
                factor[:] = 3
            torch.testing.assert_close(model.network.state_dict()[name], factor * plain, msg=name)

    def test_a_network_that_names_no_weights_is_refused(self, targets, monkeypatch):
        monkeypatch.setattr(AxialDE, "adaptable", lambda _: [])
        for loss in ADAPTERS:
            with pytest.raises(ValueError, match="AxialDE names no weights for adapters"):
                make(loss(), targets)
        with pytest.raises(ValueError, match="needs a network with blocks"):
            make(PEFTFullhead(), targets, network=AxialDE(dim=8, depth=0), spec=SPEC)
        with pytest.raises(ValueError, match="rank must be >= 1"):
            PEFTLoRA(rank=0)


def released(network: EMOD, path) -> str:
    """A file with the authors' parameter names."""
    theirs = {
        "tokeniser.time.": "embd.time_tokenConv.",
        "tokeniser.frequency.": "embd.freq_tokenConv.",
        "tokeniser.fuse.": "embd.l.1.",
        "electrode_table.": "pos_embeddings.",
        "time_attention.relative": "width_attn.rel_pos_embed.rel_embed",
        "blocks.": "axial_transformer.layers.",
        "channel_attention.": "height_attn.",
        "time_attention.": "width_attn.",
        "channel_norm.": "norm_height.",
        "time_norm.": "norm_width.",
        "ffn_norm.": "norm_ffn.",
    }
    assert len(theirs) == len(RENAMED)
    state = {}
    for name, value in network.state_dict().items():
        for ours, other in theirs.items():
            name = name.replace(ours, other)
        state[name] = value
    torch.save(state, path)
    return str(path)


class TestPretrained:
    @pytest.mark.parametrize("loss", PEFT)
    def test_encoder_of_a_run(self, loss, targets, tmp_path):
        (tmp_path / "run" / "checkpoints").mkdir(parents=True)
        run = make(NoAlignment(), targets)
        with torch.no_grad():
            for parameter in run.parameters():
                parameter.uniform_()
        file = checkpoint(run, tmp_path / "run" / "checkpoints" / "best.ckpt")
        fresh = make(NoAlignment(), targets)
        for path in (file, str(tmp_path / "run")):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model = make(loss(pretrained=path), targets)
            assert loss(pretrained=path).second_data is None
            assert [phase.name for phase in model.phases] == ["adapt"]
            origins = model.resting()
            assert origins
            assert set(origins.values()) == {path}
            merge(model.network)
            assert all(torch.equal(w, model.network.state_dict()[n]) for n, w in run.network.state_dict().items())
            assert torch.equal(model.classifier.linear.weight, fresh.classifier.linear.weight)

    def test_of_the_network_itself(self, targets, tmp_path):
        file = released(make(NoAlignment(), targets, network="emod").network, tmp_path / "emod.pth")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = make(PEFTLoRA(pretrained="network"), targets, network=EMOD(dim=8, depth=2, weights=file))
        assert set(model.resting().values()) == {"network"}
        with pytest.raises(ValueError, match=r"EMOD was given no weights \(--network.weights\)"):
            make(PEFTLoRA(pretrained="network"), targets, network="emod")

    @pytest.mark.parametrize("loss", ADAPTERS)
    def test_frozen_random_blocks_of_a_deeper_network_are_said(self, loss, targets, tmp_path):
        """The slip of the published runs: three pretrained blocks, three random ones, all frozen."""
        file = released(make(NoAlignment(), targets, network="emod").network, tmp_path / "emod.pth")
        with pytest.warns(UserWarning, match=r"\d+ frozen tensors of the encoder stay at their random start"):
            model = make(loss(pretrained="network"), targets, network=EMOD(dim=8, depth=3, weights=file))
        origins = model.resting()
        random = {name for name, origin in origins.items() if origin == "random start"}
        assert random == {name for name in origins if name.startswith("network.blocks.2.")} != set()

    def test_fullhead_trains_the_random_blocks_so_nothing_is_said(self, targets, tmp_path):
        file = released(make(NoAlignment(), targets, network="emod").network, tmp_path / "emod.pth")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make(PEFTFullhead(pretrained="network"), targets, network=EMOD(dim=8, depth=4, weights=file))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "no checkpoint at .*; give a run folder or a .ckpt file"),
            (b"text", "cannot be read as the checkpoint of a run"),
            ({"weights": torch.zeros(1)}, "it lacks 'state_dict'"),
            ({"state_dict": {}}, "holds another network than this run has .* train it with the same --network"),
        ],
    )
    def test_a_wrong_file_is_one_line_with_file_and_fix(self, content, message, targets, tmp_path):
        file = tmp_path / "file.ckpt"
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            torch.save(content, file)
        with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
            make(PEFTIA3(pretrained=str(file)), targets)
        assert str(error.value).startswith("--loss.pretrained: ")
        assert str(file) in str(error.value)
        assert "\n" not in str(error.value)

    def test_another_depth_names_a_tensor(self, targets, tmp_path):
        file = checkpoint(make(NoAlignment(), targets), tmp_path / "two.ckpt")
        with pytest.raises(ValueError, match=r"\(blocks\.2\.\S+ differs\)"):
            make(PEFTLoRA(pretrained=file), targets, network=AxialDE(dim=8, depth=3), spec=SPEC)
        with pytest.raises(ValueError, match=r"differs\)"):
            make(PEFTLoRA(pretrained=file), targets, network=AxialDE(dim=6, depth=2), spec=SPEC)
