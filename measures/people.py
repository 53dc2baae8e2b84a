"""Does a difference hold for people who were not tested? Intervals over seeds and people at once."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """The mean of a table of differences, rows seeds and columns people, for new seeds and new people.

    The model is d[s, p] = mean + seed[s] + person[p] + rest[s, p], all three random. Over a full table its
    restricted-maximum-likelihood fit has a closed form, the two-way analysis of variance without replication (Searle,
    Casella and McCulloch 1992, Variance Components, chapter 4), so no optimiser can fail to converge.

    Attributes:
        mean: over the whole table.
        low: lower end of the 95 % interval.
        high: upper end.
        p: two-sided p of the mean against 0.
        df: Satterthwaite's degrees of freedom of the standard error.
        seed_sd: standard deviation of the true differences between seeds, 0 where the estimate is negative.
        person_sd: the same between people.
        rest_sd: what is left: test noise of one person in one run, and how the two interact.
        seeds: S.
        people: P.
    """

    mean: float
    low: float
    high: float
    p: float
    df: float
    seed_sd: float
    person_sd: float
    rest_sd: float
    seeds: int
    people: int


def crossed(differences: np.ndarray, *, level: float = 0.95) -> Crossed:
    """Interval of the mean difference for people and seeds that both stand for others.

    Args:
        differences: (S, P) of treated minus baseline, one a seed and person; at least two of each.
        level: of the interval.

    Raises:
        ValueError: too few seeds or people, or a value that is not finite.
    """
    from scipy import stats

    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 2 or min(d.shape) < 2:
        raise ValueError(f"need a table of at least two seeds and two people, got shape {d.shape}")
    if not np.isfinite(d).all():
        raise ValueError("the table of differences holds a value that is not finite; leave that person or seed out")
    (seeds, people), mean = d.shape, float(d.mean())
    rows, columns = d.mean(axis=1) - mean, d.mean(axis=0) - mean
    rest = d - mean - rows[:, None] - columns
    squares = np.array(
        [
            people * (rows**2).sum() / (seeds - 1),
            seeds * (columns**2).sum() / (people - 1),
            (rest**2).sum() / ((seeds - 1) * (people - 1)),
        ]
    )
    freedom = np.array([seeds - 1, people - 1, (seeds - 1) * (people - 1)])
    of_seeds, of_people, of_rest = squares.tolist()
    # Never below what seeds alone or people alone say: the difference of estimates can be too small by chance.
    total = max(of_seeds + of_people - of_rest, of_seeds, of_people)
    weighed = float((squares**2 / freedom).sum())
    # Below one degree of freedom (two seeds, three people) Student's t has quantiles that say nothing.
    df = max(total**2 / weighed, 1.0) if weighed else math.nan
    error = math.sqrt(total / (seeds * people))
    t = mean / error if error else math.nan
    half = float(stats.t.ppf(0.5 + level / 2, df)) * error if error else 0.0
    return Crossed(
        mean=mean,
        low=mean - half,
        high=mean + half,
        p=float(2 * stats.t.sf(abs(t), df)) if error else (1.0 if mean == 0 else math.nan),
        df=df,
        seed_sd=math.sqrt(max(0.0, (of_seeds - of_rest) / people)),
        person_sd=math.sqrt(max(0.0, (of_people - of_rest) / seeds)),
        rest_sd=math.sqrt(of_rest),
        seeds=seeds,
        people=people,
    )


def hierarchical_bootstrap(
    differences: np.ndarray, *, draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean when seeds and people are both drawn again with replacement.

    The two are crossed and not nested, so both margins are resampled at once (Owen 2007, doi 10.1214/07-AOAS122, which
    also shows that this errs on the wide side when both matter). With five seeds it is too narrow for the seeds' part:
    five values drawn from themselves vary by a fifth less than the population they came from. ``crossed`` is the
    interval to quote, and this is its check without a normal distribution.

    Args:
        differences: (S, P), see ``crossed``.
        draws: number of resamples.
        level: of the interval.
        seed: of the draws' own generator.
    """
    d = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # How often each seed and each person was drawn: the mean of a resample is then two products, not a gather.
    rows = rng.multinomial(d.shape[0], np.full(d.shape[0], 1 / d.shape[0]), size=draws)
    columns = rng.multinomial(d.shape[1], np.full(d.shape[1], 1 / d.shape[1]), size=draws)
    means = np.einsum("ds,sp,dp->d", rows, d, columns, optimize=True) / d.size
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def person_scores(y: np.ndarray, predicted: np.ndarray, subject: np.ndarray, *, n_classes: int) -> dict[int, float]:
    """Balanced accuracy of each person over the classes that he or she has trials of, by subject id.

    Args:
        y: (n,) class ids.
        predicted: (n,) predicted class ids.
        subject: (n,) subject ids.
        n_classes: K.
    """
    scores: dict[int, float] = {}
    for person in np.unique(subject):
        own = subject == person
        support = np.bincount(y[own], minlength=n_classes)
        hits = np.bincount(y[own & (y == predicted)], minlength=n_classes)
        scores[int(person)] = float((hits[support > 0] / support[support > 0]).mean())
    return scores
