"""Alignment strategies against what other people wrote for the same formulas (test dependencies, never at run time)."""

import numpy as np
import pytest
import torch
from peft import IA3Config, LoraConfig, inject_adapter_in_model
from pytorch_metric_learning.losses import SupConLoss
from rsatoolbox.rdm import RDMs, compare
from scipy.spatial import procrustes
from torch import nn
from torch.nn.utils import parametrize
from torchmetrics.functional.shape import procrustes_disparity

from losses._adapters import Gain, LowRank
from losses._geometry import correlation, soft_rank
from losses.procrustes import Procrustes
from losses.rsa import RSA
from losses.soft_supcon import SoftSupCon
from tests.loss_cases import ALL, CLASS_LEVEL, STIMULI, TARGETS, D, batch_of, built, normal, value


class TestSoftSupCon:
    @pytest.mark.parametrize("temperature", [0.07, 0.5])
    @pytest.mark.parametrize("level", ["class", "stimulus"])
    def test_weights_of_zero_and_one_are_supcon(self, level, temperature):
        """Every class position is its own and nothing else is within reach: the labels are the classes."""
        loss = SoftSupCon(projection="identity", level=level, temperature=temperature, d_max=1e-4)
        labels = batch_of(STIMULI).y
        theirs, ours = normal(len(labels), D).requires_grad_(), normal(len(labels), D).requires_grad_()
        expected = SupConLoss(temperature=temperature)(theirs, labels)
        found = value(built(loss, CLASS_LEVEL).double(), ours, STIMULI)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(*(torch.autograd.grad(v, h)[0] for v, h in ((found, ours), (expected, theirs))))

    def test_reach_to_nothing_contrasts_clips(self):
        loss = built(SoftSupCon(projection="identity", d_max=1e-6), TARGETS).double()
        h = normal(len(STIMULI), D)
        torch.testing.assert_close(value(loss, h, STIMULI), SupConLoss(temperature=0.07)(h, STIMULI))


class TestRSA:
    def matrices(self, h: torch.Tensor, *, squared: bool) -> tuple[RDMs, RDMs]:
        """Dissimilarities of features and of positions, pair by pair in the order of rsatoolbox."""
        upper = torch.triu_indices(28, 28, offset=1)
        patterns = (h, TARGETS.v[:, None].double())
        rows = [(x[upper[0]] - x[upper[1]]).norm(dim=1) ** (2 if squared else 1) for x in patterns]
        return tuple(RDMs(row.numpy()[None]) for row in rows)

    @pytest.mark.parametrize(("ours", "theirs"), [("pearson", "corr"), ("cosine", "cosine")])
    def test_comparators(self, ours, theirs):
        h = normal(28, D)
        expected = compare(*self.matrices(h, squared=False), method=theirs).item()
        found = value(built(RSA(compare=ours), TARGETS).double(), h, ALL)
        assert found.item() == pytest.approx(1 - expected, rel=1e-9)

    def test_soft_ranks_approach_spearman(self):
        a, b = normal(2, 60)
        expected = compare(RDMs(a[None, :55].numpy()), RDMs(b[None, :55].numpy()), method="spearman").item()
        found = correlation(*(soft_rank(x[:55], softness=1e-6) for x in (a, b)))
        assert found.item() == pytest.approx(expected, rel=1e-6)

    def test_cka_is_the_whitened_cosine_of_squared_distances(self):
        h = normal(28, D)
        expected = compare(*self.matrices(h, squared=True), method="cosine_cov").item()
        found = value(built(RSA(compare="cka"), TARGETS).double(), h, ALL)
        assert found.item() == pytest.approx(1 - expected, rel=1e-6)


class TestProcrustes:
    def test_orthogonal_mode(self):
        h = normal(28, D)
        v = torch.zeros(28, D, dtype=torch.float64)
        v[:, 0] = TARGETS.v
        found = value(built(Procrustes(mode="orthogonal"), TARGETS).double(), h, ALL).item()
        assert found == pytest.approx(procrustes(v.numpy(), h.numpy())[2], rel=1e-6)
        assert found == pytest.approx(procrustes_disparity(v[None], h[None]).item(), rel=1e-6)


class Layers(nn.Module):
    """Keys, values and a feed-forward, each a linear layer of its own, as peft knows them."""

    def __init__(self) -> None:
        super().__init__()
        self.k, self.v, self.up, self.down = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(6, 12), nn.Linear(12, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.k(x).tanh() * self.v(x) + self.down(torch.nn.functional.gelu(self.up(x)))


def twins(config) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    theirs, ours = Layers().double(), Layers().double()
    ours.load_state_dict(theirs.state_dict())
    return inject_adapter_in_model(config, theirs).double(), ours


class TestAdapters:
    X = normal(7, 6, seed=3)

    def same_values_and_gradients(self, theirs, ours, pairs) -> None:
        """``pairs``: a parameter of theirs and ours that must have the same gradient."""
        outputs = [module(self.X) for module in (theirs, ours)]
        torch.testing.assert_close(*outputs)
        for output in outputs:
            output.square().sum().backward()
        for a, b in pairs:
            assert a.grad.abs().sum() > 0
            torch.testing.assert_close(b.grad.flatten(), a.grad.flatten())

    def test_lora(self):
        config = LoraConfig(r=3, lora_alpha=12, lora_dropout=0.0, target_modules=["k", "v", "down"])
        theirs, ours = twins(config)
        pairs = []
        for name in ("k", "v", "down"):
            layer, module, start = getattr(theirs, name), getattr(ours, name), ours(self.X)
            change = LowRank(module.weight, rank=3, scale=12 / 3)
            parametrize.register_parametrization(module, "weight", change)
            assert torch.equal(ours(self.X), start)
            assert change.up.shape == layer.lora_B["default"].weight.shape
            with torch.no_grad():
                change.down.copy_(layer.lora_A["default"].weight)
                change.up.copy_(layer.lora_B["default"].weight.normal_())
            pairs += [(layer.lora_A["default"].weight, change.down), (layer.lora_B["default"].weight, change.up)]
        self.same_values_and_gradients(theirs, ours, pairs)

    def test_ia3(self):
        config = IA3Config(target_modules=["k", "v", "down"], feedforward_modules=["down"])
        theirs, ours = twins(config)
        pairs = []
        for name in ("k", "v", "down"):
            layer, module, start = getattr(theirs, name), getattr(ours, name), ours(self.X)
            gain = Gain(module.weight, rows=None if name == "down" else slice(None))
            parametrize.register_parametrization(module, "weight", gain)
            if name != "down":
                parametrize.register_parametrization(module, "bias", gain)
            assert torch.equal(ours(self.X), start)
            with torch.no_grad():
                gain.gain.copy_(layer.ia3_l["default"].uniform_(0.5, 2).flatten())
            pairs.append((layer.ia3_l["default"], gain.gain))
        self.same_values_and_gradients(theirs, ours, pairs)

    def test_on_a_fused_layer_theirs_scales_queries_and_ours_does_not(self):
        torch.manual_seed(0)
        fused = nn.ModuleDict({"qkv": nn.Linear(4, 12)})
        plain = fused["qkv"].weight.detach().clone()
        theirs = inject_adapter_in_model(IA3Config(target_modules=["qkv"], feedforward_modules=[]), fused)["qkv"]
        assert theirs.ia3_l["default"].numel() == 12
        gain = Gain(plain, rows=slice(4, 12))
        assert gain.gain.numel() == 8
        with torch.no_grad():
            gain.gain.fill_(3.0)
        assert np.array_equal(gain(plain)[:4].detach(), plain[:4])
        torch.testing.assert_close(gain(plain)[4:], 3 * plain[4:])
