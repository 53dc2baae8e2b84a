"""Does the difference hold for people who were not tested? Accuracy of each person in both arms of paired runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from measures.outcome import Judged, Outcome
from measures.paired import Paired
from measures.people import Crossed, crossed, hierarchical_bootstrap, person_scores
from measures.scores import confusion_matrix
from records.run import Run

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class People:
    """Test people one by one, and the interval for people who were not tested.

    Attributes:
        subjects: ids of the test people.
        baseline: balanced accuracy of each without the strategy, mean over seeds.
        treated: with it.
        crossed: the mean difference when seeds and people both stand for others.
        outcome: what ``crossed`` says for new people.
        level: of both intervals; above 0.95 where one looked several times.
        bootstrap: percentile interval of the same mean from seeds and people drawn again, a check without normality.
        classes: names, in the order of the confusion matrices.
        confusion: share of each true class (row) that was called each class (column), mean over seeds: without, with.
        trials: how many test trials each class has.
        trained_on: the split is one within people: training has seen these very people.
    """

    subjects: tuple[int, ...]
    baseline: tuple[float, ...]
    treated: tuple[float, ...]
    crossed: Crossed
    outcome: Outcome
    level: float
    bootstrap: tuple[float, float]
    classes: tuple[str, ...]
    confusion: tuple[Matrix, Matrix]
    trials: tuple[int, ...]
    trained_on: bool

    @property
    def gain(self) -> int:
        """How many people have a higher accuracy with the strategy."""
        return sum(b > a for a, b in zip(self.baseline, self.treated))


def people(
    baseline: Sequence[Run], treated: Sequence[Run], *, difference: Paired, judged: Judged, margin: float
) -> People | None:
    """Compare two arms person by person; None with fewer than two seeds or people, where there is no such interval.

    Args:
        baseline: runs without the strategy, in the order of their seeds.
        treated: with it, in the same order.
        difference: of the two arms over seeds.
        judged: how that was judged: gives the level that several looks leave.
        margin: largest difference that is of no consequence.
    """
    tables = [[scores(run) for run in arm] for arm in (baseline, treated)]
    subjects = tuple(tables[0][0])
    before, after = (np.array([[run[s] for s in subjects] for run in arm]) for arm in tables)
    if min(before.shape) < 2:
        return None
    level = _level(difference, judged)
    found = crossed(after - before, level=level)
    return People(
        subjects=subjects,
        baseline=tuple(before.mean(axis=0).tolist()),
        treated=tuple(after.mean(axis=0).tolist()),
        crossed=found,
        outcome=_outcome(found, level=level, margin=margin),
        level=level,
        bootstrap=hierarchical_bootstrap(after - before, level=level),
        classes=_classes(baseline[0]),
        confusion=(_confusion(baseline), _confusion(treated)),
        trials=_trials(baseline[0]),
        trained_on=bool(set(subjects) & _validation_people(baseline[0])),
    )


def scores(run: Run) -> dict[int, float]:
    """Test balanced accuracy of each person of a run, by subject id."""
    trials = run.predictions()
    if "subject" not in trials:
        raise ValueError(f"{run.files.predictions} lacks the array test_subject; run it again")
    k = trials["probabilities"].shape[1]
    return person_scores(trials["y"], trials["probabilities"].argmax(axis=1), trials["subject"], n_classes=k)


def _trials(run: Run) -> tuple[int, ...]:
    """How many test trials each class has: what the shares of a confusion matrix are shares of."""
    trials = run.predictions()
    return tuple(np.bincount(trials["y"], minlength=trials["probabilities"].shape[1]).tolist())


def _validation_people(run: Run) -> set[int]:
    """A split by people has others for validation; one within people has the same ones there."""
    try:
        return set(run.predictions("val")["subject"].tolist())
    except KeyError:  # a run that was tested alone has no validation trials
        return set()


def _level(difference: Paired, judged: Judged) -> float:
    """Several looks widen the interval over seeds; the interval over people takes the level that this one has left."""
    from scipy import stats

    if len(judged.looks) == 1 or not difference.sd > 0:
        return 0.95
    critical = (judged.high - difference.mean) * math.sqrt(difference.n) / difference.sd
    return float(1 - 2 * stats.t.sf(critical, difference.n - 1))


def _outcome(found: Crossed, *, level: float, margin: float) -> Outcome:
    """As ``measures.outcome.judged`` has it for seeds alone: first against 0, then two one-sided tests."""
    from scipy import stats

    half = found.high - found.mean
    if not half > 0:
        return "unresolved"
    if found.low > 0 or found.high < 0:
        return "helps" if found.mean > 0 else "hurts"
    error = half / stats.t.ppf(0.5 + level / 2, found.df)
    return "equivalent" if (margin - abs(found.mean)) / error > stats.t.ppf(level, found.df) else "unresolved"


def _classes(run: Run) -> tuple[str, ...]:
    """Names by class id: the result names those with trials and those without apart, each in the order of ids."""
    trials = run.predictions()
    present, absent = iter(run.score_by_class()), iter(run.result["test"].get("absent", ()))
    seen = set(trials["y"].tolist())
    return tuple(next(present) if k in seen else next(absent) for k in range(trials["probabilities"].shape[1]))


def _confusion(runs: Sequence[Run]) -> Matrix:
    tables = []
    for run in runs:
        trials = run.predictions()
        k = trials["probabilities"].shape[1]
        counts = confusion_matrix(trials["y"], trials["probabilities"].argmax(axis=1), n_classes=k)
        tables.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return tuple(tuple(row) for row in np.mean(tables, axis=0).tolist())
