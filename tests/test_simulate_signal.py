"""The linear part of the simulated world: its truth can be found again, and the dial does what it says."""

import numpy as np
import pytest
import torch

from datamodules.simulation.faced_files import PARTS, clip_entropy, faced_cohort
from datamodules.simulation.signal import Cohort
from datamodules.simulation.truth import planted_axis, scalp_position
from datamodules.simulation.world import CLIP_CODES, LINEAR, World
from eeg.bands import FACED_BANDS
from eeg.differential_entropy import band_power, differential_entropy
from eeg.montage import FACED_CHANNELS, SEEDV_FILE_CHANNELS
from tests.conftest import make_axis
from vaxis.emotions import FACED, SEEDV
from vaxis.targets import Targets

SCALP = 30


def cohort(*, snr: float = 1.0, seed: int = 0, world: World = LINEAR) -> Cohort:
    return faced_cohort(planted_axis(FACED, seed=seed), snr=snr, seed=seed, world=world)


def ten_second_entropies(cohort: Cohort, subjects: range) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 150) band features of ten-second trials and their class ids."""
    rows = []
    for number in subjects:
        entropy = clip_entropy(cohort, number)
        measured = cohort.estimate(entropy, seconds=1, rng=cohort.rng(number, "features"))[:, :SCALP]
        rows.append(measured.reshape(28, SCALP, 3, 10, 5).mean(axis=3).transpose(0, 2, 1, 3).reshape(84, -1))
    y = torch.tensor(FACED.class_of).repeat_interleave(3).repeat(len(subjects))
    return torch.tensor(np.concatenate(rows), dtype=torch.float32), y


def linear_accuracy(cohort: Cohort) -> float:
    """Balanced accuracy on the 23 test subjects of multinomial logistic regression fitted on the 80 training ones."""
    (x, y), (x_test, y_test) = (ten_second_entropies(cohort, part) for part in (PARTS[0], PARTS[2]))
    mean, std = x.mean(dim=0), x.std(dim=0)
    x, x_test = (x - mean) / std, (x_test - mean) / std
    weight = torch.zeros(x.shape[1] + 1, 9, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def logits(x: torch.Tensor) -> torch.Tensor:
        return x @ weight[:-1] + weight[-1]

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(x), y) + 1e-3 * weight[:-1].square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    hit = logits(x_test).argmax(dim=1) == y_test
    return float(torch.stack([hit[y_test == k].float().mean() for k in range(9)]).mean())


@pytest.mark.parametrize(("snr", "low", "high"), [(0.0, 0.08, 0.145), (1.0, 0.60, 0.65), (2.0, 0.85, 0.95)])
def test_dial(snr: float, low: float, high: float):
    assert low <= linear_accuracy(cohort(snr=snr)) <= high


def test_truth_is_what_a_regression_on_the_positions_gives():
    truth = cohort().truth
    v_class, flat = truth.v_class[truth.class_of], truth.evoked.reshape(28, -1)
    along = (v_class @ flat / (v_class @ v_class)).reshape(32, 5)
    within = truth.v - v_class
    residual = (within @ flat / (within @ within)).reshape(32, 5)
    assert np.corrcoef(along.ravel(), truth.axis.ravel())[0, 1] > 0.9999
    assert np.corrcoef(residual.ravel(), truth.residual.ravel())[0, 1] > 0.9999
    assert abs(np.vdot(truth.axis, truth.residual)) < 1e-6


def test_first_component_of_the_class_means_is_the_axis():
    truth = cohort().truth
    means = np.stack([truth.evoked[truth.class_of == k].mean(axis=0).ravel() for k in range(9)])
    means -= means.mean(axis=0)
    u, s, _ = np.linalg.svd(means, full_matrices=False)
    assert abs(np.corrcoef(u[:, 0], truth.v_class)[0, 1]) > 0.95
    assert s[0] ** 2 < 0.9 * (s**2).sum()  # the classes differ beyond one dimension


def test_axis_is_posterior_and_spares_the_mastoids():
    axis = np.abs(cohort().truth.axis)
    rows = {name: axis[i].mean() for i, name in enumerate(FACED_CHANNELS)}
    posterior = np.mean([rows[n] for n in ("Oz", "O1", "O2", "PO3", "PO4", "Pz")])
    assert posterior > 2 * np.mean([rows[n] for n in ("Fp1", "Fp2", "F3", "F4", "Fz")])
    assert rows["A1"] == rows["A2"] == 0


def test_cohort_mean_recovers_the_evoked_patterns():
    simulated = cohort()
    total = np.zeros((28, SCALP, 5))
    for number in range(60):
        total += clip_entropy(simulated, number)[:, :SCALP].mean(axis=2)
    total -= total.mean(axis=0)
    truth = simulated.truth.evoked[:, :SCALP] - simulated.truth.evoked[:, :SCALP].mean(axis=0)
    assert np.corrcoef(total.ravel(), truth.ravel())[0, 1] > 0.9


def test_snr_scales_only_what_is_evoked():
    quiet, loud = cohort(snr=0.0), cohort(snr=2.0)
    assert not quiet.truth.evoked.any()
    assert np.array_equal(loud.truth.evoked, 2 * cohort().truth.evoked)
    assert np.array_equal(quiet.truth.axis, loud.truth.axis)
    assert np.array_equal(quiet.subject(5).offset, loud.subject(5).offset)


def test_trial_noise_has_the_stated_size_and_is_slow():
    simulated = cohort(snr=0.0)
    person = simulated.subject(0)
    entropy = simulated.entropy(person, np.zeros((400, 32, 5)), windows=30, seconds=1, rng=np.random.default_rng(0))
    noise = entropy - (simulated.truth.base + person.offset)[:, None]
    assert noise.std() == pytest.approx(LINEAR.trial_noise, rel=0.05)
    lag = [np.mean(noise[:, :, :-k] * noise[:, :, k:]) / np.mean(noise**2) for k in (1, 8, 25)]
    assert lag == pytest.approx([0.5 + 0.5 * np.exp(-k / 8) for k in (1, 8, 25)], abs=0.05)


@pytest.mark.parametrize("world", [LINEAR, CLIP_CODES], ids=["linear", "codes"])
def test_entropy_measured_in_the_waveform_is_the_modelled_one(world: World):
    simulated = cohort(world=world)
    person, response = simulated.subject(3), simulated.response(3)[:6]
    entropy = simulated.entropy(person, response, windows=30, seconds=1, rng=np.random.default_rng(0))
    wave = np.stack([simulated.waveform(clip, rate=250, rng=np.random.default_rng(1)) for clip in entropy])
    power = band_power(torch.tensor(wave), sampling_rate=250, bands=FACED_BANDS, window_seconds=30)
    measured = differential_entropy(power)[:, :, 0].numpy()
    modelled = 0.5 * np.log(np.exp(2 * entropy).mean(axis=2))  # powers add up, not entropies
    # A 30 s power of 1-4 Hz has 180 degrees of freedom: standard deviation 0.053 nats; the faster bands have less.
    assert np.abs(measured - modelled).std() < 0.06
    assert abs((measured - modelled).mean()) < 0.02


def test_estimate_has_the_spread_of_a_one_second_power():
    simulated = cohort()
    measured = simulated.estimate(np.zeros((2000, 1, 5)), seconds=1, rng=np.random.default_rng(0))
    # half the square root of trigamma(bandwidth), for 3, 4, 6, 16 and 17 Hz
    assert measured.std(axis=(0, 1)) == pytest.approx([0.314, 0.266, 0.213, 0.127, 0.123], rel=0.06)


def test_density_and_entropy_agree():
    simulated = cohort()
    power = simulated.density(np.full(5, 0.5 * np.log(2 * np.pi * np.e * 36.0)))
    assert power == pytest.approx(36.0 / np.array([3, 4, 6, 16, 17]))


@pytest.mark.parametrize("taxonomy", [FACED, SEEDV])
def test_drawn_axis_is_a_valid_artifact(taxonomy, tmp_path):
    axis = planted_axis(taxonomy, seed=1)
    assert axis.separation > 0.9
    assert axis.joy_is_positive
    assert 0.3 < axis.explained_variance < 0.9
    again = type(axis).load(axis.save(tmp_path / "axis.npz"))
    assert again.fingerprint == axis.fingerprint
    targets = Targets.from_axis(again)
    assert targets.source == "planted"
    assert not targets.class_constant
    assert np.corrcoef(targets.v_class, axis.class_scores)[0, 1] > 0.999


def test_a_given_axis_is_planted_in_the_source_that_training_prefers():
    axis = make_axis()
    truth = faced_cohort(axis, snr=1, seed=0).truth
    assert np.allclose(truth.v, Targets.from_axis(axis).v)


def test_an_axis_without_positions_inside_classes_plants_no_residual():
    axis = make_axis()
    axis.positions.pop("planted")
    truth = faced_cohort(axis, snr=1, seed=0).truth
    within = truth.evoked - truth.axis * np.vdot(truth.evoked[0], truth.axis) / np.vdot(truth.axis, truth.axis)
    assert np.isfinite(truth.evoked).all()
    assert abs(np.tensordot(within, truth.residual, 2)).max() < 1e-5


def test_electrode_names_give_places():
    assert scalp_position("Fp1") == (-1, 4)
    assert scalp_position("T6") == scalp_position("P8") == (4, -2)
    assert scalp_position("POZ") == (0, -3)
    for names in (FACED_CHANNELS, SEEDV_FILE_CHANNELS):
        assert len({scalp_position(name) for name in names}) == len(names)
