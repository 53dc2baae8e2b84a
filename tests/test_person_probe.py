"""The probe for identity: certain where features hold the person, at chance where they do not."""

import numpy as np
import pytest

from measures.person_probe import person_probe

SUBJECT, STIMULUS = np.repeat(np.arange(8), 60), np.tile(np.repeat(np.arange(20), 3), 8)
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(480, 6))


def test_people_are_told_apart_by_their_offsets_and_not_by_noise() -> None:
    offsets = 4 * RNG.normal(size=(8, 6))
    assert person_probe(NOISE + offsets[SUBJECT], SUBJECT, STIMULUS) > 0.95
    assert person_probe(NOISE, SUBJECT, STIMULUS) == pytest.approx(1 / 8, abs=0.06)


def test_what_is_private_to_a_person_and_clip_does_not_count() -> None:
    """Windows of one clip look alike; a probe that had seen some of them would know the others."""
    private = 5 * np.random.default_rng(1).normal(size=(8, 20, 6))[SUBJECT, STIMULUS]
    assert person_probe(0.1 * NOISE + private, SUBJECT, STIMULUS) < 0.3


def test_constant_features_are_at_chance_and_one_person_is_refused() -> None:
    assert person_probe(np.ones((480, 3)), SUBJECT, STIMULUS) == pytest.approx(1 / 8)
    with pytest.raises(ValueError, match="two"):
        person_probe(NOISE, np.zeros(480), STIMULUS)
