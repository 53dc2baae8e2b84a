"""What a verdict stands beside: people, simple models, controls, training length, new clips, and its four outcomes."""

import json

import numpy as np
import pytest

from analysis.people import scores
from analysis.verdict_record import Verdict
from measures.people import crossed
from records.run import Run
from tests.finished_runs import SEEDS, edit_result, write_arm, write_arms, write_predictions, write_run
from tests.verdict_cases import arm, everything, ridge, shifted, words

FLAT = (0.0004, -0.0006, 0.0005, 0.0001, -0.0003)


def none(folder, accuracy, **changes):
    return write_arm(folder, loss="none", weight=0.0, accuracy=accuracy, **changes)


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp("helped"), deltas=(0.06, 0.07, 0.05, 0.065, 0.055), plateau=True)


# --- four outcomes ---


def test_a_difference_within_the_margin_is_equivalent_and_the_margin_is_said(tmp_path):
    arms = write_arms(tmp_path, deltas=FLAT)
    verdict = Verdict.from_runs(*arms)
    assert verdict.judgement == "equivalent"
    assert "is equivalent to no loss within ±0.01 on these 3 people" in verdict.sentence
    assert "margin of equivalence ±0.01, two one-sided tests p = " in verdict.text()
    assert Verdict.from_runs(*arms, margin=0.0004).judgement == "unresolved"
    content = json.loads(verdict.to_json())
    assert (content["format"], content["judgement"], content["judged"]["margin"]) == (2, "equivalent", 0.01)


def test_looks_widen_the_intervals_and_say_what_was_saved(helped):
    fixed, looked = Verdict.from_runs(*helped), Verdict.from_runs(*helped, looks=(5, 8, 12))
    assert looked.judged.low < fixed.judged.low
    assert looked.judged.high > fixed.judged.high
    assert "repeated 95 % interval" in looked.sentence
    assert "5 of at most 12 pairs were run, 7 saved" in words(looked)
    assert "over all looks" not in words(fixed)
    assert looked.people.level > fixed.people.level == 0.95
    assert looked.people.crossed.low < fixed.people.crossed.low
    with pytest.raises(ValueError, match="none of the planned looks"):
        Verdict.from_runs(*helped, looks=(8, 12))


# --- people ---


def test_people_are_those_of_the_predictions(helped):
    verdict = Verdict.from_runs(*helped)
    tables = [np.array([list(scores(run).values()) for run in arm]) for arm in helped]
    assert verdict.people.subjects == (100, 101, 102)
    assert verdict.people.treated == pytest.approx(tables[1].mean(axis=0))
    expected = crossed(tables[1] - tables[0])
    found = verdict.people.crossed
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert verdict.people.gain == int((tables[1].mean(axis=0) > tables[0].mean(axis=0)).sum())
    low, high = verdict.people.bootstrap
    assert low < verdict.people.crossed.mean < high


def test_the_sentence_tells_these_people_from_new_ones(tmp_path):
    """One person of three gains all of it: sure on these, not on others."""
    arms = write_arms(tmp_path, deltas=(0.06, 0.07, 0.05, 0.065, 0.055))
    for run in arms[1]:
        write_predictions(run.files.predictions, seed=run.seed, accuracy=0.6)
        trials = dict(np.load(run.files.predictions))
        lucky = trials["test_subject"] == 101
        trials["test_probabilities"][lucky] = np.eye(9)[trials["test_y"][lucky]]
        np.savez(run.files.predictions, **trials)
    verdict = Verdict.from_runs(*arms)
    assert verdict.judgement == "helps"
    assert verdict.people.outcome == "unresolved"
    assert "helps on these 3 people" in verdict.sentence
    assert "for new people it is unresolved" in verdict.sentence


def test_confusion_is_the_mean_share_of_calls(helped):
    verdict = Verdict.from_runs(*helped)
    for matrix, runs in zip(verdict.people.confusion, helped, strict=True):
        assert np.sum(matrix, axis=1) == pytest.approx(np.ones(9))
        trials = [run.predictions() for run in runs]
        hits = [np.mean(t["probabilities"].argmax(axis=1)[t["y"] == 2] == 2) for t in trials]
        assert matrix[2][2] == pytest.approx(np.mean(hits))
    assert verdict.people.classes[0] == next(iter(helped[0][0].score_by_class()))


# --- simple models ---


@pytest.mark.parametrize(("lead", "warned"), [(0.1, True), (0.0, True), (-0.2, False)])
def test_a_decoder_that_a_ridge_beats_is_under_trained(helped, lead, warned):
    verdict = Verdict.from_runs(*helped, baselines=ridge(helped[0], lead=lead))
    assert ("under-trained: a ridge regression scores" in words(verdict)) == warned
    assert any("under-trained" in text for text in json.loads(verdict.to_json())["warnings"]) == warned
    assert ("beats the best linear model" in words(verdict)) != warned
    assert "within each person * 0.990" in words(verdict)
    assert "transductive" in words(verdict)


def test_a_decoder_within_noise_of_a_ridge_is_under_trained(helped):
    found = ridge(helped[0], lead=-0.02)
    for shift, person in zip(
        (0.2, -0.1, -0.1), found[0].by_person
    ):  # two of three people are better off with the ridge
        found[0].by_person[person] += shift
    assert "within noise of each other" in words(Verdict.from_runs(*helped, baselines=found))


def test_simple_models_of_other_people_are_refused(helped):
    found = ridge(helped[0], lead=0.1)
    found[0].by_person[7] = 0.5
    with pytest.raises(ValueError, match="was scored on people"):
        Verdict.from_runs(*helped, baselines=found)


# --- controls ---


def test_because_of_the_axis_only_where_every_control_is_beaten(tmp_path):
    arms = none(tmp_path / "a", 0.6), arm(tmp_path / "b", 0.66)
    beaten = shifted(tmp_path / "c", 0.60, control="random")
    level = write_arm(tmp_path / "d", accuracy=tuple(r.score("balanced_accuracy") for r in arms[1]), control="arousal")
    for run, nudge in zip(level, FLAT):
        scored = {**run.result["test"], "balanced_accuracy": run.score("balanced_accuracy") + nudge}
        edit_result(run.path, test=scored)
    level = [Run.load(run.path) for run in level]
    one = Verdict.from_runs(*arms, controls={"random": beaten})
    assert "It helps because of the axis: it beats the random target (+0.060 [" in one.sentence
    both = Verdict.from_runs(*arms, controls={"random": beaten, "arousal": level})
    assert "because of the axis is not shown: the arousal target does as well" in both.sentence
    assert both.controls[0].change.mean == pytest.approx(0.0, abs=1e-3)
    assert "other targets accuracy minus none axis minus it" in words(both)


def test_a_control_that_helps_too_may_still_be_beaten(tmp_path):
    """The question is what the axis adds to the loss, not what the loss does without it."""
    arms = none(tmp_path / "a", 0.6), arm(tmp_path / "b", 0.70)
    verdict = Verdict.from_runs(*arms, controls={"random": shifted(tmp_path / "c", 0.65, control="random")})
    (control,) = verdict.controls
    assert (control.change_judged.outcome, control.judged.outcome) == ("helps", "helps")
    assert "It helps because of the axis" in verdict.sentence


def test_a_loss_that_hurts_with_any_target_does_not_hurt_because_of_the_axis(tmp_path):
    arms = none(tmp_path / "a", 0.6), arm(tmp_path / "b", 0.55)
    alike, better = (
        shifted(tmp_path / name, accuracy, control=name) for name, accuracy in (("random", 0.55), ("arousal", 0.6))
    )
    verdict = Verdict.from_runs(*arms, controls={"random": alike})
    assert "That it hurts because of the axis is not shown" in verdict.sentence
    verdict = Verdict.from_runs(*arms, controls={"arousal": better})
    assert "It hurts because of the axis: it falls below the arousal target" in verdict.sentence


def test_a_control_is_the_same_loss_on_the_same_seeds(tmp_path, helped):
    other = write_arm(tmp_path / "o", accuracy=0.6, loss="rsa", control="random")
    with pytest.raises(ValueError, match="same loss with another target"):
        Verdict.from_runs(*helped, controls={"random": other})
    few = write_arm(tmp_path / "f", accuracy=0.6, seeds=SEEDS[1:], control="random")
    with pytest.raises(ValueError, match=r"seeds \[42\] are in one arm only \(control random or treated\)"):
        Verdict.from_runs(*helped, controls={"random": few})
    mixed = [*write_arm(tmp_path / "m", accuracy=0.6, seeds=SEEDS[:4]), Run.load(
        write_run(tmp_path / "x", loss="vaxis_mse", weight=0.5, seed=SEEDS[4], control="random")
    )]  # fmt: skip
    with pytest.raises(ValueError, match="with target random"):
        Verdict.from_runs(helped[0], mixed)


# --- new clips ---


def test_what_survives_a_new_clip(tmp_path):
    folds = {
        str(k): (
            arm(tmp_path / f"a{k}", 0.2 + 0.02 * k, loss="none", weight=0.0, seen=0.6),
            shifted(tmp_path / f"b{k}", 0.2, seen=0.55),
        )
        for k in range(3)
    }
    verdict = Verdict.from_runs(*folds["0"], new_clips=folds)
    found = verdict.new_clips
    assert [fold.without.new for fold in found.folds] == pytest.approx([0.2, 0.22, 0.24])
    assert found.without.survives == pytest.approx((0.22 - 1 / 9) / (0.6 - 1 / 9))
    assert found.treated.survives == pytest.approx((0.2006 - 1 / 9 - 0.0004) / (0.55 - 1 / 9), abs=2e-3)
    assert found.paired.mean == pytest.approx(-0.02, abs=1e-3)
    assert "22 % survives" in words(verdict).replace("22%", "22 %")
    assert "mean of 3 folds, chance 0.111" in words(verdict)


def test_clips_are_scored_whole_where_runs_say_so(tmp_path):
    arms = arm(tmp_path / "a", 0.2, loss="none", weight=0.0, seen=0.6), shifted(tmp_path / "b", 0.2, seen=0.6)
    for run in (*arms[0], *arms[1]):
        for split, value in (("test", 0.25), ("test_seen", 0.7)):
            edit_result(run.path, **{split: {**run.result[split], "clip_balanced_accuracy": value}})
    verdict = Verdict.from_runs(*([Run.load(run.path) for run in runs] for runs in arms))
    assert verdict.new_clips.without.clips_seen == pytest.approx(0.7)
    assert "whole clips, not windows 0.700 0.250" in words(verdict)


def test_runs_that_hold_no_clips_back_are_refused(helped):
    with pytest.raises(ValueError, match="subject_clip_disjoint"):
        Verdict.from_runs(*helped, new_clips={"0": helped})
    assert Verdict.from_runs(*helped).new_clips is None


# --- all of it ---


def test_the_answer_comes_first_and_no_line_is_wide(tmp_path):
    verdict, _ = everything(tmp_path)
    lines = verdict.text(verbose=True).splitlines()
    assert max(map(len, lines)) <= 96
    assert not any(line != line.rstrip() for line in lines)
    assert lines[0].startswith("VERDICT: vaxis_mse at weight 0.5 helps")
    assert "97.8 %" in words(verdict)
    assert "Gradient in class means" not in verdict.text()
    json.loads(verdict.to_json(), parse_constant=pytest.fail)
