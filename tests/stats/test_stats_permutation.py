from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import ndimage, stats
from stating import hypothesis

from bids_app.stats import (
    Inference,
    across,
    allocations,
    compare,
    compare_arms,
    familywise,
    monte_carlo_error,
    neighbours,
    nuisance,
    t_to_z,
    tfce,
)

MASK = np.ones((6, 5, 4), dtype=bool)
TOUCHING = neighbours(MASK)


def simulate(arm, seed, effect=0.0):
    """Baseline and follow-up (n, V), smooth, r = 0.5, with the effect in one corner block."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_t(5, (3, len(arm), *MASK.shape))
    common, before, after = ndimage.gaussian_filter(noise, (0, 0, 0.7, 0.7, 0.7))
    planted = np.zeros(MASK.shape)
    planted[:3, :3, :2] = effect
    followup = common + after + np.multiply.outer(arm, planted)
    return (common + before)[:, MASK], followup[:, MASK]


def all_by_hand(arm, baseline, followup, covariate):
    """Return t of every allocation by statsmodels, (35, V)."""
    rows = []
    for chosen in combinations(range(len(arm)), int(arm.sum())):
        label = np.isin(np.arange(len(arm)), chosen).astype(float)
        columns = [sm.add_constant(np.column_stack([label, own, covariate])) for own in baseline.T]
        rows.append(
            [sm.OLS(outcome, design).fit().tvalues[1] for outcome, design in zip(followup.T, columns, strict=True)]
        )
    return np.array(rows)


@pytest.mark.parametrize("enhance", [False, True])
def test_enumerated_p_values_equal_those_by_hand(enhance):
    generator = np.random.default_rng(6)
    arm = np.array([1, 0, 1, 0, 1, 0, 0])
    covariate = generator.standard_normal(7)
    baseline, followup = generator.standard_normal((2, 7, 5))
    row = np.array([[-1, 1], [0, 2], [1, 3], [2, 4], [3, -1]], dtype=np.int32)
    found = compare_arms(
        followup,
        baseline,
        nuisance(7, covariate[:, None]),
        allocations(arm),
        neighbours=row if enhance else None,
    )
    draws = all_by_hand(arm, baseline, followup, covariate)
    observed = found.effect.t
    if enhance:
        draws = np.array([tfce(t_to_z(t, found.effect.df), row) for t in draws])
        observed = tfce(found.effect.z, row)
    reached = np.abs(draws) >= np.abs(observed) - 1e-6
    assert found.exhaustive
    np.testing.assert_allclose(found.statistic, observed, atol=1e-6)
    np.testing.assert_array_equal(found.p, reached.sum(axis=0) / 35)
    maxima = np.abs(draws).max(axis=1)[:, None]
    np.testing.assert_array_equal(found.p_fwe, (maxima >= np.abs(observed) - 1e-6).sum(axis=0) / 35)
    ordered = np.sort(found.p) * 5 / np.arange(1, 6)
    expected = np.minimum.accumulate(ordered[::-1])[::-1][np.argsort(np.argsort(found.p))]
    np.testing.assert_allclose(np.sort(found.p_fdr), np.sort(expected))


def test_mirrored_allocations_tie_exactly():
    """With equal arms every two-sided p is an even count of draws."""
    arm = np.repeat([0, 1], 4)
    baseline, followup = simulate(arm, 2)
    found = compare_arms(followup, baseline, nuisance(8), allocations(arm), neighbours=TOUCHING)
    assert found.p.min() == 2 / 70
    np.testing.assert_array_equal(np.round(found.p * 70) % 2, 0)


def test_result_does_not_depend_on_threads():
    arm = np.arange(20) % 2
    baseline, followup = simulate(arm, 3)
    draws = allocations(arm, n_draws=901, seed=4)
    one, three = (
        compare_arms(followup, baseline, nuisance(20), draws, neighbours=TOUCHING, n_jobs=jobs) for jobs in (1, 3)
    )
    for field in fields(one):
        if field.name != "effect":
            np.testing.assert_array_equal(getattr(one, field.name), getattr(three, field.name))


def test_identity_comes_first_and_progress_reaches_the_total():
    arm, seen = np.arange(20) % 2, []
    baseline, followup = simulate(arm, 3)
    draws = allocations(arm, n_draws=600)
    found = compare_arms(
        followup, baseline, nuisance(20), draws, progress=lambda done, total: seen.append((done, total))
    )
    assert found.max_statistics[0] == pytest.approx(np.abs(found.statistic).max())
    assert found.p_fwe.min() >= 1 / 600
    assert seen == [(256, 600), (512, 600), (600, 600)]


@pytest.mark.parametrize("effect", [3.0, -3.0])
def test_planted_effect_is_found_with_its_sign(effect):
    arm = np.arange(30) % 2
    baseline, followup = simulate(arm, 5, effect)
    draws = allocations(arm, n_draws=200)
    found = compare_arms(followup, baseline, nuisance(30), draws, neighbours=TOUCHING)
    significant = np.zeros(MASK.shape, dtype=bool)
    significant[MASK] = found.p_fwe <= 0.05
    assert significant[:3, :3, :2].all()
    assert not significant[4:, 4:, 3:].any()
    assert (np.sign(found.statistic[found.p_fwe <= 0.05]) == np.sign(effect)).all()


def test_voxels_without_variance_are_not_tested():
    arm = np.arange(20) % 2
    baseline, followup = simulate(arm, 3)
    followup[:, 7] = 0.4
    found = compare_arms(followup, baseline, nuisance(20), allocations(arm, n_draws=40), neighbours=TOUCHING)
    assert np.isnan([found.statistic[7], found.p[7], found.p_fwe[7], found.p_fdr[7]]).all()
    assert np.isfinite(np.delete(found.p, 7)).all()


@pytest.mark.parametrize("enhance", [False, True])
def test_familywise_error_is_kept_in_null_trials(enhance):
    generator = np.random.default_rng(11)
    strata, false_alarms = np.repeat([0, 1], [8, 10]), 0
    for trial in range(400):
        arm = np.concatenate([generator.permutation(np.arange(8) % 2), generator.permutation(np.arange(10) % 2)])
        baseline, followup = simulate(arm, trial)
        found = compare_arms(
            followup,
            baseline,
            nuisance(18, strata=strata),
            allocations(arm, strata, n_draws=60, seed=trial),
            neighbours=TOUCHING if enhance else None,
        )
        false_alarms += found.p_fwe.min() <= 0.05
    low, high = stats.binom.interval(0.99, 400, 0.05)
    assert low <= false_alarms <= high


@pytest.fixture(scope="module")
def metrics():
    """Two comparisons of the same draws, the first with an effect."""
    arm = np.arange(24) % 2
    draws = allocations(arm, n_draws=300, seed=1)
    return [
        compare_arms(*simulate(arm, seed, effect)[::-1], nuisance(24), draws, neighbours=TOUCHING)
        for seed, effect in ((1, 1.2), (2, 0.0))
    ]


def test_across_one_comparison_changes_nothing(metrics):
    np.testing.assert_array_equal(across(metrics[:1])[0], metrics[0].p_fwe)


def test_across_equals_its_definition(metrics):
    smallest = [
        min(np.mean(metric.max_statistics >= metric.max_statistics[draw]) for metric in metrics) for draw in range(300)
    ]
    for metric, corrected in zip(metrics, across(metrics), strict=True):
        np.testing.assert_allclose(corrected, [np.mean(smallest <= p + 1e-12) for p in metric.p_fwe])
        assert (corrected >= metric.p_fwe).all()
        assert (corrected <= np.minimum(2 * metric.p_fwe, 1) + 1e-12).all()


def test_a_larger_scale_does_not_dominate(metrics):
    enlarged = replace(metrics[1], statistic=1e3 * metrics[1].statistic, max_statistics=1e3 * metrics[1].max_statistics)
    assert across(metrics)[0].min() <= 0.05
    for plain, scaled in zip(across(metrics), across([metrics[0], enlarged]), strict=True):
        np.testing.assert_array_equal(plain, scaled)


def test_across_refuses_different_draws(metrics):
    short = replace(metrics[1], max_statistics=metrics[1].max_statistics[:-1])
    with pytest.raises(ValueError, match=r"\[299, 300\]"):
        across([metrics[0], short])
    with pytest.raises(ValueError, match="2 sets"):
        across([metrics[0], replace(metrics[1], fingerprint=0)])


def test_across_estimators_of_the_same_draws():
    arm = np.arange(24) % 2
    draws = allocations(arm, n_draws=200, seed=1)
    baseline, followup = simulate(arm, 1, 1.2)
    tested = [
        compare(
            hypothesis(name, followup, baseline, nuisance(24), arm=arm),
            draws,
            Inference(neighbours=TOUCHING, tail=True),
        )
        for name in ("ancova", "change", "post")
    ]
    for comparison, corrected in zip(tested, across(tested), strict=True):
        assert (corrected >= familywise(comparison.max_statistics, comparison.statistic)).all()
    assert across(tested)[0].min() <= 0.05


def test_familywise_counts_near_ties():
    assert familywise(np.array([2.0, 2.0 - 1e-13, 1.0]), np.array([2.0])) == pytest.approx(2 / 3)


def test_monte_carlo_error_of_many_and_of_all_draws():
    np.testing.assert_allclose(monte_carlo_error([0.05, 0.5], 1000), [0.00689, 0.01581], atol=1e-5)
    assert monte_carlo_error(0.05, 35, exhaustive=True) == 0
