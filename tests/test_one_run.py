"""One run against ten: what is run, what the table says of made-up scores, and which cohorts it names as failures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.band_decoders import Trials
from benchmarks.one_run import augmented, dials
from command_line.settings import RunSettings
from paper import one_run_plan as plan
from paper.one_run import _asked, _listing
from paper.one_run_scores import Tried, against, against_plain
from paper.one_run_table import written
from tests.conftest import ROOT

SEEDS = tuple(range(10))


def tried(way: str, value: float, *, seeds=SEEDS[:2], spread: float = 0.01, validation: float | None = None) -> Tried:
    """An arm whose runs scatter about a value."""
    rng = np.random.default_rng([len(way), int(1000 * value)])
    alone = value + spread * rng.normal(size=(len(seeds), 12))
    votes = {size: alone[:size].mean(axis=0) + 0.05 for size in (5, 10) if size <= len(seeds)}
    return Tried(
        way=plan.ways()[way],
        seeds=tuple(seeds),
        alone=alone,
        votes=votes,
        validation=np.full(len(seeds), value if validation is None else validation),
        clips=None,
        why={},
    )


def cohort(*, folded: float) -> dict[str, Tried]:
    arms = [tried("plain", 0.60, seeds=SEEDS), tried("folded", folded), tried("swap_noise", 0.61, validation=0.9)]
    return {one.way.id: one for one in [*arms, tried("centred", 0.75, validation=0.95)]}


def test_a_claim_names_the_cohorts_that_break_it(tmp_path: Path) -> None:
    found = {"default": {0: cohort(folded=0.70), 1: cohort(folded=0.70), 2: cohort(folded=0.62)}}
    text = written(found, folder=tmp_path, command="x", simulated=True)
    assert "One run, folded clip head: ahead of ten in 2 of 3 cohorts, surely in 2; not in cohort 2." in text
    assert "One run, person swap + noise: ahead of ten in 0 of 3 cohorts, surely in 0." in text
    assert "centred on the person (t)" in text
    assert "SIMULATED" in text
    assert {file.name for file in tmp_path.iterdir()} == {"one_run.json", "one_run.md", "one_run.png"}


def test_choices_are_made_on_validation_people_and_among_inductive_arms(tmp_path: Path) -> None:
    text = written({"default": {0: cohort(folded=0.70)}}, folder=tmp_path, command="x", simulated=True)
    assert "Chosen on validation people within 1 unit: 0: person swap + noise (0.6" in text


def test_differences_are_paired_by_seed_and_stand_beside_the_vote() -> None:
    plain, folded = tried("plain", 0.6, seeds=SEEDS, spread=0.05), tried("folded", 0.7)
    shifted = Tried(**{**vars(folded), "alone": plain.alone[[3, 7]] + 0.1, "seeds": (3, 7)})
    paired = against_plain(shifted, plain)
    assert paired is not None
    assert paired.mean == pytest.approx(0.1)
    assert paired.high - paired.low < 1e-9
    difference = against(shifted, plain.votes[10])
    assert difference.low < shifted.value - plain.votes[10].mean() < difference.high


@pytest.mark.parametrize("world", plan.worlds())
def test_every_world_is_a_run_and_worlds_differ(world: str) -> None:
    (found,) = plan.cohorts([], names=[world], numbers=[4], real=False)
    assert found[:2] == (world, 4)
    assert found[2].value("data.cohort_seed") == 4
    default = RunSettings.parse([])
    moved = [name for name in found[2].differences(default) if "cohort_seed" not in name]
    assert bool(moved) == (world != "default")


@pytest.mark.parametrize("name", plan.worlds())
def test_the_loop_by_hand_has_the_same_worlds(name: str) -> None:
    ((_, _, run),) = plan.cohorts([], names=[name], numbers=[0], real=False)
    snr, world = dials(plan.worlds()[name][1])
    assert snr == run.value("data.snr")
    assert vars(world) == run.value("data.world")


def test_arms_by_hand_leave_classes_in_and_take_persons_out() -> None:
    """Of people who show nothing but their offsets, a swapped trial is one of another person."""
    x = torch.randn(80, 1, 32, 5).expand(80, 84, 32, 5).clone()
    train = Trials(x.flatten(0, 1), torch.zeros(6720), torch.zeros(6720))
    change = augmented(plan.ways()["swap"], train)
    assert change is not None
    moved = change(train.x[:300], torch.arange(300)).flatten(1)
    assert torch.cdist(moved, x[:, 0].flatten(1)).min(dim=1).values.max() < 0.1
    assert torch.cdist(moved, x[:4, 0].flatten(1)).min(dim=1).values.gt(1).sum() > 200
    assert augmented(plan.ways()["plain"], train) is None


def test_arms_change_what_they_say(tmp_path: Path) -> None:
    run = RunSettings.parse([])
    for way in plan.ways().values():
        changed = run
        for place, value in way.changes.items():
            changed = changed.with_value(place, value)
        assert (len(changed.differences(run)) > 0) == bool(way.changes)
        if way.changes:  # names and values are what the parser of a run takes
            RunSettings.parse(["--config", str(changed.save(tmp_path / "run.yaml"))])
        assert not (way.transductive and way.changes.get("data.normalise") != "subject")


def test_what_an_arm_needs_comes_along_and_typos_are_named() -> None:
    assert [way.id for way in plan.chosen("snapshots", first="all")] == ["plain", "kept", "snapshots"]
    assert [way.id for way in plan.chosen(None, first="main")] == ["plain", "swap_noise", "folded", "centred"]
    with pytest.raises(ValueError, match="--arms: no arm 'foldde'"):
        plan.chosen("foldde", first="all")
    with pytest.raises(ValueError, match="--worlds: no world 'shift'"):
        _asked("default,shift", None, real=False)


def test_other_worlds_run_the_main_arms_unless_more_are_asked_for() -> None:
    asked = _asked("default,shifts,linear:main+swap", None, real=False)
    assert {way.id for way in asked["shifts"]} == {"plain", "swap_noise", "folded", "centred"}
    assert {way.id for way in asked["linear"]} == {"plain", "swap_noise", "folded", "centred", "swap"}
    assert len(asked["default"]) > 15
    text = _listing(asked, seeds=SEEDS, fewer=2, cohorts=3)
    assert "3 x 16 runs" in text


def test_the_recipe_is_the_folded_head_for_two_units() -> None:
    run = RunSettings.parse(["--config", str(ROOT / "configs" / "recipe_one_run.yaml")])
    assert run.value("model.head") == plan.ways()["folded_x2"].changes["model.head"]
    assert run.epochs == plan.ways()["folded_x2"].longer * RunSettings.parse([]).epochs
