"""Gradient shares: the toys whose values are known, and sums over shards."""

import numpy as np
import pytest
import torch

from measures.gradients import class_basis, gradient_shares, gradient_sums, shares
from vaxis.emotions import FACED, SEEDV

FACED_CLASSES, SEEDV_CLASSES = np.array(FACED.class_of), np.array(SEEDV.class_of)


def toy(*, fitted, seed=0, n=160, d=32, k=9):
    """Gradient of the squared error of a linear head on class targets; features = class means plus noise."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    means, y = torch.randn(k, d, **draw), torch.arange(n) % k
    h, target = means[y] + 0.4 * torch.randn(n, d, **draw), torch.randn(k, **draw)[y]
    design = torch.cat([h, torch.ones(n, 1, dtype=torch.float64)], dim=1)
    weight = torch.linalg.lstsq(design, target[:, None]).solution[:, 0] if fitted else torch.randn(d + 1, **draw)
    return (design @ weight - target)[:, None] * weight[:d], class_basis(means), y


def test_the_two_decompositions_disagree_on_a_fitted_and_on_a_random_head():
    """Reference values of a separate implementation: 0.83 and 0.07 fitted, 0.20 and 0.88 random."""
    fitted = np.mean([gradient_shares(*toy(fitted=True, seed=s)) for s in range(30)], axis=0)
    loose = np.mean([gradient_shares(*toy(fitted=False, seed=s)) for s in range(30)], axis=0)
    assert fitted[[0, 2]] == pytest.approx([0.83, 0.07], abs=0.05)
    assert loose[[0, 2]] == pytest.approx([0.20, 0.88], abs=0.07)
    assert fitted[[1, 3]] == pytest.approx([8 / 32, 9 / 160])


def test_isotropic_gradient_has_chance_shares():
    generator = torch.Generator().manual_seed(1)
    basis = class_basis(torch.randn(9, 64, generator=generator, dtype=torch.float64))
    gradient, y = torch.randn(4000, 64, generator=generator, dtype=torch.float64), torch.arange(4000) % 40
    result = gradient_shares(gradient, basis, y)
    assert result.feature_share == pytest.approx(result.feature_chance, abs=0.005)
    assert result.sample_share == pytest.approx(result.sample_chance, abs=0.002)
    assert result.norm == pytest.approx(float(gradient.norm()))


def test_gradient_of_a_loss_on_class_residuals_has_no_class_mean():
    """What the residual mode of Procrustes must show, whatever it does with the residuals."""
    h = torch.randn(90, 16, dtype=torch.float64, requires_grad=True)
    y = torch.arange(90) % 9
    means = torch.stack([h[y == k].mean(dim=0) for k in range(9)])
    ((h - means[y]) @ torch.randn(16, dtype=torch.float64)).pow(3).sum().backward()
    result = gradient_shares(h.grad, class_basis(means.detach()), y)
    assert result.sample_share < 1e-25
    assert result.feature_share > 0.01


def test_class_constant_gradient_in_the_span_has_full_shares():
    means = torch.randn(9, 32, dtype=torch.float64)
    y = torch.arange(45) % 9
    result = gradient_shares((means - means.mean(dim=0))[y], class_basis(means), y)
    assert (result.feature_share, result.sample_share) == pytest.approx((1.0, 1.0))


def test_sums_of_shards_are_the_sums_of_the_batch():
    gradient, basis, y = toy(fitted=True)
    whole = gradient_shares(gradient, basis, y)
    parts = [gradient_sums(gradient[i::2], basis=basis, y=y[i::2], classes=9) for i in range(2)]
    summed = type(parts[0])(*(a + b for a, b in zip(*parts)))
    assert shares(summed, rank=basis.shape[1]) == pytest.approx(whole)


def test_degenerate_gradients_and_bases():
    zero = gradient_shares(torch.zeros(4, 8), class_basis(torch.randn(3, 8)), torch.arange(4))
    assert np.isnan([zero.feature_share, zero.sample_share]).all()
    assert zero.norm == 0
    assert class_basis(torch.ones(5, 8)).shape == (8, 0)
    absent = torch.full((5, 8), torch.nan)
    absent[:3] = torch.randn(3, 8)
    assert class_basis(absent).shape == (8, 2)
