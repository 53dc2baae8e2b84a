"""What the figures draw, read from their artists."""

import numpy as np
import pytest

from analysis import verdict_figures as figures
from analysis.verdict_record import Verdict
from records.run import Run
from tests.conftest import make_axis
from tests.finished_runs import write_arms, write_run
from vaxis.emotions import FACED


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def verdict(arms):
    return Verdict.from_runs(*arms)


@pytest.fixture(scope="module")
def axis():
    axis = make_axis()
    band = {"value": 0.82, "median": 0.41, "p5": 0.02, "p95": 0.68, "reached": 0.012}
    nulls = {"nonce": {"separation": band, "rated": band, "cosine": band}}
    axis.provenance.update(model="a <b>small</b> model", nulls=nulls)
    return axis


def lines(ax, colour):
    return [line for line in ax.lines if line.get_color() == colour]


def test_curves_show_every_seed_the_mean_chance_and_nulls(arms):
    figure = figures.training_curves(*arms)
    accuracy, cosine, *_ = figure.axes
    assert accuracy.get_title(loc="left") == "Validation balanced accuracy"
    assert len(lines(accuracy, figures.WITH)) == 5 + 1
    thick = max(lines(accuracy, figures.WITH), key=lambda line: line.get_linewidth())
    mean = np.mean([run.series("val/balanced_accuracy") for run in arms[1]], axis=0)
    assert thick.get_ydata() == pytest.approx(mean)
    assert thick.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert lines(accuracy, figures.CHANCE)[0].get_ydata()[0] == pytest.approx(1 / 9)
    assert [set(line.get_ydata()) for line in cosine.lines if line.get_linestyle() == "--"] == [{0.58}] * 2


def test_curves_leave_out_what_a_run_did_not_log(tmp_path):
    run = Run.load(write_run(tmp_path))
    (run.path / "metrics.csv").write_text("epoch,step,val/balanced_accuracy\n0,1,0.2\n1,2,nan\n2,3,0.4\n")
    figure = figures.training_curves([run], [run])
    assert [ax.get_visible() for ax in figure.axes] == [True, False]
    assert figures.gradient_shares([run], [run]) is None
    empty = Run.load(run.path)
    (run.path / "metrics.csv").write_text("epoch,step,a\n0,1,0.2\n")
    with pytest.raises(ValueError, match="no curves to draw"):
        figures.training_curves([empty], [empty])


def test_forest_draws_deltas_interval_and_resolvable_effect(verdict):
    (ax,) = figures.delta_forest(verdict).axes
    d = verdict.accuracy.paired
    assert lines(ax, figures.WITHOUT)[0].get_xdata() == pytest.approx(d.deltas)
    (interval,) = ax.collections
    assert interval.get_segments()[0][:, 0] == pytest.approx([d.low, d.high])
    (band,) = ax.patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-d.resolvable, 2 * d.resolvable))


def test_forest_says_values_and_sides(verdict):
    (ax,) = figures.delta_forest(verdict).axes
    said = [text.get_text() for text in ax.texts]
    for value in (*verdict.paired.deltas, verdict.paired.mean):
        assert f"{value:+.3f}" in said
    assert {"◀ hurts", "helps ▶"} <= set(said)


def test_curves_are_scaled_to_their_values_and_the_first_epoch_is_1(arms):
    for ax in [ax for ax in figures.training_curves(*arms).axes if ax.get_visible()]:
        drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines])
        low, high = ax.get_ylim()
        assert high - low < 1.2 * np.ptp(drawn[np.isfinite(drawn)])
        assert 0 < ax.get_xlim()[0] < 1


def test_forest_over_several_looks_has_the_wider_interval(arms):
    looked = Verdict.from_runs(*arms, looks=(5, 8, 12))
    (ax,) = figures.delta_forest(looked).axes
    ends = ax.collections[0].get_segments()[0][:, 0]
    assert ends == pytest.approx([looked.judged.low, looked.judged.high])
    assert ends[0] < looked.paired.low


def test_forest_of_one_seed_has_no_interval(arms):
    baseline, treated = arms
    one = Verdict.from_runs(baseline[:1], [run for run in treated if run.seed == baseline[0].seed])
    (ax,) = figures.delta_forest(one).axes
    assert not ax.patches


def test_gradient_shares_stand_beside_chance(arms):
    left, right = figures.gradient_shares(*arms).axes
    assert set(lines(left, figures.CHANCE)[0].get_ydata()) == {0.25}
    assert set(lines(right, figures.CHANCE)[0].get_ydata()) == {0.07}


def test_recall_joins_the_means_of_the_arms(arms):
    (ax,) = figures.recall_dumbbell(*arms).axes
    joined = ax.collections[0].get_segments()
    expected = [np.mean([run.score_by_class()["anger"] for run in arm]) for arm in arms]
    assert joined[0][:, 0] == pytest.approx(expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(FACED.classes)


def test_png_is_one(axis):
    assert figures.png(figures.class_positions(axis, np.arange(28.0))).startswith(b"\x89PNG")


def test_positions_are_those_given_for_every_clip_and_class(axis):
    v = np.arange(28.0)
    (ax,) = figures.class_positions(axis, v).axes
    clips = ax.collections[0].get_offsets()
    names = [label.get_text() for label in ax.get_yticklabels()]
    for k, name in enumerate(FACED.classes):
        row, own = names.index(name), v[np.array(FACED.class_of) == k]
        assert ax.patches[row].get_width() == pytest.approx(own.mean())
        assert sorted(x for x, y in clips if y == row) == own.tolist()
