"""Baselines: what they reach where the truth is known, and what each of them must not see."""

import numpy as np
import pytest

from measures.baselines import Trials, baselines, best_linear

CLASS_OF = np.repeat(np.arange(3), 3)  # nine clips of three classes


def cohort(people, *, rng, clip=0.0, mean=1.0, offset=0.0, noise=1.0, clips=range(9)):
    """Trials of people who see clips: class pattern, clip pattern, offset of the person, noise; 12 features."""
    drawn = np.random.default_rng(7)
    patterns, private = drawn.normal(size=(3, 12)), drawn.normal(size=(9, 12))
    subject, stimulus = (axis.ravel() for axis in np.meshgrid(people, list(clips), indexing="ij"))
    offsets = {p: offset * rng.normal(size=12) for p in people}
    x = mean * patterns[CLASS_OF[stimulus]] + clip * private[stimulus] + noise * rng.normal(size=(len(subject), 12))
    x += np.stack([offsets[p] for p in subject])
    return Trials(x=x, y=CLASS_OF[stimulus], stimulus=stimulus, subject=subject)


def scores(**options):
    rng = np.random.default_rng(0)
    parts = [cohort(range(*bounds), rng=rng, **options) for bounds in ((0, 40), (40, 60), (60, 90))]
    return {b.name: b for b in baselines(*parts, n_classes=3)}


def test_they_find_what_is_linear_and_nothing_where_there_is_nothing():
    found, none = scores(), scores(mean=0.0)
    assert found["chance"].balanced_accuracy == pytest.approx(1 / 3)
    for name in ("ridge", "logistic", "clips", "ridge_person"):
        assert found[name].balanced_accuracy > 0.9
        assert abs(none[name].balanced_accuracy - 1 / 3) < 0.09
        assert none[name].low < 1 / 3 < none[name].high


def test_clip_identity_alone_decides_classes_it_has_seen():
    """No class pattern at all: recognising the clips still gives their classes."""
    found = scores(mean=0.0, clip=1.5)
    assert found["clips"].balanced_accuracy > 0.85
    assert found["clips"].balanced_accuracy > found["ridge"].balanced_accuracy


def test_centring_on_the_person_is_labelled_transductive_and_removes_offsets():
    found = scores(offset=4.0, noise=1.5)
    assert found["ridge_person"].transductive
    assert not any(b.transductive for name, b in found.items() if name != "ridge_person")
    assert found["ridge_person"].balanced_accuracy > found["ridge"].balanced_accuracy + 0.1


def test_the_best_linear_one_knows_no_clips_and_no_test_people():
    assert best_linear(list(scores(mean=0.0, clip=1.5).values())).name in ("ridge", "logistic")


def test_test_labels_and_test_people_do_not_reach_the_models():
    """Garbage in the test part moves no inductive prediction of the other test people."""
    rng = np.random.default_rng(0)
    train, val, test = (cohort(range(*b), rng=rng) for b in ((0, 30), (30, 40), (40, 60)))
    spoilt = Trials(
        x=np.where((test.subject == 40)[:, None], 1e6, test.x), y=test.y, stimulus=test.stimulus, subject=test.subject
    )
    before, after = ({b.name: b.by_person for b in baselines(train, val, part, n_classes=3)} for part in (test, spoilt))
    for name in ("ridge", "logistic", "clips"):
        assert {p: s for p, s in before[name].items() if p != 40} == {p: s for p, s in after[name].items() if p != 40}


def test_the_hyper_parameter_is_chosen_on_validation_people():
    rng = np.random.default_rng(0)
    train, val, test = (cohort(range(*b), rng=rng) for b in ((0, 30), (30, 40), (40, 60)))
    shuffled = Trials(x=val.x, y=rng.permutation(val.y), stimulus=val.stimulus, subject=val.subject)
    settings = [
        next(b.setting for b in baselines(train, part, test, n_classes=3) if b.name == "ridge")
        for part in (val, shuffled)
    ]
    assert settings[0] != settings[1]
