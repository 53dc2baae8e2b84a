"""What the brain maps compare the axis with: positions of the same clips that have little or nothing to do with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.orders import class_constant
from vaxis.axis import Axis
from vaxis.emotions import Taxonomy, load_taxonomy, read_yaml
from vaxis.fit import fit_direction

RANDOM = 200  # directions of the language model's space, as in arXiv 2606.00129


def axis_on(axis: Axis, taxonomy: Taxonomy) -> tuple[Axis, str | None]:
    """The axis on the clips of a data set: as it is, or fitted again to the classes that both have.

    An axis of other emotions (that of FACED beside SEED-V) holds centroids of these classes, by their own names or
    by the ``synonyms`` of the data set's YAML file. The first component of those alone is the axis of the data set.

    Returns:
        The axis, and what was done where something was.

    Raises:
        ValueError: the axis lacks one of the classes.
    """
    if axis.classes == taxonomy:
        return axis, None
    known = axis.classes.classes
    file = taxonomy.file or load_taxonomy(taxonomy.name).file
    called = read_yaml(file, "taxonomy").get("synonyms", {}) if file else {}
    names = [name if name in known else called.get(name, name) for name in taxonomy.classes]
    if missing := [name for name in names if name not in known]:
        raise ValueError(f"--axis is one of {', '.join(known)} and lacks {', '.join(missing)} of {taxonomy.name}")
    centroids = axis.centroids[[known.index(name) for name in names]]
    fit = fit_direction(centroids, valence=taxonomy.valence)
    found = replace(
        axis,
        taxonomy=taxonomy.name,
        direction=fit.direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={"class": fit.scores[list(taxonomy.class_of)]},
        explained_variance=fit.explained_variance,
        embeddings=None,
        own_classes=taxonomy,
    )
    r = float(np.corrcoef(fit.scores, centroids @ axis.direction)[0, 1])
    told = (
        f"Axis rebuilt from the {len(names)} classes of {taxonomy.name}; the given one ranks them alike at r {r:+.2f}"
    )
    return found, f"{told} (n {len(names)}, which says little)."


def competing(
    axis: Axis, cohort: Cohort, *, source: str | None = None, more: Mapping[str, Axis] | None = None
) -> dict[str, np.ndarray]:
    """Standardised positions (S,) by name, the axis first.

    ``axis_class`` is the axis at the resolution of classes; ``rank`` numbers the classes from negative to positive, 0
    to K - 1, without any language model; ``human_valence`` is what people reported.

    Args:
        axis: on the clips of the cohort.
        cohort: the EEG.
        source: of the positions on the axis; by default the most informative that it has.
        more: further axes by name.

    Raises:
        ValueError: a further axis has the name of another row.
    """
    class_of = cohort.class_of
    found = {"axis": axis.standardised(source)[1]}
    if not class_constant(found["axis"], class_of):
        found["axis_class"] = axis.by_class(found["axis"])[class_of]
    found["rank"] = np.argsort(np.argsort(cohort.valence, kind="stable"))[class_of].astype(np.float64)
    if cohort.ratings is not None:
        found["human_valence"] = cohort.ratings.mean(axis=0)
    for name, other in (more or {}).items():
        if name in found:
            raise ValueError(f"--beside {name}: that name is taken; rename the file")
        found[name] = other.standardised()[1]
    return {name: _standardised(values) for name, values in found.items()}


def random_axes(axis: Axis, *, count: int = RANDOM, seed: int = 0) -> np.ndarray:
    """Positions (count, S) of the clips' own texts along random directions of the language model's space.

    These keep which texts resemble which, so they are what any read-out of these texts gives, valence or not. Where the
    axis has no text a clip, the centroids of the classes stand in for them.
    """
    texts = axis.centroids[list(axis.classes.class_of)] if axis.embeddings is None else axis.embeddings
    texts = np.asarray(texts, dtype=np.float64)
    directions = np.random.default_rng([seed, 7]).standard_normal((count, texts.shape[1]))
    return np.stack([_standardised(row) for row in directions @ (texts - texts.mean(axis=0)).T])


def class_share(v: np.ndarray, class_of: np.ndarray) -> float:
    """Share of the variance of positions between clips that lies between classes; 1 leaves nothing within them.

    Human valence of FACED's clips has 0.978: what is found within classes speaks of the other 2 %.
    """
    centres = np.array([v[class_of == k].mean() for k in class_of])
    return float(((centres - v.mean()) ** 2).sum() / ((v - v.mean()) ** 2).sum())


def agreement(named: dict[str, np.ndarray], others: Sequence[str]) -> dict[str, float]:
    """Pearson r of the axis with other positions."""
    return {name: float(np.corrcoef(named["axis"], named[name])[0, 1]) for name in others if name in named}


def _standardised(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return (values - values.mean()) / values.std()
