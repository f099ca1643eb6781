"""A 2 x 2 cross-over trial against the textbook: effect, error, degrees of freedom, and every sequence there is."""

import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats

from bids_app.stats import (
    Inference,
    VoxelModels,
    allocations,
    by_treatment,
    compare,
    crossed,
    estimate,
    hypothesis,
    nuisance,
    two_periods,
)
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import crossover_table
from bids_app.stats.estimands import BY_TREATMENT
from bids_app.stats.twovisits import TwoVisits

SEQUENCE = np.array([1, 1, 1, 1, 0, 0, 0])  # active first, or reference first
N, V = len(SEQUENCE), 4
EFFECT, PERIOD = np.array([0.0, 1.0, 2.0, -1.0]), 5.0
ESTIMATORS = ("crossover", "first-period", "carry-over", "period")


def trial(seed=0, effect=EFFECT, period=PERIOD):
    """Return the (n, V) maps of both periods: participants differ, treatment and period add up."""
    rng = np.random.default_rng(seed)
    people = rng.normal(10, 4, (N, 1))
    active = np.column_stack([SEQUENCE, 1 - SEQUENCE])
    return tuple(people + effect * active[:, [place]] + period * place + rng.normal(0, 0.5, (N, V)) for place in (0, 1))


def stated(estimator, first, second):
    maps = {"period1": first, "period2": second} | by_treatment(first, second, SEQUENCE)
    return hypothesis(two_periods(estimator), maps, nuisance(N), arm=SEQUENCE)


def estimated(estimator, first, second):
    return estimate(VoxelModels.prepare(stated(estimator, first, second)))


def test_the_effect_is_that_of_the_textbook():
    """tau = (mean d_AB - mean d_BA) / 2, SE = s_d sqrt(1/n_AB + 1/n_BA) / 2 on n - 2 degrees of freedom."""
    first, second = trial()
    found, d = estimated("crossover", first, second), first - second
    ab, ba = d[SEQUENCE == 1], d[SEQUENCE == 0]
    tau = (ab.mean(axis=0) - ba.mean(axis=0)) / 2
    pooled = (((ab - ab.mean(axis=0)) ** 2).sum(axis=0) + ((ba - ba.mean(axis=0)) ** 2).sum(axis=0)) / (N - 2)
    error = np.sqrt(pooled * (1 / len(ab) + 1 / len(ba))) / 2
    np.testing.assert_allclose(found.difference, tau)
    np.testing.assert_allclose(found.t, tau / error)
    assert found.df == N - 2
    margin = scipy_stats.t.ppf(0.975, N - 2) * error
    np.testing.assert_allclose(found.ci_low, tau - margin)
    np.testing.assert_allclose(found.ci_high, tau + margin)


def test_effect_and_period_are_those_of_the_model_with_participants_in_statsmodels():
    """Of a fixed effect of every participant, of treatment and of period; sizes of the sequences differ."""
    first, second = trial()
    found = {name: estimated(name, first, second) for name in ("crossover", "period")}
    for voxel in range(V):
        rows = pd.DataFrame(
            {
                "value": np.concatenate([first[:, voxel], second[:, voxel]]),
                "who": np.tile(np.arange(N), 2),
                "active": np.concatenate([SEQUENCE, 1 - SEQUENCE]),
                "first": np.repeat([1, 0], N),
            }
        )
        fit = smf.ols("value ~ C(who) + active + first", rows).fit()
        for name, column in (("crossover", "active"), ("period", "first")):
            assert found[name].difference[voxel] == pytest.approx(fit.params[column])
            assert found[name].t[voxel] == pytest.approx(fit.tvalues[column])
            assert found[name].df == fit.df_resid


def test_the_first_period_and_carry_over_are_between_participants():
    first, second = trial()
    for name, outcome in (("first-period", first), ("carry-over", first + second)):
        found = estimated(name, first, second)
        for voxel in range(V):
            fit = sm.OLS(outcome[:, voxel], np.column_stack([SEQUENCE, np.ones(N)])).fit()
            assert found.difference[voxel] == pytest.approx(fit.params[0])
            assert found.t[voxel] == pytest.approx(fit.tvalues[0])


@pytest.mark.parametrize("period", [-3.0, 0.0, 100.0])
def test_the_effect_is_free_of_the_period_and_of_the_participants(period):
    first, second = trial(period=0)
    rng = np.random.default_rng(1)
    people = rng.normal(0, 50, (N, 1))
    moved = estimated("crossover", first + people, second + people + period)
    np.testing.assert_allclose(moved.difference, estimated("crossover", first, second).difference, atol=1e-9)
    np.testing.assert_allclose(moved.t, estimated("crossover", first, second).t, rtol=1e-6)


def test_the_sign_is_active_minus_reference():
    zeros = np.zeros((N, V))
    rng = np.random.default_rng(2)
    noise = [rng.normal(0, 1e-3, (N, V)) for _ in range(2)]
    active = SEQUENCE[:, None] == 1
    first, second = np.where(active, 1, zeros) + noise[0], np.where(active, zeros, 1) + noise[1]
    for name in ("crossover", "first-period"):
        np.testing.assert_allclose(estimated(name, first, second).difference, 1, atol=0.01)
    np.testing.assert_allclose(estimated("carry-over", first, second).difference, 0, atol=0.01)
    np.testing.assert_allclose(estimated("period", first, second).difference, 0, atol=0.01)
    np.testing.assert_allclose(estimated("period", noise[0] + 1, noise[1]).difference, 1, atol=0.01)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_p_of_all_sequences_is_that_of_brute_force(estimator):
    first, second = trial(effect=EFFECT / 2, period=0.3)
    draws = allocations(SEQUENCE, None, 1000, 0)
    assert draws.exhaustive
    found = compare(stated(estimator, first, second), draws, Inference(statistic="voxel"))
    maps = {"period1": first, "period2": second} | by_treatment(first, second, SEQUENCE)
    outcome = sum(weight * maps[name] for name, weight in two_periods(estimator).outcome.items())
    drawn = []
    for members in combinations(range(N), 4):
        rows = np.isin(np.arange(N), members)
        drawn.append(scipy_stats.ttest_ind(outcome[rows], outcome[~rows]).statistic)
    drawn, own = np.abs(drawn), np.abs(scipy_stats.ttest_ind(outcome[:4], outcome[4:]).statistic)
    np.testing.assert_allclose(found.p, (drawn >= own - 1e-9).mean(axis=0))
    np.testing.assert_allclose(found.p_fwe, [(drawn.max(axis=1) >= one - 1e-9).mean() for one in own])


def test_maps_by_treatment_are_those_of_the_periods_again():
    first, second = trial()
    active, reference = by_treatment(first, second, SEQUENCE).values()
    np.testing.assert_array_equal(active[:4], first[:4])
    np.testing.assert_array_equal(active[4:], second[4:])
    np.testing.assert_array_equal(active + reference, first + second)
    assert two_periods("period").visits == BY_TREATMENT


def test_scores_are_compared_as_maps_are_and_need_both_periods():
    first, second = (values[:, 1].copy() for values in trial())
    second[2] = np.nan
    data = TwoVisits(SEQUENCE, first, second)
    found, known = linear_estimate(data, "crossover"), np.isfinite(second)
    half = ((first - second) / 2)[known]
    expected = scipy_stats.ttest_ind(half[SEQUENCE[known] == 1], half[SEQUENCE[known] == 0])
    assert (found.n_active, found.n_reference, found.df) == (3, 3, 4)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    table = crossover_table({"hamd": data, "items": data}, ordinal=["items"], n_draws=20)
    assert list(table["method"]) == ["crossover", "mixed-periods", "ranks", "crossover", "mixed-periods"]
    assert list(table["analysis"]) == ["main", "sensitivity", "main", "sensitivity", "sensitivity"]
    assert set(table.loc[table["method"] != "mixed-periods", "population"]) == {"with both periods"}
    with pytest.raises(ValueError, match="hamd is known at one period only"):
        crossover_table({"hamd": TwoVisits(SEQUENCE, None, first)})


def test_what_the_periods_differ_in_makes_no_odds():
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "designs.py"))
    differ, nothing = (
        [benchmark["crossover"](seed, period=period)["crossover"] for seed in range(25)] for period in (0.8, 0.0)
    )
    assert differ == nothing


def test_an_estimator_that_is_not_there_is_named():
    with pytest.raises(
        ValueError, match="must be one of crossover, unadjusted, first-period, carry-over, period, not 'anc"
    ):
        two_periods("ancova")


def with_baselines(seed=0):
    """Return the maps of periods and baselines; what a participant had at a baseline is half of the outcome."""
    first, second = trial(seed)
    rng = np.random.default_rng([seed, 1])
    before = [values / 2 + rng.normal(0, 0.5, (N, V)) for values in trial(seed, effect=0)]
    return dict(zip(("period1", "period2", "baseline1", "baseline2"), (first, second, *before), strict=True))


@pytest.mark.parametrize(
    "estimator", ["crossover", "unadjusted", "first-period", "period", "carry-over", "baseline-carry-over"]
)
def test_baselines_are_adjusted_for_as_least_squares_does_it(estimator):
    """Kenward & Roger: half of y1 - y2 on the sequence and on b1 - b2, each voxel's own; of period 1 on b1."""
    names, maps = (("period1", "period2"), ("baseline1", "baseline2")), with_baselines()
    estimand = two_periods(estimator, *names[0], names[1])
    made = crossed(estimator, maps, SEQUENCE, *names)
    tested = hypothesis(estimand, {name: made[name] for name in estimand.visits}, nuisance(N), arm=SEQUENCE)
    found = estimate(VoxelModels.prepare(tested))
    y1, y2, b1, b2 = maps.values()
    flipped = np.where(SEQUENCE == 1, 1, -1)[:, None]  # the period is the mean of the differences by treatment
    outcome, covariate = {
        "crossover": ((y1 - y2) / 2, b1 - b2),
        "unadjusted": ((y1 - y2) / 2, None),
        "first-period": (y1, b1),
        "period": ((y1 - y2) / 2 * flipped, (b1 - b2) * flipped),
        "carry-over": (y1 + y2, None),
        "baseline-carry-over": (b2 - b1, None),
    }[estimator]
    for voxel in range(V):
        columns = [SEQUENCE, np.ones(N), *([] if covariate is None else [covariate[:, voxel]])]
        fit = sm.OLS(outcome[:, voxel], np.column_stack(columns)).fit()
        assert found.difference[voxel] == pytest.approx(fit.params[0])
        assert found.t[voxel] == pytest.approx(fit.tvalues[0])
        assert found.df == fit.df_resid


def test_the_period_is_that_of_the_model_of_the_effect():
    """Period and treatment are two coefficients of one model, also where it has the baselines."""
    y1, y2, b1, b2 = (values[:, 1] for values in with_baselines().values())
    fit = sm.OLS((y1 - y2) / 2, np.column_stack([np.where(SEQUENCE == 1, 1, -1) / 2, np.ones(N), b1 - b2])).fit()
    made = crossed("period", with_baselines(), SEQUENCE, ("period1", "period2"), ("baseline1", "baseline2"))
    estimand = two_periods("period", "period1", "period2", ("baseline1", "baseline2"))
    tested = hypothesis(estimand, {name: made[name] for name in estimand.visits}, nuisance(N), arm=SEQUENCE)
    found = estimate(VoxelModels.prepare(tested))
    assert found.difference[1] == pytest.approx(2 * fit.params[1])
    assert found.t[1] == pytest.approx(fit.tvalues[1])


def test_scores_with_baselines_are_of_who_has_all_four_and_beside_it_of_both_periods():
    y1, y2, b1, b2 = (values[:, 1] for values in with_baselines().values())
    before = b1 - b2
    before[3] = np.nan
    rows = crossover_table({"hamd": TwoVisits(SEQUENCE, y1, y2, of_baselines=before)}, n_draws=20).to_dict("records")
    known = np.isfinite(before)
    design = np.column_stack([SEQUENCE, np.ones(N), np.nan_to_num(before)])[known]
    fit = sm.OLS(((y1 - y2) / 2)[known], design).fit()
    assert [(row["method"], row["population"], row["n_active"]) for row in rows] == [
        ("crossover", "with both periods and their baselines", 3),
        ("unadjusted", "with both periods", 4),
    ]
    assert (rows[0]["estimate"], rows[0]["df"]) == (pytest.approx(fit.params[0]), fit.df_resid)
    assert rows[0]["p"] == pytest.approx(fit.pvalues[0])
    assert rows[1]["p"] == pytest.approx(scipy_stats.ttest_ind(*np.split((y1 - y2) / 2, [4])).pvalue)
