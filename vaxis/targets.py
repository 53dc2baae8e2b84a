"""What an alignment loss learns from: positions of stimuli and classes on the axis, in z units, as constant tensors."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vaxis.axis import Axis

UNRELATED = 0.3  # highest |r| of a control's positions with those of the axis


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Axis positions in z units: over the S stimuli ``v`` has mean 0 and standard deviation 1.

    Every weight, temperature and distance of a strategy is meant in these units. ``v_class`` is the mean of ``v``
    over the clips of a class and is not standardised again, so ``v - v_class`` stays in the same unit.

    Attributes:
        v: (S,) float32 stimulus positions.
        v_class: (K,) float32 class positions.
        class_of: (S,) int64 class id of each stimulus.
        prototypes: (K, L) float32 unit rows, the class centroids about their mean.
        embeddings: (S, L) float32 unit rows about the mean of the stimuli: the text of each clip, whatever ``source``
            is. Where the axis has no such texts, the centroid of the clip's class: equal rows within a class, so
            strategies that read it learn from classes only.
        source: which text gave the stimulus positions.
        spread: standard deviation of the raw positions; ``spread * v`` has the distances of the language model.
    """

    v: Tensor
    v_class: Tensor
    class_of: Tensor
    prototypes: Tensor
    embeddings: Tensor
    source: str
    spread: float

    @classmethod
    def from_axis(cls, axis: Axis, *, source: str | None = None) -> "Targets":
        """Standardise the positions of an axis.

        Args:
            axis: the artifact.
            source: ``planted``, ``rich``, ``bare`` or ``class``; by default the first of these that the file has.

        Raises:
            ValueError: the file has no such source, or all stimuli share one position.
        """
        source, v, spread = axis.standardised(source)
        v_class, class_of = axis.by_class(v), np.asarray(axis.classes.class_of)
        embeddings = axis.centroids[class_of] if axis.embeddings is None else axis.embeddings
        return cls(
            v=torch.tensor(v, dtype=torch.float32),
            v_class=torch.tensor(v_class, dtype=torch.float32),
            class_of=torch.tensor(class_of, dtype=torch.int64),
            prototypes=_centred_unit_rows(axis.centroids),
            embeddings=_centred_unit_rows(embeddings),
            source=source,
            spread=spread,
        )

    def permuted(self, *, seed: int) -> "Targets":
        """The same content in an order that means nothing: what a loss gains without the axis.

        Class means move among classes as wholes, and what clips have beyond their class moves within the class, for
        positions, embeddings and prototypes alike. So the control has the spread, the class structure and the geometry
        of the real targets (arXiv 2606.00129, revision of September 2026, has such a control beside every loss).
        Orders that still follow the axis are drawn again: the nine classes give many with a correlation of .5.

        Args:
            seed: of the order; runs of different seeds see different ones.
        """
        rng, v, class_of = np.random.default_rng([seed, 5]), self.v.double().numpy(), self.class_of.numpy()
        for _ in range(1000):
            classes = rng.permutation(len(self.v_class))
            # Sorting by class plus a fraction shuffles within every class at once.
            within = np.empty(len(v), dtype=np.int64)
            within[np.argsort(class_of, kind="stable")] = np.argsort(class_of + rng.random(len(v)))
            moved = _moved(v[:, None], class_of, classes=classes, within=within)[:, 0]
            if abs(np.corrcoef(moved, v)[0, 1]) < UNRELATED:
                break
        else:
            raise ValueError(f"no order of {len(classes)} classes is unrelated to the axis; random targets need more")
        moved = (moved - moved.mean()) / moved.std()
        embeddings = _moved(self.embeddings.double().numpy(), class_of, classes=classes, within=within)
        return replace(
            self,
            v=torch.tensor(moved, dtype=torch.float32),
            v_class=torch.tensor([moved[class_of == k].mean() for k in range(len(classes))], dtype=torch.float32),
            prototypes=self.prototypes[torch.from_numpy(classes)],
            embeddings=_centred_unit_rows(embeddings),
            source=f"{self.source}, permuted",
        )

    @property
    def class_constant(self) -> bool:
        """True when ``v`` does not vary within classes: every within-class quantity is then zero by construction."""
        return bool(((self.v - self.v_class[self.class_of]).abs() < 1e-5).all())

    @property
    def nearest_class_accuracy(self) -> float:
        """Share of stimuli whose nearest class position is their own class: the ceiling of a distance-based teacher."""
        nearest = (self.v[:, None] - self.v_class[None]).abs().argmin(dim=1)
        return float((nearest == self.class_of).float().mean())

    @property
    def min_gap(self) -> float:
        """Smallest distance between two class positions, in z."""
        gaps = (self.v_class[:, None] - self.v_class[None]).abs()
        gaps.fill_diagonal_(torch.inf)
        return float(gaps.min())


def _moved(values: np.ndarray, class_of: np.ndarray, *, classes: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Rows (S, m) with the class means of other classes and the deviations of other clips of the same class."""
    centres = np.stack([values[class_of == k].mean(axis=0) for k in range(len(classes))])
    deviations = values - centres[class_of]
    return centres[classes][class_of] + deviations[within]


def _centred_unit_rows(rows: np.ndarray) -> Tensor:
    """Directions from the mean of the rows to each of them; a row at the mean stays zero."""
    centred = np.asarray(rows, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-8)
    return torch.tensor(unit, dtype=torch.float32)
