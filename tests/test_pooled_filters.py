"""EMOD's tokeniser as one operation against the layers that it stands for."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from networks._pooled_filters import pooled_filters
from networks.emod import Tokeniser


def layers(*, dim=8, kernel=25, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    convolution, norm = torch.nn.Conv2d(1, dim, (1, kernel), padding="same"), torch.nn.GroupNorm(4, dim)
    for parameter in (*convolution.parameters(), *norm.parameters()):
        torch.nn.init.normal_(parameter, mean=0.3, std=0.5, generator=generator)
    return convolution.to(dtype), norm.to(dtype)


def one_by_one(x, *, convolution, norm, positions):
    """The layers as the paper draws them."""
    return F.adaptive_avg_pool2d(F.gelu(norm(convolution(x[:, None]))), (x.shape[1], positions))


def signal(*shape, dtype=torch.float32):
    return 20 * torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=dtype)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("kernel", [25, 4])
@pytest.mark.parametrize("samples", [200, 101])  # of which ten stretches are equally long, or overlap
@pytest.mark.parametrize("asks", [False, True], ids=["electrode by electrode", "all at once"])
def test_value_and_gradients_are_those_of_the_layers(kernel, samples, asks):
    x = signal(3, 5, samples).requires_grad_(asks)
    convolution, norm = layers(kernel=kernel)
    leaves = [*convolution.parameters(), *norm.parameters(), *([x] if asks else [])]
    found, expected = (
        function(x, convolution=convolution, norm=norm, positions=10) for function in (pooled_filters, one_by_one)
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    for mine, theirs in zip(
        torch.autograd.grad((weights * found).sum(), leaves), torch.autograd.grad((weights * expected).sum(), leaves)
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_a_large_offset_does_not_eat_the_variance():
    x = signal(2, 3, 200) + 3e3
    convolution, norm = layers()
    found = pooled_filters(x, convolution=convolution, norm=norm, positions=10)
    exact = [layer.double() for layer in layers()]
    expected = one_by_one(x.double(), convolution=exact[0], norm=exact[1], positions=10)
    torch.testing.assert_close(found, expected.float(), rtol=2e-3, atol=2e-3)


def test_the_gradient_is_the_slope_of_the_value():
    x, dtype = signal(2, 2, 21, dtype=torch.float64), torch.float64
    convolution, norm = layers(dim=4, kernel=5, dtype=dtype)
    names = [(module, name) for module in (convolution, norm) for name in ("weight", "bias")]
    values = [getattr(module, name).detach().requires_grad_() for module, name in names]

    def run(weight, bias, scale, shift):
        made = torch.nn.Module()
        made.weight, made.bias, made.kernel_size = weight, bias, (1, 5)
        after = torch.nn.Module()
        after.weight, after.bias, after.num_groups, after.eps = scale, shift, 4, 1e-5
        return pooled_filters(x, convolution=made, norm=after, positions=4)

    assert gradcheck(run, values)


def test_half_precision_stays_near():
    tokeniser, x = Tokeniser(dim=16, n_tokens=10), signal(2, 4, 200)
    exact = tokeniser(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = tokeniser(x)
        found.float().sum().backward()
    torch.testing.assert_close(found.float(), exact, rtol=0.05, atol=0.03)
    assert all(parameter.grad.isfinite().all() for parameter in tokeniser.parameters())


def test_the_tokeniser_keeps_the_names_of_its_weights():
    names = {
        f"{part}.{layer}.{kind}" for part in ("time", "frequency") for layer in (0, 1) for kind in ("weight", "bias")
    }
    assert set(Tokeniser(dim=8, n_tokens=5).state_dict()) == names | {"fuse.weight", "fuse.bias"}
