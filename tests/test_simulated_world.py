"""The simulated world: codes of clips as documented, dials that act alone, and the first version byte for byte."""

import hashlib
import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from benchmarks.band_decoders import Member, accuracy, draw, networks, ridge
from benchmarks.world import cohort, table
from datamodules.simulate import main
from datamodules.simulated import SimulatedFACED, SimulatedSEEDV
from datamodules.simulation.faced_files import clip_entropy, write_faced
from datamodules.simulation.folder import MARK
from datamodules.simulation.seedv_files import seedv_cohort, write_seedv
from datamodules.simulation.truth import planted_axis
from datamodules.simulation.world import CLIP_CODES, LINEAR, World
from tests.conftest import ROOT
from vaxis.emotions import SEEDV

SCALP, MASTOIDS = 30, slice(30, 32)


def rounded(array: np.ndarray) -> str:
    """Digest of values to six decimals: processors differ in the last bits of a matrix product."""
    return hashlib.sha256(np.ascontiguousarray(array.round(6) + 0.0)).hexdigest()[:16]


def test_patterns_have_unit_rms_over_the_scalp_and_spare_the_mastoids():
    truth = cohort(0).truth
    for patterns in (truth.state_patterns, truth.code_patterns):
        assert patterns.shape == (16, 32, 5)
        assert np.square(patterns[:, :SCALP]).mean(axis=(1, 2)) == pytest.approx(np.ones(16))
        assert not patterns[:, MASTOIDS].any()
    unlike = np.corrcoef(np.concatenate([truth.state_patterns, truth.code_patterns]).reshape(32, -1)) - np.eye(32)
    assert np.abs(unlike).mean() < 0.25


def test_a_code_gives_four_or_five_classes_each_sign_and_scatters_clips_about_them():
    found = [cohort(seed).truth for seed in range(12)]
    positive = np.concatenate([(truth.class_codes > 0).sum(axis=0) for truth in found])
    assert set(np.abs(np.concatenate([truth.class_codes.ravel() for truth in found]))) == {1.0}
    assert set(positive) == {4, 5}
    assert 0.35 < (positive == 4).mean() < 0.65
    scatter = np.stack([truth.clip_codes - truth.class_codes[truth.class_of] for truth in found])
    assert scatter.std() == pytest.approx(3.0, rel=0.05)
    assert abs(scatter.mean()) < 0.15
    assert np.array_equal(cohort(0, code_scatter=0.0).truth.clip_codes, found[0].class_codes[found[0].class_of])


def test_an_odd_number_of_seedv_classes_has_two_or_three_of_a_sign():
    codes = seedv_cohort(planted_axis(SEEDV, seed=0), snr=0.8, seed=0).truth.class_codes
    assert codes.shape == (5, 16)
    assert set((codes > 0).sum(axis=0)) == {2, 3}


def test_response_is_the_documented_sum():
    made = cohort(0, electrode_noise=0.0)
    person, truth = made.subject(7), made.truth
    expected = 1.0 * person.gain * truth.evoked
    for m in range(16):
        code = 0.10 * truth.state_patterns[m] + 0.05 * truth.clip_codes[:, m, None, None] * truth.code_patterns[m]
        expected = expected + person.states[:, m, None, None] * code
    assert np.allclose(made.response(7), expected)


def test_states_are_standard_normal_and_codes_vanish_on_average():
    """So no linear decoder reads them: over people every clip does the same to the mean."""
    made = cohort(0, electrode_noise=0.0, gain=0.0)
    states = np.stack([made.subject(number).states for number in range(123)])
    assert states.shape == (123, 28, 16)
    assert states.mean() == pytest.approx(0, abs=0.02)
    assert states.std() == pytest.approx(1, abs=0.02)
    codes = np.stack([made.response(number) for number in range(123)]) - made.truth.evoked
    assert np.square(codes.mean(axis=0)).mean() < 2 * np.square(codes).mean() / 123


def test_states_and_electrode_noise_last_a_whole_clip_and_the_noise_reaches_the_mastoids():
    made = cohort(0, trial_noise=0.0)
    entropy = clip_entropy(made, 5)
    assert np.ptp(entropy, axis=2).max() < 1e-9
    plain = cohort(0, trial_noise=0.0, electrode_noise=0.0)
    white = entropy - clip_entropy(plain, 5)
    assert white[:, MASTOIDS].std() == pytest.approx(0.10, rel=0.15)
    assert white.mean(axis=2).std() == pytest.approx(0.10, rel=0.03)


def test_a_person_depends_on_seed_and_number_alone():
    made, again = cohort(3), cohort(3)
    made.response(1)
    assert np.array_equal(made.response(90), again.response(90))
    assert not np.allclose(made.subject(90).states, made.subject(91).states)
    assert not np.allclose(made.subject(90).states, cohort(4).subject(90).states)


def test_other_people_see_the_same_codes():
    made = cohort(0)
    others = replace(made, seed=1)
    assert others.truth is made.truth
    assert not np.allclose(made.subject(0).states, others.subject(0).states)


def test_more_codes_extend_fewer():
    few, many = cohort(0, codes=8), cohort(0, codes=24)
    for name in ("state_patterns", "code_patterns"):
        assert np.allclose(getattr(few.truth, name), getattr(many.truth, name)[:8])
    assert np.array_equal(few.truth.clip_codes, many.truth.clip_codes[:, :8])
    assert np.array_equal(few.subject(4).states, many.subject(4).states[:, :8])


def test_shifts_of_people_are_what_they_are_called():
    plain, number = cohort(0, electrode_noise=0.0), 11
    response = plain.response(number)
    banded = cohort(0, electrode_noise=0.0, band_gain=0.5).response(number)
    ratio = banded[:, :SCALP] / response[:, :SCALP]
    assert np.ptp(ratio, axis=(0, 1)).max() < 1e-9
    assert np.log(ratio[0, 0]).std() > 0.1
    mixed = cohort(0, electrode_noise=0.0, mixing=0.5)
    matrix = mixed.subject(number).mixing
    assert np.allclose(mixed.response(number), matrix @ response)
    assert not matrix[MASTOIDS].any()
    assert not matrix[:, MASTOIDS].any()
    power = np.mean([np.square(mixed.response(n)).mean() / np.square(plain.response(n)).mean() for n in range(40)])
    assert power == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("dial", ["heavy_tails", "quality"])
def test_noise_dials_keep_the_variance_and_change_its_spread(dial: str):
    made = cohort(0, **{dial: 0.4})
    factors = np.stack([made.subject(number).noise for number in range(123)])
    assert np.square(factors).mean() == pytest.approx(1, rel=0.2)
    within, between = factors.std(axis=1).mean(), factors.mean(axis=1).std()
    assert (within > 0.25 and between < 0.1) if dial == "heavy_tails" else (within < 1e-9 and between > 0.25)
    entropy, plain = clip_entropy(made, 2), clip_entropy(cohort(0), 2)
    noise = plain - clip_entropy(cohort(0, trial_noise=0.0, electrode_noise=0.0), 2)
    assert np.allclose(entropy - plain, (made.subject(2).noise - 1)[:, None, None, None] * noise)


def test_the_linear_world_writes_what_the_first_version_wrote(tmp_path: Path):
    write_faced(tmp_path / "faced", n_subjects=1, seed=3, snr=1.0, world=LINEAR)
    write_seedv(tmp_path / "seedv", n_subjects=1, seed=3, snr=1.0, world=LINEAR, seconds_per_trial=4)
    features = pickle.loads((tmp_path / "faced/EEG_Features/DE/sub000.pkl.pkl").read_bytes())
    with np.load(tmp_path / "seedv/EEG_DE_features/1_123.npz") as archive:
        trials = np.concatenate(list(pickle.loads(archive["data"].item()).values()))
    # Digests of what the generator before worlds wrote.
    assert (rounded(features), rounded(trials)) == ("0a6d07cd6969bd66", "0379e4086b4800a1")


def test_the_settings_file_is_the_linear_world():
    arguments = yaml.safe_load((ROOT / "configs/linear_world.yaml").read_text())["data"]["init_args"]
    assert (World(**arguments["world"]), arguments["snr"]) == (LINEAR, 1.0)


def test_a_folder_of_the_first_version_is_linear_and_nothing_else(tmp_path: Path):
    root = write_faced(tmp_path / "cohort", n_subjects=1, snr=1.0, world=LINEAR)
    mark = json.loads((root / MARK).read_text())
    assert mark["parameters"].pop("world") == asdict(LINEAR)
    (root / MARK).write_text(json.dumps(mark | {"generator": 1}))
    write_faced(root, n_subjects=2, snr=1.0, world=LINEAR)
    with pytest.raises(FileExistsError, match=r"world\.codes 0 -> 16.*another folder or delete it") as refused:
        write_faced(root, n_subjects=2, snr=1.0)
    assert "\n" not in str(refused.value)


def test_truth_is_saved_beside_the_files(tmp_path: Path):
    root, made = write_faced(tmp_path / "cohort", n_subjects=1, world=World(mixing=0.2)), cohort(0, mixing=0.2)
    with np.load(root / "truth.npz") as truth:
        for name in ("state_patterns", "code_patterns", "class_codes", "clip_codes"):
            assert np.array_equal(truth[name], getattr(made.truth, name)), name
        assert np.array_equal(truth["subject_states"][101], made.subject(101).states)
        assert np.array_equal(truth["subject_mixing"][101], made.subject(101).mixing)


def test_each_world_has_a_folder_and_second_data_sets_share_it():
    folders = {str(SimulatedFACED(world=world).root) for world in (CLIP_CODES, LINEAR, World(codes=8))}
    assert len(folders) == 3
    data = SimulatedFACED(world=World(codes=8), snr=1.3)
    assert data.counterpart("another cohort").simulation["world"] == World(codes=8)
    assert data.counterpart("another cohort").simulation["people_seed"] == 1
    for one, kind in ((data, "the other data set"), (SimulatedSEEDV(world=World(codes=8), snr=1.3), "any")):
        other = one.counterpart(kind).simulation
        assert (other["world"], other["snr"]) == (World(codes=8), 1.3)


def test_dials_are_flags_of_the_command(tmp_path: Path):
    main(["faced", str(tmp_path / "a"), "--n_subjects=1", "--linear", "--snr=1", "--codes=4", "--code_scatter=1.5"])
    mark = json.loads((tmp_path / "a" / MARK).read_text())
    assert mark["parameters"]["world"] == asdict(replace(LINEAR, codes=4, code_scatter=1.5))
    with pytest.raises(ValueError, match=r"world\.mixing must be >= 0, got -1\.0"):
        main(["faced", str(tmp_path / "b"), "--n_subjects=1", "--mixing=-1"])


def test_member_pools_the_tokens_of_the_network():
    torch.manual_seed(0)
    member, x = Member().eval(), torch.randn(5, 32, 5)
    with torch.no_grad():
        member.network.offset.normal_()
    expected = member.head(member.network(x).mean(dim=(1, 2)))
    torch.testing.assert_close(member(x)[0], expected, rtol=1e-4, atol=1e-5)


def test_table_has_mean_and_spread_over_cohorts():
    text = table("simulated", {"a": {"ridge": 0.3, "vote, gain": 0.1}, "b": {"ridge": 0.5, "vote, gain": 0.1}})
    assert "| ridge | 0.300 | 0.500 | 0.400 (0.141) |" in text
    assert "| vote, gain | +0.100 | +0.100 | +0.100 (0.000) |" in text


def test_without_signal_and_codes_everything_is_at_chance():
    parts = draw(cohort(0, snr=0.0, codes=0), n_subjects=60)
    # 1000 windows of 28 x 12 independent clips: standard error 0.017 about 1/9.
    assert 0.05 < accuracy(ridge(*parts), parts[2].y) < 0.17
    assert 0.05 < accuracy(networks(parts, seeds=[0], epochs=3)[0], parts[2].y) < 0.17


@pytest.mark.slow
def test_a_network_reads_codes_that_a_ridge_does_not():
    parts = draw(cohort(0))
    linear, learned = ridge(*parts), networks(parts, seeds=[0, 1], epochs=20)
    assert accuracy(linear, parts[2].y) < 0.42
    assert min(accuracy(one, parts[2].y) for one in learned) > 0.55
