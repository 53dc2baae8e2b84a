"""Rules that every strategy keeps (one parametrised contract over the folder), then what each one is by itself."""

import importlib
import math

import pytest
import torch
from torch.autograd import gradcheck

from eeg.batch import DataSpec
from eeg.montage import FACED_CHANNELS
from lightning_modules.catalogue import plugins
from lightning_modules.heads import MeanLinear
from losses._geometry import condition_means, correlation, cosine, pairwise_distances
from losses.base import Batch, LossSpec, Output
from losses.rsa import RSA
from losses.soft_label_kd import SoftLabelKD
from losses.topo_optimal import TopoOptimal
from losses.vaxis_mse import VAxisMSE
from networks.axial_de import AxialDE
from vaxis.emotions import FACED

B, N, D, K = 36, 4, 16, 9
SPEC = DataSpec(
    dataset="faced",
    features="de",
    channels=tuple(FACED_CHANNELS),
    shape=(32, 5),
    sampling_rate=1.0,
    window_seconds=10.0,
    classes=FACED.classes,
    class_of=FACED.class_of,
    subjects=("sub000",),
)
NAMES = [plugin.name for plugin in plugins("loss")]
LABELS_ONLY = {"none", "head_init"}  # they put nothing into the loss of a training step


def strategy(name: str, **hyper):
    path = next(plugin.class_path for plugin in plugins("loss") if plugin.name == name)
    module, cls = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), cls)(**hyper)


pytestmark = pytest.mark.filterwarnings("ignore:multi_vaxis_mse without")


def built(loss, targets, *, seed: int = 0):
    decoder = torch.nn.Module()
    decoder.network, decoder.classifier = AxialDE(dim=D), MeanLinear(dim=D, n_classes=K)
    with torch.random.fork_rng():
        decoder.network.build(SPEC)
        torch.manual_seed(seed)
        loss.build(LossSpec(targets=targets, dim=D, channels=tuple(FACED_CHANNELS), classes=FACED.classes))
        loss.prepare(decoder)
    loss.phase = loss.phases(1)[-1]
    return loss


def batch_of(stimulus: torch.Tensor) -> Batch:
    zeros = torch.zeros(len(stimulus), dtype=torch.int64)
    y = torch.tensor(FACED.class_of)[stimulus]
    return Batch(x=torch.zeros(len(stimulus), 32, 5), y=y, stimulus=stimulus, subject=zeros, index=zeros)


def output_of(tokens: torch.Tensor, *, seed: int = 1) -> Output:
    head = torch.randn(D, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(tokens)
    h = tokens.mean(dim=(1, 2))
    return Output(logits=h @ head, h=h, tokens=tokens)


@pytest.fixture
def tokens():
    return torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7)).requires_grad_()


@pytest.fixture
def stimuli():
    return torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


def test_every_file_is_a_strategy_and_its_own_name():
    assert {"none", "vaxis_mse", "rsa", "soft_label_kd", "topo_optimal"} <= set(NAMES)
    for plugin in plugins("loss"):
        assert plugin.class_path.split(".")[1] == plugin.name
        assert plugin.summary
        assert len(plugin.summary) <= 100, f"{plugin.name}: the first docstring line is its help, keep it short"


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_constructor_is_keyword_only_typed_and_documented(self, name):
        import inspect

        cls = type(strategy(name))
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.annotation is not parameter.empty
            assert parameter.default is not parameter.empty
            assert f"{parameter.name}:" in cls.__doc__

    def test_scalar_float32_with_gradient(self, name, targets, tokens, stimuli):
        value = built(strategy(name), targets)(output_of(tokens), batch_of(stimuli))
        assert value.shape == ()
        assert value.dtype == torch.float32
        (gradient,) = torch.autograd.grad(value, tokens)
        assert torch.isfinite(gradient).all()
        assert (gradient.abs().sum() > 0) == (name not in LABELS_ONLY)

    def test_permuting_the_batch_changes_nothing(self, name, targets, tokens, stimuli):
        loss, order = built(strategy(name), targets), torch.randperm(B, generator=torch.Generator().manual_seed(3))
        value = loss(output_of(tokens), batch_of(stimuli))
        torch.testing.assert_close(loss(output_of(tokens[order]), batch_of(stimuli[order])), value)

    @pytest.mark.parametrize("case", ["one trial", "one class", "one stimulus", "equal features", "constant axis"])
    def test_finite_on_degenerate_batches(self, name, case, targets, tokens, stimuli):
        from dataclasses import replace

        if case == "constant axis":
            targets = replace(targets, v=torch.zeros(28), v_class=torch.zeros(9))
        loss = built(strategy(name), targets)
        if case == "one trial":
            tokens, stimuli = tokens[:1], stimuli[:1]
        elif case == "one class":
            stimuli = stimuli % 3
        elif case == "one stimulus":
            stimuli = torch.zeros_like(stimuli)
        elif case == "equal features":
            tokens = torch.ones(B, 32, N, D, requires_grad=True)
        value = loss(output_of(tokens), batch_of(stimuli))
        (gradient,) = torch.autograd.grad(value, tokens)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()

    def test_only_declared_outputs_are_read(self, name, targets, tokens, stimuli):
        loss, full = built(strategy(name), targets), output_of(tokens)
        declared = Output(**{field: getattr(full, field) for field in loss.reads if field != "x"})
        assert torch.equal(loss(declared, batch_of(stimuli)), loss(full, batch_of(stimuli)))

    def test_constants_stay_out_of_the_checkpoint(self, name, targets):
        loss = built(strategy(name), targets)
        assert set(loss.state_dict()) == {key for key, _ in loss.named_parameters()}

    def test_weight_zero_is_inactive_and_negative_weight_is_refused(self, name):
        if name == "none":
            assert not strategy(name).active
            return
        assert strategy(name, weight=0.0).active == type(strategy(name)).structural
        with pytest.raises(ValueError, match="weight"):
            strategy(name, weight=-1.0)


class TestGeometry:
    def test_gradients(self):
        generator = torch.Generator().manual_seed(0)
        a, b = (torch.randn(7, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
        x = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        assert gradcheck(correlation, (a, b))
        assert gradcheck(cosine, (a, b))
        for metric in ("euclidean", "sqeuclidean", "cosine", "correlation"):
            assert gradcheck(lambda x, metric=metric: pairwise_distances(x, metric=metric), (x,))
        assert gradcheck(lambda x: condition_means(x, torch.tensor([4, 4, 1, 1, 9]))[0], (x,))

    def test_correlation_matches_numpy_and_is_zero_for_a_constant(self):
        import numpy as np

        a, b = torch.randn(2, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        assert math.isclose(correlation(a, b), np.corrcoef(a, b)[0, 1], rel_tol=1e-12)
        constant = torch.ones(11, requires_grad=True)
        value = correlation(constant, b.float())
        value.backward()
        assert value == 0
        assert torch.equal(constant.grad, torch.zeros(11))

    def test_distances_match_cdist(self):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        full = torch.cdist(x, x)
        upper = torch.triu_indices(6, 6, offset=1)
        torch.testing.assert_close(pairwise_distances(x), full[upper[0], upper[1]])


class TestVAxisMSE:
    def test_zero_predictor_scores_one_on_a_balanced_batch(self, targets):
        loss = built(VAxisMSE(), targets)
        torch.nn.init.zeros_(loss.head.weight)
        torch.nn.init.zeros_(loss.head.bias)
        value = loss(Output(h=torch.randn(28, D)), batch_of(torch.arange(28)))
        assert math.isclose(value.item(), 1.0, rel_tol=1e-5)

    def test_gradient_is_rank_one(self, targets, stimuli):
        loss, h = built(VAxisMSE(), targets), torch.randn(B, D, requires_grad=True)
        loss(Output(h=h), batch_of(stimuli)).backward()
        error = loss.head(h).squeeze(1) - targets.v[stimuli]
        torch.testing.assert_close(h.grad, 2 / B * error[:, None] * loss.head.weight)

    def test_minimum_is_least_squares(self, targets, stimuli):
        loss, h = built(VAxisMSE(), targets), torch.randn(B, D)
        design = torch.cat([h, torch.ones(B, 1)], dim=1)
        solution = torch.linalg.lstsq(design, targets.v[stimuli][:, None]).solution.squeeze(1)
        with torch.no_grad():
            loss.head.weight.copy_(solution[None, :-1])
            loss.head.bias.copy_(solution[-1:])
        loss(Output(h=h), batch_of(stimuli)).backward()
        assert loss.head.weight.grad.abs().max() < 1e-4

    def test_pearson_couples_trials(self, targets):
        assert VAxisMSE(criterion="pearson").couples_samples
        assert not VAxisMSE().couples_samples


class TestRSA:
    @pytest.mark.parametrize("compare", ["pearson", "cosine", "cka"])
    def test_zero_for_features_on_a_line(self, compare, targets):
        direction = torch.randn(D, generator=torch.Generator().manual_seed(4))
        h = targets.v[:, None] * direction
        assert built(RSA(compare=compare), targets)(Output(h=h), batch_of(torch.arange(28))) < 1e-5

    @pytest.mark.parametrize("compare", ["pearson", "cosine", "spearman_soft", "cka"])
    def test_invariant_to_rotation_shift_and_scale(self, compare, targets, stimuli):
        loss, h = built(RSA(compare=compare), targets), torch.randn(B, D)
        rotation = torch.linalg.qr(torch.randn(D, D)).Q
        value = loss(Output(h=h), batch_of(stimuli))
        torch.testing.assert_close(loss(Output(h=3 * h @ rotation + 1), batch_of(stimuli)), value, atol=1e-4, rtol=1e-4)
        assert 0 <= value <= 2

    def test_sign_of_the_axis_does_not_matter(self, targets, stimuli):
        from dataclasses import replace

        flipped, h = replace(targets, v=-targets.v, v_class=-targets.v_class), torch.randn(B, D)
        values = [built(RSA(), t)(Output(h=h), batch_of(stimuli)) for t in (targets, flipped)]
        torch.testing.assert_close(*values)

    def test_collapsed_features_score_one_without_gradient(self, targets, stimuli):
        h = torch.ones(B, D, requires_grad=True)
        value = built(RSA(), targets)(Output(h=h), batch_of(stimuli))
        value.backward()
        assert value == 1
        assert torch.equal(h.grad, torch.zeros(B, D))

    def test_two_stimuli_are_counted_as_degenerate(self, targets):
        loss = built(RSA(), targets)
        assert loss(Output(h=torch.randn(4, D)), batch_of(torch.tensor([0, 0, 1, 1]))) == 0
        assert loss.degenerate_batches == 1

    def test_gradcheck(self, targets):
        loss = built(RSA(), targets).double()
        h = torch.randn(8, D, dtype=torch.float64, requires_grad=True)
        assert gradcheck(lambda h: loss(Output(h=h), batch_of(torch.arange(8))), (h,))


class TestSoftLabelKD:
    def test_gradient_is_temperature_times_difference(self, targets, stimuli):
        loss = built(SoftLabelKD(temperature=2.0), targets)
        logits = torch.randn(B, K, requires_grad=True)
        loss(Output(logits=logits), batch_of(stimuli)).backward()
        difference = (logits / 2).softmax(dim=1) - loss.log_teacher[stimuli].exp()
        torch.testing.assert_close(logits.grad, 2.0 / B * difference)

    def test_zero_exactly_at_the_teacher(self, targets, stimuli):
        loss = built(SoftLabelKD(temperature=0.5), targets)
        logits = 0.5 * loss.log_teacher[stimuli] + 3
        assert loss(Output(logits=logits), batch_of(stimuli)).abs() < 1e-6

    def test_cold_teacher_is_the_nearest_class(self, targets):
        loss = built(SoftLabelKD(temperature=1e-5), targets)
        nearest = (targets.v[:, None] - targets.v_class[None]).abs().argmin(dim=1)
        assert torch.equal(loss.log_teacher.argmax(dim=1), nearest)


class TestTopoOptimal:
    def test_no_gradient_outside_the_electrodes(self, targets, tokens, stimuli):
        loss = built(TopoOptimal(), targets)
        (gradient,) = torch.autograd.grad(loss(output_of(tokens), batch_of(stimuli)), tokens)
        outside = [c for c in range(32) if c not in loss.electrodes]
        assert len(loss.electrodes) == 8
        assert torch.equal(gradient[:, outside], torch.zeros_like(gradient[:, outside]))

    def test_all_electrodes_equal_vaxis_mse(self, targets, tokens, stimuli):
        topo = built(TopoOptimal(channels=list(FACED_CHANNELS)), targets)
        plain = built(VAxisMSE(), targets)
        torch.testing.assert_close(
            topo(output_of(tokens), batch_of(stimuli)), plain(output_of(tokens), batch_of(stimuli))
        )

    def test_names_in_any_case_and_unknown_ones_refused(self, targets):
        assert built(TopoOptimal(channels=["po3", "T3"]), targets).electrodes == [25, 14]
        with pytest.raises(ValueError, match="electrodes"):
            built(TopoOptimal(channels=["nowhere", "elsewhere"]), targets)
