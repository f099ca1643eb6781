import itertools
from dataclasses import replace

import numpy as np
import pytest
from depression_trial import simulated
from scipy import stats as scipy_stats

from bids_app.stats.ranks import adjusted_rank_estimate, rank_estimate, superiority
from bids_app.stats.responders import proportion_estimate, score_interval
from bids_app.stats.twovisits import TwoVisits


def test_ranks_equal_scipy():
    data = simulated(seed=4)
    data = replace(data, followup=np.round(data.followup / 4), strata=None, covariates=None)
    done = data.completers()
    first, second = done.followup[done.arm == 1], done.followup[done.arm == 0]
    found = rank_estimate(data, n_draws=500)
    u = scipy_stats.mannwhitneyu(second, first).statistic
    assert found.estimate == pytest.approx(u / (len(first) * len(second)))
    expected = scipy_stats.brunnermunzel(first, second)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.t == pytest.approx(expected.statistic, rel=1e-9)
    assert found.effect_size == pytest.approx(2 * found.estimate - 1)
    assert rank_estimate(data, higher_is_better=True, n_draws=0).estimate == pytest.approx(1 - found.estimate)
    assert found.p_rerandomized == pytest.approx(found.p, abs=0.05)


def test_ranks_ignore_the_distances_of_a_scale():
    data = replace(simulated(seed=5), baseline=None)
    stretched = replace(data, followup=np.exp(data.followup / 5))
    assert rank_estimate(stretched, n_draws=300) == rank_estimate(data, n_draws=300)


def test_the_rerandomized_p_of_ranks_is_of_the_ranks_alone():
    """All 70 allocations of 8: the share whose difference of mean ranks is as large."""
    scores = np.array([1.0, 2, 2, 5, 3, 6, 7, 7])
    data = TwoVisits(np.repeat([1, 0], 4), scores[::-1].copy(), scores, np.arange(8.0)[:, None])
    ranks = scipy_stats.rankdata(scores)
    t = [
        abs(ranks[list(one)].mean() - np.delete(ranks, list(one)).mean()) for one in itertools.combinations(range(8), 4)
    ]
    assert rank_estimate(data).p_rerandomized == pytest.approx(np.mean(np.array(t) >= t[0] - 1e-9))
    adjusted = adjusted_rank_estimate(data)
    assert np.isnan(adjusted.estimate)
    assert 0 < adjusted.p_rerandomized <= 1


def test_arms_that_do_not_overlap_have_no_error():
    assert superiority(np.array([4.0, 4]), np.array([1.0, 1]))[:2] == (1.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Miettinen-Nurminen limits of Newcombe (1998), doi as above, table II, method 6 (to four places)
        ((56, 70), (48, 80), 0.0528, 0.3382),
        ((9, 10), (3, 10), 0.1700, 0.8406),
        ((6, 7), (2, 7), 0.0342, 0.8534),
        ((5, 56), (0, 29), -0.0326, 0.1933),
        ((0, 10), (0, 20), -0.1658, 0.2844),
        ((0, 10), (0, 10), -0.2879, 0.2879),
        ((10, 10), (0, 20), 0.7156, 1.0),
    ],
)
def test_published_limits_of_the_score_interval(first, second, low, high):
    found = score_interval(first, second)
    np.testing.assert_allclose(found[:2], [low, high], atol=6e-5)


@pytest.mark.parametrize("sizes", [(7, 9), (20, 23)])
def test_interval_and_p_of_shares_are_of_one_test(sizes):
    """For every pair of counts: 0 is outside the interval if and only if p is below .05."""
    for s1, s2 in itertools.product(range(sizes[0] + 1), range(sizes[1] + 1)):
        low, high, p = score_interval((s1, sizes[0]), (s2, sizes[1]))
        assert low <= s1 / sizes[0] - s2 / sizes[1] + 1e-9
        assert high >= s1 / sizes[0] - s2 / sizes[1] - 1e-9
        if abs(p - 0.05) > 1e-3:
            assert (low > 0 or high < 0) is (p < 0.05), (s1, s2, low, high, p)


def test_shares_of_responders():
    success = np.array([1.0, 1, 1, 1, 0, np.nan, 0, 0, 0, 1, np.nan, np.nan])
    data = TwoVisits(np.repeat([1, 0], 6), None, success)
    known = proportion_estimate(success, data)
    assert (known.n_active, known.n_reference) == (5, 4)
    assert known.estimate == pytest.approx(4 / 5 - 1 / 4)
    difference, pooled = 4 / 5 - 1 / 4, 5 / 9  # by hand, with Miettinen and Nurminen's n / (n - 1)
    z = difference / np.sqrt(pooled * (1 - pooled) * (1 / 5 + 1 / 4) * 9 / 8)
    assert known.p == pytest.approx(2 * scipy_stats.norm.sf(z))
    assert known.effect_size == pytest.approx(4.5 * 3.5 / (1.5 * 1.5))
    everyone = proportion_estimate(success, data, missing_as_failure=True)
    assert (everyone.n_active, everyone.n_reference) == (6, 6)
    assert everyone.estimate == pytest.approx(4 / 6 - 1 / 6)
    # The re-randomization of a two by two table is Fisher's test, two-sided by the difference.
    tables = scipy_stats.hypergeom(9, 5, 5)
    differences = {k: abs(k / 5 - (5 - k) / 4) for k in range(1, 6)}
    expected = sum(tables.pmf(k) for k, d in differences.items() if d >= known.estimate - 1e-9)
    assert known.p_rerandomized == pytest.approx(expected)
