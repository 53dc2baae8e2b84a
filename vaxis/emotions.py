"""The emotion classes of FACED and SEED-V, their valence and which clip belongs to which class."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Taxonomy:
    """A set of emotion classes and the stimuli that evoke them.

    Attributes:
        name: registry name, also the name of the data set.
        classes: K class names; position = class id as the data set's public loaders use it.
        valence: sign of each class, -1, 0 or +1; fixes the sign of the axis.
        joy: the class that must come out positive (a check, not the sign rule: alone it flips 8 of 20 sentence sets).
        class_of: class id of each of the S stimuli.
    """

    name: str
    classes: tuple[str, ...]
    valence: tuple[int, ...]
    joy: str
    class_of: tuple[int, ...]

    @classmethod
    def from_lists(cls, values: dict) -> "Taxonomy":
        """The taxonomy whose ``asdict`` went through JSON."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


# FACED: 28 clips, three a class and four neutral ones (Chen et al. 2023, doi 10.1038/s41597-023-02650-w).
FACED = Taxonomy(
    name="faced",
    classes=("anger", "disgust", "fear", "sadness", "neutral", "amusement", "inspiration", "joy", "tenderness"),
    valence=(-1, -1, -1, -1, 0, 1, 1, 1, 1),
    joy="joy",
    class_of=tuple(c for c in range(9) for _ in range(4 if c == 4 else 3)),
)

# SEED-V: 15 clips in each of three sessions; stimulus id = 15 * (session - 1) + trial. Sessions 2 and 3 play different
# clips with the same labels (Liu et al. 2022, doi 10.1109/TCDS.2021.3071170).
_SEEDV_SESSION_1 = (4, 1, 3, 2, 0, 4, 1, 3, 2, 0, 4, 1, 3, 2, 0)
_SEEDV_SESSION_2_AND_3 = (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0)
SEEDV = Taxonomy(
    name="seedv",
    classes=("disgust", "fear", "sad", "neutral", "happy"),
    valence=(-1, -1, -1, 0, 1),
    joy="happy",
    class_of=_SEEDV_SESSION_1 + 2 * _SEEDV_SESSION_2_AND_3,
)

TAXONOMIES = {taxonomy.name: taxonomy for taxonomy in (FACED, SEEDV)}
