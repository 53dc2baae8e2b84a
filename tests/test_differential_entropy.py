"""Band power against closed forms."""

import math

import numpy as np
import pytest
import torch

from eeg.bands import FACED_BANDS, PAPER_BANDS
from eeg.differential_entropy import band_pass, band_power, differential_entropy, log_power_asymmetry


def test_white_noise_has_power_in_proportion_to_bandwidth() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 3.0 * torch.randn(200, 7500, generator=generator, dtype=torch.float64)
    power = band_power(x, sampling_rate=250, bands=PAPER_BANDS).mean(dim=0)
    expected = torch.tensor([9 * (high - low) / 125 for low, high in PAPER_BANDS.values()], dtype=torch.float64)
    torch.testing.assert_close(power, expected, rtol=0.02, atol=0)
    entropy = differential_entropy(power)
    closed = [0.5 * math.log(2 * math.pi * math.e * p) for p in expected.tolist()]
    np.testing.assert_allclose(entropy.numpy(), closed, atol=0.01)


def test_sine_goes_to_its_band_alone() -> None:
    time = torch.arange(2500, dtype=torch.float64) / 250
    x = 4.0 * torch.sin(2 * math.pi * 10.0 * time)
    power = band_power(x, sampling_rate=250, bands=FACED_BANDS, window_seconds=1)
    assert power.shape == (10, 5)
    torch.testing.assert_close(power[:, 2], torch.full((10,), 8.0, dtype=torch.float64))
    assert power[:, [0, 1, 3, 4]].max() < 1e-20


def test_edges_are_half_open_and_bands_add_up() -> None:
    x = torch.randn(3, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole = band_pass(x, band=(1, 47), sampling_rate=250)
    parts = sum(band_pass(x, band=band, sampling_rate=250) for band in FACED_BANDS.values())
    torch.testing.assert_close(parts, whole)


def test_entropy_of_a_gaussian_and_asymmetry_identity() -> None:
    assert differential_entropy(torch.tensor(1.0)).item() == pytest.approx(1.4189385, abs=1e-6)
    right, left = torch.tensor([2.0, 5.0]).double(), torch.tensor([1.0, 0.3]).double()
    asymmetry = log_power_asymmetry(differential_entropy(right), differential_entropy(left))
    torch.testing.assert_close(asymmetry, right.log() - left.log(), rtol=0, atol=1e-12)


def test_gradient_reaches_the_signal() -> None:
    x = torch.randn(2, 500, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v: differential_entropy(band_power(v, sampling_rate=250, bands={"alpha": (8, 13)})), x, fast_mode=True
    )


def test_impossible_bands() -> None:
    with pytest.raises(ValueError, match=r"resolve no frequency in 0\.5-0\.9 Hz"):
        band_pass(torch.zeros(250), band=(0.5, 0.9), sampling_rate=250)
    with pytest.raises(ValueError, match="half the sampling rate"):
        band_pass(torch.zeros(250), band=(30, 130), sampling_rate=250)
    with pytest.raises(ValueError, match="shorter than one window"):
        band_power(torch.zeros(100), sampling_rate=250, bands=FACED_BANDS, window_seconds=1)


def test_one_transform_serves_all_bands_and_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    apart = [band_pass(x, band=band, sampling_rate=250).unflatten(-1, (4, 250)) for band in FACED_BANDS.values()]
    expected = torch.stack([passed.var(dim=-1, correction=0) for passed in apart], dim=-1)
    calls, transform = [], torch.fft.rfft
    monkeypatch.setattr(torch.fft, "rfft", lambda signal: calls.append(1) or transform(signal))
    assert torch.equal(band_power(x, sampling_rate=250, bands=FACED_BANDS, window_seconds=1), expected)
    assert len(calls) == 1
