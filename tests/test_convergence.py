"""Correlations over checkpoints that are not independent, and the command that reads them from finished runs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis import made_up
from analysis.__main__ import main
from analysis.convergence_check import calibrate, recover
from analysis.convergence_figure import figure
from analysis.convergence_text import text
from analysis.converging import convergence
from analysis.stimuli import kept
from measures.alignment import class_pc1, within_class_residual
from measures.clustered import (
    against_axes,
    as_published,
    between,
    cluster_robust,
    effective_number,
    pearson,
    scatter_number,
    two_sided,
    within,
)
from records.run import Run
from tests.conftest import make_axis
from tests.finished_runs import edit_result
from tests.member_runs import CLASS_OF, draw, write_member


def test_equal_correlation_of_083_makes_36_checkpoints_worth_12():
    rng, c = np.random.default_rng(0), 0.83
    common = rng.normal(size=20_000)
    rows = np.sqrt(c) * common + np.sqrt(1 - c) * rng.normal(size=(36, 20_000))
    assert effective_number(rows) == pytest.approx(36 / (1 + 35 * c), abs=0.02)
    assert effective_number(rng.normal(size=(36, 20_000))) == pytest.approx(36, abs=1)
    assert effective_number(np.tile(common, (36, 1))) == pytest.approx(1)


def test_scatter_counts_independent_pairs_and_never_less_than_two_points():
    rng = np.random.default_rng(0)
    accuracy = rng.normal(size=12)
    assert scatter_number(accuracy, rng.normal(size=(12, 20_000))) == pytest.approx(12, abs=0.4)
    two = np.repeat([[1.0], [-1.0]], 6, axis=0) * rng.normal(size=(1, 1000))
    assert scatter_number(np.repeat([0.5, 0.7], 6), two) == pytest.approx(2)


def test_pearson_and_its_p_are_those_of_scipy():
    from scipy import stats

    x, y = np.random.default_rng(0).normal(size=(2, 36))
    found, known = as_published(x, y), stats.pearsonr(x, y)
    assert (found.r, found.p) == pytest.approx((known.statistic, known.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(known.confidence_interval()), abs=1e-6)
    assert np.isnan(pearson(x, np.ones((1, 36)))[0])


def test_two_sided_p_counts_the_smaller_tail_twice():
    null = np.arange(1, 100.0)
    assert two_sided(99.5, null) == pytest.approx(2 / 100)
    assert two_sided(0.5, null) == pytest.approx(2 / 100)
    assert two_sided(50.0, null) == 1.0
    assert np.isnan(two_sided(np.nan, null))


def test_a_difference_between_recipes_is_gone_inside_them():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(3), 12)
    x, y = group + 0.1 * rng.normal(size=36), group + 0.1 * rng.normal(size=36)
    assert as_published(x, y).p < 1e-10
    inside = within(x, y, group, draws=999)
    assert abs(inside.r) < 0.4
    assert inside.p > 0.05
    assert between(x, y, group, draws=999).p == pytest.approx(2 / 6)  # six orders have no smaller one
    robust = cluster_robust(x, y, group)
    assert robust.n == 3


def test_within_finds_what_is_inside_and_ignores_the_order_of_recipes():
    rng = np.random.default_rng(1)
    group, x = np.repeat(np.arange(4), 8), rng.normal(size=32)
    y = x + 0.5 * rng.normal(size=32) - 5 * group  # the means of recipes run the other way
    found = within(x + group, y, group, draws=999)
    assert found.r > 0.7
    assert found.p < 0.01
    order = rng.permutation(32)
    assert within((x + group)[order], y[order], group[order], draws=999).r == pytest.approx(found.r)


def test_exchanged_axes_share_their_fate_with_the_real_one():
    rng = np.random.default_rng(0)
    accuracy = np.repeat([0.5, 0.7], 18) + 0.001 * rng.normal(size=36)
    # Two recipes read every axis their own way: whatever the axis, r is near plus or minus 1.
    measure = np.where(np.arange(36)[:, None] < 18, *rng.normal(size=(2, 1, 400)))
    assert as_published(accuracy, measure[:, 0]).p < 1e-20
    assert against_axes(accuracy, measure).p > 0.3


def test_readings_are_the_measures_of_a_run():
    drawn = made_up.checkpoints(np.random.default_rng(3), recipes=2, each=2)
    result = convergence(drawn.checkpoints, drawn.positions, finals=4, draws=50)
    first, v = drawn.checkpoints[0], drawn.positions.v
    assert result.readings["class_pc1"].values[0, 0] == pytest.approx(
        class_pc1(first.tested_on, v, CLASS_OF, draws=10).value
    )
    alone = within_class_residual(first.picked_on, first.tested_on, v, CLASS_OF, draws=50)
    readings = result.readings["residual"].values[0]
    assert readings[0] == pytest.approx(alone.value)
    assert readings[1:].mean() == pytest.approx(alone.null_mean)


def test_many_copies_of_one_view_are_worth_little():
    drawn = made_up.checkpoints(np.random.default_rng(0), recipes=3, each=12)
    result = convergence(drawn.checkpoints, drawn.positions, finals=36, draws=200)
    assert result.readings["class_pc1"].effective < 3
    assert 0.3 < result.in_sample.null_mean < 0.6


@pytest.mark.filterwarnings("error")
def test_an_axis_that_is_constant_within_classes_has_no_residual():
    drawn = made_up.checkpoints(np.random.default_rng(0), recipes=2, each=3)
    v = np.array([drawn.positions.v[k == CLASS_OF].mean() for k in CLASS_OF])
    result = convergence(drawn.checkpoints, replace(drawn.positions, v=v / v.std()), finals=6, draws=50)
    assert list(result.readings) == ["class_pc1"]
    assert "within-class residual |r|: not defined" in text(result, simulated=True)
    assert figure(result, simulated=True)._suptitle.get_text().startswith("SIMULATED")


@pytest.mark.filterwarnings("error")
def test_a_checkpoint_without_a_number_is_left_out_of_it_alone():
    drawn = made_up.checkpoints(np.random.default_rng(0), recipes=2, each=4)
    flat = drawn.checkpoints[3]
    means = np.stack([flat.picked_on[k == CLASS_OF].mean(axis=0) for k in CLASS_OF])
    drawn.checkpoints[3] = replace(flat, picked_on=means, tested_on=means)
    result = convergence(drawn.checkpoints, drawn.positions, finals=8, draws=50)
    assert result.readings["class_pc1"].axes.n == 8
    assert result.readings["residual"].axes.n == 7
    assert np.isfinite(result.readings["residual"].axes.p)
    assert figure(result, simulated=True)._suptitle.get_text().startswith("SIMULATED")


def test_p_values_are_uniform_where_the_axis_means_nothing_but_not_as_published():
    found = calibrate(cohorts=40, seed=0)
    assert set(found) >= {"class_pc1_mean", "residual_mean", "accuracy_class_pc1_axes", "accuracy_residual_within"}
    for name, p in found.items():
        rejected = np.mean(np.array(p) < 0.05)
        if not name.startswith("as_published"):
            assert rejected < 0.2, name  # 40 cohorts: 8 or more at 5 % have a probability of 0.0005
            assert 0.3 < np.mean(p) < 0.7, name
    assert np.mean(np.array(found["as_published_best_component"]) < 0.05) > 0.9


def test_planted_direction_and_intervals_are_recovered():
    found = recover(cohorts=60, seed=0)
    assert found["cosine_residual"] > 0.95
    assert all(0.85 < value <= 1 for name, value in found.items() if name.startswith("coverage"))


@pytest.fixture
def folder(tmp_path):
    for seed in range(5):
        for loss in ("none", "vaxis_mse"):
            member = draw(np.random.default_rng([seed, loss == "none"]))
            write_member(tmp_path / "runs" / loss, seed=seed, loss=loss, network="small", **member)
    axis = make_axis()
    axis.save(tmp_path / "axis.npz")
    for path in (tmp_path / "runs").glob("*/*"):
        edit_result(path, axis=axis.fingerprint, positions="planted")
    return tmp_path


def test_command_writes_numbers_and_a_picture(folder, capsys):
    words = [str(folder / "runs"), "--axis", str(folder / "axis.npz"), "--draws", "60", "--out", str(folder / "out")]
    main(["convergence", *words])
    shown = capsys.readouterr().out
    assert "10 finished runs of 2 recipes" in shown
    assert "SIMULATED" in shown
    found = json.loads((folder / "out" / "convergence.json").read_text())["numbers"]
    assert found["accuracy_class_pc1_axes"]["n"] == 10
    assert found["effective_checkpoints_residual"]["interval"][0] >= 1
    assert (folder / "out" / "convergence.png").stat().st_size > 20_000


def test_kept_epochs_follow_training_and_count_as_checkpoints(folder, capsys):
    rng = np.random.default_rng(0)
    for path in (folder / "runs" / "none").iterdir():
        (path / "epochs").mkdir()
        for epoch in range(5):
            y, people = np.tile(CLASS_OF, 6), np.repeat(np.arange(6), 28)
            logits = (1 + epoch) * np.eye(9)[y] + rng.normal(size=(len(y), 9))
            (path / "epochs" / f"{epoch:04d}.ckpt").touch()
            trials = {"logits": logits, "h": logits, "y": y, "stimulus": np.tile(np.arange(28), 6), "subject": people}
            np.savez(path / "epochs" / f"{epoch:04d}.npz", **trials)
    words = [str(folder / "runs"), "--axis", str(folder / "axis.npz"), "--draws", "20", "--out", str(folder / "out")]
    main(["convergence", *words])
    assert "25 kept epochs" in capsys.readouterr().out
    found = json.loads((folder / "out" / "convergence.json").read_text())
    assert found["numbers"]["training_class_pc1"]["n"] == 5
    assert sum(row["epoch"] is not None for row in found["checkpoints"]) == 25


def test_kept_epochs_are_picked_and_measured_on_different_people(folder):
    run = Run.load(folder / "runs" / "none" / "none-0")
    (run.path / "epochs").mkdir()
    (run.path / "epochs" / "0003.ckpt").touch()
    y, subject = np.tile(CLASS_OF, 4), np.repeat([7, 9, 4, 5], 28)
    # People 5 and 9, every other one by id, are told right and have features of their own.
    measured = np.isin(subject, [5, 9])
    logits = np.eye(9)[np.where(measured, y, (y + 1) % 9)]
    h = np.where(measured, 1.0, 0.0)[:, None] + np.arange(len(y))[:, None] % 28
    trials = {"logits": logits, "h": h, "y": y, "stimulus": np.tile(np.arange(28), 4), "subject": subject}
    np.savez(run.path / "epochs" / "0003.npz", **trials)
    (found,) = kept(run, recipe="r", classes=tuple("abcdefghi"), stimuli=28)
    assert (found.epoch, found.accuracy) == (3, 1)
    assert (found.tested_on - found.picked_on == 1).all()


def test_runs_of_two_axes_are_refused(folder):
    edit_result(folder / "runs" / "none" / "none-0", axis="another")
    with pytest.raises(SystemExit, match="different axes"):
        main(["convergence", str(folder / "runs"), "--axis", str(folder / "axis.npz")])
