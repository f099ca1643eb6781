from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from depression_trial import simulated
from scipy import stats as scipy_stats

from benchmarks.clinical_errors import error_rate
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits


def test_where_no_baseline_is_missing_the_constrained_estimate_is_that_of_the_ancova():
    """The follow-ups given the baselines are regressed alike, whoever has none; only what their errors are differs."""
    data = simulated()
    mixed, ancova = mixed_estimate(data, n_draws=500), linear_estimate(data, n_draws=500)
    assert (mixed.n_active, mixed.n_reference) == (22, 22)
    assert mixed.estimate == pytest.approx(ancova.estimate, rel=1e-7)
    assert mixed.standard_error == pytest.approx(ancova.standard_error, rel=0.05)
    assert 44 - 4 - 5 - 2 < mixed.df < 44 - 4
    assert mixed.p_rerandomized == pytest.approx(ancova.p_rerandomized, abs=0.01)


def test_the_interaction_of_missing_follow_ups_is_that_of_the_regression_on_the_baseline():
    r"""Anderson (1957): follow-ups at the mean baseline of all, by the regression of those who have both.

    The difference of the changes is that of the ANCOVA less :math:`1 - b` times the arms' difference at baseline.
    """
    data = simulated(covariates=False)
    data = replace(data, strata=None)
    found = mixed_estimate(data, constrained=False)
    rows = pd.DataFrame({"arm": data.arm, "baseline": data.baseline, "followup": data.followup})
    fit = smf.ols("followup ~ arm + baseline", rows.dropna()).fit()
    before = rows.groupby("arm")["baseline"].mean()
    expected = fit.params["arm"] - (1 - fit.params["baseline"]) * (before[1] - before[0])
    assert found.estimate == pytest.approx(expected, rel=1e-7)
    assert (found.note, found.n_active, found.n_reference) == ("", 22, 22)
    assert np.isnan(found.p_rerandomized)


def test_of_complete_data_the_interaction_is_the_difference_of_changes():
    data = simulated(missing=0)
    mixed, change = mixed_estimate(data, constrained=False, n_draws=0), linear_estimate(data, "change", n_draws=0)
    for name in ("estimate", "standard_error", "df", "t", "p"):
        assert getattr(mixed, name) == pytest.approx(getattr(change, name), rel=1e-6)
    data = replace(data, covariates=None, strata=None)
    mixed = mixed_estimate(data, constrained=False, n_draws=0)
    plain = scipy_stats.ttest_ind(data.change[data.arm == 1], data.change[data.arm == 0])
    assert (mixed.t, mixed.df, mixed.p) == pytest.approx((plain.statistic, plain.df, plain.pvalue), rel=1e-6)


def test_a_stratum_without_a_follow_up_has_no_term_of_its_own_there():
    data = simulated(covariates=False)
    followup = np.where(np.arange(44) < 2, np.nan, data.followup)
    rare = replace(data, followup=followup, strata=np.where(np.arange(44) < 2, "rare", "common"))
    found = mixed_estimate(rare, n_draws=100)
    rows = pd.DataFrame({"arm": data.arm, "baseline": data.baseline, "followup": followup}).dropna()
    fit = smf.ols("followup ~ arm + baseline", rows).fit()
    assert found.note == ""
    assert found.estimate == pytest.approx(fit.params["arm"], rel=1e-7)
    assert 0 < found.p_rerandomized < 1


def test_who_has_no_value_at_all_is_counted():
    data = simulated(missing=0)
    gone = np.arange(44) < 3
    data = replace(data, baseline=np.where(gone, np.nan, data.baseline), followup=np.where(gone, np.nan, data.followup))
    found = mixed_estimate(data, n_draws=0)
    assert found.n_active + found.n_reference == 41
    assert found.note == "3 randomized have no value at any visit"


@pytest.mark.parametrize("constrained", [True, False])
def test_visits_that_correlate_negatively_are_fitted(constrained):
    data = replace(simulated(missing=2), strata=None, covariates=None)
    noise = np.random.default_rng(0).standard_normal(44)
    baseline = 25 - 3 * (np.nan_to_num(data.followup, nan=18) - 18) / 4 + noise
    data = replace(data, baseline=baseline)
    found = mixed_estimate(data, constrained=constrained, n_draws=0)
    rows = pd.DataFrame({"arm": data.arm, "baseline": baseline, "followup": data.followup})
    fit = smf.ols("followup ~ arm + baseline", rows.dropna()).fit()
    assert fit.params["baseline"] < 0
    before = rows.groupby("arm")["baseline"].mean()
    shift = 0 if constrained else (1 - fit.params["baseline"]) * (before[1] - before[0])
    assert found.estimate == pytest.approx(fit.params["arm"] - shift, rel=1e-6)


@pytest.mark.parametrize("constrained", [True, False])
def test_visits_that_depend_on_each_other_exactly_are_not_estimated(constrained):
    data = simulated(missing=2)
    data = replace(data, followup=np.where(data.observed, data.baseline, np.nan))
    found = mixed_estimate(data, constrained=constrained, n_draws=20)
    assert found.note.startswith("not estimated: ")
    assert np.isnan([found.estimate, found.p, found.p_rerandomized]).all()


def test_missing_baselines_cost_nobody_the_follow_up():
    """Who has a follow-up alone counts, and the mean of the others is not put in the baseline's place."""
    generator = np.random.default_rng(3)
    errors = {"mixed": [], "complete": []}
    for _ in range(60):
        arm = generator.permutation(np.arange(60) % 2)
        baseline = generator.standard_normal(60)
        followup = 0.9 * baseline + 0.4 * generator.standard_normal(60)
        data = TwoVisits(arm, np.where(np.arange(60) < 20, np.nan, baseline), followup)
        errors["mixed"].append(mixed_estimate(data, n_draws=0).estimate)
        errors["complete"].append(linear_estimate(data.of(np.arange(60) >= 20), n_draws=0).estimate)
    assert np.std(errors["mixed"]) < 1.05 * np.std(errors["complete"])


def test_rerandomized_mixed_model_is_exact_under_the_null():
    """Each of 120 null trials of 8: the p is one of the 70 multiples, and reaches the level as often as it should."""
    generator = np.random.default_rng(6)
    ps = []
    for _ in range(120):
        baseline = generator.standard_normal(8)
        followup = baseline + generator.standard_normal(8)
        followup[generator.integers(8)] = np.nan
        ps.append(mixed_estimate(TwoVisits(generator.permutation(np.arange(8) % 2), baseline, followup)).p_rerandomized)
    np.testing.assert_allclose(np.array(ps) * 70, np.round(np.array(ps) * 70), atol=1e-9)
    assert scipy_stats.binomtest(int(np.sum(np.array(ps) <= 0.2)), 120, 0.2).pvalue > 0.01


def test_missing_at_random_biases_completers_and_not_the_mixed_model():
    """In the active arm those who begin badly leave: the completers' means mislead, the models do not."""
    generator = np.random.default_rng(11)
    found = {"completers": [], "mixed": [], "ancova": []}
    for _ in range(25):
        arm = generator.permutation(np.arange(120) % 2)
        person = 3 * generator.standard_normal(120)
        baseline = person + 2 * generator.standard_normal(120)
        followup = person - 2.0 * arm + 2 * generator.standard_normal(120)
        followup[(arm == 1) & (baseline > 1)] = np.nan
        data = TwoVisits(arm, baseline, followup)
        found["completers"].append(linear_estimate(data, "post", n_draws=0).estimate)
        found["ancova"].append(linear_estimate(data, n_draws=0).estimate)
        found["mixed"].append(mixed_estimate(data, n_draws=0).estimate)
    means = {name: np.mean(values) for name, values in found.items()}
    errors = {name: np.std(values) / np.sqrt(25) for name, values in found.items()}
    assert abs(means["mixed"] + 2) < 3 * errors["mixed"]
    assert abs(means["ancova"] + 2) < 3 * errors["ancova"]
    assert means["completers"] < -3


def test_error_rates_of_the_linear_and_the_mixed_model():
    """300 null trials of 24, follow-up more varied than baseline, three follow-ups missing: p holds its level."""
    reached = {"ancova": 0, "change": 0, "mixed": 0, "mixed-interaction": 0}
    for seed in range(300):
        data = simulated(1000 + seed, n=24, effect=0, missing=3)
        for name in ("ancova", "change"):
            reached[name] += linear_estimate(data, name, n_draws=0).p <= 0.05
        for name, constrained in (("mixed", True), ("mixed-interaction", False)):
            reached[name] += mixed_estimate(data, constrained=constrained, n_draws=0).p <= 0.05
    for name, count in reached.items():
        assert scipy_stats.binomtest(int(count), 300, 0.05).pvalue > 0.01, (name, count)


@pytest.mark.parametrize("condition", [{}, {"split": True}, {"explained": 0.84}, {"n_visits": 3, "ar": 0.8}])
def test_false_alarms_are_as_many_as_they_should_be(condition):
    """Of 400 null trials, strata and covariates that explain the baseline among them."""
    rate = error_rate(condition, 400, seed=5)
    assert scipy_stats.binomtest(round(rate * 400), 400, 0.05, alternative="greater").pvalue > 0.005
