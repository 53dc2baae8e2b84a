"""Correlation maps against numpy, their chance level and where electrodes are drawn."""

import math

import numpy as np
import pytest

from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS
from figures.scalp import topomap_figure
from measures.topography import axis_topography, chance_abs_r


def cohort(v, *, subjects=6, channels=3, noise=1.0, seed=0):
    """Features that follow v in channel 0, oppose it in channel 1 and ignore it elsewhere."""
    rng = np.random.default_rng(seed)
    stimulus, subject = np.tile(np.arange(len(v)), subjects), np.repeat(np.arange(subjects), len(v))
    x = noise * rng.normal(size=(len(stimulus), channels, 5))
    x[:, 0] += v[stimulus, None]
    x[:, 1] -= v[stimulus, None]
    return x, stimulus, subject


def test_topography_equals_corrcoef_of_subject_means():
    v = np.random.default_rng(1).normal(size=28)
    x, stimulus, subject = cohort(v)
    r = axis_topography(x, stimulus=stimulus, subject=subject, v=v)
    means = x.reshape(6, 28, 3, 5).mean(axis=0)
    assert r[2, 3] == pytest.approx(np.corrcoef(means[:, 2, 3], v)[0, 1])
    assert (r[0] > 0.7).all()
    assert (r[1] < -0.7).all()


def test_topography_counts_each_subject_once():
    v = np.array([-1.0, 0.0, 1.0, 2.0])
    x, stimulus, subject = cohort(v, subjects=2)
    again = [*range(len(stimulus)), *([1] * 9)]  # nine copies of one trial
    once = axis_topography(x, stimulus=stimulus, subject=subject, v=v)
    nine = axis_topography(x[again], stimulus=stimulus[again], subject=subject[again], v=v)
    assert nine == pytest.approx(once)


def test_topography_of_unrelated_features_is_at_chance():
    rng = np.random.default_rng(0)
    v = rng.normal(size=28)
    x, stimulus, subject = cohort(v, subjects=2, channels=400)
    r = axis_topography(x, stimulus=stimulus, subject=subject, v=v)[2:]
    assert np.abs(r).mean() == pytest.approx(chance_abs_r(28), abs=0.01)


@pytest.mark.parametrize(("n", "expected"), [(5, 0.424), (9, 0.291), (28, 0.155), (45, 0.121)])
def test_chance_level_known_values(n, expected):
    assert chance_abs_r(n) == pytest.approx(expected, abs=5e-4)


def test_topography_edges():
    v = np.arange(5.0)
    x, stimulus, subject = cohort(v)
    x[:, 2, 0] = 0.1
    r = axis_topography(x, stimulus=stimulus, subject=subject, v=v)
    assert math.isnan(r[2, 0])
    assert np.isfinite(r[:2]).all()
    few = stimulus < 4  # a clip that nobody saw
    part = axis_topography(x[few], stimulus=stimulus[few], subject=subject[few], v=v)
    assert part == pytest.approx(
        axis_topography(x[few], stimulus=stimulus[few], subject=subject[few], v=v[:4]), nan_ok=True
    )
    with pytest.raises(ValueError, match="2 stimuli"):
        axis_topography(x[stimulus < 2], stimulus=stimulus[stimulus < 2], subject=subject[stimulus < 2], v=v)
    with pytest.raises(ValueError, match="raw EEG has no bands"):
        axis_topography(x[..., 0], stimulus=stimulus, subject=subject, v=v)


@pytest.mark.parametrize(("channels", "off"), [(FACED_CHANNELS, {"A1", "A2"}), (SEEDV_CHANNELS, {"CB1", "CB2"})])
def test_map_places_every_scalp_electrode_inside_the_head(channels, off):
    from figures.scalp import _scalp

    kept, places = _scalp(channels)
    assert {channels[i] for i in range(len(channels)) if i not in kept} == off
    assert np.hypot(*places.T).max() < 1
    at = {channels[i].upper(): place for i, place in zip(kept, places)}
    assert at["T7"][0] < -0.8 < 0.8 < at["T8"][0]
    assert at["OZ"][1] < -0.7 < 0.7 < at["FP1"][1]
    assert np.hypot(*at["CZ"]) < 0.15


def test_maps_share_one_symmetric_scale_and_take_old_names():
    channels = ["T3" if name == "T7" else name for name in FACED_CHANNELS]
    values = {"small": np.linspace(-0.1, 0.1, 32), "large": np.linspace(-0.2, 0.7, 32)}
    values["large"][FACED_CHANNELS.index("A2")] = 9.0  # off the scalp: neither drawn nor on the scale
    figure = topomap_figure(values, channels=channels)
    limits = [image.get_clim() for ax in figure.axes for image in ax.images]
    top = np.delete(values["large"], [30, 31]).max()
    assert limits == [pytest.approx((-top, top))] * 2


def test_map_refuses_unknown_or_empty_electrodes():
    with pytest.raises(ValueError, match="'Q7'"):
        topomap_figure({"a": np.zeros(5)}, channels=["Q7", "Cz", "Fz", "Pz", "Oz"])
    with pytest.raises(ValueError, match="has 0 electrodes"):
        topomap_figure({"a": np.full(32, np.nan)}, channels=FACED_CHANNELS)
