from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from depression_trial import simulated
from scipy import stats as scipy_stats

from bids_app.stats.ranks import rank_estimate, superiority
from bids_app.stats.responders import newcombe, proportion_estimate, wilson
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
    assert 1 / 500 <= found.p_rerandomized < 0.1


def test_ranks_ignore_the_distances_of_a_scale():
    data = replace(simulated(seed=5), baseline=None)
    stretched = replace(data, followup=np.exp(data.followup / 5))
    assert rank_estimate(stretched, n_draws=300) == rank_estimate(data, n_draws=300)


def test_arms_that_do_not_overlap_have_no_error():
    assert superiority(np.array([4.0, 4]), np.array([1.0, 1]))[:2] == (1.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_own_examples(first, second, low, high):
    np.testing.assert_allclose(newcombe(first, second), [low, high], atol=6e-5)


def test_wilson_equals_statsmodels():
    for successes, n in ((0, 10), (3, 21), (22, 22)):
        expected = sm.stats.proportion_confint(successes, n, method="wilson")
        np.testing.assert_allclose(wilson(successes, n), expected, atol=1e-12)


def test_shares_of_responders():
    success = np.array([1.0, 1, 1, 1, 0, np.nan, 0, 0, 0, 1, np.nan, np.nan])
    data = TwoVisits(np.repeat([1, 0], 6), None, success)
    known = proportion_estimate(success, data)
    assert (known.n_active, known.n_reference) == (5, 4)
    assert known.estimate == pytest.approx(4 / 5 - 1 / 4)
    assert known.p == pytest.approx(scipy_stats.fisher_exact([[4, 1], [1, 3]]).pvalue)
    assert known.effect_size == pytest.approx(4.5 * 3.5 / (1.5 * 1.5))
    everyone = proportion_estimate(success, data, missing_as_failure=True)
    assert (everyone.n_active, everyone.n_reference) == (6, 6)
    assert everyone.estimate == pytest.approx(4 / 6 - 1 / 6)
    # The re-randomization of a two by two table is Fisher's test, two-sided by the difference.
    tables = scipy_stats.hypergeom(9, 5, 5)
    differences = {k: abs(k / 5 - (5 - k) / 4) for k in range(1, 6)}
    expected = sum(tables.pmf(k) for k, d in differences.items() if d >= known.estimate - 1e-9)
    assert known.p_rerandomized == pytest.approx(expected)
