"""Early signs of a loss that will hurt: told where they are there, at chance where they are not, chosen on others."""

import argparse
import csv

import numpy as np
import pytest

from analysis.early_signs import Case, auc, auc_of, held_out, main
from tests.finished_runs import write_run


def cases(signs: dict[str, float], changes: dict[str, float], *, cohorts: int = 3) -> list[Case]:
    return [
        Case(loss=loss, cohort=c, change=changes[loss], signs={"gradient": sign + 10 * c})
        for c in range(cohorts)
        for loss, sign in signs.items()
    ]


def scored(found: list[Case]):
    hurts = np.array([case.change < -0.01 for case in found])
    values = np.array([case.signs["gradient"] for case in found])
    return auc_of(found, values, hurts, simulated=True), held_out(found, values, hurts)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    hurts = np.array([True, True, False, False])
    assert auc(np.array([3.0, 2.0, 1.0, 0.0]), hurts) == 1.0
    assert auc(np.array([0.0, 2.0, 1.0, 2.0]), hurts) == pytest.approx((0 + 0 + 1 + 0.5) / 4)
    assert np.isnan(auc(np.array([1.0]), np.array([True])))


def test_a_sign_that_orders_losses_is_found_whatever_the_level_of_a_cohort() -> None:
    names = [f"loss{k}" for k in range(10)]
    changes = {name: -0.03 if k >= 5 else 0.0 for k, name in enumerate(names)}
    number, _ = scored(cases({name: 0.1 * k for k, name in enumerate(names)}, changes))
    assert number.value == 1.0
    assert number.p_value is not None
    assert number.p_value < 0.02
    assert number.null_mean == pytest.approx(0.5, abs=0.03)


def test_noise_is_at_chance() -> None:
    rng, values = np.random.default_rng(0), []
    for _ in range(12):
        names = [f"loss{k}" for k in range(12)]
        changes = {name: -0.03 if k >= 6 else 0.0 for k, name in enumerate(names)}
        values.append(scored(cases(dict(zip(names, rng.random(12))), changes))[0].value)
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_the_threshold_comes_from_other_cohorts() -> None:
    """Cohorts at levels of their own: the order inside each is perfect and no threshold carries over."""
    names = [f"loss{k}" for k in range(10)]
    changes = {name: -0.03 if k >= 5 else 0.0 for k, name in enumerate(names)}
    number, rule = scored(cases({name: 0.1 * k for k, name in enumerate(names)}, changes))
    assert number.value == 1.0
    assert rule < 0.8
    level = [Case(**{**vars(c), "signs": {"gradient": c.signs["gradient"] - 10 * c.cohort}})
             for c in cases({name: 0.1 * k for k, name in enumerate(names)}, changes)]  # fmt: skip
    assert scored(level)[1] == 1.0


def with_gradients(path, *, alignment: float | None, task: float = 2.0) -> None:
    file = path / "metrics.csv"
    with open(file, newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        early = row["epoch"] in ("0", "1")
        row |= {"grad/task_norm": task, "grad/alignment_norm": (alignment if early else 99) if alignment else ""}
    with open(file, "w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_runs_are_paired_and_staged_losses_left_out(tmp_path) -> None:
    accuracy = {"none": 0.6, "vaxis_mse": 0.55, "rsa": 0.61, "head_init": 0.6}
    for seed in (1, 2):
        for loss, value in accuracy.items():
            path = write_run(tmp_path, loss=loss, weight=0.5 * (loss != "none"), seed=seed, accuracy=value)
            norm = {"vaxis_mse": 8.0, "rsa": 1.0}.get(loss)
            with_gradients(path, alignment=norm)
    write_run(tmp_path, loss="crd", weight=0.5, seed=3, accuracy=0.6)  # a seed that no plain run has
    found = main(argparse.Namespace(runs=[tmp_path], epochs=2, margin=0.01))
    assert found.numbers["gradient"].value == 1.0
    measured = {case["loss"]: case["signs"]["gradient"] for case in found.detail["cases"]}
    assert measured == {"vaxis_mse 0.5": pytest.approx(0.5 * 8 / 2), "rsa 0.5": pytest.approx(0.5 * 1 / 2)}
    assert "left out: head_init 0.5" in found.text
    assert "left out: crd: no run without it" in found.text
