"""Each operation does what it says, to about the share of trials it should."""

import pytest
import torch

from datamodules.augmentation import Augmentation

OFF = {"noise_std": 0.0, "channel_dropout": 0.0, "time_mask": 0.0}
X = torch.arange(1.0, 201.0).expand(2000, 6, 200).contiguous()


def changed(y: torch.Tensor) -> torch.Tensor:
    return (y != X).flatten(1).any(dim=1)


def apply(**kwargs: float) -> torch.Tensor:
    torch.manual_seed(0)
    return Augmentation(**{**OFF, **kwargs})(X)


def test_all_off_or_never_is_identity() -> None:
    assert torch.equal(apply(), X)
    never = Augmentation(probability=0.0, jitter_samples=5, amplitude_scale=0.5)
    assert torch.equal(never(X), X)


def test_probability_is_per_trial() -> None:
    share = changed(apply(noise_std=0.1, probability=0.6)).float().mean()
    assert share == pytest.approx(0.6, abs=0.04)


def test_noise() -> None:
    difference = apply(noise_std=0.05, probability=1.0) - X
    assert difference.std() == pytest.approx(0.05, rel=0.02)
    assert difference.mean().abs() < 1e-3


def test_channel_dropout_silences_whole_channels() -> None:
    y = apply(channel_dropout=0.15, probability=1.0)
    silent = (y == 0).all(dim=-1)
    assert silent.float().mean() == pytest.approx(0.15, abs=0.015)
    assert torch.equal(y[~silent], X[~silent])


def test_time_mask_is_one_span_over_all_channels() -> None:
    zero = apply(time_mask=0.05, probability=1.0) == 0
    assert (zero == zero[:, :1]).all()
    edges = zero[:, 0].float().diff(dim=-1).abs().sum(dim=-1)
    assert edges.max() <= 2
    assert zero[:, 0].sum(dim=-1).max() == 10
    assert zero[:, 0].float().mean() == pytest.approx(0.025, abs=0.002)


def test_jitter_rolls() -> None:
    y = apply(jitter_samples=20, probability=1.0)
    shift = (1 - y[:, 0, 0]).long()  # the value at time 0 is 1 before the shift
    shift = (shift + 100) % 200 - 100
    assert (shift.min(), shift.max()) == (-20, 20)
    for i in range(5):
        assert torch.equal(y[i], X[i].roll(int(shift[i]), dims=-1))


def test_amplitude_scale() -> None:
    ratio = apply(amplitude_scale=0.2, probability=1.0) / X
    assert (ratio.amax((1, 2)) - ratio.amin((1, 2))).max() < 1e-5
    assert ratio.min() >= 0.8 - 1e-5
    assert ratio.max() <= 1.2 + 1e-5
    assert ratio.std() == pytest.approx(0.4 / 12**0.5, rel=0.05)


def test_input_is_not_changed_and_seed_repeats() -> None:
    before = X.clone()
    torch.manual_seed(1)
    first = Augmentation()(X)
    torch.manual_seed(1)
    assert torch.equal(Augmentation()(X), first)
    assert torch.equal(X, before)


@pytest.mark.parametrize("bad", [{"probability": 1.5}, {"channel_dropout": -0.1}, {"noise_std": -1.0}])
def test_bad_values_are_named(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Augmentation(**bad)
