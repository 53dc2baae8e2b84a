"""Simulated features in which it is known what a direction is worth, for the calibration of directional ablation.

People watch the 28 clips of FACED once each; features are class mean + clip + person noise, the decoder is linear on
them, and everything from there on is the code that judges real runs.
"""

from typing import NamedTuple

import numpy as np
import torch

from analysis.ablated import Answers, classes
from analysis.ablation_effects import Against, Directions, RunEffects, interval
from analysis.base import BESIDE
from lightning_modules.heads import MeanLinear
from vaxis.emotions import FACED

CLASS_OF = np.array(FACED.class_of)
DIM, NOISE, CLIP = 16, 2.0, 0.6  # width of h; spread of a person's trial and of a clip beside class means of spread 1
PEOPLE = {"train": 20, "val": 20, "test": 23}
DRAWS = 99
PLANTED = 12.0  # variance along the planted residual direction, as a multiple of a clip's along any other
MANY = 400  # people who stand for everybody


class Cohort(NamedTuple):
    """Where clips lie in feature space, and a linear head trained on some people.

    Attributes:
        clips: (28, D) feature of each clip without noise.
        head: trained.
        v: (28,) axis positions.
    """

    clips: np.ndarray
    head: MeanLinear
    v: np.ndarray


def positions(rng: np.random.Generator) -> np.ndarray:
    """(28,) positions whose class parts and deviations are exchangeable, as the permutation null assumes."""
    return rng.normal(size=9)[CLASS_OF] + _deviations(rng.normal(size=28))


def cohort(rng: np.random.Generator, *, planted: np.ndarray | None = None) -> Cohort:
    """Clips have nothing to do with the axis or, given a unit direction (D,), follow it along that within classes."""
    v = positions(rng)
    deviations = CLIP * rng.normal(size=(28, DIM))
    if planted is not None:
        along = _deviations(v)
        along = along * CLIP * np.sqrt(PLANTED) / along.std()
        deviations += np.outer(along - deviations @ planted, planted)
    clips = rng.normal(size=(9, DIM))[CLASS_OF] + deviations
    x, y = trials(rng, clips, people=PEOPLE["train"])
    # Least squares on indicators: the linear head in closed form.
    design = np.column_stack([x, np.ones(len(x))])
    weights = np.linalg.lstsq(design, np.eye(9)[y], rcond=None)[0]
    head = MeanLinear(dim=DIM, n_classes=9)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor(weights[:-1].T))
        head.linear.bias.copy_(torch.tensor(weights[-1]))
    return Cohort(clips, head, v)


def trials(rng: np.random.Generator, clips: np.ndarray, *, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (people * 28, D) and classes of one trial a person and clip; people respond in their own way."""
    own = NOISE * rng.normal(size=(people, 28, DIM)) + 0.5 * rng.normal(size=(people, 1, DIM))
    return (clips + own).reshape(-1, DIM), np.tile(CLASS_OF, people)


def answers(head: MeanLinear, x: np.ndarray, y: np.ndarray, directions: np.ndarray) -> Answers:
    """Of the head, to all directions."""
    tokens = torch.tensor(x, dtype=torch.float32)[:, None, None]
    with torch.inference_mode():
        called = classes(head, tokens, torch.tensor(directions, dtype=torch.float32))
        plain = head(tokens).argmax(dim=1).numpy() == y
    changed = {action: rows.numpy() == y[:, None] for action, rows in called.items()}
    return Answers(plain=plain, changed=changed, y=y, subject=np.arange(len(y)) // 28)


def null_p_values(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """p of every direction, action and null over cohorts without any relation of clips and axis.

    Only the null of permuted axes is exact here. The others stand beside it: a direction that separates clips costs
    more than a random one though it has nothing to do with the axis. What balanced accuracy loses is a multiple of one
    trial, and few components can be the best, so values tie; the p of the command counts ties as at least as large,
    and a second row breaks them at random, which is uniform if the null is right.
    """
    found: dict[str, list[float]] = {}
    for number in range(cohorts):
        rng = np.random.default_rng([seed, number])
        own = cohort(rng)
        for (name, action), (lost, nulls) in _ablate(own, rng, seed=number).items():
            for kind, null in nulls.items():
                row, against = f"{name} {action}, {kind} null", Against.of(lost, null)
                if kind == "permuted":
                    found.setdefault(f"{row}", []).append(against.p)
                    found.setdefault(f"{row}, ties at random", []).append(_tie_broken(lost, null, rng))
                else:
                    found.setdefault(f"{BESIDE}{row}", []).append(against.p)
    return found


def recovery(*, cohorts: int, seed: int) -> dict[str, float]:
    """Mean |cosine| of the residual direction with the planted one, and coverage of the interval over people."""
    cosines, covered = [], []
    for number in range(cohorts):
        rng = np.random.default_rng([seed, number, 1])
        planted = rng.normal(size=DIM)
        planted /= np.linalg.norm(planted)
        own = cohort(rng, planted=planted)
        drawn = _directions(own, rng, seed=number, draws=1)
        found = drawn.rows[drawn.own["residual"]]
        cosines.append(abs(float(found @ planted)))
        lost = [_lost(own, rng, found, people=people) for people in (PEOPLE["test"], MANY)]
        low, high = interval(lost[0][None])
        covered.append(low <= lost[1].mean() <= high)
    return {"residual_cosine": float(np.mean(cosines)), "interval_coverage": float(np.mean(covered))}


def _directions(own: Cohort, rng: np.random.Generator, *, seed: int, draws: int) -> Directions:
    h, _ = trials(rng, own.clips, people=PEOPLE["val"])
    features = h.reshape(-1, 28, DIM).mean(axis=0)
    return Directions.draw(h=h, features=features, v=own.v, class_of=CLASS_OF, draws=draws, seed=seed)


def _ablate(
    own: Cohort, rng: np.random.Generator, *, seed: int
) -> dict[tuple[str, str], tuple[float, dict[str, np.ndarray]]]:
    directions = _directions(own, rng, seed=seed, draws=DRAWS)
    asked = answers(own.head, *trials(rng, own.clips, people=PEOPLE["test"]), directions.rows)
    run = RunEffects.of("simulated", asked, directions)
    return {key: (float(lost.mean()), run.nulls[key]) for key, lost in run.lost.items()}


def _lost(own: Cohort, rng: np.random.Generator, direction: np.ndarray, *, people: int) -> np.ndarray:
    _, plain, changed = answers(own.head, *trials(rng, own.clips, people=people), direction[None]).by_person()
    return plain - changed["removed"][:, 0]


def _tie_broken(lost: float, null: np.ndarray, rng: np.random.Generator) -> float:
    """p that is exactly uniform under exchangeability: the rank of the loss, at random among equal ones."""
    larger, equal = int((null > lost + 1e-12).sum()), int((np.abs(null - lost) <= 1e-12).sum())
    return (larger + rng.uniform() * (1 + equal)) / (1 + len(null))


def _deviations(values: np.ndarray) -> np.ndarray:
    """Values (28,) less the mean of their class."""
    means = np.bincount(CLASS_OF, weights=values) / np.bincount(CLASS_OF)
    return values - means[CLASS_OF]
