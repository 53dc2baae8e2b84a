"""What the people of FACED said they felt, and the labels that follow from it instead of the emotion of the clip."""

from pathlib import Path
from typing import Literal

import numpy as np

from datamodules.folders import source_folder
from vaxis.emotions import FACED

Labels = Literal["target", "felt", "not_felt", "self_report"]
# Order of the twelve self-reports in After_remarks.mat, each 0 to 7; not the order of the article's text.
RATING_ITEMS = (
    "joy tenderness inspiration amusement anger disgust fear sadness arousal valence familiarity liking"
).split()
EMOTIONS = RATING_ITEMS[:8]
MIDPOINT = 3.5  # of the scale from 0 to 7
NEUTRAL = FACED.classes.index("neutral")
CLASS_OF_EMOTION = np.array([FACED.classes.index(name) for name in EMOTIONS])


def ratings(root: str | Path, subject: str) -> np.ndarray:
    """Self-reports of a subject, (28, 12), rows in catalogue order of the clips and columns as ``RATING_ITEMS``.

    The file lists the clips in the order in which they were played; its rows are put back by their ``vid``.

    Raises:
        FileNotFoundError: no behaviour file of that subject.
        ValueError: not every clip once, or not twelve items.
    """
    from scipy.io import loadmat

    path = source_folder(root, "Data", dataset="FACED") / subject / "After_remarks.mat"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; ratings need the Data folder of FACED")
    played = loadmat(path)["After_remark"].ravel()
    clip = np.array([int(entry["vid"].item()) for entry in played])
    scores = [np.asarray(entry["score"], dtype=np.float64).ravel() for entry in played]
    complete = all(len(score) == len(RATING_ITEMS) for score in scores)
    if not complete or sorted(clip) != list(range(1, len(FACED.class_of) + 1)):
        raise ValueError(f"{path}: field vid must hold each of 1..28 once, and field score 12 items; found vid {clip}")
    return np.stack(scores)[np.argsort(clip)]


def reported(own: np.ndarray) -> np.ndarray:
    """Class that a person names for each clip: the emotion rated highest, neutral where all lie below the midpoint.

    Of equally high emotions the first of ``EMOTIONS`` is taken, whatever the clip was meant to evoke.

    Args:
        own: (28, 12) of one person, as ``ratings`` reads them.
    """
    emotions = own[:, : len(EMOTIONS)]
    strongest = CLASS_OF_EMOTION[emotions.argmax(axis=1)]
    return np.where(emotions.max(axis=1) < MIDPOINT, NEUTRAL, strongest)


def felt(own: np.ndarray) -> np.ndarray:
    """(28,) whether a person felt what each clip was meant to evoke.

    The rating of that emotion lies above the midpoint, or none of the eight is higher and it is not 0. A neutral clip
    was felt as such where all eight lie below the midpoint. Gerster 2026 (doi 10.64898/2026.06.12.731889) splits the
    trials of FACED by such a question, in words that leave the threshold open; a linear decoder had .339 on what was
    felt and .360 on what was not, so labels that people confirm were no easier to decode.

    Args:
        own: (28, 12) of one person, as ``ratings`` reads them.
    """
    emotions, target = own[:, : len(EMOTIONS)], np.array(FACED.class_of)
    rating = (emotions * (target[:, None] == CLASS_OF_EMOTION)).sum(axis=1)  # 0 for neutral clips, which have no item
    strong = (rating > MIDPOINT) | ((rating > 0) & (rating >= emotions.max(axis=1)))
    return np.where(target == NEUTRAL, emotions.max(axis=1) < MIDPOINT, strong)
