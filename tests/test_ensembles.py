"""Votes of finished runs: what they are worth, which members make them so, and what each is compared with."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.ensembles_check import calibrate, recover
from analysis.ensembling import agreement, bars, mixing
from analysis.gather import gather
from analysis.made_up import voters
from analysis.pools import pool
from analysis.selection import Judge, by_diversity, by_vote, highest, residual_likeness
from measures.scores import classification_scores, confusion_matrix
from measures.votes import Blend, Members, compare, contributions, kappas, people_error, subsets
from tests.conftest import make_axis
from tests.finished_runs import edit_result
from tests.member_runs import CLASS_OF, PEOPLE, draw, write_member


def plainly(votes, members):
    """Balanced accuracy of a vote, in so many words."""
    called = votes.probabilities[list(members)].mean(axis=0).argmax(axis=1)
    confusion = confusion_matrix(votes.y, called, n_classes=votes.probabilities.shape[2])
    return classification_scores(confusion, classes=tuple("abcdefghi"))["balanced_accuracy"]


@pytest.fixture(scope="module")
def votes():
    return voters(np.random.default_rng(0), spread=0.3).people(12)


def test_a_vote_is_the_mean_of_the_probabilities(votes):
    sets = np.array([[1, 0, 1, 0, 0, 0, 0, 1, 0, 0], [1] * 10])
    expected = [plainly(votes, np.flatnonzero(row)) for row in sets]
    assert votes.accuracy(votes.hits(sets)) == pytest.approx(expected)


def test_people_and_classes_without_trials_are_left_out(votes):
    kept = votes.y != 3
    part = Members(votes.probabilities[:, kept], votes.y[kept], votes.subject[kept] + 100)
    assert part.accuracy(part.hits(np.ones((1, 10))))[0] == pytest.approx(plainly(part, range(10)))
    assert part.support[:, 3].sum() == 0


def test_interval_over_people_is_that_of_their_mean_where_all_saw_the_same(votes):
    hits = votes.hits(np.ones((1, 10)))[0]
    own = (hits / votes.support).mean(axis=1)
    error, freedom = people_error(hits, votes.support)
    assert error == pytest.approx(own.std(ddof=1) / np.sqrt(12))
    assert freedom == 11


def test_contribution_is_the_loss_without_the_member(votes):
    found = votes.accuracy(contributions(votes))
    for k in (0, 7):
        rest = [m for m in range(10) if m != k]
        assert found[k] == pytest.approx(plainly(votes, range(10)) - plainly(votes, rest))


def test_kappa_is_that_of_scikit_learn(votes):
    from sklearn.metrics import cohen_kappa_score

    whole, left = kappas(votes)
    assert whole[2, 5] == pytest.approx(cohen_kappa_score(votes.called(2), votes.called(5)))
    rest = votes.subject != 4
    assert left[4, 2, 5] == pytest.approx(cohen_kappa_score(votes.called(2)[rest], votes.called(5)[rest]))


def test_subsets_are_all_there_are_or_so_many_random_ones():
    groups = {"a": [0, 1, 2], "b": [3, 4]}
    rows = subsets(groups, {"a": 2, "b": 1}, size=6, most=10)
    assert len(rows) == len({tuple(row) for row in rows}) == 6
    assert (rows[:, :3].sum(axis=1) == 2).all()
    assert (rows[:, 3:5].sum(axis=1) == 1).all()
    assert len(subsets(groups, {"a": 2, "b": 1}, size=6, most=4)) == 4


def test_a_blend_averages_its_subsets_and_can_leave_a_member_out(votes):
    blend = Blend({"a": range(4)}, {"a": 3})
    expected = np.mean([plainly(votes, s) for s in itertools.combinations(range(4), 3)])
    assert float(votes.accuracy(blend.hits(votes))) == pytest.approx(expected)
    assert float(votes.accuracy(blend.hits(votes, without=1))) == pytest.approx(plainly(votes, (0, 2, 3)))


def test_a_difference_counts_people_and_members():
    drawn = voters(np.random.default_rng(1), each=5, spread=0.4)
    seen = drawn.people(40)
    groups = {"one": range(5), "other": range(5, 10)}
    found = compare(seen, Blend(groups, {"one": 5}), Blend(groups, {"other": 5}))
    difference = Blend(groups, {"other": 5}).hits(seen) - Blend(groups, {"one": 5}).hits(seen)
    assert found.error > 1.2 * people_error(difference, seen.support)[0]
    same = compare(seen, Blend(groups, {"one": 5}), Blend(groups, {"one": 5}))
    assert (same.value, same.p) == (0, 1)


def test_greedy_vote_is_the_best_pair_that_begins_with_the_best_member(votes):
    alone = [plainly(votes, [k]) for k in range(10)]
    first = int(np.argmax(alone))
    pairs = {k: plainly(votes, [first, k]) for k in range(10) if k != first}
    assert by_vote(votes, 2) == (first, max(pairs, key=pairs.get))
    assert highest(np.array([1.0, 3, 2, 3]), 2) == (1, 3)


def test_residual_likeness_does_not_see_rotation_width_or_class_means():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(28, 6))
    turned = np.hstack([features, np.zeros((28, 3))]) @ np.linalg.qr(rng.normal(size=(9, 9)))[0]
    moved = turned + rng.normal(size=(9, 9))[CLASS_OF]
    other = rng.normal(size=(28, 6))
    likeness = residual_likeness([features, moved, other], CLASS_OF)
    assert likeness[0, 1] == pytest.approx(1)
    assert likeness[0, 2] < 0.8
    assert by_diversity(likeness, np.array([0.5, 0.4, 0.3]), 2) == (0, 2)


def test_choice_is_held_against_every_set_of_its_size():
    drawn = voters(np.random.default_rng(2), spread=0.6).pool()
    judge = Judge.of(drawn.votes, m=3)
    assert len(judge.sets) == 120
    everything = [plainly(drawn.votes["test"], s) for s in itertools.combinations(range(10), 3)]
    chosen = judge(highest(np.array([plainly(drawn.votes["val"], [k]) for k in range(10)]), 3))
    assert chosen.random_test == pytest.approx(np.mean(everything))
    assert chosen.z == pytest.approx((chosen.test.value - np.mean(everything)) / np.std(everything, ddof=1))
    gains = chosen.val - chosen.random_val, chosen.test.value - chosen.random_test
    assert chosen.optimism.value == pytest.approx(gains[0] - gains[1])


def test_p_values_of_alike_members_are_uniform():
    for name, p in calibrate(cohorts=30, seed=0).items():
        assert np.mean(np.array(p) < 0.05) < 0.25, name
        assert 0.3 < np.mean(p) < 0.7, name


def test_intervals_cover():
    found = recover(cohorts=40, seed=0)
    assert all(0.85 < value <= 1 for value in found.values()), found


def write(folder, *, seeds, strength=1.6, **changes):
    """Members whose trouble is shared, so that a vote cannot remove all of it."""
    common = np.random.default_rng(99)
    trouble = {split: 0.7 * common.normal(size=(len(people), 28, 9)) for split, people in PEOPLE.items()}
    for seed in seeds:
        member = draw(np.random.default_rng([seed, changes.get("epochs", 6)]), strength=strength, trouble=trouble)
        write_member(folder, seed=seed, network="small", **member, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("ensembles")
    write(path / "short", seeds=range(4), epochs=10)
    write(path / "long", seeds=range(4, 8), epochs=15, strength=2.4)
    write(path / "treated", seeds=range(3), epochs=10, loss="vaxis_mse", weight=0.5, strength=0.8)
    axis = make_axis()
    axis.save(path / "axis.npz")
    for run in path.glob("*/*-*"):
        edit_result(run, axis=axis.fingerprint, positions="planted")
    return path


def test_groups_are_runs_that_differ_in_their_seed_alone(folder):
    everything = pool(gather([folder]).runs)
    assert {name: len(own) for name, own in everything.groups.items()} == {
        "10 epochs": 4, "15 epochs": 4, "10 epochs + vaxis_mse 0.5": 3,
    }  # fmt: skip
    plain = everything.only(everything.plain)
    assert len(plain.runs) == 8
    assert (plain.labels == [f"{run.result['epochs']} epochs" for run in plain.runs]).all()


def test_bars_have_their_cost_and_say_what_is_missing(folder):
    everything = pool(gather([folder]).runs)
    found = bars(everything, members=4)
    costs = {bar.label: bar.cost for bar in found.made}
    assert costs == {"2 x 10": 20, "4 x 10": 40, "2 x 15": 30, "2 x 10 + 2 x 15": 50, "4 x 15": 60}
    assert found.differences["longer members: 2 x 15 minus 2 x 10"].low > 0
    assert not found.missing
    assert "10 x 15 needs 6 more runs of 15 epochs" in bars(everything, members=10).missing


def test_worse_members_hurt_the_vote_they_are_mixed_into(folder):
    added, replaced = mixing(pool(gather([folder]).runs))["10 epochs + vaxis_mse 0.5"]
    assert replaced.value < added.value < 0
    assert replaced.high < 0


def test_pairs_of_one_seed_are_told_apart():
    drawn = voters(np.random.default_rng(0)).pool()
    # The second kind repeats the first, seed by seed: pairs of one seed are copies.
    seen = drawn.votes["test"]
    twice = Members(seen.probabilities[np.tile(np.arange(5), 2)], seen.y, seen.subject)
    runs = [replace(run, result=run.result | {"seed": k % 5}) for k, run in enumerate(drawn.runs)]
    found = agreement(replace(drawn, runs=runs, votes=drawn.votes | {"test": twice}), draws=20)
    others = kappas(twice)[0][:5, :5][np.triu_indices(5, 1)]
    assert found.same_seed is not None
    assert found.same_seed.value == pytest.approx(1 - others.mean())
    assert found.same_seed.low > 0
    assert set(found.blocks) == {("kind 0", "kind 0"), ("kind 0", "kind 1"), ("kind 1", "kind 1")}


def test_command_writes_numbers_and_a_picture(folder, tmp_path, capsys):
    words = [str(folder), "--axis", str(folder / "axis.npz"), "--draws", "50", "--members", "4", "--out", str(tmp_path)]
    main(["ensembles", *words])
    shown = capsys.readouterr().out
    assert "11 runs in 3 groups, 12 test people - SIMULATED" in shown
    found = json.loads((tmp_path / "ensembles.json").read_text())
    assert {"vote[10 epochs][4]", "bar[4 x 15]", "residual_contribution_axes", "chosen[residual diversity]"} <= set(
        found["numbers"]
    )
    assert len(found["selected"]["greedy vote"]) == 6
    assert found["roles"]["mixed"] == "bar[2 x 10 + 2 x 15]"
    assert "half" not in found["published"]  # published of five members, these are two
    assert found["numbers"]["added_all_aligned"]["value"] < 0
    assert (tmp_path / "ensembles.png").stat().st_size > 30_000


def test_votes_need_no_axis_but_say_that_it_is_missing(folder, capsys):
    main(["ensembles", str(folder), "--draws", "20"])
    shown = capsys.readouterr().out
    assert "no axis, so nothing about residuals" in shown
    assert "residual diversity" not in shown


def test_runs_of_other_trials_cannot_vote(folder, tmp_path):
    write(tmp_path / "more", seeds=[20])
    edit_result(tmp_path / "more" / "none-20", data="other")
    with pytest.raises(SystemExit, match="cannot vote together: data is"):
        main(["ensembles", str(folder), str(tmp_path)])
    nan = {split: np.full((len(people), 28, 9), np.nan) for split, people in PEOPLE.items()}
    write_member(tmp_path / "nan", seed=21, probabilities=nan, features={s: p[..., :3] for s, p in nan.items()})
    with pytest.raises(SystemExit, match="none-21 has val probabilities that are not finite"):
        main(["ensembles", str(folder), str(tmp_path / "nan")])
    with pytest.raises(SystemExit, match="--choose"):
        main(["ensembles", str(folder), "--choose", "8"])
