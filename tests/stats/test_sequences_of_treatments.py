"""Cross-over trials of any treatments and periods against least squares with fixed participants, and brute force."""

import runpy
from itertools import permutations
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
    compare,
    compared_treatments,
    crossed,
    estimate,
    hypothesis,
    nuisance,
    of_rows,
    two_periods,
)
from bids_app.stats.sequences import told_apart

DESIGNS = {
    "AB/BA": ([(1, 0), (0, 1)], 7),
    "ABB/BAA": ([(1, 0, 0), (0, 1, 1)], 7),
    "Balaam": ([(0, 0), (0, 1), (1, 0), (1, 1)], 9),
    "Latin square of 3": ([(0, 1, 2), (1, 2, 0), (2, 0, 1)], 8),
    "Williams square of 3": ([(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)], 13),
    "Williams square of 4": ([(0, 1, 3, 2), (1, 2, 0, 3), (2, 3, 1, 0), (3, 0, 2, 1)], 9),
    "incomplete blocks": ([(0, 1), (1, 2), (2, 0), (1, 0)], 11),
}
V = 3


def trial(name, seed=0):
    """Return the (n, V) maps of each period, who was given which sequence, and the treatments of the sequences."""
    given, n = np.array(DESIGNS[name][0]), DESIGNS[name][1]
    rng = np.random.default_rng(seed)
    sequence = rng.permutation(np.arange(n) % len(given))
    people, effect = rng.normal(10, 4, (n, 1)), rng.normal(0, 1, (given.max() + 1, V))
    maps = [people + 3 * j + effect[given[sequence, j]] + rng.normal(0, 1, (n, V)) for j in range(given.shape[1])]
    return maps, sequence, given


def rows_of(maps, sequence, given, voxel, **more):
    who, period = np.indices((len(sequence), given.shape[1]))
    columns = {"y": np.column_stack([one[:, voxel] for one in maps]), "who": who, "period": period}
    columns |= {"given": given[sequence]} | {name: np.column_stack(one) for name, one in more.items()}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def against_reference(given, treatment):
    return [tuple(float(one == treatment) - float(one == 0) for one in range(given.max() + 1))]


@pytest.mark.parametrize("name", DESIGNS)
def test_effects_are_those_of_the_model_with_participants_periods_and_treatments(name):
    maps, sequence, given = trial(name)
    for treatment in range(1, given.max() + 1):
        tested = compared_treatments(
            maps, sequence, given, against_reference(given, treatment), nuisance(len(sequence))
        )
        found = estimate(VoxelModels.prepare(tested, min_per_arm=1))
        for voxel in range(V):
            fit = smf.ols("y ~ C(who) + C(period) + C(given)", rows_of(maps, sequence, given, voxel)).fit()
            name_of = f"C(given)[T.{treatment}]"
            assert found.difference[voxel] == pytest.approx(fit.params[name_of])
            assert found.t[voxel] == pytest.approx(fit.tvalues[name_of])
            assert (found.ci_low[voxel], found.ci_high[voxel]) == pytest.approx(tuple(fit.conf_int().loc[name_of]))
            assert found.df == fit.df_resid


def test_two_treatments_of_three_and_all_together():
    maps, sequence, given = trial("Williams square of 3")
    rows = rows_of(maps, sequence, given, 1)
    fit = smf.ols("y ~ C(who) + C(period) + C(given)", rows).fit()
    pair = estimate(VoxelModels.prepare(compared_treatments(maps, sequence, given, [(0, -1, 1)], nuisance(13))))
    expected = fit.t_test("C(given)[T.2] - C(given)[T.1] = 0")
    assert (pair.difference[1], pair.t[1]) == pytest.approx((expected.effect.item(), expected.tvalue.item()))
    joint = compared_treatments(maps, sequence, given, [(-1, 1, 0), (-1, 0, 1)], nuisance(13))
    found = estimate(VoxelModels.prepare(joint))
    assert found.f[1] == pytest.approx(sm.stats.anova_lm(fit, typ=2).loc["C(given)", "F"])
    assert (found.q, found.df) == (2, fit.df_resid)


def test_baselines_are_adjusted_for_as_they_differ_within_participants():
    maps, sequence, given = trial("Latin square of 3")
    rng = np.random.default_rng(3)
    before = [one / 2 + rng.normal(0, 1, one.shape) for one in maps]
    tested = compared_treatments(maps, sequence, given, [(-1, 1, 0)], nuisance(8), baselines=before)
    found = estimate(VoxelModels.prepare(tested))
    rows = rows_of(maps, sequence, given, 2, before=[one[:, 2] for one in before])
    fit = smf.ols("y ~ C(who) + C(period) + C(given) + before", rows).fit()
    assert (found.difference[2], found.t[2]) == pytest.approx(
        (fit.params["C(given)[T.1]"], fit.tvalues["C(given)[T.1]"])
    )
    assert found.df == fit.df_resid


def test_of_two_by_two_it_is_half_the_difference_between_the_periods_by_the_same_draws():
    maps, sequence, given = trial("AB/BA")
    before = [one / 2 + np.random.default_rng(4).normal(0, 1, one.shape) for one in maps]
    active_first = 1 - sequence
    names, draws = (("period1", "period2"), ("baseline1", "baseline2")), allocations(active_first, None, 50, 0)
    estimand = two_periods("crossover", *names[0], names[1])
    made = crossed("crossover", dict(zip((*names[0], *names[1]), (*maps, *before), strict=True)), active_first, *names)
    half = hypothesis(estimand, {one: made[one] for one in estimand.visits}, nuisance(7), arm=active_first)
    rows = compared_treatments(maps, active_first, given[::-1], [(-1, 1)], nuisance(7), baselines=before)
    inference = Inference(statistic="voxel")
    one, other = compare(half, draws, inference), compare(rows, of_rows(draws, 2), inference)
    np.testing.assert_allclose(one.effect.difference, other.effect.difference)
    np.testing.assert_allclose(one.effect.t, other.effect.t)
    np.testing.assert_array_equal(one.p, other.p)
    np.testing.assert_array_equal(one.p_fwe, other.p_fwe)


def test_p_of_all_ways_to_give_out_the_sequences_is_that_of_brute_force():
    maps, _, given = trial("Latin square of 3", seed=5)
    maps, sequence = [one[:6] for one in maps], np.array([0, 1, 2, 0, 1, 2])
    rows = compared_treatments(maps, sequence, given, [(-1, 0, 1)], nuisance(6))
    draws = of_rows(allocations(sequence, None, 1000, 0), 3)
    assert (draws.exhaustive, len(draws)) == (True, 90)
    found = compare(rows, draws, Inference(statistic="voxel"))
    who, period = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    fixed = np.column_stack([who[:, None] == np.arange(6), period[:, None] == [1, 2]]).astype(float)
    drawn = []
    for one in sorted(set(permutations(sequence.tolist()))):
        treated = given[list(one)].ravel()[:, None] == [1, 2]
        columns = np.column_stack([fixed, treated])
        values = [np.column_stack([each[:, voxel] for each in maps]).ravel() for voxel in range(V)]
        drawn.append([abs(sm.OLS(value, columns).fit().tvalues[-1]) for value in values])
    drawn, own = np.array(drawn), np.abs(found.statistic)
    np.testing.assert_allclose(found.p, (drawn >= own - 1e-9).mean(axis=0))
    np.testing.assert_allclose(found.p_fwe, [(drawn.max(axis=1) >= one - 1e-9).mean() for one in own])


def test_participants_and_periods_move_nothing():
    maps, sequence, given = trial("Williams square of 4")
    people = np.random.default_rng(6).normal(0, 50, (len(sequence), V))
    moved = [one + people + 10 * j for j, one in enumerate(maps)]
    row = against_reference(given, 2)
    first, second = (
        estimate(VoxelModels.prepare(compared_treatments(of, sequence, given, row, nuisance(len(sequence)))))
        for of in (maps, moved)
    )
    np.testing.assert_allclose(second.difference, first.difference, atol=1e-9)
    np.testing.assert_allclose(second.t, first.t, rtol=1e-6)


def test_what_cannot_be_told_from_the_periods_is_refused():
    maps, sequence, given = trial("AB/BA")
    with pytest.raises(ValueError, match="linear combination of the nuisance"):
        compared_treatments(maps, np.zeros(7, dtype=int), given, [(-1, 1)], nuisance(7))
    with pytest.raises(ValueError, match="3 periods, sequences have shape"):
        compared_treatments([*maps, maps[0]], sequence, given, [(-1, 1)], nuisance(7))


def test_null_trials_are_found_as_often_as_they_should_be():
    """Short form of benchmarks/williams.py; where a treatment works, the other is found no more often."""
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "williams.py"))
    nothing, works = (benchmark["CASES"][name] for name in ("the periods differ", "treatment 1 works"))
    low, high = scipy_stats.binom.interval(0.998, 100, benchmark["ALPHA"])
    found = [benchmark["smallest_p"](nothing, seed) for seed in range(100)]
    for name in benchmark["TESTED"]:
        assert low <= sum(one[name] <= benchmark["ALPHA"] for one in found) <= high, name
    assert sum(benchmark["smallest_p"](works, seed)["2 - 0"] <= benchmark["ALPHA"] for seed in range(100)) <= high


@pytest.mark.parametrize("seed", range(60))
def test_treatments_are_told_apart_where_columns_of_people_periods_and_treatments_say_so(seed):
    rng = np.random.default_rng([2026, seed])
    given = rng.integers(0, rng.integers(2, 5), (rng.integers(2, 5), rng.integers(2, 5)))
    given = np.unique(given, return_inverse=True)[1].reshape(given.shape)
    rows = rows_of([np.zeros((len(given), 1))] * given.shape[1], np.arange(len(given)), given, 0)
    others = pd.get_dummies(rows[["who", "period"]].astype(str), drop_first=True).assign(one=1).to_numpy(float)
    treatments = pd.get_dummies(rows["given"], drop_first=True).to_numpy(float)
    adds = np.linalg.matrix_rank(np.hstack([others, treatments])) - np.linalg.matrix_rank(others)
    assert told_apart(given) == (adds == given.max())
