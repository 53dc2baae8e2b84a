"""The table of a cohort's trials: who, which clip, which session, which piece, which class."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Trials:
    """One row a trial, sorted by subject; known before any signal is read.

    Attributes:
        subject: (n,) int64 position in ``subjects``.
        stimulus: (n,) int64 clip id.
        session: (n,) int64 session as the data set numbers them.
        trial: (n,) int64 position of the clip in its session, in catalogue order.
        window: (n,) int64 position of the piece in its clip.
        y: (n,) int64 class id.
        subjects: names.
    """

    subject: np.ndarray
    stimulus: np.ndarray
    session: np.ndarray
    trial: np.ndarray
    window: np.ndarray
    y: np.ndarray
    subjects: tuple[str, ...]

    @classmethod
    def of_clips(
        cls,
        clips: Sequence[np.ndarray],
        *,
        subjects: tuple[str, ...],
        class_of: tuple[int, ...],
        clips_per_session: int | None = None,
    ) -> "Trials":
        """The table that follows from which clip each piece is of; labels come from the clip and from nowhere else.

        Args:
            clips: for each subject the clip id of each of its trials, (n,), in the order in which its file gives them.
            subjects: names.
            class_of: class id of each clip.
            clips_per_session: where clip ids count on from session to session; sessions are then numbered from 1.

        Raises:
            ValueError: a clip id that ``class_of`` does not have; names the subject.
        """
        for name, ids in zip(subjects, clips):
            if len(ids) and not 0 <= ids.min() <= ids.max() < len(class_of):
                raise ValueError(f"subject {name}: clip ids must lie in 0..{len(class_of) - 1}, found {ids.max()}")
        stimulus = np.concatenate(clips).astype(np.int64)
        session, trial = np.zeros_like(stimulus), stimulus
        if clips_per_session is not None:
            session, trial = stimulus // clips_per_session + 1, stimulus % clips_per_session
        return cls(
            subject=np.repeat(np.arange(len(clips)), [len(ids) for ids in clips]),
            stimulus=stimulus,
            session=session,
            trial=trial,
            window=np.concatenate([_occurrence(ids) for ids in clips]),
            y=np.array(class_of)[stimulus],
            subjects=subjects,
        )

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "subjects"}

    def rows(self, subject: int) -> slice:
        """Where the trials of a subject are."""
        first, last = np.searchsorted(self.subject, [subject, subject + 1])
        return slice(int(first), int(last))


def _occurrence(clips: np.ndarray) -> np.ndarray:
    """How many trials of the same clip came before each one."""
    order = np.argsort(clips, kind="stable")
    ordered = clips[order]
    count = np.empty(len(clips), dtype=np.int64)
    count[order] = np.arange(len(clips)) - np.searchsorted(ordered, ordered)
    return count
