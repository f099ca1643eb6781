from itertools import product

import numpy as np
import pytest

from bids_app.stats import allocations, nuisance, residual_permutations, sign_flips, tabled_allocations

ARM = np.array([0, 0, 1, 1, 0, 1, 1, 0, 1])
STRATA = np.array(["a", "a", "a", "b", "b", "b", "b", "c", "c"])


def test_nuisance_without_covariates_is_the_intercept():
    np.testing.assert_array_equal(nuisance(4), np.ones((4, 1)))


def test_nuisance_centres_covariates_and_drops_the_first_stratum():
    design = nuisance(9, covariates=np.arange(9.0)[:, None], strata=STRATA)
    np.testing.assert_array_equal(design[:, 1], np.arange(9.0) - 4)
    np.testing.assert_array_equal(design[:, 2:], np.column_stack([STRATA == "b", STRATA == "c"]))


@pytest.mark.parametrize(
    ("covariates", "named"),
    [
        (np.ones((9, 1)), "covariate 0"),
        (np.column_stack([np.arange(9), 3 - 2 * np.arange(9)]), "covariate 1"),
        ((STRATA == "b")[:, None], "stratum b"),
    ],
)
def test_nuisance_names_the_dependent_column(covariates, named):
    with pytest.raises(ValueError, match=f"rank deficient: {named} depends"):
        nuisance(9, covariates=covariates, strata=STRATA)


@pytest.mark.parametrize("covariates", [np.arange(9.0), np.zeros((8, 1)), np.full((9, 1), np.nan)])
def test_nuisance_refuses_misshapen_or_missing_covariates(covariates):
    with pytest.raises(ValueError, match="covariates"):
        nuisance(9, covariates=covariates)


def test_enumeration_has_every_allocation_once_and_the_observed_one_first():
    draws = allocations(ARM, STRATA, n_draws=1000)
    in_stratum = np.array([label == STRATA for label in np.unique(STRATA)], dtype=int)
    possible = {arms for arms in product((0, 1), repeat=9) if (in_stratum @ arms == in_stratum @ ARM).all()}
    assert draws.exhaustive
    assert draws.n_possible == len(draws.arms) == len(possible) == 3 * 4 * 2
    assert set(map(tuple, draws.arms.tolist())) == possible
    np.testing.assert_array_equal(draws.arms[0], ARM)


def test_enumerates_only_up_to_the_count_of_draws():
    assert allocations(ARM, STRATA, n_draws=24).exhaustive
    assert not allocations(ARM, STRATA, n_draws=23).exhaustive


def test_draws_stay_within_strata_and_start_from_the_observed_allocation():
    strata = np.repeat([0, 1, 2], [7, 15, 21])
    arm = np.random.default_rng(1).permutation(np.repeat([0, 1], [21, 22]))
    draws = allocations(arm, strata, n_draws=500, seed=3)
    assert draws.arms.shape == (500, 43)
    np.testing.assert_array_equal(draws.arms[0], arm)
    for label in range(3):
        assert set(draws.arms[:, strata == label].sum(axis=1)) == {arm[strata == label].sum()}
    np.testing.assert_allclose(draws.arms[:, strata == 1].mean(axis=0), arm[strata == 1].mean(), atol=0.1)


def test_same_seed_same_draws():
    arm = np.arange(30) % 2
    first, again, other = (allocations(arm, n_draws=50, seed=seed).arms for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("arm", "strata", "message"),
    [
        ([1, 1, 1], None, "two arms"),
        ([0, 0, 1, 1], [0, 0, 1, 1], "two arms"),
        ([0, 0.5, 1], None, "whole numbers"),
        ([0, 1, 1], [0, 1], "strata"),
    ],
)
def test_refuses_what_cannot_be_permuted(arm, strata, message):
    with pytest.raises(ValueError, match=message):
        allocations(arm, strata)


def test_table_is_thinned_to_the_draws_asked_for_and_starts_from_the_observed_allocation():
    arm = np.arange(12) % 2
    table = np.random.default_rng(4).permuted(np.tile(arm, (300, 1)), axis=1)
    draws, again = (tabled_allocations(arm, table, n_draws=50, seed=2).arms for _ in range(2))
    assert draws.shape == (50, 12)
    np.testing.assert_array_equal(draws, again)
    np.testing.assert_array_equal(draws[0], arm)
    assert {tuple(row) for row in draws[1:]} <= {tuple(row) for row in table}
    assert len(tabled_allocations(arm, table).arms) == 301
    assert not tabled_allocations(arm, table).exhaustive


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ([[0, 1, 1]], {}, r"\(D, 4\)"),
        ([[0, 1, 2, 0]], {}, "0 and 1"),
        ([[0, 0, 1, 1]], {}, "no other allocation"),
        ([[0, 1, 0, 1], [1, 0, 1, 0]], {"exhaustive": True}, "the observed one 0 times"),
        ([[0, 0, 1, 1], [1, 0, 1, 0], [1, 0, 1, 0]], {"exhaustive": True}, "3 rows, 2 different"),
    ],
)
def test_refuses_tables_that_are_not_of_this_trial(table, options, message):
    with pytest.raises(ValueError, match=message):
        tabled_allocations([0, 0, 1, 1], table, **options)


def test_permutations_of_residuals_are_all_there_once_or_drawn_within_strata():
    strata = np.array([0, 1, 0, 1, 0])
    draws = residual_permutations(5, strata)
    assert draws.exhaustive
    assert draws.n_possible == len(np.unique(draws.order, axis=0)) == len(draws) == 6 * 2
    np.testing.assert_array_equal(strata[draws.order], np.tile(strata, (12, 1)))
    drawn, again = (residual_permutations(5, strata, n_draws=11, seed=3) for _ in range(2))
    assert not drawn.exhaustive
    np.testing.assert_array_equal(drawn.order, again.order)
    np.testing.assert_array_equal(drawn.order[0], np.arange(5))
    np.testing.assert_array_equal(strata[drawn.order], np.tile(strata, (11, 1)))
    with pytest.raises(ValueError, match="no two participants"):
        residual_permutations(3, [1, 2, 3])


def test_sign_flips_are_all_there_once_or_drawn():
    assert len(np.unique(sign_flips(5).signs, axis=0)) == sign_flips(5).n_possible == 32
    drawn = sign_flips(30, n_draws=400, seed=1)
    assert (drawn.signs[0] == 1).all()
    assert abs(drawn.signs[1:].mean()) < 0.05
    assert drawn.fingerprint != sign_flips(30, n_draws=400, seed=2).fingerprint
