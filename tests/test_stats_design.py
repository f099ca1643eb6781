from itertools import product

import numpy as np
import pytest

from bids_app.stats import allocations, nuisance

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
        ([1, 1, 1], None, "both arms"),
        ([0, 0, 1, 1], [0, 0, 1, 1], "both arms"),
        ([0, 1, 2], None, "0 and 1"),
        ([0, 1, 1], [0, 1], "strata"),
    ],
)
def test_refuses_what_cannot_be_permuted(arm, strata, message):
    with pytest.raises(ValueError, match=message):
        allocations(arm, strata)
