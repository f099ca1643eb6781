"""Re-randomization of repeated scores against all allocations, each one computed with V written out."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from bids_app.stats.scores import NotEstimated, Randomized, fit_constrained, fit_mmrm

AT_ALL = np.vstack([np.eye(2), np.full(2, 0.5)])  # each of two follow-ups, and their average


def trial(sizes=(4, 4), seed=0, n_visits=2, effect=0.0):
    """A baseline and follow-ups of people that differ; two values are missing."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    person = generator.standard_normal((len(arm), 1))
    values = person + generator.standard_normal((len(arm), n_visits + 1))
    values[:, 1:] += effect * arm[:, None]
    values[0, -1], values[-1, 0] = np.nan, np.nan
    return Randomized(values[:, 1:], arm, values[:, 0], np.empty((len(arm), 0)))


def written_out(data, arm, tested, of_visits):
    """Return estimates, and s' J^-1 s, of the tested arms at the follow-ups, by least squares of whitened values."""
    values = np.column_stack([data.baseline, data.values]) if data.baseline is not None else data.values
    later = values.shape[1] - data.values.shape[1]
    who, visit = np.nonzero(np.isfinite(values))
    root = np.linalg.cholesky(np.linalg.inv(of_visits[np.ix_(visit, visit)] * (who[:, None] == who))).T
    visits = range(values.shape[1])
    fixed = [column[who] * (visit == one) for one in visits for column in (np.ones(len(arm)), *data.covariates.T)]
    others = [k for k in range(1, arm.max() + 1) if k not in tested]
    fixed += [(arm[who] == k) & (visit == one) for k in others for one in visits[later:]]
    own = [(arm[who] == k) & (visit == one) for k in tested for one in visits[later:]]
    X, y = root @ np.column_stack([*own, *fixed]).astype(float), root @ values[who, visit]
    spread, gone = np.linalg.inv(X.T @ X)[: len(own), : len(own)], X[:, len(own) :]
    estimates = np.linalg.lstsq(X, y)[0][: len(own)]
    without, with_arms = (np.linalg.lstsq(one, y)[1][0] for one in (gone, X))
    return estimates, spread, without - with_arms


def counted(observed, statistics):
    return np.mean(np.abs(statistics) >= np.abs(observed) * (1 - 1e-9), axis=0)


@pytest.mark.parametrize("constrained", [True, False])
def test_p_of_two_arms_is_counted_over_all_allocations(constrained):
    data = trial(effect=1.0)
    if not constrained:
        data = Randomized(data.values, data.arm, None, np.arange(8.0)[:, None] % 3)
    nobody = np.zeros(8, dtype=int)
    fit = fit_constrained(data.values, nobody, data.baseline) if constrained else None
    fit = fit or fit_mmrm(data.values, nobody, None, data.covariates, by_visit=True)
    differences, lengths = [], []
    for members in combinations(range(8), 4):
        arm = np.isin(np.arange(8), members).astype(int)
        estimates, spread, length = written_out(data, arm, [1], fit.of_visits)
        differences.append(AT_ALL @ estimates / np.sqrt(np.diag(AT_ALL @ spread @ AT_ALL.T)))
        lengths.append(length)
        if (arm == data.arm).all():
            observed = differences[-1], length
    np.testing.assert_allclose(data.p_of_differences(1, AT_ALL), counted(observed[0], differences))
    assert data.p_of_any() == pytest.approx(counted(observed[1], lengths))


def test_of_three_arms_two_exchange_labels_for_a_difference_and_all_for_any():
    data = trial((3, 2, 2))
    merged = np.where(data.arm == 2, 0, data.arm)
    fit = fit_constrained(data.values, merged, data.baseline)
    members, differences = np.flatnonzero(data.arm != 1), {}
    for chosen in combinations(members, 2):
        arm = np.where(np.isin(np.arange(7), chosen), 2, merged)
        estimates, spread, _ = written_out(data, arm, [2], fit.of_visits)
        differences[tuple(arm)] = AT_ALL @ estimates / np.sqrt(np.diag(AT_ALL @ spread @ AT_ALL.T))
    expected = counted(differences[tuple(data.arm)], list(differences.values()))
    np.testing.assert_allclose(data.p_of_differences(2, AT_ALL), expected)
    fit = fit_constrained(data.values, 0 * data.arm, data.baseline)
    lengths = {arm: written_out(data, np.array(arm), [1, 2], fit.of_visits)[2] for arm in set(permutations(data.arm))}
    assert len(lengths) == 7 * 6 * 5 * 4 * 3 * 2 // (6 * 2 * 2)
    assert data.p_of_any() == pytest.approx(counted(lengths[tuple(data.arm)], list(lengths.values())))


def test_by_weights_the_arms_that_have_weight_exchange_labels():
    """Of arms 0, 1 and 2 against each other, of 1 and 2 alone, and of one arm against the reference as before."""
    data = trial((2, 2, 3))
    row = np.array([-1.0, 0.4, 0.6])
    fit = fit_constrained(data.values, 0 * data.arm, data.baseline)
    weights, statistics = np.hstack([0.4 * AT_ALL, 0.6 * AT_ALL]), {}
    for arm in set(permutations(data.arm)):
        estimates, spread, _ = written_out(data, np.array(arm), [1, 2], fit.of_visits)
        statistics[arm] = weights @ estimates / np.sqrt(np.diag(weights @ spread @ weights.T))
    expected = counted(statistics[tuple(data.arm)], list(statistics.values()))
    np.testing.assert_allclose(data.p_of_weights(row, AT_ALL), expected)
    of_pair = data.p_of_weights(np.array([-1.0, 0.0, 1.0]), AT_ALL)
    np.testing.assert_array_equal(of_pair, data.p_of_differences(2, AT_ALL))
    renamed = Randomized(data.values, np.array([1, 0, 2])[data.arm], data.baseline, data.covariates)
    np.testing.assert_allclose(renamed.p_of_weights(np.array([0.0, -1.0, 1.0]), AT_ALL), of_pair)


def test_whichever_allocation_was_drawn_p_is_exact():
    """Scores that treatment did not change: of all allocations no more than a share a has a p of a or less."""
    data = trial((3, 3))
    ps = []
    for members in combinations(range(6), 3):
        arm = np.isin(np.arange(6), members).astype(int)
        drawn = Randomized(data.values, arm, data.baseline, data.covariates)
        ps.append([*drawn.p_of_differences(1, AT_ALL), drawn.p_of_any()])
    for share in np.arange(1, 21) / 20:
        assert (np.mean(np.array(ps) <= share + 1e-9, axis=0) <= share + 1e-9).all()
    assert np.min(ps) == pytest.approx(2 / 20)  # the arms exchanged are as far apart


def test_labels_stay_within_strata_and_without_another_allocation_there_is_no_p():
    data = trial((4, 4))
    strata = np.argsort(np.argsort(data.arm, kind="stable")) % 4  # one of each arm in each
    p = Randomized(data.values, data.arm, data.baseline, data.covariates, strata).p_of_any()
    assert p * 16 == pytest.approx(round(p * 16))
    with pytest.raises(ValueError, match="no other allocation"):
        Randomized(data.values, data.arm, data.baseline, data.covariates, data.arm).p_of_any()
    with pytest.raises(NotEstimated):
        Randomized(np.zeros((8, 2)), data.arm, np.zeros(8), data.covariates).p_of_any()


def test_an_allocation_that_leaves_an_arm_without_scores_counts_as_no_difference():
    data = trial((2, 6))
    values = data.values.copy()
    values[np.flatnonzero(data.arm == 1)[:2], 1] = np.nan
    p = Randomized(values, data.arm, data.baseline, data.covariates).p_of_differences(1, AT_ALL)
    np.testing.assert_allclose(p * 28, np.round(p * 28))
    assert (p[1:] <= 27 / 28).all()


def test_p_is_near_that_of_the_model_in_larger_trials():
    data = trial((40, 40), effect=0.5)
    fit = fit_constrained(data.values, data.arm, data.baseline)
    p = data.p_of_differences(1, AT_ALL)
    weights = [fit.weights(1, visits) for visits in ([0], [1], [0, 1])]
    assert p == pytest.approx([fit.contrast(one).p for one in weights], abs=0.02)
    assert data.p_of_any() == pytest.approx(fit.joint(fit.every_difference()).p, abs=0.02)


@pytest.mark.slow
def test_in_null_trials_p_is_small_as_often_as_it_should_be():
    ps = [
        Randomized(one.values, one.arm, one.baseline, one.covariates, n_draws=200).p_of_any()
        for one in (trial((8, 7, 7), seed) for seed in range(300))
    ]
    assert stats.binomtest(int(np.sum(np.array(ps) <= 0.05)), 300, 0.05).pvalue > 0.01
