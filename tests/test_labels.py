"""Labels of FACED from what people reported: the rules, what they leave of the data, and what stays the clip's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.faced import CLIPS, FACED
from datamodules.faced_ratings import EMOTIONS, NEUTRAL, RATING_ITEMS, felt, ratings, reported
from datamodules.simulated import SimulatedFACED
from measures.baselines import Trials, baselines
from vaxis.emotions import FACED as TAXONOMY

CLASS_OF = np.array(TAXONOMY.class_of)
JOY, NEUTRAL_CLIP = (int(np.flatnonzero(TAXONOMY.classes.index(name) == CLASS_OF)[0]) for name in ("joy", "neutral"))


def answers(clip: int, **items: float) -> np.ndarray:
    """(28, 12) ratings of 0 but for one clip."""
    own = np.zeros((CLIPS, len(RATING_ITEMS)))
    own[clip, [RATING_ITEMS.index(name) for name in items]] = list(items.values())
    return own


@pytest.mark.parametrize(
    ("clip", "items", "was_felt", "named"),
    [
        (JOY, {"joy": 5}, True, "joy"),
        (JOY, {"joy": 4, "tenderness": 6}, True, "tenderness"),  # above the midpoint, though another is stronger
        (JOY, {"joy": 2, "fear": 1}, True, "neutral"),  # weak, and the strongest there was
        (JOY, {"joy": 2, "fear": 3}, False, "neutral"),
        (JOY, {"joy": 3.5, "fear": 4}, False, "fear"),
        (JOY, {"valence": 7, "liking": 7, "arousal": 7}, False, "neutral"),  # nothing of the eight
        (NEUTRAL_CLIP, {"joy": 3.4, "arousal": 7}, True, "neutral"),
        (NEUTRAL_CLIP, {"sadness": 3.5}, False, "sadness"),
    ],
)
def test_what_counts_as_felt_and_what_is_named(clip, items, was_felt, named) -> None:
    own = answers(clip, **items)
    assert felt(own)[clip] == was_felt
    assert TAXONOMY.classes[reported(own)[clip]] == named


def test_emotions_are_the_eight_items_that_are_classes() -> None:
    assert set(EMOTIONS) == set(TAXONOMY.classes) - {"neutral"}
    own = np.zeros((CLIPS, len(RATING_ITEMS)))
    for item, name in enumerate(EMOTIONS):
        own[TAXONOMY.classes.index(name) == CLASS_OF, item] = 6
    np.testing.assert_array_equal(reported(own), CLASS_OF)
    assert felt(own).all()
    assert set(np.flatnonzero(~felt(np.zeros_like(own)))) == set(np.flatnonzero(CLASS_OF != NEUTRAL))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated cohort in which everyone answers otherwise for some clips."""
    root = tmp_path_factory.mktemp("labels")
    SimulatedFACED(root=str(root / "FACED"), n_subjects=6, cache=str(root / "cache")).prepare_data()
    return root


def module(root: Path, labels: str, **options) -> FACED:
    data = SimulatedFACED(root=str(root / "FACED"), n_subjects=6, cache=str(root / "cache"), labels=labels, **options)
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture
def doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second person rates every third clip at 0."""

    def answer(root: str, subject: str) -> np.ndarray:
        own = ratings(root, subject)
        own[:: 3 if int(subject[3:]) % 2 else CLIPS + 1] = 0
        return own

    monkeypatch.setattr("datamodules.faced.ratings", answer)


@pytest.mark.usefixtures("doubtful")
@pytest.mark.parametrize("split", ["subject_80_20_23", "subject_clip_disjoint"])
def test_felt_and_not_felt_divide_the_trials_of_every_role(root: Path, split: str) -> None:
    whole, kept = module(root, "target", split=split), module(root, "felt", split=split)
    expected = {role: set(rows.tolist()) for role, rows in whole.indices.items()}
    assert set(expected) >= ({"test_seen"} if split == "subject_clip_disjoint" else set())
    y, takes_part = module(root, "self_report", split=split).store.trials.y, kept.labelled(whole.store.trials)[1]
    others = ~takes_part
    assert 0 < others.sum() < takes_part.sum()
    for role, rows in kept.indices.items():
        assert set(rows.tolist()) == {row for row in expected[role] if takes_part[row]}
    np.testing.assert_array_equal(kept.store.trials.y, CLASS_OF[kept.store.trials.stimulus])
    assert (y[others & (CLASS_OF[whole.store.trials.stimulus] != NEUTRAL)] == NEUTRAL).mean() > 0.9
    assert kept.fingerprint == whole.fingerprint, "one store serves all labels"


@pytest.mark.usefixtures("doubtful")
def test_self_report_changes_the_class_and_nothing_else(root: Path) -> None:
    named, whole = module(root, "self_report"), module(root, "target")
    for role, rows in whole.indices.items():
        np.testing.assert_array_equal(named.indices[role], rows)
        for ours, theirs in zip(named.loader(rows), whole.loader(rows), strict=True):
            for field in ("x", "stimulus", "subject", "index"):
                assert torch.equal(getattr(ours, field), getattr(theirs, field))
            trials = named.store.trials
            np.testing.assert_array_equal(ours.y, trials.y[ours.index])
    person, clip = trials.subject[0], trials.stimulus[0]
    own = reported(named._ratings[person])
    np.testing.assert_array_equal(trials.y[trials.subject == person], own[trials.stimulus[trials.subject == person]])
    assert clip == 0
    assert (trials.y != whole.store.trials.y).any()


def test_labels_that_leave_nobody_are_an_error_of_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = np.eye(9)[CLASS_OF][:, [TAXONOMY.classes.index(name) for name in EMOTIONS]] * 6
    own = np.hstack([everything, np.zeros((CLIPS, 4))])
    monkeypatch.setattr("datamodules.faced.ratings", lambda *_: own)
    with pytest.raises(ValueError, match=r"--data\.labels not_felt leaves no trials for train and val and test"):
        module(root, "not_felt")


def test_missing_reports_show_before_anything_is_preprocessed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "FACED").mkdir()
    (tmp_path / "FACED" / "EEG_Features").symlink_to(root / "FACED" / "EEG_Features")
    (tmp_path / "FACED" / "Data").mkdir()
    options = {"subjects": ("sub000", "sub080", "sub100"), "cache": str(tmp_path / "cache")}
    with pytest.raises(FileNotFoundError, match=r"sub000/After_remarks\.mat; ratings need the Data folder"):
        FACED(root=str(tmp_path / "FACED"), labels="felt", **options).prepare_data()
    assert not (tmp_path / "cache").exists()
    FACED(root=str(tmp_path / "FACED"), **options).prepare_data()


def test_a_clip_folds_to_all_classes_that_people_gave_it() -> None:
    """Clip 0 is class 0 to three of four people: its probability goes there, whoever comes last in the table."""
    rng = np.random.default_rng(0)
    stimulus, subject = np.tile([0, 1], 40), np.repeat(np.arange(8), 10)
    y = np.where(stimulus == 1, 1, np.where(subject % 4 == 3, 1, 0))
    part = Trials(x=np.eye(2)[stimulus] * 4 + rng.normal(size=(80, 2)) / 9, y=y, stimulus=stimulus, subject=subject)
    clips = next(b for b in baselines(part, part, part, n_classes=2) if b.name == "clips")
    assert clips.balanced_accuracy == pytest.approx((1 + 40 / 50) / 2)
