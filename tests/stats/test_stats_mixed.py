from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from depression_trial import long, simulated
from scipy import stats as scipy_stats

from benchmarks.clinical_errors import error_rate
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.mixed import DIVERGED, SINGULAR, mixed_estimate
from bids_app.stats.twovisits import TwoVisits


def test_the_interaction_equals_its_formula():
    data, rows = simulated(), long(simulated())
    found = mixed_estimate(data, constrained=False)
    fit = smf.mixedlm("value ~ follow * arm + age + C(stratum)", rows, groups=rows["participant"]).fit()
    assert (found.note, found.n_active, found.n_reference) == ("", 22, 22)
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-5)
    assert found.standard_error == pytest.approx(fit.bse["follow:arm"], rel=0.02)  # statsmodels' is a little larger
    assert found.df == 84 - 44 - 2
    assert found.p > fit.pvalues["follow:arm"]
    assert np.isnan(found.p_rerandomized)


def test_the_constrained_model_equals_its_formula_on_scaled_visits():
    data = simulated()
    found = mixed_estimate(data, n_draws=0)
    spread = [fit_spread(rows, "+ age + C(stratum)") for _, rows in long(data).groupby("visit")]
    rows = long(replace(data, baseline=data.baseline * spread[1] / spread[0]))
    formula = "value ~ follow + follow:arm + age * follow + C(stratum) * follow"
    fit = smf.mixedlm(formula, rows, groups=rows["participant"]).fit()
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-5)
    design = fit.model.exog
    same = rows["participant"].to_numpy()[:, None] == rows["participant"].to_numpy()
    covariance = fit.scale * np.eye(len(rows)) + float(np.squeeze(fit.cov_re)) * same
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ np.linalg.solve(covariance, design))))
    assert found.standard_error == pytest.approx(errors[list(fit.params.index).index("follow:arm")], rel=1e-4)
    assert found.standard_error <= fit.bse["follow:arm"] * (1 + 1e-4)
    assert found.df == 84 - 44 - 4


def test_of_complete_data_the_constrained_model_is_the_ancova():
    """The ANCOVA takes the slope on the baseline, the model the correlation of visits that vary alike."""
    data = simulated(missing=0, n=200)
    mixed, ancova = mixed_estimate(data, n_draws=500), linear_estimate(data, n_draws=500)
    assert mixed.estimate == pytest.approx(ancova.estimate, abs=0.05)
    assert mixed.standard_error == pytest.approx(ancova.standard_error, rel=0.03)
    assert mixed.p_rerandomized == pytest.approx(ancova.p_rerandomized, abs=0.01)


def test_of_complete_data_the_interaction_is_the_difference_of_changes():
    data = simulated(missing=0, covariates=False)
    mixed = mixed_estimate(data, constrained=False, n_draws=0)
    plain = scipy_stats.ttest_ind(data.change[data.arm == 1], data.change[data.arm == 0])
    assert mixed.t == pytest.approx(plain.statistic, rel=1e-4)
    assert mixed.df == plain.df
    assert mixed.p == pytest.approx(plain.pvalue, rel=1e-3)


def fit_spread(rows, more=""):
    return np.sqrt(smf.ols(f"value ~ C(arm) {more}", rows).fit().scale)


def test_a_stratum_without_a_follow_up_has_no_term_of_its_own_there():
    data = simulated(covariates=False)
    followup = np.where(np.arange(44) < 2, np.nan, data.followup)
    rare = replace(data, followup=followup, strata=np.where(np.arange(44) < 2, "rare", "common"))
    found = mixed_estimate(rare, n_draws=100)
    rows = pd.DataFrame(
        {"arm": data.arm, "baseline": data.baseline, "followup": followup, "rare": rare.strata == "rare"}
    )
    rows = rows.reset_index(names="participant").melt(["participant", "arm", "rare"], var_name="visit").dropna()
    rows = rows.astype({"rare": int})
    spread = {name: fit_spread(of_visit, "+ rare") for name, of_visit in rows.groupby("visit")}
    rows["value"] *= spread["followup"] / rows["visit"].map(spread)
    rows = rows.assign(follow=(rows["visit"] == "followup") * 1)
    fit = smf.mixedlm("value ~ follow + follow:arm + rare", rows, groups=rows["participant"]).fit()
    assert found.note == ""
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-4)
    assert found.df == len(rows) - 44 - 2


def test_who_has_no_value_at_all_is_counted():
    data = simulated(missing=0)
    gone = np.arange(44) < 3
    data = replace(data, baseline=np.where(gone, np.nan, data.baseline), followup=np.where(gone, np.nan, data.followup))
    found = mixed_estimate(data, n_draws=0)
    assert found.n_active + found.n_reference == 41
    assert found.note == "3 randomized have no value at any visit"


def test_a_singular_mixed_model_falls_back_and_says_so():
    data = simulated(missing=2)
    data = replace(
        data, strata=None, covariates=None, baseline=25 - 3 * (data.followup - 18) / 4
    )  # negative correlation: no shared intercept
    data = replace(data, baseline=np.where(np.isnan(data.baseline), 25, data.baseline))
    found = mixed_estimate(data, n_draws=0)
    assert found.note.startswith((SINGULAR, DIVERGED))
    wide = pd.DataFrame({"arm": data.arm, "baseline": data.baseline, "followup": data.followup})
    rows = wide.reset_index(names="participant").melt(["participant", "arm"], var_name="visit").dropna()
    spread = {name: fit_spread(of_visit) for name, of_visit in rows.groupby("visit")}
    rows = rows.assign(
        value=rows["value"] * spread["followup"] / rows["visit"].map(spread), follow=(rows["visit"] == "followup") * 1
    )
    fit = smf.ols("value ~ follow + follow:arm", rows).fit(cov_type="cluster", cov_kwds={"groups": rows["participant"]})
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-8)
    assert found.standard_error == pytest.approx(fit.bse["follow:arm"], rel=1e-8)


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("condition", [{}, {"split": True}, {"explained": 0.84}, {"n_visits": 3, "ar": 0.8}])
def test_false_alarms_are_as_many_as_they_should_be(condition):
    """Of 400 null trials, strata and covariates that explain the baseline among them."""
    rate = error_rate(condition, 400, seed=5)
    assert scipy_stats.binomtest(round(rate * 400), 400, 0.05, alternative="greater").pvalue > 0.005
