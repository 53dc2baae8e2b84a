"""Ridge on single trials, person times clip: for data with few classes, whose clip means say too little."""

import numpy as np

from analysis.brain.cohort import Cohort
from analysis.brain.orders import Orders, Stat
from measures.ridge import ALPHAS

PENALTIES = ALPHAS[::2]


def trial_level(cohort: Cohort, axis: Orders) -> dict[str, Stat]:
    """r of predictions with the axis over all trials, classes left out one at a time, and clips likewise.

    Trials are means over a clip, about the mean of their person and session over the *training* clips. All people are
    in training and test; what is new in the test are clips. The null moves clips and never trials: trials of one clip
    are not independent, and n = people x clips would promise p-values that no one can have.
    """
    x = cohort.x.reshape(*cohort.x.shape[:2], -1)
    session = np.zeros(x.shape[1]) if cohort.session is None else cohort.session
    found = {}
    for name, groups in (("class_out", cohort.class_of), ("clip_out", np.arange(x.shape[1]))):
        predicted = trials_out_of_fold(x, axis.rows, groups=groups, session=session)  # (T, P, S)
        r = _pooled(predicted, axis.rows)
        found[f"trial_level.{name}"] = Stat.of(r, n=x.shape[0] * x.shape[1])
    return found


def trials_out_of_fold(
    x: np.ndarray, rows: np.ndarray, *, groups: np.ndarray, session: np.ndarray, penalties: np.ndarray = PENALTIES
) -> np.ndarray:
    """Nested ridge on all trials: predictions (T, P, S), each group of clips by a model that never saw it.

    People are centred and columns standardised on the training clips, and the penalty has the least error on groups of
    *clips* that are left out of these in turn. Sums over trials add up over clips, so every model comes from a matrix
    of features by features whatever the number of people.

    Args:
        x: (P, S, D) features.
        rows: (T, S) targets, equal for all people.
        groups: (S,) ids.
        session: (S,) session of each clip; a session without a training clip is not foreseen.
        penalties: to choose from.
    """
    names = np.unique(groups)
    left = {g: groups == g for g in names}
    error = {g: np.zeros((len(penalties), len(rows))) for g in names}
    for i, g in enumerate(names):
        for h in names[i + 1 :]:
            model = _Model(x, rows, ~(left[g] | left[h]), session)
            for outer, inner in ((g, h), (h, g)):
                residual = model.predict(left[inner], penalties) - rows[:, left[inner]][None, :, None]
                error[outer] += (residual**2).sum(axis=(2, 3))
    predicted = np.empty((len(rows), *x.shape[:2]))
    for g in names:
        choice = error[g].argmin(axis=0)
        every = _Model(x, rows, ~left[g], session).predict(left[g], penalties)
        predicted[:, :, left[g]] = every[choice, np.arange(len(rows))]
    return predicted


class _Model:
    """Ridge of all targets and penalties on the trials of some clips, by one eigendecomposition."""

    def __init__(self, x: np.ndarray, rows: np.ndarray, kept: np.ndarray, session: np.ndarray) -> None:
        # About the person's own level in each session, as the training clips show it: the mean of all columns is 0.
        level = {s: x[:, kept & (session == s)].mean(axis=1) for s in np.unique(session)}
        self.x = x - np.stack([level[s] for s in session], axis=1)
        own = self.x[:, kept]
        flat = own.reshape(-1, x.shape[2])
        gram = flat.T @ flat
        variance = np.diag(gram) / len(flat)
        self.scale = np.sqrt(np.where(variance > 1e-20, variance, np.inf))
        self.values, self.vectors = np.linalg.eigh(gram / np.outer(self.scale, self.scale))
        self.centre = rows[:, kept].mean(axis=1)
        along = own.sum(axis=0) / self.scale  # (S', D)
        self.projected = self.vectors.T @ (along.T @ (rows[:, kept] - self.centre[:, None]).T)  # (D, T)

    def predict(self, clips: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """(penalties, T, P, S') of clips, given as a mask."""
        x = self.x[:, clips]
        z = (x / self.scale).reshape(-1, x.shape[2]) @ self.vectors
        shrunk = 1 / (np.maximum(self.values, 0)[None] + penalties[:, None])
        found = np.stack([(z * weights) @ self.projected for weights in shrunk])  # (penalties, P S', T)
        found = found.transpose(0, 2, 1) + self.centre[:, None]
        return found.reshape(len(penalties), -1, *x.shape[:2])


def _pooled(predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(T,) r of predictions (T, P, S) with targets (T, S) over all trials."""
    a = predicted - predicted.mean(axis=(1, 2), keepdims=True)
    b = (rows - rows.mean(axis=1, keepdims=True))[:, None, :]
    norms = np.sqrt((a**2).sum(axis=(1, 2)) * (b**2).sum(axis=(1, 2)) * predicted.shape[1])
    return np.divide((a * b).sum(axis=(1, 2)), norms, out=np.full(len(rows), np.nan), where=norms > 1e-12)
