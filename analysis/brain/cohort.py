"""A cohort as the brain maps see it: band features of every person and clip, their course, and how electrodes go along.

All people are in it, those of validation and test too: nothing is trained here, but an electrode mask that is picked
from these maps knows the people it would be tested on.
"""

from dataclasses import dataclass, field

import numpy as np

from eeg.bands import Bands


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """P people, S clips, C electrodes, F bands, B stretches of time.

    Attributes:
        dataset: its name.
        features: what ``x`` holds, in words.
        channels: C electrode names.
        bands: F bands with their edges, Hz.
        class_of: (S,) class ids.
        classes: names.
        valence: (K,) sign of each class.
        x: (P, S, C, F) mean over the clip.
        session: (S,) session of each clip; None where there is one.
        course: (S, B, C, F) mean over people of equal stretches of the clip; None where clips have too few windows.
        links: (P, S) mean correlation of gamma between electrodes over the windows of a clip (``person.NETWORK``).
        network: (P, C, C) the same of all pairs, over the windows of all clips.
        coupling: (P, S, C) of theta phase with gamma amplitude; None without raw signals.
        seconds: length of a clip where all have the same; None where they differ.
        ratings: (P', S) valence that each person with self-reports gave; None where there are no self-reports.
        simulated: whether the signal was drawn.
        notes: what the reader must know of what is missing.
    """

    dataset: str
    features: str
    channels: tuple[str, ...]
    bands: Bands
    class_of: np.ndarray
    classes: tuple[str, ...]
    valence: np.ndarray
    x: np.ndarray
    session: np.ndarray | None = None
    course: np.ndarray | None = None
    links: np.ndarray | None = None
    network: np.ndarray | None = None
    coupling: np.ndarray | None = None
    seconds: float | None = None
    ratings: np.ndarray | None = None
    simulated: bool = True
    notes: tuple[str, ...] = field(default=())

    @property
    def means(self) -> np.ndarray:
        """(S, C, F) mean over people: the cohort tensor of arXiv 2606.00129, 28 x 32 x 5 on FACED."""
        return self.x.mean(axis=0)

    @property
    def about_sessions(self) -> np.ndarray:
        """``x`` about the mean of each person's session: days apart the cap sits elsewhere.

        Never for a model that is tested on clips left out: with as many clips of every class in a session, the clip
        that is left out follows from the others, and ridge predicts any axis whatsoever with r = 1.
        """
        session = np.zeros(len(self.class_of)) if self.session is None else self.session
        return self.x - np.stack([self.x[:, session == s].mean(axis=1) for s in session], axis=1)

    @property
    def people(self) -> int:
        return len(self.x)

    def band(self, name: str) -> int:
        """Position of a band; a data set with others than the usual ones has no maps of this kind."""
        if name not in self.bands:
            raise ValueError(f"{self.dataset} has the bands {', '.join(self.bands)}; the brain maps need {name}")
        return list(self.bands).index(name)
