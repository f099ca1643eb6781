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
