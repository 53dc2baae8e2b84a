"""The axis of arousal: the same clips on a direction that is not valence, as the control of "because of the axis".

The revision of arXiv 2606.00129 (September 2026) has such a target among its controls. A first component would not do:
in a frame that asks for feelings it is valence again, of any sign. The difference of the means of high and low arousal
cannot be, as long as each level holds good and bad sentences.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from vaxis.axis import Axis, Read
from vaxis.emotions import read_yaml
from vaxis.fit import contrast

FILE = Path(__file__).parent / "arousal.yaml"
LEVELS = {"high": 1, "middle": 0, "low": -1}


def arousal_sentences() -> tuple[list[str], tuple[int, ...]]:
    """Our nine sentences, and the level of each: 1, 0 or -1."""
    found = read_yaml(FILE, "texts")
    levels = tuple(sign for level, sign in LEVELS.items() for _ in found[level])
    return [text for level in LEVELS for text in found[level]], levels


def arousal_axis(read: Read, valence: Axis) -> Axis:
    """The direction from low to high arousal, with the classes of a valence axis on it.

    Mean and centroids stay those of the valence axis: only the direction is another, so that what differs between the
    two as targets is the positions alone.

    Args:
        read: gives the (n, L) states of n texts, in the read-out of the valence axis.
        valence: the axis of the emotion sentences.
    """
    sentences, levels = arousal_sentences()
    states = np.asarray(read(sentences), dtype=np.float64)
    direction = contrast(states, levels)
    centred = valence.centroids - valence.mean
    about = {
        "sentences": sentences,
        "levels": list(levels),
        "held_out_pairs": held_out_pairs(states, levels),
        "cosine_with_valence": float(direction @ valence.direction),
    }
    return replace(
        valence,
        direction=direction,
        explained_variance=float(np.sum((centred @ direction) ** 2) / np.sum(centred**2)),
        provenance=valence.provenance | {"arousal": about},
    )


def held_out_pairs(states: np.ndarray, levels: tuple[int, ...]) -> float:
    """Share of pairs, one sentence high and one low, in the right order on the axis made without the two; chance .5.

    Args:
        states: (n, L).
        levels: (n,) 1, 0 or -1.
    """
    signs = np.asarray(levels)
    right = []
    for high, low in product(np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)):
        others = np.delete(states, (high, low), axis=0), tuple(np.delete(signs, (high, low)))
        right.append((states[high] - states[low]) @ contrast(*others) > 0)
    return float(np.mean(right))
