"""Trials with another person's baseline: the right statistics, of training people alone, kept with the run; or off."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.augmentation import Augmentation
from datamodules.faced import FACED
from datamodules.people import People, filtered, log_amplitude
from eeg.batch import Batch

TRAIN, OTHERS = ("sub000", "sub001", "sub002"), ("sub080", "sub100")
SWAP = Augmentation(probability=1.0, noise_std=0.0, channel_dropout=0.0, time_mask=0.0, person_swap=1.0)


def cohort(folder: Path, *, others: float = 1.0) -> Path:
    features = folder / "FACED" / "EEG_Features" / "DE"
    features.mkdir(parents=True)
    for i, name in enumerate((*TRAIN, *OTHERS)):
        x = np.random.default_rng(i).normal(loc=(i + 1) ** 2, scale=1, size=(28, 32, 30, 5))
        (features / f"{name}.pkl.pkl").write_bytes(pickle.dumps(x * (others if name in OTHERS else 1.0), protocol=4))
    return folder / "FACED"


def data(root: Path, augmentation: Augmentation | None = SWAP, **options: Any) -> FACED:
    names = (*TRAIN, *OTHERS)
    options = {"features": "de", "subjects": names, "batch_size": 32, "cache": str(root / "cache")} | options
    found = FACED(root=str(root), augmentation=augmentation, **options)
    found.setup("fit")
    found.trainer = SimpleNamespace(training=True, strategy=SimpleNamespace(root_device=torch.device("cpu")))
    return found


def batches(found: FACED) -> list[tuple[Batch, Batch]]:
    """Training batches before and after the hook."""
    return [(b, found.on_after_batch_transfer(b, 0)) for b in found.train_dataloader()]


def test_trials_get_the_mean_of_another_training_person(tmp_path: Path) -> None:
    found = data(cohort(tmp_path))
    torch.manual_seed(0)
    plain, changed = (torch.cat([pair[i].x for pair in batches(found)]) for i in (0, 1))
    rows = found.indices["train"]
    z, person = found._slices[rows].x, found.store.trials.subject[rows]
    means = torch.stack([z[person == p].mean(dim=0) for p in np.unique(person)])
    shifts = (means[:, None] - means).flatten(0, 1)
    distance = ((changed - plain)[:, None] - shifts).abs().amax(dim=(2, 3)).min(dim=1).values
    assert distance.max() < 1e-4
    assert len({round(float(s), 2) for s in (changed - plain).mean(dim=(1, 2))}) == 7  # three people, six swaps, none
    assert torch.equal(batches(found)[0][0].y, batches(found)[0][1].y)


def test_validation_and_test_people_never_enter(tmp_path: Path) -> None:
    swapped = []
    for other in (1.0, -50.0):
        found = data(cohort(tmp_path / str(other), others=other))
        torch.manual_seed(0)
        swapped.append(torch.cat([after.x for _, after in batches(found)]))
        assert found.people is not None
        assert found.people.ids.tolist() == sorted(found.store.trials.subject[found.indices["train"]].tolist())[::84]
    assert torch.equal(*swapped)


def test_evaluation_and_an_augmentation_without_it_are_untouched(tmp_path: Path) -> None:
    root = cohort(tmp_path)
    found = data(root)
    found.trainer.training = False
    assert all(torch.equal(before.x, after.x) for before, after in batches(found))
    noise = Augmentation(noise_std=0.3, time_mask=0.0)
    without = data(root, noise)
    torch.manual_seed(0)
    changed = batches(without)[0]
    torch.manual_seed(0)
    assert torch.equal(changed[1].x, noise(changed[0].x))
    assert without.people is None
    assert "people" not in without.state_dict()


def test_statistics_are_in_the_checkpoint_and_a_resumed_run_uses_those(tmp_path: Path) -> None:
    root = cohort(tmp_path)
    first = data(root)
    batches(first)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    again = data(root)
    state["people"]["baseline"] += torch.arange(3.0)[:, None, None]
    again.load_state_dict(state)
    drawn = []
    for found in (first, again):
        torch.manual_seed(1)
        drawn.append(batches(found)[0][1].x)
    assert not torch.equal(*drawn)


def test_a_gaussian_has_the_covariance_of_the_people() -> None:
    torch.manual_seed(0)
    people = People(ids=torch.arange(4), baseline=torch.randn(4, 2, 3), raw=False)
    x = torch.zeros(40000, 2, 3)
    drawn = people.moved(x, torch.zeros(40000, dtype=torch.int64), strength=1.0, drawn="gaussian").flatten(1)
    expected = people.baseline.flatten(1)
    torch.testing.assert_close(drawn.mean(dim=0), expected.mean(dim=0) - expected[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), expected.T.cov(), atol=0.06, rtol=0)


def test_raw_signals_get_the_spectrum_and_keep_their_phases() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 2, 200)
    rate, tilt = 50.0, torch.linspace(-1, 1, 25)
    people = People(ids=torch.arange(2), baseline=torch.stack([0 * tilt, tilt]).unsqueeze(1).expand(2, 2, 25), raw=True)
    subject = torch.zeros(64, dtype=torch.int64)
    changed = people.moved(x, subject, strength=1.0, drawn="people")
    gain = log_amplitude(changed, cells=int(rate / 2)) - log_amplitude(x, cells=int(rate / 2))
    swapped = gain.abs().amax(dim=(1, 2)) > 0.1
    assert 16 < int(swapped.sum()) < 48
    # Between cells the gain is interpolated, so the first and last half cells are a little flatter.
    assert (gain[swapped] - tilt).abs().max() < 0.06
    turned = torch.fft.rfft(changed)[..., 1:-1] / torch.fft.rfft(x)[..., 1:-1]
    assert turned.angle().abs().max() < 1e-2
    torch.testing.assert_close(changed[~swapped], x[~swapped], atol=1e-5, rtol=0)


def test_a_broken_recording_is_no_flood() -> None:
    x = torch.randn(3, 1, 100)
    louder = filtered(x, torch.full((3, 1, 10), 8.0))
    torch.testing.assert_close(louder, 10 * x, atol=1e-3, rtol=1e-3)


def test_half_the_way() -> None:
    people = People(ids=torch.tensor([3, 7]), baseline=torch.tensor([1.0, 3.0])[:, None, None], raw=False)
    moved = people.moved(torch.zeros(50, 1, 1), torch.full((50,), 7), strength=0.5, drawn="people")
    assert set(moved.flatten().tolist()) == {0.0, -1.0}


def test_people_who_are_z_scored_by_themselves_have_nothing_to_swap(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="person_swap"):
        data(cohort(tmp_path), normalise="subject")


def test_projected_features_do_not_tell_training_people_apart(tmp_path: Path) -> None:
    found = data(cohort(tmp_path), None, normalise="projected")
    rows = found.indices["train"]
    z, person = found._slices[rows].x, found.store.trials.subject[rows]
    means = torch.stack([z[person == p].mean(dim=0) for p in np.unique(person)])
    assert (means - means.mean(dim=0)).abs().max() < 1e-4  # three people differ in two directions
    plain = data(found_root := Path(found.root), None)
    assert float(plain._slices[rows].x.std()) == pytest.approx(1, abs=0.05)
    again = data(found_root, None, normalise="projected")
    again.load_state_dict(found.state_dict())
    assert torch.equal(again._slices[rows].x, z)
