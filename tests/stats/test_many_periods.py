"""Cross-over trials of several treatments: what stands beside the headline, against least squares and enumeration."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from bids_app.stats import (
    Inference,
    VoxelModels,
    compare,
    compared_treatments,
    estimate,
    first_period,
    last_against_first,
    nuisance,
    of_rows,
    sequence_draws,
    sign_flips,
)
from bids_app.stats.clinical import several_periods_table
from bids_app.stats.manyperiods import ManyPeriods, compare_periods
from bids_app.stats.scores.periods import mixed_periods
from bids_app.stats.scores.treatments import treatments_table

WILLIAMS = np.array([(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
LATIN = WILLIAMS[:3]
PAIR = (-1.0, 0.0, 1.0)


def trial(given=WILLIAMS, each=3, seed=0):
    """Return the (n, 2) maps of each period, who had which sequence, and a covariate."""
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.repeat(np.arange(len(given)), each))
    person, age = rng.normal(0, 3, (len(sequence), 1)), rng.normal(40, 10, len(sequence))
    after = np.column_stack([np.zeros(len(sequence)), given[sequence][:, :-1] == 1])
    maps = [
        person + j + 0.5 * given[sequence, j][:, None] + after[:, [j]] + rng.normal(0, 1, (len(sequence), 2))
        for j in range(3)
    ]
    return maps, sequence, age


def long(maps, sequence, given, voxel=0, **more):
    who, period = np.indices((len(sequence), given.shape[1]))
    before = np.column_stack([np.full(len(sequence), -1), given[sequence][:, :-1]])
    columns = {"y": np.column_stack([one[:, voxel] for one in maps]), "who": who, "period": period}
    columns |= {"given": given[sequence], "before": before} | {k: np.column_stack(v) for k, v in more.items()}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def fitted(tested):
    return estimate(VoxelModels.prepare(tested, min_per_arm=1))


def test_treatments_adjusted_for_carry_over_and_carry_over_itself_are_those_of_least_squares():
    maps, sequence, _ = trial()
    rows = long(maps, sequence, WILLIAMS)
    carried = pd.DataFrame({f"c{k}": (rows["before"] == k).astype(float) for k in (1, 2)})
    fit = smf.ols("y ~ C(who) + C(period) + C(given) + c1 + c2", rows.join(carried)).fit()
    for effect, name in (("beside-carry-over", "C(given)[T.2]"), ("carry-over", "c2")):
        found = fitted(compared_treatments(maps, sequence, WILLIAMS, [PAIR], nuisance(18), effect=effect))
        assert (found.difference[0], found.t[0]) == pytest.approx((fit.params[name], fit.tvalues[name]))
        assert found.df == fit.df_resid
        assert (found.ci_low[0], found.ci_high[0]) == pytest.approx(tuple(fit.conf_int().loc[name]))


def test_covariates_have_a_slope_in_each_period_and_the_first_period_is_a_parallel_trial():
    maps, sequence, age = trial()
    rows = long(maps, sequence, WILLIAMS, age=[age - age.mean()] * 3)
    fit = smf.ols("y ~ C(who) + C(period) + C(period):age + C(given)", rows[rows.period >= 0]).fit()
    found = fitted(compared_treatments(maps, sequence, WILLIAMS, [PAIR], nuisance(18, age[:, None])))
    assert (found.difference[0], found.t[0]) == pytest.approx(
        (fit.params["C(given)[T.2]"], fit.tvalues["C(given)[T.2]"])
    )
    own = rows[rows["period"] == 0]
    alone = smf.ols("y ~ C(given) + age", own).fit()
    found = fitted(first_period(maps[0], sequence, WILLIAMS, [PAIR], nuisance(18, age[:, None])))
    assert (found.difference[0], found.t[0], found.df) == pytest.approx(
        (alone.params["C(given)[T.2]"], alone.tvalues["C(given)[T.2]"], alone.df_resid)
    )
    with pytest.raises(ValueError, match="nobody was given one of the treatments in the first period"):
        first_period(maps[0], sequence % 2, WILLIAMS, [PAIR], nuisance(18))


def test_the_last_period_against_the_first_is_that_of_the_model_and_is_tested_by_signs():
    maps, sequence, age = trial(LATIN, each=4)
    rows = long(maps, sequence, LATIN, age=[age - age.mean()] * 3)
    fit = smf.ols("y ~ C(who) + C(period) + C(period):age + C(given)", rows).fit()
    tested = last_against_first(maps, sequence, LATIN, nuisance(12, age[:, None]))
    found = fitted(tested)
    name = "C(period)[T.2]"
    assert (found.difference[0], found.t[0]) == pytest.approx((-fit.params[name], -fit.tvalues[name]))
    assert found.df == fit.df_resid
    flips = of_rows(sign_flips(12, 200), 3)
    assert (flips.signs[:, ::2] == flips.signs[:, 1::2]).all()
    p = compare(tested, flips, Inference(statistic="voxel", min_per_arm=1)).p
    assert (p < 0.05).all()


def test_sequences_that_are_alike_are_exchanged_where_there_are_enough_and_the_test_is_exact():
    """Every allocation of sequences that differ in the places of two treatments only, by brute force."""
    given = np.array([(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
    maps, sequence, _ = trial(given, each=4)
    draws = sequence_draws(sequence, given, [0, 0, 2], None, 10_000)
    assert (draws.exact, draws.allocations.exhaustive, len(draws.allocations)) == (True, True, 70 * 70)
    row = (-1.0, 1.0, 0.0)
    tested = compared_treatments(maps, sequence, given, [row], nuisance(16))
    found = compare(tested, of_rows(draws.allocations, 3), Inference(statistic="voxel", min_per_arm=1))
    own, pattern = fitted(tested), sequence // 2
    assert all((np.sort(pattern) == np.sort(one // 2)).all() for one in draws.allocations.arms[:50])
    again = [
        fitted(compared_treatments(maps, np.asarray(one, dtype=int), given, [row], nuisance(16))).t
        for one in draws.allocations.arms[np.random.default_rng(1).choice(4900, 700, replace=False)]
    ]
    share = (np.abs(again) >= np.abs(own.t) - 1e-9).mean(axis=0)
    np.testing.assert_allclose(found.p, share, atol=0.06)
    few = sequence_draws(sequence[:6], given, [0, 0, 2])
    assert (few.exact, sequence_draws(sequence[:6], given, [0, 0, 0]).exact) == (False, True)


def test_exchanging_sequences_that_are_alike_holds_where_the_third_treatment_works():
    """Null trials of two treatments beside one that works strongly, in both period order and spread."""
    rng, hits, trials = np.random.default_rng(11), 0, 200
    for _ in range(trials):
        sequence = rng.permutation(np.repeat(np.arange(6), 3))
        treated = WILLIAMS[sequence] == 2
        values = rng.normal(0, 1, (18, 3)) + treated * rng.normal(3, 3, (18, 1))
        maps = [one[:, None] for one in values.T]
        draws = sequence_draws(sequence, WILLIAMS, [0, 0, 2], None, 100, int(rng.integers(1e6)))
        assert draws.exact
        tested = compared_treatments(maps, sequence, WILLIAMS, [(-1.0, 1.0, 0.0)], nuisance(18))
        own = compare(tested, of_rows(draws.allocations, 3), Inference(statistic="voxel", min_per_arm=1))
        hits += own.p[0] <= 0.05
    assert 2 <= hits <= 20


def test_a_score_is_compared_as_a_map_is_and_everyone_counts_in_the_mixed_model():
    maps, sequence, _ = trial()
    values = np.column_stack([one[:, 0] for one in maps])
    data = ManyPeriods(values, sequence, WILLIAMS, (2, 0))
    found, fit = (
        compare_periods(data, "crossover", n_draws=200),
        smf.ols("y ~ C(who) + C(period) + C(given)", long(maps, sequence, WILLIAMS)).fit(),
    )
    assert (found.estimate, found.p) == pytest.approx((fit.params["C(given)[T.2]"], fit.pvalues["C(given)[T.2]"]))
    assert (found.n_active, found.n_reference) == (18, 18)
    full = mixed_periods(data)
    assert full.estimate == pytest.approx(found.estimate, abs=1e-6)  # every sequence as often: nothing between people
    values = values.copy()
    values[3, 1] = np.nan
    lacking = ManyPeriods(values, sequence, WILLIAMS, (2, 0))
    assert compare_periods(lacking, "crossover", n_draws=0).n_active == 17
    mixed = mixed_periods(lacking)
    assert mixed.note == "1 without some period"
    rows = long([one[:, None] for one in values.T], sequence, WILLIAMS).dropna()
    model = sm.MixedLM.from_formula("y ~ C(period) + C(given)", rows, groups="who").fit(reml=True)
    assert mixed.estimate == pytest.approx(model.params["C(given)[T.2]"], abs=1e-3)


def test_where_carry_over_cannot_be_told_it_is_said():
    values = np.random.default_rng(2).normal(0, 1, (8, 2))
    data = ManyPeriods(values, np.repeat([0, 1], 4), np.array([[0, 1], [1, 0]]), (1, 0))
    found = compare_periods(data, "beside-carry-over", n_draws=0)
    assert found.note == "not estimated: the sequences do not tell the treatments from what they leave behind"
    assert np.isnan(found.estimate)


def test_scores_of_all_treatments_of_complete_participants_are_those_of_least_squares_with_f():
    maps, sequence, _ = trial()
    data = ManyPeriods(np.column_stack([one[:, 0] for one in maps]), sequence, WILLIAMS, (1, 0))
    fit = smf.ols("y ~ C(who) + C(period) + C(given)", long(maps, sequence, WILLIAMS)).fit()
    names, weighted = ("placebo", "low", "high"), [("both", (-1.0, 0.5, 0.5))]
    low, high, both, joint = treatments_table({"mood": data}, names, weighted, n_draws=100).to_dict("records")
    for row, name in ((low, "C(given)[T.1]"), (high, "C(given)[T.2]")):
        assert (row["estimate"], row["p"], row["df"]) == pytest.approx(
            (fit.params[name], fit.pvalues[name], fit.df_resid), rel=1e-4
        )
        assert row["p"] < row["p_together"] < 2 * row["p"] + 1e-3
        assert row["together_low"] < row["ci_low"] < row["ci_high"] < row["together_high"]
    assert both["estimate"] == pytest.approx((low["estimate"] + high["estimate"]) / 2)
    test = fit.f_test("C(given)[T.1] = 0, C(given)[T.2] = 0")
    assert (joint["f"], joint["p"], joint["df_numerator"]) == pytest.approx((test.fvalue, test.pvalue, 2), rel=1e-3)
    assert 0.01 <= joint["p_rerandomized"] <= 1
    assert (high["n_active"], high["mean_active"]) == (18, pytest.approx(data.on(2).mean()))


def test_each_outcome_has_a_main_row_and_what_stands_beside():
    maps, sequence, _ = trial()
    values = np.column_stack([one[:, 0] for one in maps])
    values[2, 0] = np.nan
    found = several_periods_table({"mood": ManyPeriods(values, sequence, WILLIAMS, (2, 0))}, n_draws=50)
    assert found["method"].tolist() == ["crossover", "beside-carry-over", "first-period", "mixed-periods"]
    assert found["analysis"].tolist() == ["main", *["sensitivity"] * 3]
    assert found.loc[3, "n_active"] == 18
    assert found.loc[0, "n_active"] == 17
    assert not any(name.startswith("baseline") for name in found)


def test_a_sequence_of_one_who_lacks_a_period_still_counts_in_the_mixed_model():
    maps, sequence, _ = trial(each=1)
    values = np.column_stack([one[:, 0] for one in maps])
    values[2, 1] = np.nan
    found = mixed_periods(ManyPeriods(values, sequence, WILLIAMS, (2, 0)))
    assert (found.note, found.n_active + found.n_reference >= 11) == ("1 without some period", True)
    rows = long([one[:, None] for one in values.T], sequence, WILLIAMS).dropna()
    model = sm.MixedLM.from_formula("y ~ C(period) + C(given)", rows, groups="who").fit(reml=True)
    assert found.estimate == pytest.approx(model.params["C(given)[T.2]"], abs=1e-2)
