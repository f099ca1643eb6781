"""The table of all arms at all follow-ups: what is in it, and what is said where something is missing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from depression_trial import frame, simulated
from scipy import stats

from bids_app.stats.repeated import (
    ADJUSTED,
    ANY,
    ANY_ARM,
    AVERAGE,
    JOINT,
    NO_BASELINE,
    ONE_MEAN,
    REPEATED_COLUMNS,
    RepeatedScores,
    repeated_table,
)
from bids_app.stats.scores.two_visits import mixed_estimate


def three_arms(seed=0, n=45, effect=(0.0, 0.0, -2.0)):
    """Three arms, a baseline and three follow-ups; a fifth misses the last."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.arange(n) % 3)
    person = generator.standard_normal(n)
    visits = person[:, None] + generator.standard_normal((n, 4)) * [1, 1, 1.5, 2]
    visits[:, 1:] += np.array(effect)[arm][:, None]
    visits[generator.permutation(n)[: n // 5], 3] = np.nan
    return RepeatedScores(("placebo", "low", "high"), ("w1", "w4", "w8"), arm, visits[:, 0], visits[:, 1:])


def of_differences(table):
    """Leave out the rows of F."""
    return table[table["df_numerator"].isna()]


def test_every_arm_has_a_row_at_every_follow_up_and_on_average():
    data = three_arms()
    table = of_differences(repeated_table({"hamd": data}))
    assert list(table) == list(REPEATED_COLUMNS)
    assert list(table["active"]) == ["low"] * 4 + ["high"] * 4
    assert list(table["followup"]) == ["w1", "w4", "w8", AVERAGE] * 2
    assert set(table["reference"]) == {"placebo"}
    assert set(table["baseline"]) == {ONE_MEAN}
    last = table[table["followup"] == "w8"]
    assert (last["n_active"] + last["missing_active"] == 15).all()
    assert (last["missing_active"] + last["missing_reference"] > 0).any()
    assert (table["p_together"] >= table["p"]).all()
    assert (table["together_low"] < table["ci_low"]).all()
    of_high = table[table["active"] == "high"].set_index("followup")
    average = of_high.loc[["w1", "w4", "w8"], "estimate"].mean()
    assert of_high.loc[AVERAGE, "estimate"] == pytest.approx(average, rel=1e-9)
    assert (of_high["mean_active"] - of_high["mean_reference"]).to_numpy() == pytest.approx(of_high["estimate"])


def test_weights_of_the_arms_are_the_sums_of_their_fitted_means():
    data = replace(three_arms(), weighted=(("doses", (-1.0, 0.25, 0.75)),))
    table = of_differences(repeated_table({"hamd": data}, n_draws=200))
    assert list(table["active"]) == ["low"] * 4 + ["high"] * 4 + ["doses"] * 4
    rows = table[table["active"] == "doses"].set_index("followup")
    fit = data.fit(randomized=True)
    means = fit.adjusted_means()
    for visit, followup in enumerate(data.followups):
        positive = 0.25 * means[1, visit].estimate + 0.75 * means[2, visit].estimate
        got = rows.loc[followup, ["mean_active", "mean_reference", "estimate"]].tolist()
        assert got == pytest.approx([positive, means[0, visit].estimate, positive - means[0, visit].estimate])
        expected = fit.contrast(np.outer([-1, 0.25, 0.75], np.eye(3)[visit]))
        assert list(rows.loc[followup, ["standard_error", "df", "p"]]) == pytest.approx(
            [expected.standard_error, expected.df, expected.p]
        )
    assert rows.loc[AVERAGE, "estimate"] == pytest.approx(rows["estimate"].iloc[:3].mean())
    assert rows["reference"].isna().all()
    assert (rows["n_active"].iloc[:2] == 30).all()  # of both doses
    assert (rows["p_together"] >= rows["p"]).all()
    assert rows["p_rerandomized"].between(1 / 200, 1).all()
    plain = of_differences(repeated_table({"hamd": three_arms()}, n_draws=200))
    same = ["estimate", "p", "p_rerandomized", "ci_low"]
    pd.testing.assert_frame_equal(table[same].iloc[:8], plain[same], check_exact=False, rtol=1e-9)


@pytest.mark.parametrize("randomized", [True, False])
def test_of_one_complete_follow_up_it_is_the_ancova_of_all_arms(randomized):
    data = three_arms()
    data = replace(data, followups=("w1",), values=data.values[:, :1])
    table = of_differences(repeated_table({"hamd": data}, randomized=randomized))
    rows = {"y": data.values[:, 0], "low": data.arm == 1, "high": data.arm == 2, "b": data.baseline}
    fit = smf.ols("y ~ low + high + b", pd.DataFrame(rows).astype(float)).fit()
    assert list(table["followup"]) == ["w1", "w1"]
    assert list(table["estimate"]) == pytest.approx(list(fit.params[["low", "high"]]), rel=1e-7)
    if not randomized:
        assert list(table["p"]) == pytest.approx(list(fit.pvalues[["low", "high"]]), rel=1e-6)
        assert set(table["df"].round(4)) == {45 - 4}


def test_of_two_arms_and_one_follow_up_it_is_the_row_of_two_visits():
    data = simulated()
    values = RepeatedScores(
        ("placebo", "drug"), ("post",), data.arm, data.baseline, data.followup[:, None], data.covariates, data.strata
    )
    (row,) = repeated_table({"hamd": values}).to_dict("records")
    expected = mixed_estimate(data, n_draws=0)
    for name in ("estimate", "standard_error", "df", "t", "p", "ci_low", "ci_high"):
        assert row[name] == pytest.approx(getattr(expected, name), rel=1e-9)
    assert row["p_together"] == pytest.approx(row["p"], rel=1e-6)
    fit = smf.ols("followup ~ arm + baseline + age + C(stratum)", frame(data).dropna()).fit()
    assert row["estimate"] == pytest.approx(fit.params["arm"], rel=1e-6)


def test_without_a_baseline_it_is_the_analysis_of_variance():
    data = three_arms()
    data = replace(data, baseline=None, followups=("w1",), values=data.values[:, :1])
    table = of_differences(repeated_table({"hamd": data}))
    groups = [data.values[data.arm == arm, 0] for arm in range(3)]
    pooled = np.mean([one.var(ddof=1) for one in groups])
    assert list(table["standard_error"]) == pytest.approx([np.sqrt(2 * pooled / 15)] * 2, rel=1e-8)
    assert set(table["baseline"]) == {NO_BASELINE}
    expected = stats.dunnett(groups[1], groups[2], control=groups[0], random_state=np.random.default_rng(0)).pvalue
    np.testing.assert_allclose(table["p_together"], expected, atol=2e-3)


@pytest.mark.parametrize("randomized", [True, False])
def test_f_of_any_difference_and_of_the_interaction_close_the_table(randomized):
    data = three_arms()
    table = repeated_table({"hamd": data}, randomized=randomized)
    rows, fit = table.tail(2), data.fit(randomized)
    assert list(rows["followup"]) == list(JOINT)
    assert list(rows["active"] + " " + rows["reference"]) == [f"{ANY_ARM} placebo"] * 2
    assert (list(rows["df_numerator"]), list(rows["n_active"])) == ([6, 4], [30, 30])
    for (_, row), weights in zip(rows.iterrows(), (fit.every_difference(), fit.every_change()), strict=True):
        test = fit.joint(weights)
        assert (row["f"], row["df"], row["p"]) == (test.statistic, test.df_denominator, test.p)
        assert row["p"] == pytest.approx(stats.f.sf(row["f"], row["df_numerator"], row["df"]), rel=1e-9)
    assert rows[["estimate", "t", "ci_low", "p_together"]].isna().all(axis=None)


def test_of_one_follow_up_f_is_that_of_the_ancova_and_of_one_difference_there_is_none():
    data = three_arms()
    once = replace(data, followups=("w1",), values=data.values[:, :1])
    (row,) = repeated_table({"hamd": once}, randomized=False).dropna(subset="f").to_dict("records")
    y, b = once.values[:, 0], once.baseline
    fit = smf.ols("y ~ C(arm) + b", pd.DataFrame({"y": y, "arm": once.arm, "b": b})).fit()
    test = fit.f_test("C(arm)[T.1] = 0, C(arm)[T.2] = 0")
    assert (row["followup"], row["df_numerator"]) == (ANY, 2)
    assert (row["f"], row["df"], row["p"]) == pytest.approx((test.fvalue, test.df_denom, test.pvalue), rel=1e-6)
    two = replace(once, arms=once.arms[:2], arm=once.arm % 2)
    assert repeated_table({"hamd": two})["f"].isna().all()
    several = replace(data, arms=data.arms[:2], arm=data.arm % 2)
    assert list(repeated_table({"hamd": several})["active"].tail(2)) == ["low", "low"]


def test_groups_that_differ_before_are_adjusted_for_it_and_who_has_none_is_left_out():
    data = three_arms()
    data = replace(data, baseline=np.where(np.arange(45) < 4, np.nan, data.baseline))
    table = repeated_table({"hamd": data}, randomized=False)
    assert set(table["baseline"]) == {ADJUSTED}
    assert set(table["n_model"]) == {41}
    assert set(table["note"]) == {"4 without a baseline are left out"}
    assert set(repeated_table({"hamd": data})["n_model"]) == {45}


def test_a_follow_up_that_an_arm_lacks_is_not_in_the_model():
    data = three_arms()
    values = np.where((data.arm[:, None] == 1) & (np.arange(3) == 1), np.nan, data.values)
    table = repeated_table({"hamd": replace(data, values=values)})
    expected = repeated_table({"hamd": replace(data, followups=("w1", "w8"), values=values[:, [0, 2]])})
    assert list(table["df_numerator"].dropna()) == [4, 2]
    table, expected = of_differences(table), of_differences(expected)
    lacking = table["followup"] == "w4"
    assert table.loc[lacking, "estimate"].isna().all()
    assert table.loc[lacking, "note"].str.startswith("not estimated: an arm has no score").all()
    assert list(table.loc[~lacking, "estimate"]) == pytest.approx(list(expected["estimate"]))
    assert list(table.loc[~lacking, "p_together"]) == pytest.approx(list(expected["p_together"]))


def test_what_cannot_be_estimated_is_said_by_name():
    data = three_arms()
    nobody = np.where(data.arm[:, None] == 2, np.nan, data.values)
    table = repeated_table({"hamd": replace(data, values=nobody)})
    assert set(table["note"]) == {"not estimated: at no follow-up every arm has a score"}
    assert list(table["followup"]) == ["w1", "w4", "w8"] * 2
    once = np.where(np.arange(3) == np.arange(45)[:, None] % 3, data.values, np.nan)
    once[np.isfinite(once)[:, 0], 0] = 1.0
    apart = replace(data, values=once, baseline=None)
    (note,) = set(repeated_table({"hamd": apart})["note"])
    assert note.startswith("not estimated: no form of the covariance")
    assert "nobody has scores at both ses-w1 and ses-w4" in note


def test_a_second_choice_of_the_covariance_is_said():
    data = three_arms()
    values = data.values.copy()
    even = np.arange(45) % 2 == 0
    values[even, 1], values[~even, 2] = np.nan, np.nan
    table = repeated_table({"hamd": replace(data, values=values)})
    assert set(table["covariance"]) == {"heterogeneous Toeplitz"}
    (note,) = set(table["note"])
    assert note == (
        "heterogeneous Toeplitz covariance of the visits, a second choice; "
        "unstructured: nobody has scores at both ses-w4 and ses-w8"
    )


@pytest.mark.slow
def test_in_null_trials_any_difference_is_found_as_often_as_it_should_be():
    tables = (repeated_table({"x": three_arms(seed, effect=(0, 0, 0))}) for seed in range(200))
    found = sum((table["p_together"] <= 0.05).any() for table in tables)
    assert stats.binomtest(int(found), 200, 0.05).pvalue > 0.01
