"""Brain maps: every p-value on cohorts without an effect, a planted one found, and the command on small cohorts."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analysis import eeg_map
from analysis.brain import worlds
from analysis.brain.asymmetry import asymmetry
from analysis.brain.calibration import DRAWS
from analysis.brain.decoding import in_sample_noise, ridge
from analysis.brain.gather import gather
from analysis.brain.maps import cell_map, map_stats, position
from analysis.brain.measure import measure
from analysis.brain.orders import Orders, Stat, class_constant, correlations, orders
from analysis.brain.person import phase_amplitude, whole_clip
from analysis.brain.persons import persons
from analysis.brain.reliability import reliability
from analysis.brain.time_course import time_course
from analysis.brain.together import information, links, theta_gamma
from analysis.brain.trial_level import trials_out_of_fold
from datamodules.simulated import SimulatedFACED
from eeg.bands import FACED_BANDS
from measures.topography import axis_topography
from vaxis.emotions import FACED, SEEDV

CLASS_OF = np.array(FACED.class_of)


@pytest.fixture(scope="module")
def null_world():
    return worlds.draw(seed=(3,))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    cache = tmp_path_factory.mktemp("faced")
    data = SimulatedFACED(root=str(cache / "files"), n_subjects=6, window_seconds=1, cache=str(cache))
    return data, gather(data)


def test_p_values_count_the_value_itself_and_what_is_as_extreme():
    one = Stat.of(np.array([2.0, 1.0, 3.0, 0.0]), n=5)
    assert (one.p_value, one.null_mean, one.n) == (0.5, pytest.approx(4 / 3), 5)
    assert Stat.of(np.array([5.0, -1.0, 0.0, 0.0]), n=5, two_sided=True).p_value == 0.25
    low = Stat.of(np.array([-5.0, 6.0, 0.0, 0.0]), n=5, two_sided=True)
    assert low.p_value == 0.5, "as far from the mean on the other side counts"
    assert Stat.of(np.array([-5.0, 4.0, 0.0, 0.0]), n=5).p_value == 1.0


def test_five_classes_have_120_orders_and_none_is_drawn_twice():
    v = np.array([-1.0, -0.8, -0.3, 0.1, 2.0])[list(SEEDV.class_of)]
    found = orders(v, np.array(SEEDV.class_of), draws=1000, seed=0)
    assert found.complete
    assert found.rows.shape == (120, 45)
    assert found.rows[0] == pytest.approx(v)
    assert len(np.unique(found.rows, axis=0)) == 120
    # The best that any data can reach.
    assert Stat.of(correlations(found.rows, v), n=45).p_value == pytest.approx(1 / 120)


def test_positions_within_classes_or_many_classes_are_sampled():
    v = np.arange(28.0)
    assert not class_constant(v, CLASS_OF)
    assert not orders(v, CLASS_OF, draws=20, seed=0).complete
    by_class = np.arange(9.0)[CLASS_OF]
    assert class_constant(by_class, CLASS_OF)
    assert orders(by_class, CLASS_OF, draws=20, seed=0).rows.shape == (21, 28)


def cheap(world: worlds.World, *, rows: Orders, seed: int) -> dict[str, Stat]:
    """Every number that takes milliseconds."""
    cohort = world.cohort
    found = cell_map(cohort, rows)
    stats = map_stats(cohort, found) | persons(cohort, rows, found) | time_course(cohort, rows)[0]
    stats |= information(cohort, rows) | theta_gamma(cohort, rows) | links(cohort, rows, seed=seed)
    return stats | asymmetry(cohort, draws=len(rows.rows) - 1, seed=seed)


def test_p_values_are_uniform_where_clips_evoke_much_but_nothing_along_the_axis():
    p: dict[str, list[float]] = {}
    for seed in range(60):
        world = worlds.draw(seed=(11, seed), people=6)
        rows = orders(world.positions["axis"], CLASS_OF, draws=39, seed=seed)
        for name, stat in cheap(world, rows=rows, seed=seed).items():
            p.setdefault(name, []).append(stat.p_value)
    assert len(p) > 25
    for name, values in p.items():
        # Sixty uniform numbers: mean .5 with a standard error of .037, eleven at .05 or less once in ten thousand.
        assert 0.33 < np.mean(values) < 0.69, name
        assert sum(value <= 0.05 for value in values) < 11, name


def test_shuffling_single_clips_would_call_such_cohorts_significant():
    rng, p = np.random.default_rng(0), []
    for seed in range(40):
        world = worlds.draw(seed=(12, seed), people=6)
        v = np.arange(9.0)[CLASS_OF]
        free = np.vstack([v, [rng.permutation(v) for _ in range(39)]])
        p.append(cheap(world, rows=Orders(rows=free, complete=False), seed=seed)["band.alpha"].p_value)
    # Uniform ones have a mean of .5 with a standard error of .046.
    assert np.mean(p) < 0.3


def test_reliability_needs_an_answer_that_people_share(null_world):
    shared = reliability(null_world.cohort, draws=19, seed=0)
    assert shared["reliability.eeg"].p_value == pytest.approx(1 / 20)
    assert shared["reliability.ratings"].value > shared["reliability.eeg"].value
    silent = [worlds.draw(seed=(5, k), evoked=False, people=6).cohort for k in range(12)]
    p = [reliability(one, draws=19, seed=k)["reliability.eeg"].p_value for k, one in enumerate(silent)]
    assert 0.25 < np.mean(p) < 0.75


def test_calibration_covers_every_p_value_of_the_command(null_world):
    found = eeg_map.calibrate(cohorts=1, seed=4)
    world = null_world
    stats = measure(world.cohort, world.positions, world.random, draws=19, each_class=False).stats
    assert set(found) == {name for name, stat in stats.items() if stat.p_value is not None}
    assert all(len(values) == 1 for values in found.values())
    assert all(1 / (DRAWS + 1) <= values[0] <= 1 for values in found.values())


def test_a_planted_axis_is_found_along_its_pattern():
    found = eeg_map.recover(cohorts=1, seed=0)
    assert found["cos.pattern"] >= 0.95
    assert found["power.ridge.axis.class_out"] == found["power.cell.best"] == 1.0
    assert np.mean([value for name, value in found.items() if name.startswith("coverage.")]) >= 0.6


def test_in_sample_ridge_fits_white_noise_and_the_nested_one_does_not(null_world):
    assert in_sample_noise(null_world.cohort, null_world.positions["axis"], seed=0).value > 0.8
    noise = replace(null_world.cohort, x=np.random.default_rng(0).normal(size=(1, 28, 32, 5)))
    target = orders(null_world.positions["axis"], CLASS_OF, draws=39, seed=0)
    found, predictions = ridge(noise, {"axis": target})
    assert found["ridge.axis.in_sample"].value > 0.9
    assert found["ridge.axis.clip_out"].p_value > 0.05
    assert found["ridge.axis.clip_out"].value == pytest.approx(np.corrcoef(predictions["axis"], target.rows[0])[0, 1])


def test_trial_level_ridge_equals_scikit_learn_written_out():
    rng, groups, session = np.random.default_rng(0), np.repeat([0, 1, 2, 3], 2), np.tile([0, 1], 4)
    x, v = rng.normal(size=(5, 8, 4)), rng.normal(size=8)
    penalties = np.array([0.1, 10.0, 1000.0])
    x[:, :, 0] += v
    found = trials_out_of_fold(x, np.stack([v, -2 * v]), groups=groups, session=session, penalties=penalties)

    def predicted(kept, left, penalty):
        own = x.copy()
        for day in (0, 1):
            own[:, session == day] -= x[:, kept & (session == day)].mean(axis=1, keepdims=True)
        model = make_pipeline(StandardScaler(), Ridge(alpha=penalty))
        model.fit(own[:, kept].reshape(-1, 4), np.tile(v[kept], 5))
        return model.predict(own[:, left].reshape(-1, 4)).reshape(5, 2)

    for g in range(4):
        errors = np.zeros(3)
        for h in {0, 1, 2, 3} - {g}:
            rest, left = (groups != g) & (groups != h), groups == h
            errors += [((predicted(rest, left, penalty) - v[left]) ** 2).sum() for penalty in penalties]
        by_hand = predicted(groups != g, groups == g, penalties[errors.argmin()])
        assert found[0][:, groups == g] == pytest.approx(by_hand)
    assert found[1] == pytest.approx(-2 * found[0])


def test_noise_of_balanced_sessions_predicts_no_clip_that_was_left_out():
    """Centring on a session that holds the clip left out would: that clip follows from the others, r = 1."""
    class_of, rng = np.array(SEEDV.class_of), np.random.default_rng(0)
    v = np.arange(5.0)[class_of]
    session = np.repeat([1, 2, 3], 15)
    positions = orders(v, class_of, draws=19, seed=0)
    noise = worlds.draw(seed=(8,)).cohort
    noise = replace(noise, x=rng.normal(size=(2, 45, 62, 5)), class_of=class_of, session=session)
    r = ridge(noise, {"axis": Orders(rows=positions.rows[:1].repeat(2, axis=0), complete=False)})[0]
    assert r["ridge.axis.clip_out"].value < 0.5  # noise gives -1, the mean of all clips but the one left out
    x = noise.x.reshape(2, 45, -1)[:, :, :60]
    found = trials_out_of_fold(x, positions.rows[:1], groups=np.arange(45), session=session)[0]
    assert np.corrcoef(found.ravel(), np.tile(v, 2))[0, 1] < 0.3


def test_map_is_that_of_the_report_and_its_correction_is_stricter(null_world):
    cohort, v = null_world.cohort, null_world.positions["axis"]
    found = cell_map(cohort, orders(v, CLASS_OF, draws=99, seed=0))
    stimulus, subject = np.tile(np.arange(28), cohort.people), np.repeat(np.arange(cohort.people), 28)
    x = cohort.x.reshape(-1, *cohort.x.shape[2:])
    assert found.r[0] == pytest.approx(axis_topography(x, stimulus=stimulus, subject=subject, v=v))
    assert (found.p_map >= found.p_cell).all()
    assert found.p_map[found.best] == pytest.approx(
        (np.abs(found.r).max(axis=(1, 2)) >= np.abs(found.r[0]).max()).mean()
    )


def test_asymmetry_is_right_minus_left_of_positive_minus_negative_clips(null_world):
    cohort = null_world.cohort
    x = np.zeros_like(cohort.x)
    right = position(cohort, "F4", "alpha")
    x[:, cohort.valence[CLASS_OF] > 0, *right] = 0.5
    found = asymmetry(replace(cohort, x=x), draws=99, seed=0)
    assert found["asymmetry.F4_F3"].value == pytest.approx(0.5)
    assert found["asymmetry.F8_F7"].value == pytest.approx(0.0)


def test_coupling_is_of_phase_and_not_of_loudness():
    rng, time = np.random.default_rng(0), np.arange(6000) / 200
    theta, gamma = np.sin(2 * np.pi * 6 * time), np.sin(2 * np.pi * 38 * time)
    noise = 0.1 * rng.normal(size=6000)
    carriers = [(1 + theta) * gamma, gamma, 9 * gamma, 9 * (1 + theta) * gamma]
    signals = np.stack([theta + carrier + noise for carrier in carriers])
    coupled, flat, loud, both = phase_amplitude(signals, sampling_rate=200, bands=FACED_BANDS)
    assert coupled > 0.3
    assert max(flat, loud) < 0.1
    assert both == pytest.approx(coupled, abs=0.02)


def test_raw_clips_are_filtered_whole_and_cut_into_seconds():
    rng, sampling_rate = np.random.default_rng(0), 200
    signal = 10 * rng.normal(size=(3, 30 * sampling_rate))
    clip = whole_clip(np.stack(np.split(signal, 3, axis=1)), sampling_rate=sampling_rate, bands=FACED_BANDS)
    assert clip.windows.shape == (30, 3, 5)
    # White noise has its variance spread evenly up to half the sampling rate.
    for band, (low, high) in enumerate(FACED_BANDS.values()):
        expected = 0.5 * np.log(2 * np.pi * np.e * 100 * (high - low) / (sampling_rate / 2))
        assert clip.windows[:, :, band].mean() == pytest.approx(expected, abs=0.2)
    assert clip.coupling.shape == (3,)
