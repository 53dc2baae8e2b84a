"""What the flags of a verdict come to before anything is trained: seeds, looks, losses, controls."""

from itertools import pairwise

import pytest

from measures.outcome import LOOKS
from studies.controls import check_random, control_target
from studies.losses import one_loss_each
from studies.plan import Plan
from studies.seeds import PAPER, first_seeds, looks_of, seeds_of
from tests.conftest import make_axis
from vaxis.axis import Axis


def test_by_default_the_papers_seeds_and_the_random_control():
    plan, words = Plan.parse(["--loss", "rsa", "--loss.weight=2"])
    assert plan == Plan(seeds=PAPER, controls=("random",))
    assert words == ["--loss", "rsa", "--loss.weight=2"]


def test_every_flag_of_a_verdict():
    flags = "--seeds 7,8,9 --controls random,arousal --lengths 10,20 --new_clips --new_clips_seeds 9 --margin 0.02"
    plan, words = Plan.parse([*flags.split(), "--planted", "--trainer.max_epochs=5"])
    assert plan.seeds == (7, 8, 9)
    assert plan.looks is None
    assert plan.controls == ("random", "arousal")
    assert plan.lengths == (10, 20)
    assert plan.new_clips == 3, "no more folds' seeds than seeds"
    assert (plan.margin, plan.planted) == (0.02, True)
    assert words == ["--trainer.max_epochs=5"]
    assert Plan.parse(["--controls", "none"])[0].controls == ()
    assert Plan.parse(["--new_clips_seeds", "3"])[0].new_clips == 0


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--lengths=0,5", "one epoch or more"),
        ("--margin=0", "--margin must be above 0"),
        ("--new_clips_seeds=0", "--new_clips_seeds must be 1 or more"),
        ("--seeds=auto:1", "two pairs are the least"),
        ("--seeds=auto:many", "whole number of pairs"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(flag, message):
    with pytest.raises(ValueError, match=message):
        Plan.parse([flag])


def test_seeds_as_needed_start_with_the_papers_and_go_on_with_fixed_numbers():
    assert looks_of("auto") == LOOKS
    assert seeds_of("auto") == (*PAPER, *range(3000, 3015))
    assert looks_of("auto:12") == (5, 8, 12)
    assert looks_of("auto:10") == (5, 8, 10)
    assert looks_of("auto:3") == (3,)
    assert looks_of("auto:30") == (*LOOKS, 24, 28, 30)
    assert looks_of("1,2") is None
    assert first_seeds(7)[:5] == PAPER
    for smaller, larger in pairwise(first_seeds(n) for n in range(1, 25)):
        assert larger[:-1] == smaller, "a larger budget trains the same runs first"


class TestSeveralLosses:
    def test_each_gets_the_flags_that_are_of_all_and_its_own(self):
        words = "--loss rsa,vaxis_mse --loss.weight 2 --loss.rsa.metric=cosine --seed=3 --loss.vaxis_mse.mode pair"
        assert one_loss_each(words.split()) == [
            ["--loss", "rsa", "--loss.weight", "2", "--seed=3", "--loss.metric=cosine"],
            ["--loss", "vaxis_mse", "--loss.weight", "2", "--seed=3", "--loss.mode=pair"],
        ]

    def test_a_composition_keeps_the_flags_of_its_parts(self):
        words = ["--loss=rsa+vaxis_mse,rsa", "--loss.rsa.weight=2", "--loss.vaxis_mse.weight=3"]
        assert one_loss_each(words) == [
            ["--loss", "rsa+vaxis_mse", "--loss.rsa.weight=2", "--loss.vaxis_mse.weight=3"],
            ["--loss", "rsa", "--loss.weight=2"],
        ]

    def test_one_loss_is_left_as_it_is(self):
        for words in ([], ["--loss", "rsa"], ["--loss=a+b", "--loss.a.weight=1"], ["--loss"]):
            assert one_loss_each(words) == [words]

    def test_a_loss_named_twice_is_refused(self):
        for names in ("rsa,rsa", "rsa,"):
            with pytest.raises(ValueError, match="name each loss once"):
                one_loss_each(["--loss", names])


class TestControls:
    def test_names_and_files(self, tmp_path):
        file = make_axis(seed=3).save(tmp_path / "other.npz")
        assert control_target("random", axis=make_axis()) == "random"
        assert control_target(str(file), axis=make_axis()) == str(file)
        with pytest.raises(FileNotFoundError, match=r"none\.npz"):
            control_target(str(tmp_path / "none.npz"), axis=make_axis())
        with pytest.raises(ValueError, match="choose from random, arousal, none"):
            control_target("arrousal", axis=make_axis())

    def test_arousal_is_read_as_the_axis_was(self, words):
        from vaxis.language.extraction import ensure_axis

        axis = Axis.load(ensure_axis(llm="bundled", readout="last", quiet=True))
        found = Axis.load(control_target("arousal", axis=axis))
        assert found.provenance["quality"] == "arousal"
        for asked in ("llm", "readout", "layer", "taxonomy"):
            assert found.provenance["request"][asked] == axis.provenance["request"][asked]

    def test_a_planted_axis_has_no_arousal(self):
        with pytest.raises(ValueError, match="planted or drawn: use --controls random"):
            control_target("arousal", axis=make_axis())

    def test_a_taxonomy_without_unrelated_orders_is_told_before_the_first_run(self, axis, monkeypatch):
        check_random(axis, positions=None, seeds=(1, 2))
        monkeypatch.setattr("vaxis.targets.UNRELATED", 0.0)
        with pytest.raises(ValueError, match="leave them out with --controls none"):
            check_random(axis, positions=None, seeds=(1, 2))
