"""The simplest models that could beat a decoder, on the same trials and split, in seconds.

Hyper-parameters are chosen on validation people, the score is taken once on test people. A decoder that does not beat
them is under-trained or the wrong one, and no loss should be judged on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from measures.people import person_scores

RIDGE_PENALTIES = tuple(10.0**k for k in range(-1, 6))
LOGISTIC_STRENGTHS = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Band features of the trials of one role.

    Attributes:
        x: (n, F) features.
        y: (n,) class ids.
        stimulus: (n,) clip ids.
        subject: (n,) subject ids.
    """

    x: np.ndarray
    y: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray

    def only(self, rows: np.ndarray) -> "Trials":
        """The trials where ``rows`` (n,) is true."""
        return Trials(x=self.x[rows], y=self.y[rows], stimulus=self.stimulus[rows], subject=self.subject[rows])


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One simple model.

    Attributes:
        name: key in JSON.
        label: for people.
        balanced_accuracy: on the test people.
        low: lower end of the 95 % t interval over test people; NaN with fewer than two.
        high: upper end.
        chance: balanced accuracy of guessing.
        transductive: it has looked at unlabelled trials of the test people.
        setting: the hyper-parameter that validation chose.
        n: test trials.
        people: test people.
        by_person: balanced accuracy of each test person, by subject id.
    """

    name: str
    label: str
    balanced_accuracy: float
    low: float
    high: float
    chance: float
    transductive: bool = False
    setting: float | None = None
    n: int = 0
    people: int = 0
    by_person: dict[int, float] = field(default_factory=dict)


def baselines(train: Trials, val: Trials, test: Trials, *, n_classes: int) -> list[Baseline]:
    """All of them, weakest first.

    Args:
        train: trials that models are fitted to.
        val: trials that choose the hyper-parameter.
        test: trials that are scored once.
        n_classes: K.
    """
    raw = _standardised(train, val, test)
    own = [_within_person(part) for part in (train, val, test)]
    return [
        _guess(test, n_classes=n_classes),
        _best("ridge", "ridge regression", _ridge, RIDGE_PENALTIES, *raw, n_classes=n_classes),
        _best("logistic", "logistic regression", _logistic, LOGISTIC_STRENGTHS, *raw, n_classes=n_classes),
        _best("clips", "clip identity, folded to classes", _clips, LOGISTIC_STRENGTHS, *raw, n_classes=n_classes),
        _best(
            "ridge_person",
            "ridge, z-scored within each person",
            _ridge,
            RIDGE_PENALTIES,
            *own,
            n_classes=n_classes,
            transductive=True,
        ),
    ]


def best_linear(found: Sequence[Baseline]) -> Baseline:
    """The best one that, like the decoder, has seen nothing of the test people and no clip labels."""
    return max((b for b in found if b.name in ("ridge", "logistic")), key=lambda b: b.balanced_accuracy)


def _best(
    name: str,
    label: str,
    fit: Callable[..., Callable[[np.ndarray], np.ndarray]],
    settings: Sequence[float],
    train: Trials,
    val: Trials,
    test: Trials,
    *,
    n_classes: int,
    transductive: bool = False,
) -> Baseline:
    models = [fit(train, setting, n_classes) for setting in settings]
    scores = [_balanced(val, model(val.x)) for model in models]
    # Of equal scores the first: the strongest penalty comes last for ridge and first for logistic regression, and a tie
    # over a whole validation set does not happen outside tests.
    chosen = int(np.argmax(scores))
    return _scored(
        name, label, test, models[chosen](test.x), n_classes, setting=settings[chosen], transductive=transductive
    )


def _ridge(train: Trials, penalty: float, n_classes: int) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=penalty).fit(train.x, train.y).predict


def _logistic(train: Trials, strength: float, n_classes: int) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(train.x, train.y).predict


def _clips(train: Trials, strength: float, n_classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Which clip is it? The class gets the summed probability of its clips: what recognising clips alone is worth."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(train.x, train.stimulus)
    # A clip hands its probability to the classes that its training trials have: to one, unless people labelled them.
    fold = np.zeros((len(model.classes_), n_classes))
    np.add.at(fold, (np.searchsorted(model.classes_, train.stimulus), train.y), 1)
    fold /= fold.sum(axis=1, keepdims=True)
    return lambda x: (model.predict_proba(x) @ fold).argmax(axis=1)


def _guess(test: Trials, *, n_classes: int) -> Baseline:
    present = len(np.unique(test.y))
    return Baseline(
        name="chance",
        label="guessing",
        balanced_accuracy=1 / present,
        low=1 / present,
        high=1 / present,
        chance=1 / present,
        n=len(test.y),
        people=len(np.unique(test.subject)),
    )


def _scored(
    name: str,
    label: str,
    test: Trials,
    predicted: np.ndarray,
    n_classes: int,
    *,
    setting: float,
    transductive: bool,
) -> Baseline:
    by_person = person_scores(test.y, predicted, test.subject, n_classes=n_classes)
    low, high = _t_interval(list(by_person.values()))
    return Baseline(
        name=name,
        label=label,
        balanced_accuracy=_balanced(test, predicted),
        low=low,
        high=high,
        chance=1 / len(np.unique(test.y)),
        transductive=transductive,
        setting=setting,
        n=len(test.y),
        people=len(by_person),
        by_person=by_person,
    )


def _t_interval(values: list[float]) -> tuple[float, float]:
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(mean - half), float(mean + half)


def _balanced(trials: Trials, predicted: np.ndarray) -> float:
    return float(np.mean([(predicted[trials.y == k] == k).mean() for k in np.unique(trials.y)]))


def _standardised(*parts: Trials) -> list[Trials]:
    """Z-scored with the statistics of the first, the training trials."""
    mean, spread = parts[0].x.mean(axis=0), parts[0].x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return [
        Trials(x=(part.x - mean) / spread, y=part.y, stimulus=part.stimulus, subject=part.subject) for part in parts
    ]


def _within_person(part: Trials) -> Trials:
    """Z-scored within each person over all his or her trials, without labels."""
    x = np.empty_like(part.x, dtype=np.float64)
    for person in np.unique(part.subject):
        rows = part.subject == person
        spread = part.x[rows].std(axis=0)
        x[rows] = (part.x[rows] - part.x[rows].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Trials(x=x, y=part.y, stimulus=part.stimulus, subject=part.subject)
