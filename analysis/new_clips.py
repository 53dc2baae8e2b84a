"""Does a decoder know the emotion or the clip? Test people on clips of the training and on clips it never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arms import accuracies, arm, quietly_paired, same_seeds
from measures.outcome import Judged, judged
from measures.paired import Paired
from records.run import Run, check_comparable

SEEN = "test_seen"
CLIPS = "clip_balanced_accuracy"
Arms = tuple[Sequence[Run], Sequence[Run]]


@dataclass(frozen=True, kw_only=True)
class ArmOnClips:
    """One arm on seen and on new clips; means over seeds.

    Attributes:
        seen: balanced accuracy of windows of clips that training has seen.
        new: of clips that it has not.
        survives: share of the accuracy above chance that is left on new clips; NaN where nothing is above chance.
        clips_seen: balanced accuracy of whole clips instead of windows; None where it was not measured.
        clips_new: the same on new clips.
    """

    seen: float
    new: float
    survives: float
    clips_seen: float | None = None
    clips_new: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One set of clips held out.

    Attributes:
        name: of the fold.
        without: the arm without the strategy.
        treated: the arm with it.
        chance: of guessing on the new clips.
    """

    name: str
    without: ArmOnClips
    treated: ArmOnClips
    chance: float


@dataclass(frozen=True, kw_only=True)
class NewClips:
    """Seen and new clips over all folds.

    Attributes:
        folds: one a set of clips held out.
        without: mean over folds without the strategy.
        treated: with it.
        paired: difference on new clips, one a seed, each the mean over the folds.
        judged: what it says. It speaks for new seeds on these clips.
        chance: of guessing on new clips.
    """

    folds: tuple[Fold, ...]
    without: ArmOnClips
    treated: ArmOnClips
    paired: Paired
    judged: Judged
    chance: float


def new_clips(given: Mapping[str, Arms], *, margin: float) -> NewClips:
    """Compare two arms on clips that were held out of training.

    Args:
        given: fold to (runs without, runs with) of a split that holds clips back; all with the same seeds.
        margin: largest difference that is of no consequence.

    Raises:
        ValueError: a run holds no clips back, or runs that cannot be paired or compared.
    """
    ordered = {str(name): _arms(str(name), arms) for name, arms in given.items()}
    first_name, first = next(iter(ordered.items()))
    for name, arms in ordered.items():
        same_seeds(first[0], arms[0], names=(f"fold {first_name}", f"fold {name}"))
    folds = tuple(
        Fold(name=name, without=_on_clips(a), treated=_on_clips(b), chance=a[0].chance)
        for name, (a, b) in ordered.items()
    )
    table = np.array([[accuracies(runs) for runs in arms] for arms in ordered.values()])  # (folds, 2, seeds)
    before, after = table.mean(axis=0)
    difference = quietly_paired(before.tolist(), after.tolist())
    return NewClips(
        folds=folds,
        without=_mean([fold.without for fold in folds], folds),
        treated=_mean([fold.treated for fold in folds], folds),
        paired=difference,
        judged=judged(difference, margin=margin),
        chance=float(np.mean([fold.chance for fold in folds])),
    )


def _arms(name: str, arms: Arms) -> tuple[list[Run], list[Run]]:
    names = (f"baseline (fold {name})", f"treated (fold {name})")
    baseline, treated = arm(arms[0], name=names[0]), arm(arms[1], name=names[1])
    same_seeds(baseline, treated, names=names)
    check_comparable([*baseline, *treated])
    for run in (*baseline, *treated):
        if not run.result.get(SEEN):
            raise ValueError(
                f"{run.path} was not scored on seen clips beside new ones; run it with --data.split "
                "subject_clip_disjoint"
            )
    return baseline, treated


def _on_clips(runs: Sequence[Run]) -> ArmOnClips:
    seen, new = float(np.mean(accuracies(runs, SEEN))), float(np.mean(accuracies(runs)))
    chances = runs[0].score("chance", SEEN), runs[0].chance
    whole = [
        float(np.mean([run.score(CLIPS, split) for run in runs]))
        if all(CLIPS in run.result[split] for run in runs)
        else None
        for split in (SEEN, "test")
    ]
    return ArmOnClips(
        seen=seen,
        new=new,
        survives=_share(new - chances[1], seen - chances[0]),
        clips_seen=whole[0],
        clips_new=whole[1],
    )


def _mean(arms: Sequence[ArmOnClips], folds: Sequence[Fold]) -> ArmOnClips:
    """Over folds; the share is that of the means, as a mean of shares follows the fold that has least."""
    rows = [(a.seen, a.new, fold.chance) for a, fold in zip(arms, folds, strict=True)]
    seen, new, chance = np.mean(rows, axis=0).tolist()
    whole = [(a.clips_seen, a.clips_new) for a in arms]
    measured = [[v for v in column if v is not None] for column in zip(*whole)]
    means = [float(np.mean(column)) if len(column) == len(arms) else None for column in measured]
    return ArmOnClips(
        seen=seen, new=new, survives=_share(new - chance, seen - chance), clips_seen=means[0], clips_new=means[1]
    )


def _share(left: float, whole: float) -> float:
    return left / whole if whole > 0 else float("nan")
