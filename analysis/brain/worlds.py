"""Cohorts of known truth, features only: does a p-value of the brain maps mean what it says, does an interval cover?

Not the simulator of ``datamodules``: no file is written, a cohort takes a millisecond, and what is drawn anew each time
is the axis too. Clips evoke patterns of their class and of their own in everyone, so features tell classes and clips
apart; only whether the axis has to do with it is in question.
"""

from dataclasses import dataclass

import numpy as np

from analysis.brain.cohort import Cohort
from eeg.bands import FACED_BANDS
from vaxis.emotions import FACED

# Enough of every region, asymmetry pair and the gamma network; fewer than FACED has, for speed.
CHANNELS = tuple("F3 F4 F7 F8 FC1 Cz C3 C4 Pz P3 P4 P7 P8 PO3 PO4 O1 Oz O2".split())
PEOPLE = 16
STRETCHES = 3
AXIS, CLASS, CLIP, NOISE = 0.6, 0.3, 0.3, 1.0  # RMS over cells; noise is that of one person and clip


@dataclass(frozen=True, kw_only=True)
class World:
    """A cohort and what is true of it.

    Attributes:
        cohort: its EEG.
        positions: (S,) by name, as ``axes.competing`` gives them.
        random: (R, S) positions along random directions, drawn as the axis is.
        pattern: (C, F) what the axis evokes; 0 under the null.
        evoked: (S, C, F) everything that clips evoke in all people.
        mixing: (C F, C F) matrix that turns white noise into the noise of a trial.
    """

    cohort: Cohort
    positions: dict[str, np.ndarray]
    random: np.ndarray
    pattern: np.ndarray
    evoked: np.ndarray
    mixing: np.ndarray


def draw(*, seed: tuple[int, ...], axis: float = 0.0, evoked: bool = True, people: int = PEOPLE) -> World:
    """Draw a cohort on the clips of FACED.

    Args:
        seed: of everything.
        axis: strength of the planted pattern; 0 is the null.
        evoked: whether clips do anything to people in common.
        people: P.
    """
    rng, class_of = np.random.default_rng([*seed, 23]), np.array(FACED.class_of)
    cells, clips = (len(CHANNELS), len(FACED_BANDS)), len(class_of)
    v, ratings_v, random = _axis(rng, class_of), _axis(rng, class_of), [_axis(rng, class_of) for _ in range(20)]
    mixing = rng.standard_normal((np.prod(cells), 6)) @ rng.standard_normal((6, np.prod(cells))) / 6
    mixing = mixing / np.sqrt((mixing**2).sum(axis=1, keepdims=True)) + 0.7 * np.eye(len(mixing))
    pattern = axis * _unit(rng.standard_normal(cells))
    by_class, by_clip = (np.stack([_unit(rng.standard_normal(cells)) for _ in range(n)]) for n in (9, clips))
    common = evoked * (CLASS * by_class[class_of] + CLIP * by_clip) + v[:, None, None] * pattern
    noise = (NOISE * rng.standard_normal((people, clips, len(mixing))) @ mixing.T).reshape(people, clips, *cells)
    x = rng.standard_normal((people, 1, *cells)) + common + noise
    course = x.mean(axis=0)[:, None] + 0.2 * rng.standard_normal((clips, STRETCHES, *cells))
    shared = evoked * rng.standard_normal(9)[class_of]
    links = 0.5 + 0.05 * (shared + rng.standard_normal((people, clips)))
    coupling = 0.1 + 0.01 * (shared[:, None] + rng.standard_normal((people, clips, len(CHANNELS))))
    ratings = 3.5 + 1.5 * ratings_v * evoked + rng.standard_normal((people, clips))
    cohort = Cohort(
        dataset="faced",
        features="drawn",
        channels=CHANNELS,
        bands=FACED_BANDS,
        class_of=class_of,
        classes=FACED.classes,
        valence=_valence(rng),
        x=x,
        course=course,
        links=links,
        network=_network(people, seed=seed),
        coupling=coupling,
        ratings=ratings,
    )
    means = ratings.mean(axis=0)
    positions = {"axis": v, "human_valence": (means - means.mean()) / means.std()}
    return World(
        cohort=cohort,
        positions=positions,
        random=np.stack(random),
        pattern=pattern,
        evoked=common,
        mixing=NOISE * mixing,
    )


def more_people(world: World, cell: tuple[int, int], *, seed: tuple[int, ...], people: int) -> np.ndarray:
    """(people, S) of one cell in other people, many, who see the same clips: what intervals over people should hold."""
    rng, evoked = np.random.default_rng([*seed, 29]), world.evoked[:, *cell]
    size = np.linalg.norm(world.mixing.reshape(*world.pattern.shape, -1)[cell])
    return evoked + size * rng.standard_normal((people, len(evoked)))


def _axis(rng: np.random.Generator, class_of: np.ndarray) -> np.ndarray:
    """Standardised positions: classes about 0, clips about their class."""
    within = 0.35 * rng.standard_normal(len(class_of))
    within -= np.array([within[class_of == k].mean() for k in class_of])
    v = rng.standard_normal(class_of.max() + 1)[class_of] + within
    return (v - v.mean()) / v.std()


def _network(people: int, *, seed: tuple[int, ...]) -> np.ndarray:
    """(P, C, C) correlations in which no eight electrodes are special; of a generator of its own."""
    rng, shape = np.random.default_rng([*seed, 37]), (len(CHANNELS), len(CHANNELS))
    common, own = 0.3 * rng.standard_normal(shape), 0.2 * rng.standard_normal((people, *shape))
    return np.tanh(0.4 + common + common.T + own + own.transpose(0, 2, 1))


def _valence(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.array(FACED.valence))


def _unit(pattern: np.ndarray) -> np.ndarray:
    return pattern / np.sqrt((pattern**2).mean())
