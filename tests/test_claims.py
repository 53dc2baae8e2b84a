"""Every claim finds its number: the names in ``claims.yaml`` are those that the analyses write, to the letter."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis import ablation_cohorts, convergence, directional_ablation, ensembles, saturation_cliff
from analysis.ablation_effects import Directions, RunEffects, pooled
from analysis.base import Findings
from analysis.brain import worlds
from analysis.brain.measure import measure
from analysis.cliff import cliff
from analysis.converging import convergence as converge
from analysis.ensembling import Residuals, bars
from analysis.made_up import Voters, checkpoints
from analysis.saturation_cliff_check import points
from paper.claims import COUNTS, answer, claims
from paper.found import find
from tests.test_paper_report import VERDICT
from vaxis.validity import inside

GROUPS = {"30 epochs": 10, "45 epochs": 10, "30 epochs + rsa": 4}


def members():
    """Ten runs of each of two lengths, and four with a loss."""
    rng, kinds = np.random.default_rng(0), np.repeat([0, 1, 2], list(GROUPS.values()))
    pool = Voters(1.6 + 0.1 * rng.normal(size=len(kinds)), kinds, rng).pool()
    pool = replace(
        pool,
        groups=dict(zip(GROUPS, pool.groups.values())),
        lengths=dict(zip(GROUPS, (30, 45, 30))),
        families=dict(zip(GROUPS, ("plain", "plain", "rsa"))),
    )
    for run in pool.runs[20:]:
        run.result["loss"] = "rsa"
    return pool, rng


def of_votes():
    pool, rng = members()
    plain = pool.only(pool.plain)
    residuals = Residuals(test=rng.random((20, 30)), val=rng.random(20), likeness=np.eye(20))
    found = ensembles.ensembles(pool, plain, residuals, members=10, choose=None, draws=20)
    return ensembles.numbers(found, simulated=True), {"roles": found.roles}


def of_ablation(*, constant):
    """Of a made-up decoder; SEED-V's axis is constant within classes."""
    rng = np.random.default_rng(0)
    own = ablation_cohorts.cohort(rng)
    h, _ = ablation_cohorts.trials(rng, own.clips, people=8)
    class_of = ablation_cohorts.CLASS_OF
    v = np.arange(9.0)[class_of] if constant else own.v
    features = h.reshape(-1, 28, ablation_cohorts.DIM).mean(axis=0)
    drawn = Directions.draw(h=h, features=features, v=v, class_of=class_of, draws=20, seed=0)
    asked = ablation_cohorts.answers(own.head, *ablation_cohorts.trials(rng, own.clips, people=6), drawn.rows)
    return directional_ablation._numbers(pooled([RunEffects.of("made up", asked, drawn)]), n=1, simulated=True)


def of_language_model():
    value, null = {"value": 0.1, "low": 0.0, "high": 0.2}, {"mean": 0.0, "high": 0.1, "p": 0.04}
    own = {name: {"lost": value, "nulls": dict.fromkeys(inside.KINDS, null)} for name in inside.MEASURES}
    corpora = {"tweets": own | {"texts": 60}}
    return {"analysis": "ablate_inside", "numbers": inside.numbers(corpora), "roles": inside.roles(corpora)}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """What every analysis writes, from made-up data."""
    folder, rng = tmp_path_factory.mktemp("everything"), np.random.default_rng(0)
    world = worlds.draw(seed=(1,))
    positions = world.positions | {"rank": world.positions["axis"]}
    stats = measure(world.cohort, positions, world.random, draws=19).stats
    maps = {name: stat.number(simulated=True) for name, stat in stats.items()}
    drawn, apart = checkpoints(rng), points(rng)
    converged = converge(drawn.checkpoints, drawn.positions, finals=len(drawn.checkpoints), draws=19)
    fallen = cliff(apart, networks={p.recipe: "made up" for p in apart}, draws=50)
    votes, roles = of_votes()
    for name, numbers, detail in (
        ("eeg_map", maps, {"dataset": "faced"}),
        ("eeg_map", maps, {"dataset": "seedv"}),
        ("convergence", convergence.numbers(converged, simulated=True), {"dataset": "faced"}),
        ("saturation_cliff", saturation_cliff.numbers(fallen, simulated=True), {"dataset": "faced"}),
        ("ensembles", votes, {"dataset": "faced"} | roles),
        ("directional_ablation", of_ablation(constant=False), {"dataset": "faced"}),
        ("directional_ablation", of_ablation(constant=True), {"dataset": "seedv"}),
    ):
        Findings(text="", numbers=numbers, detail=detail).save(folder / detail["dataset"] / name, name=name)
    (folder / "ablate_inside.json").write_text(json.dumps(of_language_model()))
    change = {"mean": -0.01, "p": 0.3, "low": -0.03, "high": 0.01}
    more = {
        "controls": [{"name": name, "change": change} for name in ("random", "arousal")],
        "others": [{"name": "within_class_residual", "paired": change, "null_mean": [0.3, 0.3], "null_95": [0.6, 0.6]}],
    }
    (folder / "verdict.json").write_text(json.dumps(VERDICT | more))
    return find([folder])


def test_every_claim_with_a_number_finds_exactly_that_number(everything):
    assert not everything.broken
    results = {str(result.file): result for result in everything.results}
    asked = [one for one in answer(everything) if one.claim.ours]
    assert len(asked) > 50
    assert [one.claim.id for one in asked if one.value is None] == []
    for one in asked:
        result = results[one.source]
        assert one.value is result.numbers[one.name], one.claim.id
        assert result.analysis == one.claim.ours["analysis"]
        assert result.dataset == one.claim.ours.get("dataset", result.dataset)
        assert one.name == one.claim.ours.get("number", one.name)


def test_no_name_is_a_pattern_and_each_has_one_place():
    for claim in claims():
        if claim.ours:
            assert ("number" in claim.ours) != ("role" in claim.ours), claim.id
            assert not set("*?") & set("".join(claim.ours.values())), claim.id


def test_roles_of_a_vote_are_its_members_and_epochs(everything):
    by_id = {one.claim.id: one for one in answer(everything)}
    names = {
        "five": "bar[5 x 30]", "ten": "bar[10 x 30]", "longer": "bar[5 x 45]", "mixed": "bar[5 x 30 + 5 x 45]",
        "ten-longer": "bar[10 x 45]",
    }  # fmt: skip
    assert {name: by_id[f"ensemble-{name}"].name for name in names} == names
    assert by_id["ensemble-five"].number.endswith("(bar[5 x 30])")  # whose epochs these are is said
    assert "30 + 5 x 45 minus 10 x 45" in by_id["ensemble-mixing"].name
    assert by_id["axis-removed"].number.endswith("(tweets axis again lost random texts)")


def test_of_three_lengths_the_pair_with_most_bars_has_the_roles():
    pool, _ = members()
    own = dict(zip(("45 epochs", "60 epochs", "30 epochs"), pool.groups.values()))
    pool = replace(
        pool, groups=own, lengths={name: int(name[:2]) for name in own}, families=dict.fromkeys(own, "plain")
    )
    for run in pool.runs:
        run.result["loss"] = "none"
    found = bars(pool, members=10)
    assert found.roles["half"] == "bar[5 x 45]"  # four runs of 30 epochs make no vote of five
    assert found.roles["whole of longer"] == "bar[10 x 60]"
    assert "5 x 30 needs 1 more runs of 30 epochs" in found.missing


def test_counts_of_rows_have_no_number_until_a_table_is_there(everything):
    by_id = {one.claim.id: one for one in answer(everything)}
    assert all(by_id[name].ours == "" for name in COUNTS)
