"""Published sizes of the partitions, and that nothing leaks from one role into another."""

import numpy as np
import pytest

from datamodules import faced, seedv
from datamodules.splits import ROLES, by_name
from datamodules.trials import Trials

FACED_TRIALS = faced.windows(faced.SUBJECTS, seconds=10)
SEEDV_TRIALS = seedv.windows(seedv.OFFICIAL, seconds=1)
SPLITS = {"faced": faced.FACED.splits, "seedv": seedv.SEEDV.splits}


def split_indices(trials: Trials, *, dataset: str, split: str, fold: int) -> dict[str, np.ndarray]:
    return by_name(SPLITS[dataset], split, dataset=dataset).indices(trials, fold=fold)


def sizes(indices: dict) -> list[int]:
    return [len(indices[role]) for role in ROLES]


def roles_of(indices: dict, column: np.ndarray) -> list[set]:
    return [set(column[indices[role]].tolist()) for role in ROLES]


def disjoint(sets: list[set]) -> bool:
    return sum(map(len, sets)) == len(set.union(*sets))


def cases() -> list[tuple[str, str, int]]:
    return [
        (dataset, split.name, fold)
        for dataset, splits in SPLITS.items()
        for split in splits
        for fold in ({0, 1, 15} if split.folds is None else range(split.folds))
    ]


@pytest.mark.parametrize(("dataset", "split", "fold"), cases())
def test_every_trial_has_one_role_and_no_leak(dataset: str, split: str, fold: int) -> None:
    trials = FACED_TRIALS if dataset == "faced" else SEEDV_TRIALS
    indices = split_indices(trials, dataset=dataset, split=split, fold=fold)
    rows = np.sort(np.concatenate(list(indices.values())))
    if split in ("subject_clip_disjoint", "subject_one_clip"):  # these leave trials out
        assert len(np.unique(rows)) == len(rows)
    else:
        np.testing.assert_array_equal(rows, np.arange(len(trials)))
    if split == "trial_5_5_5":
        assert disjoint(roles_of(indices, trials.stimulus))
        assert all(subjects == set(range(16)) for subjects in roles_of(indices, trials.subject))
    else:
        assert disjoint(roles_of(indices, trials.subject))
    assert all(classes == set(range(9 if dataset == "faced" else 5)) for classes in roles_of(indices, trials.y))


def test_published_sizes() -> None:
    faced_split = split_indices(FACED_TRIALS, dataset="faced", split="subject_80_20_23", fold=0)
    assert sizes(faced_split) == [6720, 1680, 1932]
    seedv_split = split_indices(SEEDV_TRIALS, dataset="seedv", split="trial_5_5_5", fold=0)
    assert sizes(seedv_split) == [34432, 42960, 40352]
    counts = {4: [8512, 10672, 9984], 5: [6816, 8480, 7984], 10: [3328, 4176, 3920]}
    for seconds, expected in counts.items():
        trials = seedv.windows(seedv.OFFICIAL, seconds=seconds)
        assert sizes(split_indices(trials, dataset="seedv", split="trial_5_5_5", fold=0)) == expected
    assert len(seedv.windows(seedv.OFFICIAL, seconds=4, subjects=("3",))) == 1823
    assert np.bincount(SEEDV_TRIALS.y).tolist() == [19808, 24080, 30672, 23680, 19504]


def test_official_10fold_blocks() -> None:
    tested = [
        {
            faced.SUBJECTS[s]
            for s in FACED_TRIALS.subject[
                split_indices(FACED_TRIALS, dataset="faced", split="official_10fold", fold=fold)["test"]
            ]
        }
        for fold in range(10)
    ]
    assert [len(block) for block in tested] == [12] * 9 + [15]
    assert min(tested[9]) == "sub108"
    assert set.union(*tested) == set(faced.SUBJECTS)


def test_new_clips_are_in_no_other_role_and_every_clip_is_new_once() -> None:
    tested = []
    for fold in range(3):
        indices = split_indices(FACED_TRIALS, dataset="faced", split="subject_clip_disjoint", fold=fold)
        train, val, new = roles_of(indices, FACED_TRIALS.stimulus)
        seen = set(FACED_TRIALS.stimulus[indices["test_seen"]].tolist())
        assert disjoint([train | val, new])
        assert train == val == seen
        people = [set(FACED_TRIALS.subject[indices[role]].tolist()) for role in ("test", "test_seen")]
        assert people[0] == people[1] == set(range(100, 123))
        tested += sorted(new)
    assert sorted(tested) == list(range(28))


def test_one_clip_an_emotion_is_a_third_of_the_data() -> None:
    for fold in range(3):
        indices = split_indices(FACED_TRIALS, dataset="faced", split="subject_one_clip", fold=fold)
        clips = roles_of(indices, FACED_TRIALS.stimulus)
        assert clips[0] == clips[1] == clips[2]
        assert sorted(faced.TAXONOMY.class_of[clip] for clip in clips[0]) == list(range(9))


def test_a_subset_keeps_the_roles_of_the_names() -> None:
    trials = faced.windows(("sub079", "sub080", "sub122"), seconds=10)
    indices = split_indices(trials, dataset="faced", split="subject_80_20_23", fold=0)
    assert roles_of(indices, trials.subject) == [{0}, {1}, {2}]


def test_a_subset_without_a_role_is_an_error() -> None:
    trials = faced.windows(("sub000", "sub081"), seconds=10)
    with pytest.raises(ValueError, match=r"no trials for test among .*sub000, sub081"):
        split_indices(trials, dataset="faced", split="subject_80_20_23", fold=0)
    trials = faced.windows(("sub000", "sub081"), seconds=10)
    with pytest.raises(ValueError, match="no trials for train"):
        split_indices(trials, dataset="faced", split="loso", fold=0)


@pytest.mark.parametrize(
    ("split", "fold", "message"),
    [
        ("subject_80_20", 0, "unknown split 'subject_80_20' for faced; known: subject_80_20_23"),
        ("trial_5_5_5", 0, "unknown split"),
        ("subject_80_20_23", 1, r"fold 1 must lie in 0\.\.0"),
        ("official_10fold", 10, r"0\.\.9"),
        ("loso", -1, r"0\.\.122"),
    ],
)
def test_bad_names_and_folds(split: str, fold: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_indices(FACED_TRIALS, dataset="faced", split=split, fold=fold)


def test_rows_of_a_subject() -> None:
    assert isinstance(FACED_TRIALS, Trials)
    assert FACED_TRIALS.rows(3) == slice(252, 336)


def test_a_table_made_of_clip_ids() -> None:
    trials = Trials.of_clips(
        [np.array([3, 0, 3]), np.array([1])], subjects=("a1", "a2"), class_of=(5, 6, 7, 8), clips_per_session=2
    )
    rows = np.stack([trials.subject, trials.stimulus, trials.session, trials.trial, trials.window, trials.y])
    assert rows.T.tolist() == [[0, 3, 2, 1, 0, 8], [0, 0, 1, 0, 0, 5], [0, 3, 2, 1, 1, 8], [1, 1, 1, 1, 0, 6]]
    with pytest.raises(ValueError, match=r"subject a2: clip ids must lie in 0\.\.3, found 4"):
        Trials.of_clips([np.array([0]), np.array([4])], subjects=("a1", "a2"), class_of=(5, 6, 7, 8))
