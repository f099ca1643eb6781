"""The spread of two visits against numpy and pandas, and what it says of the number that a trial needs."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from bids_app.stats.spread import spread


def two_visits(n, r, seed=0):
    return np.random.default_rng(seed).multivariate_normal([0, 1], [[1, r], [r, 1]], size=n).T


def test_it_is_what_pandas_has_of_those_with_both():
    generator = np.random.default_rng(3)
    first, later = generator.normal(size=(2, 12, 4))
    first[0, 1] = later[3, 1] = later[:, 2] = np.nan
    later[1:, 3], first[1:, 3] = np.nan, 5
    found = spread(first, later)
    for column in range(4):
        both = pd.DataFrame({"first": first[:, column], "later": later[:, column]}).dropna()
        assert found["n"][column] == len(both)
        expected = [both["first"].std(), both["later"].std(), (both["later"] - both["first"]).std()]
        expected.append(both.corr().loc["first", "later"] if len(both) else np.nan)
        own = [found[name][column] for name in ("sd_first", "sd_later", "sd_change", "r")]
        assert own == pytest.approx(expected, nan_ok=True)


def test_what_does_not_vary_has_no_correlation():
    found = spread(np.ones((5, 1)), np.arange(5.0)[:, None])
    assert np.isnan(found["r"][0])
    assert found["sd_first"][0] == 0


def test_the_variance_that_ancova_leaves_is_that_share():
    first, later = two_visits(400, 0.6)
    found = spread(first[:, None], later[:, None])
    left = sm.OLS(later, sm.add_constant(first)).fit()
    share = left.ssr / ((later - later.mean()) ** 2).sum()
    assert 1 - found["r"][0] ** 2 == pytest.approx(share)


def test_n_from_everyone_together_has_the_power_that_it_is_for():
    """16 (1 - r2) / d2 of each arm: 1,000 trials find the difference in about 80 %, by ANCOVA."""
    r, d = 0.5, 0.6
    n = round(16 * (1 - r**2) / d**2)
    generator = np.random.default_rng(11)
    arm, hits = np.repeat([0, 1], n), 0
    for _ in range(1000):
        first, later = generator.multivariate_normal([0, 0], [[1, r], [r, 1]], size=2 * n).T
        design = np.column_stack([np.ones(2 * n), arm, first])
        solved = np.linalg.inv(design.T @ design)
        weights = solved @ design.T @ (later + d * arm)
        error = ((later + d * arm - design @ weights) ** 2).sum() / (2 * n - 3)
        hits += abs(weights[1]) > 2 * np.sqrt(error * solved[1, 1])
    assert hits / 1000 == pytest.approx(0.8, abs=0.05)


def test_a_difference_between_equal_arms_adds_a_quarter_of_its_square():
    first, later = two_visits(20_000, 0.5, seed=5)
    arm = np.arange(20_000) % 2
    apart = spread(first[:, None], (later + 0.8 * arm)[:, None])["sd_later"][0] ** 2
    assert apart == pytest.approx(1 + 0.8**2 / 4, rel=0.03)
