"""Batches from which a strategy can learn nothing: every option of every strategy stays finite, and is still there."""

import inspect
import typing
from dataclasses import replace

import pytest
import torch

from command_line.catalogue import plugins
from losses._geometry import centred, correlation, is_constant, weighted_correlation
from losses.base import Output
from tests.loss_cases import B, D, N, batch_of, built, output_of, strategy

CASES = ("one trial", "one class", "one stimulus", "equal features", "constant axis", "one class at one position")
NO_SPREAD = set(CASES) - {"one class"}
# Where nothing is defined for a strategy (for all its options, or for one of them), of the cases above.
UNDEFINED = {
    ("rsa",): NO_SPREAD,
    ("rkd",): NO_SPREAD,
    ("rkd", "text"): {*CASES} - {"constant axis"},  # the texts of these targets are those of classes
    ("procrustes",): NO_SPREAD,
    ("soft_supcon",): {"one trial"},  # trials of one clip attract each other, which is what it wants of them
    ("clip_infonce",): {"one trial", "one class", "one stimulus", "one class at one position"},
    ("clip_infonce", "rbf"): NO_SPREAD - {"equal features"},
}

pytestmark = pytest.mark.filterwarnings("ignore:multi_vaxis_mse without")


def variants() -> list[tuple[str, dict[str, str]]]:
    """Every strategy as it is, and with each of the words that one of its arguments may have instead."""
    found: list[tuple[str, dict[str, str]]] = []
    for plugin in plugins("loss"):
        constructor = type(strategy(plugin.name)).__init__
        found.append((plugin.name, {}))
        for argument, annotation in typing.get_type_hints(constructor).items():
            if typing.get_origin(annotation) is typing.Literal:
                default = inspect.signature(constructor).parameters[argument].default
                found += [(plugin.name, {argument: word}) for word in typing.get_args(annotation) if word != default]
    return found


def expected(name: str, words: dict[str, str]) -> set[str]:
    if words.get("criterion") == "pearson":
        return NO_SPREAD
    return next((UNDEFINED[key] for key in ((name, *words.values()), (name,)) if key in UNDEFINED), set())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("name", "words"), variants(), ids=lambda x: x if isinstance(x, str) else "-".join(x.values()))
def test_finite_everywhere_and_without_gradient_where_undefined(name, words, case, targets):
    """With respect to logits, features and tokens each, and the weights of the head."""
    # Numbers that float32 cannot hold: means of equal ones are wrong in the last digit.
    tokens = 0.3 + torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7))
    stimuli = torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))
    if case == "one trial":
        tokens, stimuli = tokens[:1], stimuli[:1]
    elif case.startswith("one class"):
        stimuli = stimuli % 3
    elif case == "one stimulus":
        stimuli = torch.full_like(stimuli, 5)
    elif case == "equal features":
        tokens = tokens[:1].expand(B, -1, -1, -1).clone()
    if case == "constant axis":
        targets = replace(targets, v=torch.full((28,), 2.1), v_class=torch.full((9,), 2.1))
    elif case == "one class at one position":
        targets = replace(targets, v=targets.v_class[targets.class_of])
    loss = built(strategy(name, **words), targets)
    leaves = Output(*(field.detach().requires_grad_() for field in output_of(tokens)))
    batch = batch_of(stimuli)._replace(x=torch.randn(len(stimuli), 32, 5, generator=torch.Generator().manual_seed(9)))
    value = loss(leaves, batch)
    assert torch.isfinite(value)
    weights = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(value, [*leaves, *weights], allow_unused=True)
    assert any(gradient is not None for gradient in found), "DDP would wait for it"
    assert all(torch.isfinite(gradient).all() for gradient in found if gradient is not None)
    if case in expected(name, words):
        on_outputs = [gradient for gradient in found[: len(leaves)] if gradient is not None]
        assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in on_outputs)
    else:
        assert loss.degenerate_batches == 0


@pytest.mark.parametrize("compare", ["pearson", "cosine", "spearman_soft", "cka"])
@pytest.mark.parametrize("level", ["stimulus", "trial"])
def test_rsa_counts_what_it_cannot_compare_and_says_the_same_of_all(compare, level, targets):
    loss = built(strategy("rsa", compare=compare, level=level), replace(targets, v=torch.full((28,), 2.1)))
    stimuli = torch.arange(28)
    values = {float(loss(Output(h=torch.randn(28, D)), batch_of(stimuli))) for _ in range(3)}
    assert values == {1.0}
    assert loss.degenerate_batches == 3


@pytest.mark.parametrize("number", [0.1, 2.1, 4064.5, -7.7])
@pytest.mark.parametrize("count", [36, 8128])
def test_equal_numbers_correlate_with_nothing_however_long(number, count):
    """Their float32 mean is off by up to a digit; over thousands of pairs that difference passes any fixed limit."""
    constant = torch.full((count,), number, requires_grad=True)
    other = torch.randn(count, generator=torch.Generator().manual_seed(1))
    weights = torch.rand(count, generator=torch.Generator().manual_seed(2))
    assert is_constant(constant)
    assert torch.equal(centred(constant), torch.zeros(count))
    for value in (correlation(constant, other), weighted_correlation(constant, other, weights=weights)):
        assert value == 0
        assert torch.equal(torch.autograd.grad(value, constant)[0], torch.zeros(count))
    assert not is_constant(constant + 1e-3 * number * other)
