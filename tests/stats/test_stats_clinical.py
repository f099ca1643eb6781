from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from depression_trial import frame, simulated
from scipy import stats as scipy_stats
from scipy.optimize import brentq

from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import CLINICAL_COLUMNS, by_mixed_model, clinical_table, describe
from bids_app.stats.estimates import hedges_g
from bids_app.stats.ranks import rank_estimate
from bids_app.stats.responders import proportion_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.design import Design
from bids_app.trial.outcomes import outcome_table, two_visits
from bids_app.trial.tables import read_tables


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
    # Means 2 and 6, variances 1: g = 4 J, J = gamma(2) / (sqrt(2) gamma(1.5)); its interval against noncentral t.
    values, arm = np.array([1.0, 2, 3, 5, 6, 7]), np.repeat([0, 1], 3)
    assert hedges_g(4.0, np.sqrt(2 / 3), 4, values, arm)["effect_size"] == pytest.approx(
        4 / np.sqrt(2) / (np.sqrt(np.pi) / 2)
    )
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


def test_the_table_has_a_row_per_outcome_and_method():
    data, ordinal = simulated(), replace(simulated(seed=9), baseline=None)
    (response,) = parse_cutoffs(["hamd17:response=50%"])
    successes = {"hamd17": {response.name: response.reached(data.baseline, data.followup)}}
    table = clinical_table({"hamd17": data, "cssrs": ordinal}, ordinal=["cssrs"], successes=successes, n_draws=200)
    assert list(table) == list(CLINICAL_COLUMNS)
    expected = ["ancova", "mixed", "change", "proportion, missing as failure", "proportion"]
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


def test_the_mixed_model_can_be_what_a_score_is_judged_by():
    """Not where there is none, of ordinal outcomes, or of cut-offs; all numbers stay as they are."""
    data, alone = simulated(), replace(simulated(seed=9), baseline=None)
    successes = {"hamd17": {"response": np.isfinite(data.followup).astype(float)}}
    given = {"panss": alone, "hamd17": data, "cssrs": data}
    table = clinical_table(given, ordinal=["cssrs"], successes=successes, n_draws=50)
    turned = by_mixed_model(table)
    main = turned[turned["analysis"] == "main"]
    assert (main["outcome"] + " " + main["method"]).tolist() == [
        "panss post",
        "hamd17 mixed",
        "hamd17 proportion, missing as failure",
        "cssrs ranks",
    ]
    assert turned.loc[turned["outcome"] == "hamd17", "method"].tolist()[:3] == ["mixed", "ancova", "change"]
    assert set(turned.loc[turned["analysis"] == "main", "deciding_p"]) == {"p"}
    key, beside = ["outcome", "endpoint", "method"], ["analysis", "deciding_p"]
    before, after = (one.drop(columns=beside).sort_values(key, ignore_index=True) for one in (table, turned))
    pd.testing.assert_frame_equal(before, after)


def test_groups_that_nobody_randomized_have_no_common_mean_before():
    data = simulated()
    table = clinical_table({"hamd17": data}, n_draws=None)
    assert table["method"].tolist() == ["ancova", "mixed-interaction", "change"]
    assert table["p_rerandomized"].isna().all()
    row = table.set_index("method").loc["mixed-interaction"]
    assert row["estimate"] == mixed_estimate(data, constrained=False).estimate
    assert row["n_active"] + row["n_reference"] == 44


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
