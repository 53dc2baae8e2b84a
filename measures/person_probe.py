"""How well do features tell people apart? A linear probe for identity, scored on clips that it was not fitted on."""

import numpy as np


def person_probe(features: np.ndarray, subject: np.ndarray, stimulus: np.ndarray, *, ridge: float = 1e-2) -> float:
    """Balanced accuracy with which a ridge on features names the person; chance is one over the number of people.

    Fitted on every other clip and scored on the rest, then the other way round, so that it cannot know a person by
    the neighbouring windows of one clip.

    Args:
        features: (n, D).
        subject: (n,) people.
        stimulus: (n,) clips.
        ridge: penalty, times the number of trials, on features of unit spread.

    Raises:
        ValueError: one person or one clip, of which there is nothing to tell apart or to hold back.
    """
    people, person = np.unique(subject, return_inverse=True)
    clips, clip = np.unique(stimulus, return_inverse=True)
    if min(len(people), len(clips)) < 2:
        raise ValueError("a probe for people needs two of them and two clips")
    x = np.asarray(features, dtype=np.float64)
    called = np.empty(len(x), dtype=int)
    for half in (0, 1):
        fitted, held = clip % 2 != half, clip % 2 == half
        mean, spread = x[fitted].mean(axis=0), x[fitted].std(axis=0)
        z = (x - mean) / np.where(spread > 1e-9 * np.abs(mean).max(initial=1e-300), spread, 1.0)
        target = np.eye(len(people))[person[fitted]]
        gram = z[fitted].T @ z[fitted] + ridge * fitted.sum() * np.eye(x.shape[1])
        weight = np.linalg.solve(gram, z[fitted].T @ (target - target.mean(axis=0)))
        called[held] = (z[held] @ weight + target.mean(axis=0)).argmax(axis=1)
    return float(np.mean([(called[person == p] == p).mean() for p in range(len(people))]))
