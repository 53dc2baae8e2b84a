"""Topographic strategies: which electrodes count, what asymmetry is, which trials do not count."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS
from losses.base import Output
from losses.faa import FAA
from losses.none import NoAlignment
from losses.topo_frontal import TopoFrontal
from losses.topo_occipital import TopoOccipital
from losses.topo_optimal import TopoOptimal
from losses.vaxis_mse import VAxisMSE
from tests.loss_cases import B, D, N, batch_of, built, loss_spec, output_of
from tests.test_decoder import SPEC, decoder, fit_steps
from tests.test_losses_regression import normal, seedv_spec, step


@pytest.fixture
def tokens():
    return torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7)).requires_grad_()


@pytest.fixture
def stimuli():
    return torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


class TestTopography:
    @pytest.mark.parametrize(("cls", "size"), [(TopoFrontal, 7), (TopoOccipital, 8), (TopoOptimal, 8)])
    def test_no_gradient_outside_the_electrodes(self, cls, size, targets, tokens, stimuli):
        loss = built(cls(), targets)
        (gradient,) = torch.autograd.grad(loss(output_of(tokens), batch_of(stimuli)), tokens)
        used = gradient.abs().sum(dim=(0, 2, 3)) > 0
        assert used.nonzero().squeeze(1).tolist() == sorted(loss.electrodes.tolist())
        assert len(loss.electrodes) == size
        loss.build(seedv_spec())
        assert len(loss.electrodes) == size

    @pytest.mark.parametrize("cls", [TopoFrontal, TopoOccipital])
    def test_order_of_channels_does_not_matter(self, cls, targets, tokens, stimuli):
        loss, order = built(cls(), targets), torch.randperm(32, generator=torch.Generator().manual_seed(2))
        value = loss(output_of(tokens), batch_of(stimuli))
        names = tuple(FACED_CHANNELS[c].lower() for c in order)
        head = loss.head
        loss.build(loss_spec(targets, data=replace(SPEC, channels=names)))
        loss.head = head
        torch.testing.assert_close(loss(output_of(tokens[:, order]), batch_of(stimuli)), value)

    def test_a_montage_without_the_region_is_refused(self, targets):
        spec = loss_spec(targets, data=replace(SPEC, channels=("Oz", "O1", "O2", "Pz")))
        with pytest.raises(ValueError, match="electrodes"):
            TopoFrontal().build(spec)


def faa(targets, *, data: DataSpec = SPEC, **hyper) -> FAA:
    loss = FAA(**hyper)
    loss.build(loss_spec(targets, data=data))
    return loss


class TestFAA:
    RAW = replace(SPEC, features="raw", sampling_rate=200.0, shape=(32, 400))
    RIGHT, LEFT = FACED_CHANNELS.index("F4"), FACED_CHANNELS.index("F3")

    def swap(self, values: torch.Tensor) -> torch.Tensor:
        order = list(range(32))
        order[self.RIGHT], order[self.LEFT] = self.LEFT, self.RIGHT
        return values[:, order]

    def test_swapping_the_sides_flips_the_asymmetry(self, targets, tokens, stimuli):
        loss = faa(targets)
        swapped = loss(output_of(self.swap(tokens)), batch_of(stimuli))
        with torch.no_grad():
            loss.head.weight.neg_()
        torch.testing.assert_close(loss(output_of(tokens), batch_of(stimuli)), swapped)
        for kind, x in (("raw", normal(3, 32, 400)), ("de", normal(3, 32, 5))):
            measure = faa(targets, mode="covariate", data=self.RAW if kind == "raw" else SPEC)
            torch.testing.assert_close(measure.asymmetry(self.swap(x)), -measure.asymmetry(x))

    def test_the_right_side_counts_as_positive(self, targets, stimuli):
        """More alpha on the right is what the account calls approach; a learned weight would hide a wrong sign."""
        loss, tokens = faa(targets), torch.zeros(B, 32, N, D)
        tokens[:, self.RIGHT, :, 0] = 0.5
        with torch.no_grad():
            loss.head.weight.zero_()[0, 0] = 3.0
            loss.head.bias.zero_()
        expected = (1.5 - targets.v[stimuli]).square().mean()
        torch.testing.assert_close(loss(output_of(tokens), batch_of(stimuli)), expected)

    def test_gradient_on_the_pairs_alone_and_opposite(self, targets, tokens, stimuli):
        loss = faa(targets, pairs=(("F4", "F3"), ("F8", "F7")))
        (gradient,) = torch.autograd.grad(loss(output_of(tokens), batch_of(stimuli)), tokens)
        used = gradient.abs().sum(dim=(0, 2, 3)).nonzero().squeeze(1).tolist()
        assert used == sorted([*loss.right.tolist(), *loss.left.tolist()])
        torch.testing.assert_close(gradient[:, loss.right], -gradient[:, loss.left])

    def test_sines_of_known_power(self, targets):
        time = torch.arange(400) / 200
        x = 0.3 * torch.sin(2 * math.pi * 40 * time).expand(2, 32, 400).clone()
        for trial, (right, left) in enumerate(((2.0, 1.0), (1.0, 3.0))):
            x[trial, self.RIGHT] += right * torch.sin(2 * math.pi * 10 * time)
            x[trial, self.LEFT] += left * torch.sin(2 * math.pi * 10 * time)
        measure = faa(targets, mode="covariate", data=self.RAW)
        expected = torch.tensor([2 * math.log(2), -2 * math.log(3)])
        torch.testing.assert_close(measure.asymmetry(x), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(measure.asymmetry(50 * x), expected, rtol=1e-4, atol=1e-4)

    def test_band_features_are_twice_the_difference_of_alpha(self, targets):
        x = normal(4, 32, 5)
        expected = 2 * (x[:, self.RIGHT, 2] - x[:, self.LEFT, 2])
        torch.testing.assert_close(faa(targets, mode="physiology").asymmetry(x), expected)

    def test_covariate_moves_its_two_numbers_alone(self, targets, stimuli):
        loss, b = faa(targets, mode="covariate"), batch_of(stimuli)._replace(x=normal(B, 32, 5))
        asymmetry = loss.asymmetry(b.x)
        value = loss(Output(), b)
        expected = (loss.head.weight[0, 0] * asymmetry + loss.head.bias - targets.v[stimuli]).square().mean()
        torch.testing.assert_close(value, expected)
        slope, offset = np.polyfit(asymmetry.double().numpy(), targets.v[stimuli].double().numpy(), 1)
        with torch.no_grad():
            loss.head.weight.fill_(slope)
            loss.head.bias.fill_(offset)
        gradients = torch.autograd.grad(loss(Output(), b), list(loss.head.parameters()))
        assert max(g.abs().max() for g in gradients) < 1e-5

    def test_covariate_leaves_network_and_classifier_alone(self, targets):
        plain, treated = decoder(NoAlignment(), targets), decoder(FAA(mode="covariate", weight=1.0), targets)
        gradients = []
        for model in (plain, treated):
            step(model).backward()
            gradients.append({name: p.grad for name, p in model.named_parameters() if not name.startswith("loss.")})
        for name, gradient in gradients[0].items():
            assert torch.equal(gradient, gradients[1][name]), name

    def test_physiology_regresses_z_scores_and_reaches_the_features(self, targets, stimuli):
        loss, h = faa(targets, mode="physiology"), normal(B, D).requires_grad_()
        b = batch_of(stimuli)._replace(x=normal(B, 32, 5, seed=4))
        asymmetry = loss.asymmetry(b.x)
        z = (asymmetry - asymmetry.mean()) / asymmetry.std(correction=0)
        value = loss(Output(h=h), b)
        torch.testing.assert_close(value, (loss.head(h).squeeze(1) - z).square().mean())
        assert torch.autograd.grad(value, h)[0].abs().sum() > 0

    @pytest.mark.parametrize("mode", ["physiology", "covariate"])
    @pytest.mark.parametrize("data", [SPEC, RAW], ids=["de", "raw"])
    def test_silenced_trials_do_not_count(self, mode, data, targets, stimuli):
        loss, h = faa(targets, mode=mode, data=data), normal(B, D)
        x = normal(B, *data.shape, seed=4)
        x[::3, self.RIGHT] = 0
        kept = torch.arange(B) % 3 > 0
        whole = loss(Output(h=h), batch_of(stimuli)._replace(x=x))
        part = loss(Output(h=h[kept]), batch_of(stimuli[kept])._replace(x=x[kept]))
        torch.testing.assert_close(whole, part)
        silent = loss(Output(h=h), batch_of(stimuli)._replace(x=torch.zeros_like(x)))
        assert silent == 0
        assert all(torch.equal(g, torch.zeros_like(g)) for g in torch.autograd.grad(silent, list(loss.parameters())))

    def test_what_it_reads_and_couples(self):
        assert FAA().reads == ("tokens",)
        assert not FAA().couples_samples
        assert FAA(criterion="pearson").couples_samples
        assert FAA(mode="physiology").couples_samples

    def test_what_cannot_be_measured_is_refused(self, targets):
        with pytest.raises(ValueError, match="needs mode token"):
            FAA(mode="covariate", criterion="pearson")
        with pytest.raises(ValueError, match=r"faa\.pairs"):
            faa(targets, pairs=(("AF4", "F3"),))
        with pytest.raises(ValueError, match=r"data\.features"):
            faa(targets, mode="physiology", data=replace(SPEC, features="psd"))

    @pytest.mark.parametrize("mode", ["token", "physiology", "covariate"])
    def test_trains(self, mode, targets):
        model = decoder(FAA(mode=mode, weight=1.0), targets)
        before = model.loss.head.weight.clone()
        fit_steps(model)
        assert not torch.equal(model.loss.head.weight, before)


class TestTopoOptimal:
    def test_no_gradient_outside_the_electrodes(self, targets, tokens, stimuli):
        loss = built(TopoOptimal(), targets)
        (gradient,) = torch.autograd.grad(loss(output_of(tokens), batch_of(stimuli)), tokens)
        outside = [c for c in range(32) if c not in loss.electrodes.tolist()]
        assert len(loss.electrodes) == 8
        assert torch.equal(gradient[:, outside], torch.zeros_like(gradient[:, outside]))

    def test_all_electrodes_equal_vaxis_mse(self, targets, tokens, stimuli):
        topo = built(TopoOptimal(channels=list(FACED_CHANNELS)), targets)
        plain = built(VAxisMSE(), targets)
        torch.testing.assert_close(
            topo(output_of(tokens), batch_of(stimuli)), plain(output_of(tokens), batch_of(stimuli))
        )

    def test_names_in_any_case_and_unknown_ones_refused(self, targets):
        assert built(TopoOptimal(channels=["po3", "T3"]), targets).electrodes.tolist() == [25, 14]
        with pytest.raises(ValueError, match="electrodes"):
            built(TopoOptimal(channels=["nowhere", "elsewhere"]), targets)
