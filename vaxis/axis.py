"""The axis of a set of sentences, and the one file that carries it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from records.files import atomic
from records.reading import said
from vaxis.emotions import FACED, TAXONOMIES, Taxonomy
from vaxis.fit import class_means, fit_direction, separation

FORMAT = 1
# Where a file offers several sources of stimulus positions, the most informative one is taken.
SOURCES = ("planted", "rich", "bare", "class")

Read = Callable[[Sequence[str]], np.ndarray]  # n texts to their (n, L) states


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A valence axis and the positions of classes and stimuli on it; what training reads instead of a language model.

    Attributes:
        taxonomy: name in ``TAXONOMIES``, or that of ``own_classes``.
        direction: (L,) unit vector, oriented.
        mean: (L,) mean of the class centroids; scores are ``(h - mean) @ direction``.
        centroids: (K, L) class centroids.
        positions: raw stimulus scores by source, each (S,): ``class`` (the clip's class), ``bare`` (its emotion word),
            ``rich`` (a one-line description), ``planted`` (drawn by the simulator).
        explained_variance: share of between-centroid variance along the axis.
        provenance: model, read-out, sentences and how to make the file again; plain JSON values.
        embeddings: (S, L) hidden states of the ``rich`` texts, for strategies that align to more than one dimension;
            None where the taxonomy has no such texts.
        own_classes: a user's taxonomy; None for those in ``TAXONOMIES``.
    """

    taxonomy: str
    direction: np.ndarray
    mean: np.ndarray
    centroids: np.ndarray
    positions: dict[str, np.ndarray]
    explained_variance: float
    provenance: dict = field(default_factory=dict)
    embeddings: np.ndarray | None = None
    own_classes: Taxonomy | None = None

    @property
    def classes(self) -> Taxonomy:
        return self.own_classes or TAXONOMIES[self.taxonomy]

    @property
    def class_scores(self) -> np.ndarray:
        """(K,) raw class positions."""
        return (self.centroids - self.mean) @ self.direction

    def standardised(self, source: str | None = None) -> tuple[str, np.ndarray, float]:
        """Stimulus positions in z units, as training takes them and as they are shown: source, (S,) values, raw spread.

        Args:
            source: ``planted``, ``rich``, ``bare`` or ``class``; by default the first of these that the file has.

        Raises:
            ValueError: the file has no such source, or all stimuli share one position.
        """
        source = source or next((name for name in SOURCES if name in self.positions), None)
        if source is None or source not in self.positions:
            raise ValueError(f"the axis has no positions '{source}'; it has {sorted(self.positions)}")
        raw = np.asarray(self.positions[source], dtype=np.float64)
        if raw.std() == 0:
            raise ValueError(f"axis positions '{source}' are all equal: nothing to align to")
        return source, (raw - raw.mean()) / raw.std(), float(raw.std())

    def by_class(self, values: np.ndarray) -> np.ndarray:
        """(K,) means of stimulus values (S,) over the stimuli of each class."""
        class_of = np.asarray(self.classes.class_of)
        return np.array([values[class_of == k].mean() for k in range(len(self.classes.classes))])

    @property
    def separation(self) -> float:
        return separation(self.class_scores, valence=self.classes.valence)

    @property
    def joy_is_positive(self) -> bool:
        return bool(self.class_scores[self.classes.classes.index(self.classes.joy)] > 0)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the content; another machine or thread count may differ in the last bits."""
        digest = hashlib.sha256(self.taxonomy.encode() if self.own_classes is None else repr(self.own_classes).encode())
        arrays = [self.direction, self.mean, self.centroids, *(self.positions[k] for k in sorted(self.positions))]
        for array in arrays if self.embeddings is None else [*arrays, self.embeddings]:
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return digest.hexdigest()[:12]

    def save(self, path: str | Path) -> Path:
        """Write the artifact atomically; returns the path."""
        header = {
            "format": FORMAT,
            "taxonomy": self.taxonomy,
            "explained_variance": self.explained_variance,
            "provenance": self.provenance,
            **({} if self.own_classes is None else {"own_classes": self.own_classes.facts}),
        }
        arrays: dict[str, Any] = {"header": np.array(json.dumps(header)), "direction": self.direction}
        arrays |= {"mean": self.mean, "centroids": self.centroids}
        arrays |= {f"positions_{name}": values for name, values in self.positions.items()}
        arrays |= {} if self.embeddings is None else {"embeddings": self.embeddings}
        with atomic(path) as partial, open(partial, "wb") as file:
            np.savez(file, **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> "Axis":
        """Read an artifact.

        Raises:
            FileNotFoundError: no such file; says which command makes one.
            ValueError: the file is not an axis, of another format, or its arrays disagree with its taxonomy.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"no axis at {path}; make one with: python -m vaxis extract --out {path} (with --taxonomy for other "
                "emotions than FACED's)"
            )
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(str(arrays.pop("header")))
            known = header["format"] == FORMAT
        except Exception as error:
            raise ValueError(
                f"{path} is not an axis artifact ({said(error)}); make one with: python -m vaxis extract"
            ) from error
        if not known:
            raise ValueError(
                f"{path} has axis format {header['format']}, this version reads {FORMAT}; extract it again"
            )
        try:
            return cls._of(arrays, header, path=path)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path} is no whole axis artifact ({lacks}); extract it again") from error

    @classmethod
    def _of(cls, arrays: dict[str, np.ndarray], header: dict[str, Any], *, path: Path) -> "Axis":
        positions = {k.removeprefix("positions_"): v for k, v in arrays.items() if k.startswith("positions_")}
        own = Taxonomy.from_lists(header["own_classes"]) if "own_classes" in header else None
        if own is None and header["taxonomy"] not in TAXONOMIES:
            raise ValueError(f"{path}: unknown taxonomy '{header['taxonomy']}'; extract it again")
        taxonomy = own or TAXONOMIES[header["taxonomy"]]
        for source, values in positions.items():
            if values.shape != (len(taxonomy.class_of),) or not np.isfinite(values).all():
                raise ValueError(f"{path}: positions '{source}' must be {len(taxonomy.class_of)} finite numbers")
        for name in ("direction", "mean", "centroids"):
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{path}: '{name}' must be finite numbers; extract it again")
        embeddings, expected = arrays.get("embeddings"), (len(taxonomy.class_of), len(arrays["direction"]))
        if embeddings is not None and (embeddings.shape != expected or not np.isfinite(embeddings).all()):
            raise ValueError(f"{path}: 'embeddings' must be {expected} finite numbers; extract it again")
        return cls(
            taxonomy=header["taxonomy"],
            direction=arrays["direction"],
            mean=arrays["mean"],
            centroids=arrays["centroids"],
            positions=positions,
            explained_variance=header["explained_variance"],
            provenance=header["provenance"],
            embeddings=embeddings,
            own_classes=own,
        )


def sentence_axis(read: Read, sentences: dict[str, list[str]], *, classes: Taxonomy = FACED) -> Axis:
    """The axis of one set of sentences, without stimulus positions.

    Args:
        read: gives the (n, L) states of n texts.
        sentences: class name to its sentences, in the taxonomy's order.
        classes: the taxonomy.
    """
    states = read([sentence for group in sentences.values() for sentence in group])
    centroids = class_means(states, [len(group) for group in sentences.values()])
    fit = fit_direction(centroids, valence=classes.valence)
    return Axis(
        taxonomy=classes.name,
        direction=fit.direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={},
        explained_variance=fit.explained_variance,
        provenance={"sentences": sentences},
        own_classes=None if classes in TAXONOMIES.values() else classes,
    )
