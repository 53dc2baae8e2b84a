"""Do two halves of the people agree on the clips? Of the ratings and of the EEG, which are different questions."""

import numpy as np

from analysis.brain.axes import class_share
from analysis.brain.cohort import Cohort
from analysis.brain.orders import Stat
from measures.votes import jackknife_error

SPLITS = 50
FEWEST = 4  # people that can be halved


def reliability(cohort: Cohort, *, draws: int, seed: int) -> dict[str, Stat]:
    """Split-half r over clips, mean over random halves: of human valence, of the mean cell of the EEG and of its best.

    arXiv 2606.00129 gave .988 as that of the EEG; its revision says that it is that of the ratings. The null shuffles
    the clips of every person by themselves: no clip does anything to people in common.
    """
    found: dict[str, Stat] = {}
    if cohort.people < FEWEST:
        return found
    if cohort.ratings is not None and len(cohort.ratings) >= FEWEST:
        r = _draws(cohort.ratings[:, :, None], draws=draws, seed=seed)
        found["reliability.ratings"] = Stat.of(r[:, 0], n=len(cohort.ratings))
    eeg = _draws(cohort.about_sessions.reshape(*cohort.x.shape[:2], -1), draws=draws, seed=seed)
    found["reliability.eeg"] = Stat.of(np.nanmean(eeg, axis=1), n=cohort.people)
    found["reliability.eeg_best_cell"] = Stat.of(np.nanmax(eeg, axis=1), n=cohort.people)
    return found


def class_share_of_ratings(cohort: Cohort) -> dict[str, Stat]:
    """Share of the variance of the clips' mean human valence that lies between classes, for other people.

    What is found within classes can only speak of the rest. The interval leaves one person out at a time, on the logit
    of the share, so that it ends below 1.
    """
    from scipy import stats
    from scipy.special import expit, logit

    told = cohort.ratings
    if told is None or len(told) < FEWEST:
        return {}
    share = class_share(told.mean(axis=0), cohort.class_of)
    without = np.array(
        [class_share(np.delete(told, p, axis=0).mean(axis=0), cohort.class_of) for p in range(len(told))]
    )
    if not 0 < without.min() <= without.max() < 1:
        return {}  # ratings that are the same for all clips of a class, which no person gives
    half = float(stats.t.ppf(0.975, len(told) - 1)) * jackknife_error(logit(without))
    ends = (float(expit(logit(share) - half)), float(expit(logit(share) + half)))
    return {"human_valence.class_share": Stat(value=share, n=len(told), interval=ends)}


def spearman_brown(r: float) -> float:
    """Reliability of the mean over all people from that of two halves."""
    return 2 * r / (1 + r)


def _halves(people: int, *, seed: int) -> np.ndarray:
    """(SPLITS, P) of +1 and -1: who is in which half."""
    rng = np.random.default_rng([seed, 17])
    side = np.arange(people) % 2 == 0
    return np.stack([rng.permutation(side) for _ in range(SPLITS)])


def _draws(x: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """(1 + draws, D) mean split-half r of each feature of (P, S, D), the real one first."""
    rng, rows = np.random.default_rng([seed, 19]), np.arange(len(x))[:, None]
    halves = _halves(len(x), seed=seed)
    found = [_split_half(x, halves)]
    for _ in range(draws):
        found.append(_split_half(x[rows, rng.permuted(np.tile(np.arange(x.shape[1]), (len(x), 1)), axis=1)], halves))
    return np.array(found)


def _split_half(x: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """(D,) r over clips between two halves, mean over splits."""
    flat = x.reshape(len(x), -1)
    means = [
        (side / side.sum(axis=1, keepdims=True) @ flat).reshape(len(side), *x.shape[1:]) for side in (halves, ~halves)
    ]
    a, b = (part - part.mean(axis=1, keepdims=True) for part in means)
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    r = np.divide((a * b).sum(axis=1), norms, out=np.full(norms.shape, np.nan), where=norms > 1e-12)
    return r.mean(axis=0)
