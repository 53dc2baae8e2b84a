"""Outcomes of a comparison, looking several times, and people beside seeds: error rates and exact cases."""

import numpy as np
import pytest
from scipy import stats

from measures.outcome import LOOKS, judged
from measures.paired import paired
from measures.people import crossed, hierarchical_bootstrap, person_scores
from measures.sequential import critical_t


def compare(deltas):
    return paired(np.full(len(deltas), 0.6), 0.6 + np.asarray(deltas))


def test_the_four_outcomes():
    wiggle = np.array([-2, -1, 0, 1, 2]) * 1e-3
    assert judged(compare(0.02 + wiggle)).outcome == "helps"
    assert judged(compare(-0.02 + wiggle)).outcome == "hurts"
    assert judged(compare(0.0005 + wiggle)).outcome == "equivalent"
    assert judged(compare(0.0005 + 20 * wiggle)).outcome == "unresolved"


def test_a_real_effect_within_the_margin_is_named_by_its_sign():
    assert judged(compare(0.005 + np.array([-2, -1, 0, 1, 2]) * 1e-4)).outcome == "helps"


def test_equivalence_is_two_one_sided_tests():
    """Against scipy: the smaller distance to the margin decides."""
    deltas = np.array([0.004, -0.003, 0.006, 0.001, 0.002, -0.001])
    found = judged(compare(deltas), margin=0.01)
    upper = stats.ttest_1samp(deltas, 0.01, alternative="less").pvalue
    lower = stats.ttest_1samp(deltas, -0.01, alternative="greater").pvalue
    assert found.p_equivalence == pytest.approx(max(upper, lower))


def test_one_pair_and_equal_pairs_are_unresolved():
    assert judged(compare([0.02])).outcome == "unresolved"
    with pytest.warns(UserWarning, match="all 5 paired differences"):
        assert judged(compare([0.02] * 5)).outcome == "unresolved"


def test_a_number_of_pairs_that_was_not_planned_is_refused():
    with pytest.raises(ValueError, match="none of the planned looks"):
        judged(compare(np.arange(6) * 1e-3), looks=LOOKS)


def test_one_look_has_the_critical_value_of_the_t_table():
    assert critical_t((5,))[0] == pytest.approx(stats.t.ppf(0.975, 4), rel=0.01)
    assert critical_t((8,), two_sided=False)[0] == pytest.approx(stats.t.ppf(0.95, 7), rel=0.01)


def until_resolved(deltas, *, margin=0.01):
    for n in LOOKS:
        outcome = judged(compare(deltas[:n]), margin=margin, looks=LOOKS).outcome
        if outcome != "unresolved":
            return outcome, n
    return "unresolved", LOOKS[-1]


def test_looking_five_times_errs_in_one_of_twenty_and_naive_looking_does_not():
    """No effect, 2000 sequences: within five standard errors of 5 %, where a fixed threshold errs twice as often."""
    rng = np.random.default_rng(1)
    draws = rng.normal(0, 0.02, size=(2000, LOOKS[-1]))
    wrong = np.mean([until_resolved(d)[0] in ("helps", "hurts") for d in draws])
    naive = np.mean([any(judged(compare(d[:n])).outcome in ("helps", "hurts") for n in LOOKS) for d in draws])
    assert 0.02 < wrong < 0.075
    assert naive > 0.1


def test_equivalence_is_claimed_in_one_of_twenty_where_the_effect_is_the_margin():
    rng = np.random.default_rng(2)
    draws = rng.normal(0.01, 0.012, size=(1000, LOOKS[-1]))
    assert np.mean([until_resolved(d)[0] == "equivalent" for d in draws]) < 0.08


def test_seeds_are_saved_where_the_effect_is_large():
    rng = np.random.default_rng(3)
    used = [until_resolved(d) for d in rng.normal(-0.05, 0.01, size=(200, LOOKS[-1]))]
    assert np.mean([outcome == "hurts" for outcome, _ in used]) > 0.99
    assert np.mean([n for _, n in used]) < 7


def test_the_crossed_interval_is_that_of_a_mixed_model():
    """statsmodels is no dependency; the closed form is checked against the likelihood it maximises."""
    rng = np.random.default_rng(4)
    d = 0.3 * rng.normal(size=(6, 1)) + 0.5 * rng.normal(size=(1, 9)) + 0.4 * rng.normal(size=(6, 9)) + 0.2
    found = crossed(d)
    estimate = np.array([found.seed_sd, found.person_sd, found.rest_sd])

    def restricted_log_likelihood(sds):
        a, b, e = sds
        seeds, people = np.kron(np.eye(6), np.ones((9, 9))), np.kron(np.ones((6, 6)), np.eye(9))
        v = a**2 * seeds + b**2 * people + e**2 * np.eye(54)
        inverse, ones = np.linalg.inv(v), np.ones(54)
        information = ones @ inverse @ ones
        residual = d.ravel() - (ones @ inverse @ d.ravel()) / information
        return -0.5 * (np.linalg.slogdet(v)[1] + np.log(information) + residual @ inverse @ residual)

    best = restricted_log_likelihood(estimate)
    for i in range(3):
        for step in (0.97, 1.03):
            moved = estimate.copy()
            moved[i] *= step
            assert restricted_log_likelihood(moved) < best


@pytest.mark.parametrize(("seeds", "people"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_the_crossed_interval_covers_and_the_one_over_seeds_does_not_speak_for_new_people(seeds, people):
    rng, covered, by_seeds = np.random.default_rng(5), [], []
    for _ in range(400):
        d = seeds * rng.normal(size=(5, 1)) + people * rng.normal(size=(1, 23)) + 2 * rng.normal(size=(5, 23))
        interval, over_seeds = crossed(d), stats.ttest_1samp(d.mean(axis=1), 0).confidence_interval()
        covered.append(interval.low <= 0 <= interval.high)
        by_seeds.append(over_seeds.low <= 0 <= over_seeds.high)
    assert np.mean(covered) > 0.91
    if people and not seeds:
        assert np.mean(by_seeds) < 0.91


def test_the_bootstrap_agrees_with_the_mixed_model_where_there_are_many_of_both():
    rng = np.random.default_rng(6)
    d = 0.3 * rng.normal(size=(30, 1)) + 0.5 * rng.normal(size=(1, 40)) + rng.normal(size=(30, 40)) + 0.1
    interval, (low, high) = crossed(d), hierarchical_bootstrap(d)
    assert (high - low) / (interval.high - interval.low) == pytest.approx(1, abs=0.12)


def test_tables_that_cannot_be_judged_are_refused():
    with pytest.raises(ValueError, match="at least two seeds"):
        crossed(np.zeros((1, 23)))
    with pytest.raises(ValueError, match="not finite"):
        crossed(np.array([[0.1, np.nan], [0.2, 0.1]]))


def test_scores_of_a_person_are_balanced_over_the_classes_he_has():
    y, subject = np.array([0, 0, 0, 1, 2, 2]), np.array([7, 7, 7, 7, 9, 9])
    predicted = np.array([0, 0, 1, 1, 2, 0])
    assert person_scores(y, predicted, subject, n_classes=3) == pytest.approx({7: (2 / 3 + 1) / 2, 9: 0.5})
