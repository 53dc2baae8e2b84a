"""A person's baseline from a few unlabelled clips, shrunk towards the training people's where clips are few."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Population:
    """What the training people say about people's baselines.

    Attributes:
        mean: (F,) mean of their baselines.
        between: (F,) variance of baselines between people, without what the finite number of clips adds.
        within: (F,) variance of a person's clip means about his or her baseline.
        spread: (F,) standard deviation of a person's trials about his or her baseline.
        covariance: (F, F) of the same, where ``whiten`` is wanted.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    spread: np.ndarray
    covariance: np.ndarray | None = None

    @classmethod
    def of(cls, clips: np.ndarray, *, spread: np.ndarray, covariance: np.ndarray | None = None) -> "Population":
        """From the clip means (P, S, F) of P people, NaN where a person lacks a clip.

        Args:
            clips: means of windows.
            spread: of single windows about their person's mean, (F,).
            covariance: the same, (F, F).

        Raises:
            ValueError: fewer than two people, or nobody with two clips.
        """
        seen = np.isfinite(clips).all(axis=2).sum(axis=1)
        if len(clips) < 2 or seen.max(initial=0) < 2:
            raise ValueError("a person's baseline needs two training people with two clips each")
        baselines = np.nanmean(clips, axis=1)
        within = np.nanmean(np.nanvar(clips, axis=1, ddof=1), axis=0)
        between = np.maximum(baselines.var(axis=0, ddof=1) - within * np.mean(1 / seen), 0.0)
        return cls(mean=baselines.mean(axis=0), between=between, within=within, spread=spread, covariance=covariance)

    def shift(self, clips: np.ndarray, *, shrink: bool = True) -> np.ndarray:
        """What to subtract from a person's features, (F,), given the means (n, F) of some of his or her clips.

        Empirical Bayes (Efron and Morris 1973, doi 10.1080/01621459.1973.10481350): the mean of n clips is trusted with
        between / (between + within / n). Without clips nothing is known and nothing is subtracted.

        Args:
            clips: unlabelled.
            shrink: False trusts them altogether.
        """
        if not len(clips):
            return np.zeros_like(self.mean)
        noise = self.within / len(clips)
        trust = self.between / np.maximum(self.between + noise, 1e-300) if shrink else 1.0
        return trust * (clips.mean(axis=0) - self.mean)

    def scaled(self, x: np.ndarray, own: np.ndarray, shift: np.ndarray, *, prior: float = 30.0) -> np.ndarray:
        """Trials x (n, F) of a person, centred and brought to the spread of the training people, feature by feature.

        Args:
            x: trials.
            own: (m, F) the person's unlabelled trials.
            shift: what centring subtracts.
            prior: trials that the training people's spread counts as.
        """
        about = ((own - own.mean(axis=0)) ** 2).sum(axis=0)
        spread = np.sqrt((prior * self.spread**2 + about) / (prior + len(own) - 1))
        return self.mean + (x - shift - self.mean) * self.spread / np.maximum(spread, 1e-12)

    def whitened(self, x: np.ndarray, own: np.ndarray, shift: np.ndarray, *, prior: float | None = None) -> np.ndarray:
        """The same with whole covariances: whitened by the person's, coloured by that of the training people.

        Euclidean alignment (He and Wu 2020, doi 10.1109/TBME.2019.2913914) on features. A few trials say little of an
        F x F covariance, so that of the training people counts as ``prior`` trials; by default as many as F.

        Raises:
            ValueError: the population was made without a covariance.
        """
        if self.covariance is None:
            raise ValueError("whitening needs the covariance of the training people")
        prior = float(x.shape[1]) if prior is None else prior
        about = own - own.mean(axis=0)
        person = (prior * self.covariance + about.T @ about) / (prior + len(own) - 1)
        return self.mean + (x - shift - self.mean) @ _power(person, -0.5) @ _power(self.covariance, 0.5)


def _power(covariance: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 1e-6 * values[-1]) ** power) @ vectors.T


def balanced_probabilities(probabilities: np.ndarray, frequencies: np.ndarray, *, rounds: int = 200) -> np.ndarray:
    """Probabilities (n, K) of one person, scaled class by class until their mean is what is known of the classes.

    Sinkhorn and Knopp 1967 (doi 10.2140/pjm.1967.21.343): which clips were played is known, not when. Needs all trials.

    Args:
        probabilities: rows that sum to 1.
        frequencies: (K,) share of each class among the trials.
        rounds: of scaling columns and rows in turn.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    for _ in range(rounds):
        p = p * (frequencies * len(p) / np.maximum(p.sum(axis=0), 1e-300))
        p = p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
    return p
