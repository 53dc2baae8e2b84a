"""Difference against base when both share their error: slopes, models, interactions and the answer in words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.cliff import answer, cliff, interactions, over_strategies, points_of
from analysis.gather import gather
from analysis.saturation_cliff_check import calibrate, points, recover
from measures.errors_in_variables import Moments, Point, slope
from measures.steps import fits, models
from tests.finished_runs import write_run

NETWORKS: dict[str, str] = {}


def exact(base, delta):
    """Points whose seeds agree, so that there is no error to correct."""
    return [
        Point(recipe=f"r{k}", strategy="a", base=np.full(2, b), treated=np.full(2, b + d))
        for k, (b, d) in enumerate(zip(base, delta))
    ]


def test_without_errors_all_slopes_are_the_line():
    base = np.linspace(0.5, 0.7, 6)
    found = slope(exact(base, 0.1 - 0.5 * (base - 0.5)))
    assert (found.published, found.naive, found.corrected) == pytest.approx((-0.5, -0.5, -0.5))
    assert found.reliability == pytest.approx(1)
    assert found.p < 0.05


def test_strategies_with_levels_of_their_own_make_no_slope():
    base = np.linspace(0.5, 0.7, 4)
    drawn = exact(base[:2], [0.0, 0.0]) + [
        Point(recipe=f"r{k}", strategy="b", base=np.full(2, base[k]), treated=np.full(2, base[k] - 0.1)) for k in (2, 3)
    ]
    found = slope(drawn)
    assert found.published < -0.3
    assert found.naive == pytest.approx(0, abs=1e-9)


def test_error_of_the_base_makes_a_slope_and_the_correction_takes_it_out():
    found = [slope(points(rng, spread=0.02, seeds=2), draws=9) for rng in np.random.default_rng(0).spawn(300)]
    naive, corrected = (np.nanmedian([getattr(s, name) for s in found]) for name in ("naive", "corrected"))
    assert naive < -0.09
    assert abs(corrected) < 0.06


def test_bases_that_differ_by_luck_alone_have_no_slope():
    found = [slope(points(rng, spread=0.0, seeds=2), draws=9) for rng in np.random.default_rng(0).spawn(100)]
    assert np.mean([np.isnan(s.corrected) for s in found]) > 0.7
    assert np.mean([s.reliability for s in found]) < 0.3


def test_pooled_errors_are_the_covariance_of_base_and_difference():
    rng = np.random.default_rng(0)
    base, treated = rng.normal(size=(2, 40))
    found = Moments.of([Point(recipe="r", strategy="a", base=base, treated=treated)])
    assert found.errors == pytest.approx(np.cov(base, treated - base))


def test_three_recipes_cannot_give_a_small_p():
    base = np.array([0.5, 0.6, 0.7])
    assert slope(exact(base, -0.5 * base)).p >= 1 / 3


def test_the_right_model_wins_where_there_is_no_noise_to_speak_of():
    base, wiggle = np.linspace(0.5, 0.7, 12), 1e-4 * np.cos(np.arange(12) * 7)
    grid = np.array([0.5, 0.7])

    def best(delta):
        return min(models(exact(base, delta + wiggle), grid), key=lambda fit: fit.aicc)

    assert best(np.zeros(12)).name == "M0 constant"
    assert best(-0.3 * base).name == "M1 line"
    step = best(np.where(base > 0.605, -0.04, 0.0))
    assert step.name == "M2 step"
    assert step.between == pytest.approx((base[base < 0.605].max(), base[base > 0.605].min()))
    assert step.shape == pytest.approx([0.0, -0.04], abs=1e-3)
    assert best(-0.04 / (1 + np.exp(-(base - 0.6) / 0.03))).name == "M3 logistic step"


def test_step_between_two_bases_is_a_gap_and_not_a_place():
    base = np.array([0.572, 0.6194, 0.6581] * 3)
    delta = np.where(base > 0.63, -0.02, 0.005) + 1e-3 * np.cos(np.arange(9))
    drawn = [
        Point(recipe=str(b), strategy="abc"[k // 3], base=np.full(2, b), treated=np.full(2, b + d))
        for k, (b, d) in enumerate(zip(base, delta))
    ]
    step = next(fit for fit in fits(Moments.of(drawn), base[:1]) if fit.name == "M2 step")
    assert step.between == pytest.approx((0.6194, 0.6581))


def test_aicc_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    base = np.linspace(0.5, 0.7, 9)
    delta = rng.normal(size=9)
    found = fits(Moments.of(exact(base, delta)), base)[0]
    # One intercept and the variance: k = 2.
    assert found.aicc == pytest.approx(9 * np.log(2 * ((delta - delta.mean()) ** 2).sum() / 9) + 4 + 12 / 6)


def test_interaction_is_welch_between_the_ends():
    from scipy import stats

    rng = np.random.default_rng(0)
    drawn = [
        Point(recipe=f"r{k}", strategy="a", base=np.full(4, 0.5 + 0.1 * k), treated=0.5 + 0.1 * k + rng.normal(size=4))
        for k in range(3)
    ]
    (found,) = interactions(drawn)
    known = stats.ttest_ind(drawn[2].delta, drawn[0].delta, equal_var=False)
    assert (found.low, found.high, found.p) == ("r0", "r2", pytest.approx(known.pvalue))


def test_interaction_of_all_strategies_averages_them_seed_by_seed():
    from scipy import stats

    rng = np.random.default_rng(0)
    deltas = {(name, k): rng.normal(size=5) for name in "ab" for k in range(2)}
    drawn = [
        Point(recipe=f"r{k}", strategy=name, base=np.full(5, 0.5 + 0.1 * k), treated=0.5 + 0.1 * k + delta)
        for (name, k), delta in deltas.items()
    ]
    means = [(deltas["a", k] + deltas["b", k]) / 2 for k in range(2)]
    found = over_strategies([*drawn, Point(recipe="r1", strategy="c", base=np.full(5, 0.6), treated=rng.random(5))])
    assert found.strategy == "a and b"  # c was tried under one of the two
    assert found.value == pytest.approx(means[1].mean() - means[0].mean())
    assert found.p == pytest.approx(stats.ttest_ind(means[1], means[0], equal_var=False).pvalue)
    assert over_strategies(drawn[:1]) is None
    short = replace(drawn[0], base=drawn[0].base[:3], treated=drawn[0].treated[:3])
    assert over_strategies([short, *drawn[1:]]) is None  # seeds that cannot be averaged


def test_p_values_are_uniform_without_a_dependence():
    found = calibrate(cohorts=100, seed=0)
    for name in ("slope", "interaction"):
        assert np.mean(np.array(found[name]) < 0.05) < 0.13, name
        assert 0.4 < np.mean(found[name]) < 0.6, name
    assert np.mean(np.array(found["as_published_slope"]) < 0.05) > 0.1


def test_shared_error_makes_no_small_p_where_bases_are_close():
    p = [slope(points(rng, spread=0.01, seeds=2), draws=200).p for rng in np.random.default_rng(5).spawn(150)]
    assert np.mean(np.array(p) < 0.05) < 0.08


def test_intervals_cover_and_models_are_told_apart():
    found = recover(cohorts=80, seed=0)
    assert 0.85 < found["coverage_slope"] <= 1
    assert found["slope_corrected"] == pytest.approx(-0.5, abs=0.1)
    assert found["constant_chosen_without_effect"] > 0.6
    assert found["step_chosen_with_step"] > 0.6


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (lambda b: -0.6 * (b - 0.6), "its sign turns on the way"),
        (lambda b: -0.6 * (b - 0.4), "does not help at the lowest base either"),
        (lambda b: 0.6 * (b - 0.6), "opposite of saturation"),
        (lambda b: 0.0 * b, "No saturation is shown"),
    ],
)
def test_answer_says_what_the_runs_show(delta, words):
    noise = 0.004 * np.random.default_rng(4).normal(size=(2, 8, 5))
    drawn = [
        Point(recipe=f"r{k}", strategy="a", base=b + noise[0, k], treated=b + delta(b) + noise[1, k])
        for k, b in enumerate(np.linspace(0.5, 0.7, 8))
    ]
    assert words in " ".join(answer(cliff(drawn, networks=NETWORKS, draws=300)))


@pytest.mark.filterwarnings("ignore:all 2 paired differences")
def test_answer_of_one_recipe_says_what_it_takes():
    said = " ".join(answer(cliff(exact([0.6], [0.01]), networks=NETWORKS)))
    assert "cannot be asked" in said
    assert "--data.snr" in said


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for epochs, base in ((10, 0.5), (20, 0.58), (40, 0.64)):
        for seed in range(3):
            shift = 0.005 * rng.normal(size=3)
            path = tmp_path / str(epochs)
            write_run(path, seed=seed, accuracy=base + shift[0], epochs=epochs, network="small")
            changes = {"epochs": epochs, "network": "small", "weight": 0.5, "seed": seed}
            write_run(path, loss="vaxis_mse", accuracy=base + shift[1], **changes)
            if epochs > 10:
                write_run(path, loss="rsa", accuracy=base + shift[2], **changes)
    write_run(tmp_path / "80", seed=1, epochs=80, network="small")
    write_run(tmp_path / "80", seed=1, epochs=80, network="small", loss="rsa", weight=0.5)
    return tmp_path


def test_points_are_strategies_under_recipes_and_say_what_is_left_out(folder):
    found, networks, left_out = points_of(gather([folder]).runs)
    assert {(p.recipe, p.strategy) for p in found} == {
        ("10 epochs", "vaxis_mse 0.5"), ("20 epochs", "vaxis_mse 0.5"), ("40 epochs", "vaxis_mse 0.5"),
        ("20 epochs", "rsa 0.5"), ("40 epochs", "rsa 0.5"),
    }  # fmt: skip
    assert set(networks.values()) == {"small"}
    assert left_out == ["rsa 0.5 under 80 epochs has 1 seeds in both arms, two are needed"]


def test_command_writes_numbers_answer_and_a_picture(folder, tmp_path, capsys):
    out = tmp_path / "out"
    main(["saturation_cliff", str(folder), "--draws", "100", "--out", str(out)])
    assert "SIMULATED" in capsys.readouterr().out
    found = json.loads((out / "saturation_cliff.json").read_text())
    assert found["numbers"]["slope"]["n"] == 3
    assert found["numbers"]["slope_matched"]["n"] == 3
    assert found["numbers"]["difference[rsa 0.5 | 20 epochs]"]["n"] == 3
    assert "No saturation is shown" in " ".join(found["notes"])
    assert found["published"]["slope_published"]["v1"] == pytest.approx(-0.556, abs=0.001)
    assert (out / "saturation_cliff.png").stat().st_size > 30_000


def test_runs_without_a_baseline_are_refused(tmp_path):
    write_run(tmp_path, loss="rsa", weight=1.0, network="small")
    with pytest.raises(SystemExit, match="both arms; rsa 1 under small has 0 seeds in both arms"):
        main(["saturation_cliff", str(tmp_path)])


def test_the_figure_says_simulated_names_its_recipes_and_shows_the_null_of_the_slope():
    from analysis.saturation_cliff_figure import figure

    drawn = points(np.random.default_rng(0))
    result = cliff(drawn, networks={p.recipe: "made up" for p in drawn}, draws=100)
    picture = figure(result, simulated=True)
    assert picture._suptitle.get_text().startswith("SIMULATED")
    assert not figure(result, simulated=False)._suptitle.get_text().startswith("SIMULATED")
    named = [text.get_text() for text in picture.legends[0].get_texts()]
    assert [f"{k}: {name}" for k, name in enumerate(result.recipes, start=1)] == named[-len(result.recipes) :]
    ends = [sorted(line.get_xdata()) for line in picture.axes[1].lines if len(line.get_xdata()) == 2]
    assert sorted((result.slope.null_mean, result.slope.null_95)) in ends
