"""Arms, lengths, folds and simple models around two arms of finished runs; shared by the tests of the verdict."""

import numpy as np

from analysis.people import scores
from analysis.verdict_record import Verdict
from measures.baselines import Baseline
from tests.finished_runs import write_arm, write_arms


def arm(folder, accuracy, **changes):
    """Runs with spread over seeds, so that there is something to test against."""
    wobble = (0.004, -0.006, 0.005, 0.001, -0.004)
    return write_arm(folder, accuracy=tuple(accuracy + w for w in wobble), **changes)


def pair(folder, epochs, before, after, **changes):
    shared = {"epochs": epochs, "plateau": True, **changes}
    return arm(folder / "a", before, loss="none", weight=0.0, **shared), shifted(folder / "b", after, **shared)


def shifted(folder, accuracy, **changes):
    wobble = (0.005, -0.006, 0.004, 0.001, -0.003)
    return write_arm(folder, accuracy=tuple(accuracy + w for w in wobble), **changes)


def ridge(runs, *, lead):
    """A ridge that is better than the runs by ``lead`` on each person."""
    table = np.mean([list(scores(run).values()) for run in runs], axis=0) + lead
    people = dict(zip(scores(runs[0]), table.tolist(), strict=True))
    accuracy = float(np.mean([run.score("balanced_accuracy") for run in runs])) + lead
    shared = {"low": accuracy - 0.02, "high": accuracy + 0.02, "chance": 1 / 9, "by_person": people}
    person = Baseline(
        name="ridge_person", label="ridge, z-scored within each person", balanced_accuracy=0.99, transductive=True,
        **{**shared, "by_person": {}},
    )  # fmt: skip
    return [Baseline(name="ridge", label="ridge regression", balanced_accuracy=accuracy, **shared), person]


def everything(folder, **changes):
    """A verdict beside all that it can stand beside, and the runs of its two arms."""
    deltas = (0.03, 0.04, 0.02, 0.035, 0.025)
    baseline, treated = write_arms(folder / "main", deltas=deltas, plateau=True, **changes)
    folds = {
        str(k): (
            arm(folder / f"n{k}", 0.2 + 0.01 * k, loss="none", weight=0.0, seen=0.6, **changes),
            shifted(folder / f"m{k}", 0.2, seen=0.6, **changes),
        )
        for k in range(3)
    }
    verdict = Verdict.from_runs(
        baseline,
        treated,
        lengths={
            12: pair(folder / "l12", 12, 0.62, 0.63, **changes),
            40: pair(folder / "l40", 40, 0.65, 0.65, **changes),
        },
        new_clips=folds,
        controls={
            "random": shifted(folder / "c", 0.6, control="random", **changes),
            "arousal": shifted(folder / "d", 0.63, control="arousal", **changes),
        },
        baselines=ridge(baseline, lead=0.1),
    )
    return verdict, [*baseline, *treated]


def words(verdict):
    """Its text without line breaks."""
    return " ".join(verdict.text().split())
