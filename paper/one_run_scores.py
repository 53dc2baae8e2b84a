"""What the runs of one cohort are worth: every arm alone and as a vote, person by person, beside ten plain runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measures.people import Crossed, crossed, person_scores
from measures.person_probe import person_probe
from measures.votes import Estimate, Members, kappas
from paper.one_run_plan import Cohort, Way, seeds_for
from records.layout import RESULT
from records.run import Run

if TYPE_CHECKING:
    from command_line.reopen import OpenRun

LAST = 5  # kept epochs that vote
FEW = 3  # runs whose features are probed
WHY = ("class_pc1", "within_class_residual", "effective_rank")  # fields of result.json


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One arm of one cohort, on test people.

    Attributes:
        way: the arm.
        seeds: of the runs that are finished.
        alone: (S, P) balanced accuracy of each run and person.
        votes: size to (P,), the mean probabilities of the first so many runs.
        validation: (S,) balanced accuracy on validation people, where choices are made.
        clips: mean balanced accuracy on clips of the training and on new ones, where clips were held back.
        why: measures of the features, mean over runs.
    """

    way: Way
    seeds: tuple[int, ...]
    alone: np.ndarray
    votes: dict[int, np.ndarray]
    validation: np.ndarray
    clips: tuple[float, float] | None
    why: dict[str, float]

    @property
    def value(self) -> float:
        """Accuracy of one run."""
        return float(self.alone.mean())


def tried(cohort: Cohort, ways: Sequence[Way], *, seeds: Sequence[int], fewer: int) -> dict[str, Tried]:
    """Every arm that has a finished run, by its id."""
    found = {}
    for way in ways:
        arm = cohort.arms.get(way.of or way.id)
        own = seeds_for(way, seeds, fewer=fewer)
        runs = [Run.load(arm.run_dir(seed)) for seed in own if (arm.run_dir(seed) / RESULT).exists()] if arm else []
        if runs:
            found[way.id] = _tried(way, runs)
    return found


def _tried(way: Way, runs: list[Run]) -> Tried:
    test = runs[0].predictions()
    probabilities = np.stack(
        [_kept(run, how=way.kept) if way.kept else run.predictions()["probabilities"] for run in runs]
    )
    sizes = [size for size in (5, 10) if size <= len(runs)]
    return Tried(
        way=way,
        seeds=tuple(run.seed for run in runs),
        alone=np.stack([_people(p, test) for p in probabilities]),
        votes={size: _people(probabilities[:size].mean(axis=0), test) for size in sizes},
        validation=np.array([run.score("balanced_accuracy", "val") for run in runs]),
        clips=_clips(runs) if way.new_clips else None,
        why={} if way.kept else _why(runs, probabilities),
    )


def _people(probabilities: np.ndarray, test: dict[str, np.ndarray]) -> np.ndarray:
    called = probabilities.argmax(axis=1)
    scores = person_scores(test["y"], called, test["subject"], n_classes=probabilities.shape[1])
    return np.array(list(scores.values()))


def _clips(runs: Sequence[Run]) -> tuple[float, float]:
    return (
        float(np.mean([run.score("balanced_accuracy", "test_seen") for run in runs])),
        float(np.mean([run.score("balanced_accuracy", "test") for run in runs])),
    )


def _why(runs: Sequence[Run], probabilities: np.ndarray) -> dict[str, float]:
    """What may explain an accuracy: agreement of runs, what features say of people, and their alignment."""
    test = runs[0].predictions()
    found = {"kappa": float("nan")}
    if len(runs) > 1:
        whole, _ = kappas(Members(probabilities, test["y"], test["subject"]))
        found["kappa"] = float(whole[np.triu_indices(len(runs), 1)].mean())
    people = [person_probe(run.features()["h"], test["subject"], test["stimulus"]) for run in runs[:FEW]]
    found["person"] = float(np.mean(people))
    for name in WHY:
        found[name] = float(np.mean([run.alignment(name)["value"] for run in runs]))
    return found


def _kept(run: Run, *, how: str) -> np.ndarray:
    """(n, K) probabilities of the last kept epochs: their vote, or those of one decoder with their mean weights."""
    from command_line.reopen import open_run

    opened: list[OpenRun] = [open_run(run.path, checkpoint=epoch, device="cpu") for epoch in run.kept_epochs[-LAST:]]
    if how == "vote":
        return np.mean([one.predict().probabilities for one in opened], axis=0)
    states: list[dict[str, Any]] = [one.decoder.state_dict() for one in opened]
    mean = {
        name: sum(state[name] for state in states) / len(states) if value.is_floating_point() else value
        for name, value in states[-1].items()
    }
    opened[-1].decoder.load_state_dict(mean)
    return opened[-1].predict().probabilities


def against(one: Tried, vote: np.ndarray) -> Crossed | Estimate:
    """One run of an arm minus a vote, for new seeds and new people; over people alone where there is one run."""
    difference = one.alone - vote
    return crossed(difference) if len(difference) > 1 else over_people(difference[0])


def over_people(difference: np.ndarray) -> Estimate:
    """Mean over people with its t interval."""
    error = float(difference.std(ddof=1) / len(difference) ** 0.5)
    return Estimate.of(float(difference.mean()), [(error, len(difference) - 1)])


def against_plain(one: Tried, plain: Tried) -> Crossed | None:
    """One run of an arm minus one plain run, paired by seed; None with fewer than two seeds in common."""
    common = [seed for seed in one.seeds if seed in plain.seeds]
    if len(common) < 2:
        return None
    rows = ([t.seeds.index(seed) for seed in common] for t in (one, plain))
    ours, theirs = (t.alone[own] for t, own in zip((one, plain), rows))
    return crossed(ours - theirs)
