"""Checkpoints and members of known truth, drawn at the level of features and predictions: what calibration runs on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.pools import Pool
from analysis.stimuli import Checkpoint, Positions
from measures.votes import Members
from records.run import Run
from vaxis.emotions import FACED

CLASS_OF = np.array(FACED.class_of)


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """Checkpoints that share what the clips show and differ in how they turn it.

    Attributes:
        checkpoints: of several recipes.
        positions: an axis that has nothing to do with the clips, beyond what was planted.
        directions: (N, D) unit directions along which each checkpoint carries the axis within classes.
    """

    checkpoints: list[Checkpoint]
    positions: Positions
    directions: np.ndarray


def axis(rng: np.random.Generator) -> Positions:
    """Class positions and deviations within classes that mean nothing, in z units."""
    v = rng.normal(size=len(FACED.classes))[CLASS_OF] + 0.6 * rng.normal(size=len(CLASS_OF))
    return Positions(v=(v - v.mean()) / v.std(), class_of=CLASS_OF, classes=tuple(FACED.classes))


def checkpoints(
    rng: np.random.Generator, *, recipes: int = 6, each: int = 3, width: int = 24, residual: float = 0.0
) -> MadeUp:
    """Draw checkpoints.

    The clips have one latent structure, classes and what each clip is beyond its class; a checkpoint rotates it into
    its own features. A recipe has its accuracy, how far apart it pulls the classes, and a view of its own. Nothing of
    this knows the axis unless ``residual`` plants it.

    Args:
        rng: the generator.
        recipes: G.
        each: checkpoints of a recipe.
        width: D.
        residual: size of the axis within classes along a direction, in standard deviations of a clip's latent.
    """
    positions, latent = axis(rng), 8
    classes, clips = rng.normal(size=(9, latent)), 0.5 * rng.normal(size=(len(CLASS_OF), latent))
    centres = np.array([positions.v[k == CLASS_OF].mean() for k in CLASS_OF])
    beyond = (positions.v - centres) / (positions.v - centres).std()
    found, directions = [], []
    for recipe in range(recipes):
        level, view = rng.normal(), 0.4 * rng.normal(size=(9, latent))
        for run in range(each):
            basis = np.linalg.qr(rng.normal(size=(width, latent + 1)))[0].T
            seen = (np.exp(0.3 * level) * (classes + view)[CLASS_OF] + clips) @ basis[:latent]
            seen = seen + 0.15 * rng.normal(size=seen.shape) + 0.5 * residual * beyond[:, None] * basis[latent]
            people = [seen + 0.1 * rng.normal(size=seen.shape) for _ in range(2)]
            directions.append(basis[latent])
            found.append(
                Checkpoint(
                    run=f"{recipe}-{run}",
                    recipe=f"recipe {recipe}",
                    network="made up",
                    epoch=None,
                    accuracy=0.6 + 0.03 * level + 0.01 * rng.normal(),
                    picked_on=people[0],
                    tested_on=people[1],
                )
            )
    return MadeUp(checkpoints=found, positions=positions, directions=np.array(directions))


@dataclass(frozen=True)
class Voters:
    """Members of two kinds on the same people.

    Attributes:
        strength: (R,) how clearly each sees the class.
        kinds: (R,) 0 or 1.
        rng: draws people.
    """

    strength: np.ndarray
    kinds: np.ndarray
    rng: np.random.Generator

    def people(self, count: int, *, members: Sequence[int] | None = None) -> Members:
        """Probabilities of all members, or of some, on that many new people, one trial a clip.

        A logit is the class, as clear as the person and the member make it, trouble that all members share, and noise
        of the member's own, which is what a vote removes.
        """
        y, trials = np.tile(CLASS_OF, count), count * len(CLASS_OF)
        ability = np.repeat(np.exp(0.3 * self.rng.normal(size=count)), len(CLASS_OF))
        shared = np.eye(9, dtype=np.float32)[y] * ability[:, None].astype(np.float32)
        trouble = 0.7 * self.rng.standard_normal((trials, 9), dtype=np.float32)
        strength = self.strength if members is None else self.strength[list(members)]
        own = self.rng.standard_normal((len(strength), trials, 9), dtype=np.float32)
        logits = strength[:, None, None].astype(np.float32) * shared + trouble + own
        e = np.exp(logits)
        return Members(e / e.sum(axis=2, keepdims=True), y, np.repeat(np.arange(count), len(CLASS_OF)))

    def pool(self) -> Pool:
        """Validation and test people, and runs without folders."""
        seeds = [int((self.kinds[:k] == kind).sum()) for k, kind in enumerate(self.kinds)]
        runs = [Run(Path(f"made up/{k}"), {"loss": "none", "simulated": True, "seed": s}) for k, s in enumerate(seeds)]
        groups = {f"kind {kind}": np.flatnonzero(self.kinds == kind).tolist() for kind in np.unique(self.kinds)}
        return Pool(
            runs=runs,
            groups=groups,
            lengths=dict.fromkeys(groups, 30),
            families={name: name for name in groups},
            votes={"val": self.people(20), "test": self.people(23)},
        )


def voters(rng: np.random.Generator, *, each: int = 5, better: float = 0.0, spread: float = 0.0) -> Voters:
    """Draw two kinds of members.

    Args:
        rng: the generator.
        each: members of a kind.
        better: how much more clearly the second kind sees the class; 0 for kinds that are alike.
        spread: standard deviation between members of a kind; 0 leaves them with noise of their own alone.
    """
    kinds = np.repeat([0, 1], each)
    return Voters(1.6 + better * kinds + spread * rng.normal(size=2 * each), kinds, rng)
