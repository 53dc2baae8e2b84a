"""Correlation maps against numpy, their chance level and where electrodes are drawn."""

import math

import numpy as np
import pytest

from eeg.montage import FACED_CHANNELS, SEEDV_CHANNELS
from figures.scalp import HEAD, topomap_figure
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
    figure = topomap_figure({"a": np.linspace(-1, 1, len(channels))}, channels=channels, names=True)
    at = {text.get_text(): np.array(text.get_position()) / HEAD for text in figure.axes[0].texts}
    assert set(channels) - set(at) == off
    at = {name.upper(): place for name, place in at.items()}
    # The circle of the 10-20 system is the rim, just inside the outline.
    ring = [np.hypot(*at[name]) for name in ("FP1", "F7", "T7", "P7", "O1", "OZ", "O2", "P8", "T8", "F8", "FP2")]
    assert 0.83 < min(ring) < max(ring) == max(np.hypot(*place) for place in at.values()) < 0.95
    assert at["T7"][0] < -0.9 < 0.9 < at["T8"][0]
    assert at["OZ"][1] < -0.8 < 0.8 < at["FP1"][1]
    assert at["O1"][1] == pytest.approx(-at["FP1"][1], abs=0.03)
    assert at["FP1"][0] == pytest.approx(-at["FP2"][0], abs=0.03)
    assert np.hypot(*at["CZ"]) < 0.05


def test_low_electrodes_lie_inside_the_head_too():
    channels = ["FT9", "FT10", "TP9", "TP10", "PO9", "PO10", "Iz", "Cz", "Fz"]
    figure = topomap_figure({"a": np.arange(9.0)}, channels=channels, names=True)
    assert max(np.hypot(*text.get_position()) for text in figure.axes[0].texts) < HEAD


def test_a_map_has_head_nose_and_two_ears():
    figure = topomap_figure({"a": np.arange(32.0)}, channels=FACED_CHANNELS, names=True)
    lines = [line.get_xydata() / HEAD for line in figure.axes[0].lines if len(line.get_xydata()) != 30]
    head, *others = sorted(lines, key=len, reverse=True)
    assert np.hypot(*head.T) == pytest.approx(1)
    assert sorted(len(line) for line in others) == [3, 10, 10]
    assert max(line[:, 1].max() for line in others) > 1.1


def test_cells_take_the_value_of_their_electrode():
    values = np.random.default_rng(0).uniform(-0.7, 0.7, 32)
    figure = topomap_figure({"a": values}, channels=FACED_CHANNELS, names=True, limit=1.0)
    ax = figure.axes[0]
    assert ax.images[0].get_clim() == (-1, 1)
    cells = [patch for patch in ax.patches if patch.get_fill()]
    assert len(ax.texts) == 30
    for text in ax.texts:
        (cell,) = [patch for patch in cells if patch.get_path().contains_point(text.get_position())]
        value = values[FACED_CHANNELS.index(text.get_text())]
        assert cell.get_facecolor() == pytest.approx(ax.images[0].to_rgba(value), abs=0.01), text.get_text()


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
