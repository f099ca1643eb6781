from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from depression_trial import simulated
from scipy import stats as scipy_stats

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.imputation import MOVED, delta_table, impute, pooled, tipping_points
from bids_app.stats.missing import (
    MISSING_COLUMNS,
    TIPPING_COLUMNS,
    extreme_cases,
    extreme_shares,
    missing_table,
    tipping_table,
)
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.design import Design
from bids_app.trial.outcomes import outcome_table, two_visits
from bids_app.trial.tables import read_tables


def plain(seed=1, **more):
    """Return a trial without covariates and strata, in which 6 of 44 have no follow-up."""
    return replace(simulated(seed, covariates=False, **{"missing": 6, **more}), strata=None)


def test_rubins_rules_by_hand():
    # Mean 2, B = 1, T = 1 + 4/3; lambda = 4/7; (M - 1) / lambda^2 = 6.125, observed 41/43 * 40 * 3/7.
    error, df = pooled(np.array([1.0, 2, 3]), 1.0, 40)
    assert error == pytest.approx(np.sqrt(7 / 3))
    assert df == pytest.approx(1 / (1 / 6.125 + 43 * 7 / (41 * 40 * 3)))


def test_without_a_shift_imputation_is_the_analysis_of_complete_cases():
    data = plain()
    imputed, complete = impute(data, n_imputations=4000).estimate(), linear_estimate(data, n_draws=0)
    assert imputed.estimate == pytest.approx(complete.estimate, abs=0.03)
    assert imputed.standard_error == pytest.approx(complete.standard_error, rel=0.06)
    assert (imputed.n_active, imputed.n_reference) == (22, 22)
    assert imputed.p == pytest.approx(complete.p, abs=0.005)


def test_the_imputed_values_have_the_mean_and_spread_of_a_prediction():
    data = plain(n=30, missing=4)
    lost = ~data.observed
    draws = impute(data, n_imputations=20_000, seed=2).followup[lost]
    frame = pd.DataFrame({"followup": data.followup, "arm": data.arm, "baseline": data.baseline})
    predicted = smf.ols("followup ~ arm + baseline", frame[~lost]).fit().get_prediction(frame[lost])
    np.testing.assert_allclose(draws.mean(axis=1), predicted.predicted_mean, atol=0.15)
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    np.testing.assert_allclose(np.column_stack([low, high]), predicted.conf_int(obs=True), atol=0.4)


def test_nothing_missing_leaves_nothing_to_impute():
    data = plain(missing=0)
    imputed, complete = impute(data).estimate(), linear_estimate(data, n_draws=0)
    assert imputed.estimate == pytest.approx(complete.estimate, rel=1e-9)
    assert imputed.standard_error == pytest.approx(complete.standard_error, rel=1e-9)
    for point in tipping_points(data):
        assert np.isnan(point.delta)
        assert point.note == "nobody of whom it would be moved lacks a follow-up"


def test_a_shift_moves_the_estimate_by_the_share_that_is_missing():
    """Post-only, no baseline: the active mean moves by delta times the missing share of the active arm."""
    data = replace(plain(), baseline=None)
    share = np.mean(~data.observed[data.arm == 1])
    first, second = delta_table(data, [0.0, 3.0])
    assert second.estimate - first.estimate == pytest.approx(3 * share)
    assert second.note == "imputed active follow-ups moved by 3"


@pytest.mark.parametrize("effect", [-5.0, -1.8])
@pytest.mark.parametrize("moved", MOVED)
def test_at_the_tipping_point_p_is_alpha_and_before_it_nothing_turns(effect, moved):
    """The closed form of the shift against the values, moved one by one."""
    data = plain(effect=effect, missing=10)
    point = tipping_points(data)[MOVED.index(moved)]
    imputed = impute(data)
    significant = imputed.estimate(0.0).p <= 0.05
    assert point.note.startswith("significant" if significant else "not significant")
    if np.isnan(point.delta):
        for shift in np.linspace(-10, 10, 9) * np.nanstd(data.followup) * 0.9:
            assert (imputed.estimate(shift, moved).p <= 0.05) == significant
        return
    assert imputed.estimate(point.delta, moved).p == pytest.approx(0.05, abs=1e-6)
    for share in (-0.9, -0.5, 0.5, 0.9):
        assert (imputed.estimate(share * point.delta, moved).p <= 0.05) == significant
    sd = np.sqrt(np.mean([np.nanvar(data.followup[data.arm == label], ddof=1) for label in (0, 1)]))
    assert point.delta_sd == pytest.approx(point.delta / sd, rel=0.02)


def test_the_tipping_point_is_stable_over_seeds_and_its_error_says_how_stable():
    """An effect near the level, where 100 imputations gave shifts from -0.3 to -3."""
    data = plain(effect=-2.2, missing=10)
    points = [tipping_points(data, seed=seed)[0] for seed in range(8)]
    deltas = np.array([point.delta for point in points])
    assert np.isfinite(deltas).all()
    assert deltas.std(ddof=1) < 0.3
    assert 0.3 < deltas.std(ddof=1) / np.median([point.delta_error for point in points]) < 3


def test_a_loss_in_the_reference_arm_alone_has_a_tipping_point():
    data = plain(effect=-3.0, missing=0)
    lost = np.flatnonzero(data.arm == 0)[:6]
    data = replace(data, followup=np.where(np.isin(np.arange(44), lost), np.nan, data.followup))
    active, reference, both = tipping_points(data)
    assert "nobody" in active.note
    assert reference.delta == pytest.approx(both.delta)
    assert np.isfinite(reference.delta)


def test_a_result_that_nothing_turns_says_so():
    point = tipping_points(plain(effect=-40.0, n=200, missing=1, seed=4))[0]
    assert np.isnan(point.delta)
    assert "whatever the shift" in point.note or "nobody" in point.note


def test_the_bounds_fill_in_the_extremes():
    data = TwoVisits(np.repeat([1, 0], 4), None, np.array([1.0, 2, 3, np.nan, 5, 6, 7, np.nan]))
    worst, best = extreme_cases(data)  # the active arm has the lower scores
    assert worst.estimate == pytest.approx((1 + 2 + 3 + 7) / 4 - (5 + 6 + 7 + 1) / 4)
    assert best.estimate == pytest.approx((1 + 2 + 3 + 1) / 4 - (5 + 6 + 7 + 7) / 4)
    plain = scipy_stats.ttest_ind([1, 2, 3, 7], [5, 6, 7, 1])
    assert worst.p == pytest.approx(plain.pvalue)
    turned = extreme_cases(replace(data, arm=1 - data.arm))
    assert (turned[0].estimate, turned[1].estimate) == pytest.approx((-worst.estimate, -best.estimate))
    assert [case.method for case in turned] == ["worst case", "best case"]
    assert abs(worst.estimate) < abs(linear_estimate(data, n_draws=0).estimate) < abs(best.estimate)


def test_the_bounds_hold_whatever_was_missing():
    generator = np.random.default_rng(3)
    for _ in range(20):
        data = plain(generator.integers(1000), missing=0)
        lost = generator.random(44) < 0.2
        lost[[np.argmin(data.followup), np.argmax(data.followup)]] = False
        worst, best = extreme_cases(replace(data, followup=np.where(lost, np.nan, data.followup), baseline=None))
        truth = linear_estimate(replace(data, baseline=None), n_draws=0).estimate
        assert min(best.estimate, worst.estimate) <= truth <= max(best.estimate, worst.estimate)


def test_the_bounds_of_shares():
    success = np.array([1.0, 1, 0, np.nan, 1, 0, 0, np.nan])
    worst, best = extreme_shares(success, TwoVisits(np.repeat([1, 0], 4), None, success))
    assert (worst.estimate, best.estimate) == (pytest.approx(2 / 4 - 2 / 4), pytest.approx(3 / 4 - 1 / 4))


def test_the_table_puts_the_assumptions_side_by_side():
    data = plain()
    values = {"hamd17": data, "region": replace(data, baseline=None)}
    table = missing_table(values, n_draws=100)
    assert list(table) == list(MISSING_COLUMNS)
    methods = table.groupby("value")["method"].apply(list)
    assert methods["hamd17"] == ["ancova", "mixed", "imputed", "worst case", "best case"]
    assert methods["region"] == ["post", "imputed", "worst case", "best case"]
    assert (table["missing_active"] + table["missing_reference"] == 6).all()
    everyone = table[table["population"] == "everyone randomized"]
    assert (everyone["n_active"] + everyone["n_reference"] == 44).all()
    rows = table[table["value"] == "hamd17"].set_index("method")["estimate"]
    assert rows["best case"] < rows["ancova"] < rows["worst case"]
    assert rows["mixed"] == pytest.approx(rows["ancova"], abs=0.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("left", [(), (0,), (0, 1)])
def test_a_value_that_hardly_anyone_has_is_not_estimated_and_says_so(left):
    data = plain(missing=0)
    followup = np.full(44, np.nan)
    followup[[np.flatnonzero(data.arm == arm)[0] for arm in left]] = 3.0
    values = {"x": replace(data, followup=followup)}
    table = missing_table(values).set_index("method")
    assert table.loc[["ancova", "mixed", "imputed"], "note"].str.startswith("not estimated").all()
    assert table.loc[["ancova", "mixed", "imputed"], "estimate"].isna().all()
    assert tipping_table(values)["note"][0].startswith("not estimated")


def test_the_tipping_points_of_several_values():
    few = TwoVisits(np.array([0, 1, 1]), None, np.array([1.0, 2, np.nan]))
    table = tipping_table({"hamd17": plain(missing=10), "few": few}, n_imputations=20)
    assert list(table) == list(TIPPING_COLUMNS)
    assert table.loc[0, "delta"] > 0  # ketamine lowers the score: only worse missing patients turn it
    assert table["moved"].tolist() == [*MOVED, *MOVED]
    assert table.loc[3, "note"] == "not estimated: 2 follow-ups are too few to impute the others"


def test_the_stages_trial(shared_data):
    tables = read_tables(shared_data / "stages" / "bids")
    design = Design("arm", "medication", "placebo", "1", "2")
    name = "bprs_change_t5"
    data = two_visits(outcome_table(tables, design, [name]), name, design)
    table = missing_table({name: data}, n_draws=500).set_index("method")
    assert table.loc["post", ["missing_active", "missing_reference"]].tolist() == [6, 0]
    assert table.loc["imputed", "n_active"] == 35
    assert table.loc["imputed", "estimate"] == pytest.approx(table.loc["post", "estimate"], abs=0.1)
    assert table.loc["best case", "estimate"] < table.loc["post", "estimate"] < table.loc["worst case", "estimate"]
