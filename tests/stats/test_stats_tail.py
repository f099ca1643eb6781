import itertools

import numpy as np
import pytest
from scipy import stats

from bids_app.stats import (
    ParetoTail,
    allocations,
    compare_arms,
    familywise,
    familywise_tail,
    fit_tail,
    monte_carlo_error,
    nuisance,
)


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_survival_is_that_of_scipy(shape):
    tail = ParetoTail(2.0, 0.25, shape, 1.5)
    magnitude = np.linspace(2, 6, 50)
    expected = 0.25 * stats.genpareto.sf(magnitude - 2, -shape, scale=1.5)
    np.testing.assert_allclose(tail.probability(magnitude), expected, rtol=1e-9)


@pytest.mark.parametrize("distribution", [stats.gumbel_r(4, 0.5), stats.norm(3, 1), stats.expon(), stats.t(8)])
def test_small_p_values_from_few_draws_have_the_right_size(distribution):
    exact = np.array([0.01, 0.001])
    magnitude, errors = distribution.isf(exact), {"tail": [], "counts": []}
    for seed in range(300):
        maxima = distribution.rvs(500, random_state=seed)
        errors["tail"].append(np.log(familywise_tail(maxima, magnitude) / exact))
        errors["counts"].append(np.log(np.maximum(familywise(maxima, magnitude), 1 / 500) / exact))
    tail, counts = (np.median(np.abs(errors[name]), axis=0) for name in ("tail", "counts"))
    assert tail[0] <= 1.05 * counts[0]
    assert tail[1] < np.log(2.5)
    assert np.abs(np.median(errors["tail"], axis=0)[1]) < np.log(2)  # counts cannot tell from 0


def test_p_values_below_the_upper_quartile_are_counts():
    maxima = np.random.default_rng(1).gumbel(size=400)
    tail = fit_tail(maxima)
    low = np.sort(maxima)[maxima.size // 10 : int(0.74 * maxima.size)]
    assert tail.threshold >= np.quantile(maxima, 0.75)
    np.testing.assert_array_equal(familywise_tail(maxima, low), familywise(maxima, low))


def test_p_values_fall_and_are_never_zero():
    for seed in range(20):
        generator = np.random.default_rng(seed)
        maxima = generator.beta(2, 2, 300)
        p = familywise_tail(maxima, np.linspace(-1, -20, 100))
        assert (p > 0).all()
        assert (np.diff(familywise_tail(maxima, np.linspace(0.5, maxima.max(), 100))) <= 1e-2).all()


@pytest.mark.parametrize("maxima", [np.ones(500), np.repeat(np.arange(4.0), 100), np.arange(60.0)])
def test_what_no_tail_fits_is_counted(maxima):
    statistic = np.array([0.0, maxima.max()])
    assert fit_tail(maxima) is None
    np.testing.assert_array_equal(familywise_tail(maxima, statistic), familywise(maxima, statistic))


@pytest.mark.parametrize("shape", [-0.1, 0.0, 0.1, 0.2])
def test_a_true_pareto_tail_is_refused_five_times_in_a_hundred(shape):
    """The tabulated critical values are of maximum likelihood; by moments they hold for these shapes."""
    generator = np.random.default_rng(5)
    draws = stats.genpareto.rvs(-shape, size=(1500, 400), random_state=generator)
    tails = [fit_tail(maxima) for maxima in draws]
    whole = np.mean([tail is not None and tail.share > 0.245 for tail in tails])
    assert 0.93 <= whole <= 0.97


def small(seed, shift):
    """Five against five, 20 nodes, as drawn."""
    arm = np.arange(10) % 2
    return arm, np.random.default_rng(seed).standard_normal((10, 20)) + shift * arm[:, None]


def test_where_all_allocations_are_made_p_is_that_of_the_enumeration():
    """252 allocations; the mirror image of the observed one has the same magnitude: 2 of 252 at the least."""
    arm, followup = small(1, 4.0)
    found = compare_arms(followup, None, nuisance(10), allocations(arm), tail=True)
    maxima = []
    for chosen in itertools.combinations(range(10), 5):
        own = np.isin(np.arange(10), chosen)
        maxima.append(np.abs(stats.ttest_ind(followup[own], followup[~own]).statistic).max())
    observed = stats.ttest_ind(followup[arm == 1], followup[arm == 0]).statistic
    expected = [np.mean(np.array(maxima) >= abs(t) - 1e-9) for t in observed]
    np.testing.assert_allclose(found.p_fwe, expected)
    assert found.p_fwe.min() == pytest.approx(2 / 252)
    assert not found.tail
    assert (monte_carlo_error(found.p_fwe, 252, found.exhaustive) == 0).all()


def test_a_sample_of_few_allocations_gives_no_p_below_one_of_them():
    arm, followup = small(1, 6.0)
    found = compare_arms(followup, None, nuisance(10), allocations(arm, n_draws=200), tail=True)
    assert found.tail
    assert found.p_fwe.min() >= 1 / 252
