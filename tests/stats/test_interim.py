"""Interim looks against published boundaries, and re-randomized trials that are looked at twice."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from bids_app import stats
from bids_app.stats.interim import crossed, levels, normal_levels, spent

# Two-sided .05, equal steps: Pocock (1977), O'Brien & Fleming (1979), in Jennison & Turnbull (2000), tables 2.1, 2.3.
POCOCK = {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413}
OBRIEN_FLEMING = {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040}


@pytest.mark.parametrize("n_looks", [2, 3, 4, 5])
def test_published_boundaries_spend_what_they_should(n_looks):
    fractions = np.arange(1, n_looks + 1) / n_looks
    pocock = np.full(n_looks, POCOCK[n_looks])
    assert sum(crossed(2 * norm.sf(pocock), fractions)) == pytest.approx(0.05, abs=1e-4)
    obrien = OBRIEN_FLEMING[n_looks] / np.sqrt(fractions)
    assert sum(crossed(2 * norm.sf(obrien), fractions)) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("spending", "bounds"),
    [("obrien-fleming", [2.9626, 1.9686]), ("pocock", [2.1570, 2.2010])],
)
def test_levels_of_the_normal_theory_are_those_of_lan_and_demets(spending, bounds):
    np.testing.assert_allclose(norm.isf(np.array(normal_levels([0.5, 1], 0.05, spending)) / 2), bounds, atol=2e-4)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("fractions", [[1], [0.5, 1], [0.2, 0.6, 1]])
def test_levels_add_up_to_alpha_and_are_below_those_of_the_normal_theory(fractions, spending):
    own, normal = levels(fractions, 0.05, spending), normal_levels(fractions, 0.05, spending)
    assert sum(own) == pytest.approx(0.05)
    assert all(one <= other + 1e-12 for one, other in zip(own, normal, strict=True))
    assert crossed(normal, fractions) == pytest.approx(own, abs=1e-9)
    assert sum(crossed(own, fractions)) <= 0.05 + 1e-12
    assert spent(fractions[0], 0.05, spending) == own[0]


def test_integrals_are_those_of_simulated_sums():
    steps = np.random.default_rng(0).standard_normal((200_000, 2)) * np.sqrt([0.3, 0.7])
    z = np.cumsum(steps, axis=1) / np.sqrt([0.3, 1])
    first, second = np.abs(z[:, 0]) > norm.isf(0.01), np.abs(z[:, 1]) > norm.isf(0.02)
    found = crossed([0.02, 0.04], [0.3, 1])
    assert found == pytest.approx([first.mean(), (second & ~first).mean()], abs=1.5e-3)


@pytest.mark.parametrize("fractions", [[], [0.5], [0.5, 0.5, 1], [0.7, 0.5, 1], [0, 1]])
def test_fractions_that_do_not_ascend_to_1_are_refused(fractions):
    with pytest.raises(ValueError, match="fraction"):
        levels(fractions)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_null_trials_that_are_looked_at_twice_err_as_often_as_planned(spending):
    """The maximum over voxels of trials of 10 + 10, looked at when half of each arm is there."""
    n_trials, errors = 120, 0
    for seed in range(n_trials):
        generator = np.random.default_rng(seed)
        arm = np.tile([0, 1], 10)
        maps = generator.standard_normal((20, 8)) + 0.5 * generator.standard_normal((20, 1))
        for n, level in zip((10, 20), levels([0.5, 1], 0.2, spending), strict=True):
            draws = stats.allocations(arm[:n], None, 200, seed)
            if stats.compare_arms(maps[:n], None, np.ones((n, 1)), draws).p_fwe.min() <= level:
                errors += 1
                break
    assert binomtest(errors, n_trials, 0.2).pvalue > 0.005


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("n_tests", [1, 2])
def test_looks_that_know_each_other_spend_all_of_alpha_and_no_more(spending, n_tests):
    """Each of the draws in turn is what was observed: the share of those that any of three looks finds is alpha."""
    n_draws, alpha, generator = 400, 0.2, np.random.default_rng(3)
    sums = np.cumsum(generator.standard_normal((n_tests, 3, n_draws)) ** 2, axis=1)
    own = levels([0.3, 0.6, 1], alpha, spending)
    found, alone = np.zeros(n_draws, bool), np.zeros(n_draws, bool)
    for draw in range(n_draws):
        maxima = np.concatenate([sums[..., [draw]], np.delete(sums, draw, axis=2)], axis=2)
        for look, level in enumerate(own):
            family = [
                [stats.EarlierLook(maxima[test, before], own[before]) for before in range(look)]
                for test in range(n_tests)
            ]
            ranks = [stats.familywise(one[look], one[look]) for one in maxima]
            smallest, going = np.min(ranks, axis=0), stats.going_on(family)
            counting = smallest if going is None else smallest[going]
            found[draw] |= (counting <= smallest[0]).sum() / n_draws <= level
            alone[draw] |= (smallest <= smallest[0]).mean() <= level
    assert alpha - 3 / n_draws <= found.mean() <= alpha
    assert alone.mean() < alpha - 0.01
    assert (found | ~alone).all()


def test_p_over_several_measures_leaves_out_what_an_earlier_look_would_have_found_over_them():
    """Whole comparisons against counting by hand, for one measure and over two."""
    arm, n = np.tile([0, 1], 16), 16
    maps = np.random.default_rng(8).standard_normal((2, 32, 5))
    draws = stats.allocations(arm, np.repeat([1, 2], n), 500, 2)
    first = [stats.compare_arms(one[:n], None, np.ones((n, 1)), draws.of(np.arange(n))) for one in maps]
    tests = [stats.hypothesis(stats.two_visits("post"), {"followup": one}, np.ones((32, 1)), arm=arm) for one in maps]
    earlier = [stats.EarlierLook(one.max_statistics, 0.1) for one in first]
    found = [stats.compare(one, draws, earlier=[then]) for one, then in zip(tests, earlier, strict=True)]
    plain = [stats.compare(one, draws) for one in tests]
    for one, before, ordinary in zip(found, first, plain, strict=True):
        stopped = np.array([np.mean(before.max_statistics >= value) for value in before.max_statistics]) <= 0.1
        reached = one.max_statistics[~stopped, np.newaxis] >= np.abs(one.statistic) * (1 - 1e-9)
        np.testing.assert_allclose(one.p_fwe, reached.sum(0) / 500)
        assert (one.p_fwe < ordinary.p_fwe).any()
        np.testing.assert_array_equal(one.p, ordinary.p)
    both = [
        np.min([(one[:, np.newaxis] >= one * (1 - 1e-9)).mean(0) for one in maxima], axis=0)
        for maxima in ([one.max_statistics for one in first], [one.max_statistics for one in found])
    ]
    going = np.array([np.mean(both[0] <= value) for value in both[0]]) > 0.1
    assert going[0]
    for p, one in zip(stats.across(found), found, strict=True):
        own = [(one.max_statistics >= abs(value) * (1 - 1e-9)).mean() for value in one.statistic]
        np.testing.assert_allclose(p, [(both[1][going] <= value).sum() / 500 for value in own])


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_null_trials_looked_at_twice_jointly_err_at_alpha(spending):
    n_trials, errors, arm, wave = 120, 0, np.tile([0, 1], 10), np.repeat([1, 2], 10)
    own = levels([0.5, 1], 0.2, spending)
    for seed in range(n_trials):
        generator = np.random.default_rng((seed, 7))
        maps = generator.standard_normal((20, 8)) + 0.5 * generator.standard_normal((20, 1))
        draws = stats.allocations(arm, wave, 200, seed)
        first = stats.compare_arms(maps[:10], None, np.ones((10, 1)), draws.of(np.arange(10)))
        tested = stats.hypothesis(stats.two_visits("post"), {"followup": maps}, np.ones((20, 1)), arm=arm)
        last = stats.compare(tested, draws, earlier=[stats.EarlierLook(first.max_statistics, own[0])])
        errors += first.p_fwe.min() <= own[0] or last.p_fwe.min() <= own[1]
    assert binomtest(errors, n_trials, 0.2).pvalue > 0.005
