"""Who trains, who validates, who tests: the published partitions as functions of the trial table.

Each takes the table and a fold and gives a mask per role. FACED is split by subject NAME, so a subset of subjects keeps
its roles.
"""

from collections.abc import Callable

import numpy as np

from datamodules.store import Trials

Roles = dict[str, np.ndarray]
ROLES = ("train", "val", "test")


def _numbers(trials: Trials) -> np.ndarray:
    """(n,) number in the subject's name: sub023 -> 23."""
    return np.array([int(name.removeprefix("sub")) for name in trials.subjects])[trials.subject]


def _one_fold(name: str, fold: int, count: int = 1) -> None:
    if not 0 <= fold < count:
        raise ValueError(f"split {name} has {count} fold(s); --data.fold {fold} must lie in 0..{count - 1}")


def _rotate(groups: np.ndarray, fold: int, count: int) -> Roles:
    """Group ``fold`` tests, the next one validates, all others train."""
    test, val = groups == fold, groups == (fold + 1) % count
    return {"train": ~(test | val), "val": val, "test": test}


def subject_80_20_23(trials: Trials, fold: int) -> Roles:
    """FACED: sub000-079 / 080-099 / 100-122, the split of CBraMod (arXiv 2412.07236) and arXiv 2606.00129.

    Subjects are disjoint, stimuli shared. Validation and test hold second-cohort recordings only.
    """
    _one_fold("subject_80_20_23", fold)
    number = _numbers(trials)
    return {"train": number < 80, "val": (number >= 80) & (number < 100), "test": number >= 100}


def official_10fold(trials: Trials, fold: int) -> Roles:
    """FACED: ten contiguous blocks of twelve subjects, fifteen in the last (doi 10.1038/s41597-023-02650-w).

    The official script has no validation set and chooses its regularisation on the test block; here the next block
    validates, so that nothing is chosen on the test and each subject validates once.
    """
    _one_fold("official_10fold", fold, 10)
    return _rotate(np.minimum(_numbers(trials) // 12, 9), fold, 10)


def loso(trials: Trials, fold: int) -> Roles:
    """Both: subject ``fold`` (position in the subset) tests, the next one validates, the others train."""
    _one_fold("loso", fold, len(trials.subjects))
    return _rotate(trials.subject, fold, len(trials.subjects))


def trial_5_5_5(trials: Trials, fold: int) -> Roles:
    """SEED-V: clips 0-4 / 5-9 / 10-14 of every session, the split of CBraMod (arXiv 2412.07236).

    Clips are disjoint, subjects are NOT: everyone is in all three sets. Folds 1 and 2 rotate the roles of the three
    blocks, so that the three folds are the data set's classic cross-validation.
    """
    _one_fold("trial_5_5_5", fold, 3)
    block = (trials.trial // 5 - fold) % 3
    return {role: block == i for i, role in enumerate(ROLES)}


def subject_10_3_3(trials: Trials, fold: int) -> Roles:
    """SEED-V: subjects 1-10 / 11-13 / 14-16; subject-disjoint and much harder than, not comparable to, trial_5_5_5."""
    _one_fold("subject_10_3_3", fold)
    number = _numbers(trials)
    return {"train": number <= 10, "val": (number > 10) & (number <= 13), "test": number > 13}


SPLITS: dict[str, dict[str, Callable[[Trials, int], Roles]]] = {
    "faced": {f.__name__: f for f in (subject_80_20_23, official_10fold, loso)},
    "seedv": {f.__name__: f for f in (trial_5_5_5, subject_10_3_3, loso)},
}


def split_indices(trials: Trials, *, dataset: str, split: str, fold: int) -> dict[str, np.ndarray]:
    """Row numbers of each role.

    Args:
        trials: the table.
        dataset: ``faced`` or ``seedv``.
        split: name of a function of this file.
        fold: which of its folds.

    Returns:
        int64 arrays for ``train``, ``val`` and ``test``; disjoint and none of them empty.

    Raises:
        ValueError: unknown split or fold, or a role without trials.
    """
    if split not in SPLITS[dataset]:
        raise ValueError(f"unknown split '{split}' for {dataset}; known: {', '.join(SPLITS[dataset])}")
    indices = {role: np.flatnonzero(mask) for role, mask in SPLITS[dataset][split](trials, fold).items()}
    empty = [role for role in ROLES if not len(indices[role])]
    if empty:
        raise ValueError(
            f"split {split} (fold {fold}) leaves no trials for {' and '.join(empty)} among the subjects "
            f"{', '.join(trials.subjects)}; add subjects of that role to --data.subjects"
        )
    return indices
