"""Forests and dose curves of a table, and the picture of values that went together, read from their artists."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.dose_curves import BEYOND, Curve, Point, picture
from analysis.interventions import Intervention, InterventionResult
from analysis.interventions_figure import forest
from measures.paired import paired
from sweeps.parallel import parallel


def line(row: str, before, after, *, delta: float = -0.02) -> InterventionResult:
    asked = Intervention(id=row, label=f"row {row}", group="g", baseline=None, treated=None, seeds=(1, 2), delta=delta)
    return InterventionResult(
        asked=asked, seeds=(1, 2), before=before, after=after, paired=paired(before, after), simulated=True
    )


LINES = {
    "10": line("10", (0.60, 0.62), (0.50, 0.58)),  # an interval of two seeds: far wider than any panel
    "11": line("11", (0.60, 0.62), (0.5900, 0.6101)),
}


def test_a_forest_says_every_change_with_its_interval_and_which_side_is_which():
    (ax,) = forest(list(LINES.values()), title="t", headings={}).axes
    said = [text.get_text() for text in ax.texts]
    for found in LINES.values():
        d = found.paired
        assert f"{d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]" in said
    assert {"◀ hurts", "helps ▶"} <= set(said)


def test_an_interval_that_leaves_a_dose_panel_ends_in_an_arrow():
    points = (Point(row="10", x=1.0, delta=-0.05), Point(row="11", x=5.0, delta=-0.02))
    ax, *empty = picture([Curve(name="a", title="A", x="dose", points=points)], LINES).axes
    assert not any(other.get_visible() for other in empty)
    bottom, top = ax.get_ylim()
    arrows = [mark for mark in ax.lines if mark.get_label() == BEYOND]
    places = {(mark.get_marker(), *mark.get_xdata(), *mark.get_ydata()) for mark in arrows}
    assert places == {("v", 1.0, bottom), ("^", 1.0, top)}
    assert LINES["11"].paired.low > bottom, "one that stays inside has none"


@pytest.fixture
def study():
    found = optuna.create_study(direction="maximize")
    spaces = {
        "weight": FloatDistribution(1e-3, 1e-1, log=True),
        "level": CategoricalDistribution(["clip", "class", "both"]),
        "steps": IntDistribution(1, 5),
    }
    for value, weight, level, steps in ((0.3, 1e-3, "clip", 1), (0.5, 1e-2, "both", 5), (0.4, 1e-1, "class", 3)):
        params = {"weight": weight, "level": level, "steps": steps}
        found.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=value))
    return found


def test_values_that_went_together_are_one_line_a_trial(study):
    ax = parallel(study, ["level", "steps", "weight"], objective="val/balanced_accuracy")
    drawn = [mark for mark in ax.lines if len(mark.get_xdata()) == 3]
    heights = [mark.get_ydata() for mark in drawn]
    assert np.allclose(heights, [[1 / 6, 0, 0], [1 / 2, 0.5, 1], [5 / 6, 1, 0.5]]), "in the order of their scores"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["level", "steps", "weight"]
    said = {text.get_text(): text for text in ax.texts}
    assert {"clip", "class", "both", "0.001", "0.01", "0.1", "1", "5"} <= set(said)
    assert ax.figure.axes[1].get_ylabel() == "val/balanced_accuracy"
    assert all(text.get_bbox_patch() is not None for text in said.values()), "legible where lines cross them"


def test_labels_of_an_axis_do_not_touch_each_other(study):
    ax = parallel(study, ["level", "steps", "weight"], objective="x")
    renderer = ax.figure.canvas.get_renderer()
    ax.figure.draw(renderer)
    boxes = [text.get_window_extent(renderer) for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
