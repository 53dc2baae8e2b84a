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
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, clips: np.ndarray, *, spread: np.ndarray) -> "Population":
        """From the clip means (P, S, F) of P people, NaN where a person lacks a clip.

        Args:
            clips: means of windows.
            spread: of single windows about their person's mean, (F,).

        Raises:
            ValueError: fewer than two people, or nobody with two clips.
        """
        seen = np.isfinite(clips).all(axis=2).sum(axis=1)
        if len(clips) < 2 or seen.max(initial=0) < 2:
            raise ValueError("a person's baseline needs two training people with two clips each")
        baselines = np.nanmean(clips, axis=1)
        within = np.nanmean(np.nanvar(clips, axis=1, ddof=1), axis=0)
        between = np.maximum(baselines.var(axis=0, ddof=1) - within * np.mean(1 / seen), 0.0)
        return cls(mean=baselines.mean(axis=0), between=between, within=within, spread=spread)

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
