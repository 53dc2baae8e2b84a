"""The random control of a loss: everything of the targets but their meaning."""

import numpy as np
import pytest
import torch

from tests.conftest import make_axis
from vaxis.targets import UNRELATED, Targets


@pytest.fixture(params=["faced", "seedv"])
def real(request) -> Targets:
    return Targets.from_axis(make_axis(request.param))


def test_it_keeps_units_class_structure_and_prototypes(real):
    control = real.permuted(seed=1)
    assert control.v.mean().abs() < 1e-6
    assert control.v.square().mean() == pytest.approx(1, abs=1e-5)
    for k, centre in enumerate(control.v_class):
        assert control.v[control.class_of == k].mean() == pytest.approx(float(centre), abs=1e-5)
    assert sorted(map(tuple, control.prototypes.tolist())) == sorted(map(tuple, real.prototypes.tolist()))
    assert torch.equal(control.class_of, real.class_of)
    torch.testing.assert_close(control.embeddings.norm(dim=1), real.embeddings.norm(dim=1), atol=1e-4, rtol=0)


def test_its_positions_are_unrelated_to_the_axis_and_differ_between_seeds(real):
    controls = [real.permuted(seed=seed).v.numpy() for seed in range(20)]
    assert max(abs(np.corrcoef(v, real.v.numpy())[0, 1]) for v in controls) < UNRELATED
    assert np.array_equal(controls[3], real.permuted(seed=3).v.numpy())
    assert len({v.tobytes() for v in controls}) > 10


def test_deviations_stay_within_their_class():
    """As many of every deviation as before, up to the common scale of a new z-score."""
    real = Targets.from_axis(make_axis())
    control = real.permuted(seed=2)
    for k in range(9):
        rows = real.class_of == k
        before, after = (t.v[rows] - t.v_class[k] for t in (real, control))
        before, after = before.sort().values, after.sort().values
        scale = float((after @ before) / (before @ before))
        torch.testing.assert_close(after, scale * before, atol=1e-4, rtol=0)


def test_prototypes_and_positions_move_together():
    """The class that got another's position got its prototype: losses that read either see the same control."""
    real = Targets.from_axis(make_axis(), source="class")
    control = real.permuted(seed=4)
    moved = [int((real.prototypes == row).all(dim=1).nonzero()) for row in control.prototypes]
    assert np.corrcoef(real.v_class[moved].numpy(), control.v_class.numpy())[0, 1] == pytest.approx(1, abs=1e-6)
