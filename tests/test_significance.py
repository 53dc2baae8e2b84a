"""The statistics of a verdict against scipy, closed forms, brute force and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from measures.paired import (
    benjamini_hochberg,
    holm,
    judge,
    paired,
    resolvable_dz,
    sign_flip_p,
    verdict_sentence,
)

BASELINE = [0.612, 0.598, 0.621, 0.607, 0.615]
TREATED = [0.601, 0.603, 0.598, 0.590, 0.611]


def test_paired_agrees_with_scipy():
    ours, theirs = paired(BASELINE, TREATED), stats.ttest_rel(TREATED, BASELINE)
    interval = theirs.confidence_interval(0.95)
    assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.cohen_dz == pytest.approx(ours.t / math.sqrt(5))
    assert ours.n == 5


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_sign_flip_equals_brute_force(n):
    d = np.random.default_rng(n).normal(0.5, 1, n)
    means = [abs(np.mean(d * signs)) for signs in itertools.product((-1, 1), repeat=n)]
    assert sign_flip_p(d) == pytest.approx(np.mean(np.array(means) >= abs(d.mean()) - 1e-12))


def test_sign_flip_agrees_with_scipy_permutation_test():
    d = np.subtract(TREATED, BASELINE)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(d) == pytest.approx(theirs.pvalue)


def test_sign_flip_floor_is_reached_when_every_pair_agrees_in_sign():
    result = paired([0.0] * 5, [0.01, 0.02, 0.03, 0.04, 0.05])
    assert result.p_sign_flip == result.p_sign_flip_floor == 2 / 2**5


def test_sign_flip_beyond_twenty_pairs_is_sampled_near_the_exact_value_and_repeats():
    d = np.random.default_rng(3).normal(0.35, 1, 21)
    exact = 0.5 * (np.mean(_sums(d, first=1) >= abs(d.sum())) + np.mean(_sums(d, first=-1) >= abs(d.sum())))
    assert sign_flip_p(d) == sign_flip_p(d)
    assert sign_flip_p(d) == pytest.approx(exact, abs=4 * math.sqrt(exact / 1e5))
    assert paired(np.zeros(21), d).p_sign_flip_floor < 2e-5


def _sums(d, *, first):
    sums = np.array([first * d[0]])
    for value in d[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return np.abs(sums)


def test_sign_flip_counts_ties_despite_rounding():
    assert sign_flip_p([0.1, 0.2, 0.3, -0.6]) == 1.0


@pytest.mark.parametrize(("n", "published"), [(5, 1.68), (10, 1.00), (20, 0.66)])
def test_resolvable_effect_known_values(n, published):
    assert resolvable_dz(n) == pytest.approx(published, abs=0.006)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_resolvable_effect_is_detected_in_four_of_five_simulated_studies(n):
    draws = np.random.default_rng(n).normal(resolvable_dz(n), 1, (20_000, n))
    assert np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)


def test_two_pairs_have_a_resolvable_effect_and_one_has_none():
    assert 5 < resolvable_dz(2) < 20
    assert math.isnan(resolvable_dz(1))


def test_type_one_error_is_five_percent():
    draws = np.random.default_rng(0).normal(0, 0.011, (2000, 5))
    results = [paired(np.zeros(5), d) for d in draws]
    wrong = np.mean([judge(r) != "unresolved" for r in results])
    covered = np.mean([r.low <= 0 <= r.high for r in results])
    assert wrong == pytest.approx(0.05, abs=0.015)  # 3 standard errors of 2000 draws
    assert covered == pytest.approx(1 - wrong)


def test_interval_and_judgement_agree():
    for shift in np.linspace(-0.03, 0.03, 25):
        result = paired(BASELINE, np.add(TREATED, shift))
        expected = "helps" if result.low > 0 else "hurts" if result.high < 0 else "unresolved"
        assert judge(result) == expected


def test_alpha_moves_the_judgement():
    result = paired(BASELINE, np.subtract(BASELINE, [0.01, 0.03, 0.02, 0.00, 0.03]))
    assert 0.01 < result.p < 0.05
    assert judge(result) == "hurts"
    assert judge(result, alpha=0.01) == "unresolved"


def test_sentence_says_what_could_have_been_seen():
    result = paired(BASELINE, TREATED)
    assert verdict_sentence(result) == f"unresolved (smallest resolvable effect {1.682 * result.sd:.3f})"
    assert verdict_sentence(paired(BASELINE, np.add(TREATED, 0.1))).startswith("helps (+0.090, 95 % interval +0.0")
    assert verdict_sentence(paired(BASELINE, np.add(TREATED, -0.1))).startswith("hurts (-0.110")


def test_no_difference_at_all_has_p_one():
    result = paired(BASELINE, BASELINE)
    assert (result.p, result.p_sign_flip, result.sd, result.mean) == (1.0, 1.0, 0.0, 0.0)
    assert (result.low, result.high) == (0.0, 0.0)
    assert "no pair differs" in verdict_sentence(result)


def test_identical_differences_warn_and_have_no_p():
    with pytest.warns(UserWarning, match="not applied"):
        result = paired(BASELINE, [value + 0.01 for value in BASELINE])  # equal up to rounding only
    assert result.sd == 0
    assert math.isnan(result.p)
    assert judge(result) == "unresolved"
    assert "every pair differs by exactly +0.010" in verdict_sentence(result)


def test_one_pair_is_unresolved():
    result = paired([0.6], [0.7])
    assert math.isnan(result.p)
    assert result.p_sign_flip == 1.0
    assert "one pair" in verdict_sentence(result)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [([], [], "equally long"), ([1.0], [1.0, 2.0], "equally long"), ([1.0, math.nan], [1.0, 2.0], r"pairs \[1\]")],
)
def test_bad_input_is_named(before, after, message):
    with pytest.raises(ValueError, match=message):
        paired(before, after)


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.04, 0.01, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.04, 0.02, 0.04, 0.02])
    assert holm([0.9, 0.8]).max() <= 1


def test_benjamini_hochberg_agrees_with_scipy():
    p = np.random.default_rng(1).uniform(size=25) ** 2
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_corrections_of_the_published_table():
    """The 25 published p-values, bounds taken at the bound: Benjamini-Hochberg keeps 13, Holm 10."""
    p = [0.0015, 0.21, 0.006, 0.063, 0.0003, 0.007, 0.039, 0.50, 0.89, 1e-4, 1e-3, 1e-4, 1e-3]
    p += [1e-3, 0.04, 0.18, 0.22, 0.069, 0.12, 0.05, 1e-4, 1e-4, 0.97, 0.01, 1e-3]
    assert (benjamini_hochberg(p) <= 0.05).sum() == 13
    assert (holm(p) <= 0.05).sum() == 10


def test_untested_values_stay_out_of_the_count():
    assert holm([0.02, math.nan, 0.04])[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(benjamini_hochberg([0.02, math.nan])[1])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([1.2])
