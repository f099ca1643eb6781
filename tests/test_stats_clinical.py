from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats
from scipy.optimize import brentq

from bids_app.cohort import Design, read_tables
from bids_app.cutoffs import parse_cutoffs
from bids_app.outcomes import outcome_table, two_visits
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import CLINICAL_COLUMNS, clinical_table, describe
from bids_app.stats.estimate import hedges_g
from bids_app.stats.mixed import DIVERGED, SINGULAR, mixed_estimate
from bids_app.stats.ranks import rank_estimate, superiority
from bids_app.stats.responders import newcombe, proportion_estimate, wilson
from bids_app.stats.twovisits import TwoVisits


def simulated(seed=1, *, n=44, effect=-5.0, missing=4, covariates=True):
    """A trial of a depression scale: SD 4 at baseline, 6 at follow-up, missing at random."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.arange(n) % 2)
    strata = np.where(np.arange(n) % 3 == 0, "a", "b")
    baseline = 25 + 4 * generator.standard_normal(n)
    followup = 18 + 0.8 * (baseline - 25) + effect * arm + 4.5 * generator.standard_normal(n)
    followup[generator.permutation(n)[:missing]] = np.nan
    age = generator.normal(40, 10, (n, 1)) if covariates else None
    return TwoVisits(arm, baseline, followup, age, strata)


def frame(data):
    columns = {"arm": data.arm, "baseline": data.baseline, "followup": data.followup, "stratum": data.strata}
    return pd.DataFrame({**columns, "age": data.covariates[:, 0], "change": data.change})


def long(data):
    wide = frame(data).reset_index(names="participant")
    rows = wide.melt(["participant", "arm", "age", "stratum"], ["baseline", "followup"], "visit").dropna()
    return rows.assign(follow=(rows["visit"] == "followup").astype(int))


@pytest.mark.parametrize(
    ("estimator", "formula"),
    [
        ("ancova", "followup ~ arm + baseline + age + C(stratum)"),
        ("change", "change ~ arm + age + C(stratum)"),
        ("post", "followup ~ arm + age + C(stratum)"),
    ],
)
def test_linear_estimates_equal_formulas(estimator, formula):
    data = simulated()
    found = linear_estimate(data, estimator, n_draws=2000)
    fit = smf.ols(formula, frame(data).dropna()).fit()
    assert (found.n_active + found.n_reference, found.df) == (40, fit.df_resid)
    assert found.estimate == pytest.approx(fit.params["arm"], rel=1e-9)
    assert found.standard_error == pytest.approx(fit.bse["arm"], rel=1e-9)
    assert found.p == pytest.approx(fit.pvalues["arm"], rel=1e-7)
    np.testing.assert_allclose([found.ci_low, found.ci_high], fit.conf_int().loc["arm"], rtol=1e-8)
    robust = fit.get_robustcov_results("HC3", use_t=True)
    assert found.p_hc3 == pytest.approx(robust.pvalues[fit.params.index.get_loc("arm")], rel=1e-7)
    assert found.p_rerandomized == pytest.approx(found.p, abs=0.03)


def test_rerandomized_p_counts_every_allocation_of_a_small_trial():
    # Of the 6 allocations the observed one and its mirror image differ most.
    data = TwoVisits(np.array([0, 0, 1, 1]), None, np.array([1.0, 2, 3, 4]))
    assert linear_estimate(data, "post").p_rerandomized == pytest.approx(2 / 6)


def test_hedges_g_of_two_groups_and_its_interval():
    # Means 2 and 6, both variances 1: g = (1 - 3 / 15) * 4; its interval against the noncentral t of Cohen's d.
    values, arm = np.array([1.0, 2, 3, 5, 6, 7]), np.repeat([0, 1], 3)
    assert hedges_g(4.0, np.sqrt(2 / 3), 4, values, arm)["effect_size"] == pytest.approx(3.2)
    generator = np.random.default_rng(3)
    values, arm = generator.standard_normal(80) + np.repeat([0, 0.5], 40), np.repeat([0, 1], 40)
    found = linear_estimate(TwoVisits(arm, None, values), "post", n_draws=0)
    d = found.estimate * np.sqrt(20) / (found.estimate / found.standard_error) / found.standard_error
    assert d == pytest.approx(np.sqrt(20))
    limits = [_noncentral(found.t, 78, tail) / np.sqrt(20) for tail in (0.975, 0.025)]
    np.testing.assert_allclose([found.effect_low, found.effect_high], limits, atol=0.02)


def _noncentral(t, df, probability):
    return brentq(lambda shift: scipy_stats.nct.cdf(t, df, shift) - probability, -5, 10)


def test_missing_baselines_cost_nobody_the_follow_up():
    data = simulated(missing=0)
    holes = data.baseline.copy()
    holes[:3] = np.nan
    found = linear_estimate(replace(data, baseline=holes), n_draws=0)
    assert found.n_active + found.n_reference == 44
    imputed = frame(replace(data, baseline=np.where(np.isnan(holes), np.nanmean(holes), holes)))
    fit = smf.ols("followup ~ arm + baseline + age + C(stratum)", imputed).fit()
    assert found.estimate == pytest.approx(fit.params["arm"], rel=1e-9)
    assert linear_estimate(replace(data, baseline=holes), "change", n_draws=0).n_active < found.n_active


def test_what_cannot_be_estimated_says_why():
    few = TwoVisits(np.array([0, 1, 1]), np.ones(3), np.array([1.0, 2, 3]))
    assert linear_estimate(few).note.startswith("not estimated")
    assert np.isnan(linear_estimate(few).p)
    assert mixed_estimate(TwoVisits(np.array([0, 1]), None, np.ones(2))).note == "not estimated: there is no baseline"
    assert mixed_estimate(few).note.startswith("not estimated")
    alone = TwoVisits(np.array([1, 1, 1, 1]), None, np.arange(4.0))
    assert linear_estimate(alone, "post").note.startswith("not estimated")
    assert rank_estimate(alone).note.startswith("not estimated")
    assert proportion_estimate(np.ones(4), alone).note.startswith("not estimated")


def test_the_interaction_equals_its_formula():
    data, rows = simulated(), long(simulated())
    found = mixed_estimate(data, constrained=False)
    fit = smf.mixedlm("value ~ follow * arm + age + C(stratum)", rows, groups=rows["participant"]).fit()
    assert (found.note, found.n_active, found.n_reference) == ("", 22, 22)
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-5)
    assert found.standard_error == pytest.approx(fit.bse["follow:arm"], rel=1e-4)
    assert found.df == 84 - 44 - 2
    assert found.p > fit.pvalues["follow:arm"]
    assert np.isnan(found.p_rerandomized)


def test_the_constrained_model_equals_its_formula_on_scaled_visits():
    data = simulated()
    found = mixed_estimate(data, n_draws=0)
    spread = [fit_spread(rows) for _, rows in long(data).groupby("visit")]
    rows = long(replace(data, baseline=data.baseline * spread[1] / spread[0]))
    formula = "value ~ follow + follow:arm + age * follow + C(stratum) * follow"
    fit = smf.mixedlm(formula, rows, groups=rows["participant"]).fit()
    assert found.estimate == pytest.approx(fit.params["follow:arm"], rel=1e-5)
    assert found.standard_error == pytest.approx(fit.bse["follow:arm"], rel=1e-4)
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


def fit_spread(rows):
    return np.sqrt(smf.ols("value ~ C(arm)", rows).fit().scale)


def test_a_third_visit_adds_its_own_term():
    data = simulated(missing=3)
    between = np.where(np.arange(44) % 5 == 0, np.nan, data.baseline - 2 * data.arm)[:, None]
    between += np.random.default_rng(8).normal(0, 4, (44, 1))
    found = mixed_estimate(replace(data, others=between), n_draws=500)
    wide = frame(data).assign(between=between[:, 0]).reset_index(names="participant")
    rows = wide.melt(["participant", "arm", "age", "stratum"], ["baseline", "between", "followup"], "visit").dropna()
    dummies = {name: (rows["visit"] == name).astype(int) for name in ("between", "followup")}
    formula = "value ~ (between + followup) * (age + C(stratum)) + between:arm + followup:arm"
    spread = {name: fit_spread(rows[rows["visit"] == name]) for name in ("baseline", "between", "followup")}
    rows["value"] *= spread["followup"] / rows["visit"].map(spread)
    fit = smf.mixedlm(formula, rows.assign(**dummies), groups=rows["participant"]).fit()
    assert found.estimate == pytest.approx(fit.params["followup:arm"], rel=1e-4)
    assert found.standard_error == pytest.approx(fit.bse["followup:arm"], rel=1e-3)
    assert found.df == len(rows) - 44 - 8
    assert found.p_rerandomized <= 0.02


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
    for _ in range(40):
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
    errors = {name: np.std(values) / np.sqrt(40) for name, values in found.items()}
    assert abs(means["mixed"] + 2) < 3 * errors["mixed"]
    assert abs(means["ancova"] + 2) < 3 * errors["ancova"]
    assert means["completers"] < -3


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


def test_the_table_has_a_row_per_outcome_and_method():
    data, ordinal = simulated(), replace(simulated(seed=9), baseline=None)
    (response,) = parse_cutoffs(["hamd17:response=50%"])
    successes = {"hamd17": {response.name: response.reached(data.baseline, data.followup)}}
    table = clinical_table({"hamd17": data, "cssrs": ordinal}, ordinal=["cssrs"], successes=successes, n_draws=200)
    assert list(table) == list(CLINICAL_COLUMNS)
    expected = ["ancova", "mixed", "change", "mixed-interaction", "proportion, missing as failure", "proportion"]
    assert table.loc[table["outcome"] == "hamd17", "method"].tolist() == expected
    assert table.loc[table["outcome"] == "cssrs", "method"].tolist() == ["ranks", "post"]
    main = table[table["analysis"] == "main"]
    assert main["endpoint"].tolist() == ["score", "response", "score"]
    assert main["method"].tolist() == ["ancova", "proportion, missing as failure", "ranks"]
    by_method = table[table["outcome"] == "hamd17"].set_index("method")
    assert by_method.loc["ancova", "n_active"] + by_method.loc["ancova", "n_reference"] == 40
    assert by_method.loc["mixed", "n_active"] + by_method.loc["mixed", "n_reference"] == 44
    done = data.completers()
    assert by_method.loc["ancova", "followup_sd_active"] == pytest.approx(done.followup[done.arm == 1].std(ddof=1))
    assert by_method.loc["mixed", "baseline_mean_reference"] == pytest.approx(data.baseline[data.arm == 0].mean())
    share = by_method.loc["proportion"]
    difference = share["followup_mean_active"] - share["followup_mean_reference"]
    assert share["estimate"] == pytest.approx(difference)


def test_the_same_seed_gives_the_same_table():
    first, second = (clinical_table({"x": simulated()}, n_draws=100, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_descriptions_leave_out_what_is_missing():
    described = describe(TwoVisits(np.array([1, 1, 0]), None, np.array([2.0, 4, np.nan])))
    assert (described["followup_mean_active"], described["followup_sd_active"]) == (3, pytest.approx(np.sqrt(2)))
    assert np.isnan(described["followup_mean_reference"])
    assert np.isnan(described["baseline_mean_active"])


def test_ketamine_lowers_a_real_depression_score(shared_data):
    """The first infusion of a crossover trial, two days after it; everyone with major depression."""
    tables = read_tables(shared_data / "bids_trees" / "ds005917_ketamine_rct")
    people = tables.participants[(tables.participants["group"] == "MDD") & tables.participants["infusion_1"].notna()]
    scores = tables.sessions["MADRS_Total"].unstack().reindex(people.index)
    arm = (people["infusion_1"] == "d").to_numpy(int)
    followup = np.where(arm == 1, scores["d2"], scores["p2"])
    data = TwoVisits(arm, scores["b0"].to_numpy(float), followup)
    rows = pd.DataFrame({"arm": arm, "baseline": data.baseline, "followup": followup}).dropna()
    table = clinical_table({"madrs": data}, n_draws=2000).set_index("method")
    fit = smf.ols("followup ~ arm + baseline", rows).fit()
    assert table.loc["ancova", "estimate"] == pytest.approx(fit.params["arm"])
    assert table.loc["ancova", "p"] == pytest.approx(fit.pvalues["arm"])
    assert (table["estimate"] < 0).all()
    assert (table["p"] < 0.05).all()
    assert table.loc["mixed", "estimate"] == pytest.approx(fit.params["arm"], abs=1)
    assert table.loc["mixed", "n_active"] + table.loc["mixed", "n_reference"] == len(people)


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


def test_the_stages_trial(shared_data):
    tables = read_tables(shared_data / "stages" / "bids")
    design = Design("arm", "medication", "placebo", "1", "2")
    names = ["bprs_change_t4", "sofas_change_t4"]
    table = outcome_table(tables, design, names)
    outcomes = {name: two_visits(table, name, design) for name in names}
    results = clinical_table(outcomes, ordinal=names, higher_is_better=["sofas_change_t4"], n_draws=2000)
    for name in names:
        rows = tables.participants[["arm", name]].dropna().assign(active=lambda rows: rows["arm"] == "medication")
        fit = smf.ols(f"{name} ~ active", rows.astype({"active": int})).fit()
        (row,) = results[(results["outcome"] == name) & (results["method"] == "post")].itertuples()
        assert (row.n_active + row.n_reference, row.n_reference) == (len(rows), 14)
        assert row.estimate == pytest.approx(fit.params["active"])
        assert row.p == pytest.approx(fit.pvalues["active"])
        assert row.p_rerandomized == pytest.approx(row.p, abs=0.05)
