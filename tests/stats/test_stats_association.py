from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from bids_app.stats.association import (
    ASSOCIATION_COLUMNS,
    TERMS,
    Pairs,
    associate,
    association_table,
    bootstrap_slopes,
    leave_one_out,
)
from bids_app.stats.design import nuisance
from bids_app.stats.rearrangement import exchange_blocks, residual_permutations
from bids_app.trial.tables import read_tables

FORMULAS = {
    "active": ("outcome ~ arm + age + brain:arm + brain:other", "brain:arm"),
    "reference": ("outcome ~ arm + age + brain:arm + brain:other", "brain:other"),
    "pooled": ("outcome ~ arm + age + brain", "brain"),
    "interaction": ("outcome ~ arm + age + brain * arm", "brain:arm"),
}


def simulated(seed=1, *, n=43, regions=5, slopes=(0.9, 0.0)):
    """Region 0 goes along with the outcome, in each arm by its own slope; the others do not."""
    generator = np.random.default_rng(seed)
    arm = generator.permutation(np.arange(n) % 2)
    brain = 3 + arm[:, None] + generator.standard_normal((n, regions))
    outcome = np.where(arm == 1, *slopes) * brain[:, 0] - 2 * arm + generator.standard_normal(n)
    return Pairs(brain, outcome, arm, nuisance(n, generator.normal(40, 10, (n, 1))))


def frame(pairs, region):
    age = pairs.nuisance[:, 1]
    return pd.DataFrame(
        {
            "outcome": pairs.outcome,
            "arm": pairs.arm,
            "other": 1 - pairs.arm,
            "age": age,
            "brain": pairs.brain[:, region],
        }
    )


@pytest.mark.parametrize("term", TERMS)
def test_a_stratum_whose_members_have_no_outcome_changes_no_number(term):
    """What is left of its column says nothing: the slopes and df are those of the formulas."""
    whole, stratum = simulated(n=46), np.repeat([0, 1, 0], [20, 3, 23])
    outcome = np.where(stratum == 1, np.nan, whole.outcome)
    columns = nuisance(46, whole.nuisance[:, 1:], stratum)
    found = associate(replace(whole, outcome=outcome, nuisance=columns), term, n_draws=20)
    formula, name = FORMULAS[term]
    fit = smf.ols(formula, frame(whole, 0)[stratum == 0]).fit()
    assert found.df == fit.df_resid
    assert found.t[0] == pytest.approx(fit.tvalues[name], rel=1e-8)


@pytest.mark.parametrize("term", TERMS)
def test_slopes_equal_formulas(term):
    pairs = simulated()
    found = associate(pairs, term, n_draws=2000)
    formula, name = FORMULAS[term]
    for region in range(5):
        fit = smf.ols(formula, frame(pairs, region)).fit()
        assert found.df == fit.df_resid
        assert found.slope[region] == pytest.approx(fit.params[name], rel=1e-8)
        assert found.standard_error[region] == pytest.approx(fit.bse[name], rel=1e-8)
        assert found.t[region] == pytest.approx(fit.tvalues[name], rel=1e-8)
        assert found.p[region] == pytest.approx(fit.pvalues[name], rel=1e-6)
    np.testing.assert_allclose(found.p_permutation, found.p, atol=0.04)
    assert (found.p_max >= found.p_permutation).all()


def test_without_covariates_the_p_of_an_arm_is_that_of_every_order():
    """Pooled, 3 + 3 participants: all 36 orders within the arms, correlated by hand."""
    generator = np.random.default_rng(2)
    arm, brain, outcome = np.repeat([0, 1], 3), generator.standard_normal(6), generator.standard_normal(6)
    inner = {label: outcome[arm == label] - outcome[arm == label].mean() for label in (0, 1)}
    centred = brain - np.where(arm == 1, brain[arm == 1].mean(), brain[arm == 0].mean())
    every = [
        abs(centred @ np.concatenate(order)) for order in product(*(permutations(inner[label]) for label in (0, 1)))
    ]
    exact = np.mean(np.array(every) >= every[0] - 1e-12)
    found = associate(Pairs(brain[:, None], outcome, arm, np.ones((6, 1))), "pooled", n_draws=20_000)
    assert found.p_permutation[0] == pytest.approx(exact), "all 36 were made, not drawn"


def test_orders_stay_within_arms_and_strata_and_begin_with_the_observed_one():
    arm, strata = np.array([0, 1, 0, 1, 1, 0, 0, 1, 1]), np.array(list("aaaaabbbb"))
    blocks = exchange_blocks(arm, strata)
    rows = residual_permutations(9, blocks, 200, seed=1).order
    assert rows[0].tolist() == list(range(9))
    assert (arm[rows] == arm).all()
    assert (strata[rows] == strata).all()
    assert (np.ptp(rows, axis=0) > 0).all(), "everyone is exchanged with somebody"


def test_who_is_alone_in_a_stratum_is_exchanged_with_others_who_are():
    blocks = exchange_blocks([0, 0, 0, 1, 1, 1], ["a", "b", "c", "a", "a", "b"])
    assert len(set(blocks[:3])) == 1, "three strata of one: exchanged among themselves"
    assert blocks[3] == blocks[4] != blocks[5]
    assert not set(blocks[:3]) & set(blocks[3:]), "never across the arms"


@pytest.mark.parametrize("term", ["pooled", "interaction"])
def test_arms_of_other_spread_and_strata_of_other_level_keep_the_error(term):
    """Treatment may change both the mean and the spread; nothing goes along with anything within the arms."""
    ps = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        arm, strata = np.arange(32) % 2, np.arange(32) // 16
        brain = generator.standard_normal((32, 1)) + 2 * arm[:, None] + 3 * strata[:, None]
        outcome = generator.standard_normal(32) * np.where(arm == 1, 4, 1) - 5 * arm + 9 * strata
        pairs = Pairs(brain, outcome, arm, nuisance(32, None, strata), strata)
        ps.append(associate(pairs, term, n_draws=100, seed=seed).p_permutation[0])
    assert scipy_stats.binomtest(int(np.sum(np.array(ps) <= 0.1)), 300, 0.1).pvalue > 0.01


def test_in_a_null_the_corrected_p_reach_the_level_as_often_as_they_should():
    hits = [
        associate(simulated(seed, n=20, slopes=(0, 0)), "interaction", n_draws=100).p_max.min() for seed in range(200)
    ]
    assert scipy_stats.binomtest(int(np.sum(np.array(hits) <= 0.1)), 200, 0.1).pvalue > 0.01


def test_the_family_is_stated_and_corrected():
    pairs = simulated()
    table = association_table(pairs, list("abcde"), "hamd17", n_draws=999, n_bootstrap=200)
    assert list(table) == list(ASSOCIATION_COLUMNS)
    assert table.groupby("term", sort=False).size().to_dict() == dict.fromkeys(TERMS, 5)
    for _, rows in table.groupby("term"):
        np.testing.assert_allclose(rows["p_holm"], multipletests(rows["p_permutation"], method="holm")[1])
    assert set(table["family_size"]) == {5}
    assert table["family"].iloc[0] == "slope within the active arm: a, b, c, d, e"
    rows = table.set_index(["term", "region"])
    assert rows.loc[("active", "a"), "p_max"] < 0.05
    assert rows.loc[("interaction", "a"), "slope"] == pytest.approx(
        rows.loc[("active", "a"), "slope"] - rows.loc[("reference", "a"), "slope"]
    )
    active = pairs.arm == 1
    expected = scipy_stats.pearsonr(pairs.brain[active, 0], pairs.outcome[active]).statistic
    assert rows.loc[("active", "a"), "correlation"] == pytest.approx(expected)


def test_who_lacks_a_value_is_left_out_and_counted():
    pairs = simulated()
    outcome, brain = pairs.outcome.copy(), pairs.brain.copy()
    outcome[0], brain[1, 3] = np.nan, np.nan
    holed = Pairs(brain, outcome, pairs.arm, pairs.nuisance)
    table = association_table(holed, list("abcde"), "hamd17", n_draws=50, n_bootstrap=50)
    assert (table["n_active"] + table["n_reference"] == 41).all()
    fit = smf.ols(FORMULAS["pooled"][0], frame(holed, 2).drop([0, 1])).fit()
    (row,) = table[(table["term"] == "pooled") & (table["region"] == "c")].itertuples()
    assert row.t == pytest.approx(fit.tvalues["brain"])


def test_the_bootstrap_interval_is_about_that_of_t_and_repeats_with_its_seed():
    pairs = simulated(n=200)
    limits = bootstrap_slopes(pairs, seed=3)
    found = associate(pairs, "interaction", n_draws=2)
    np.testing.assert_allclose(
        limits["interaction"], found.slope + np.outer([-1.97, 1.97], found.standard_error), atol=0.12
    )
    np.testing.assert_array_equal(bootstrap_slopes(pairs, seed=3)["pooled"], limits["pooled"])


@pytest.mark.parametrize("term", TERMS)
def test_the_units_of_the_brain_do_not_matter(term):
    pairs = simulated()
    small = associate(Pairs(1e-12 * pairs.brain, pairs.outcome, pairs.arm, pairs.nuisance), term, n_draws=99)
    np.testing.assert_allclose(small.t, associate(pairs, term, n_draws=99).t, rtol=1e-6)
    np.testing.assert_allclose(small.slope * 1e-12, associate(pairs, term, n_draws=2).slope, rtol=1e-6)


def test_the_blocks_of_draws_change_nothing(monkeypatch):
    pairs = simulated()
    whole = associate(pairs, "interaction", n_draws=300)
    monkeypatch.setattr("bids_app.stats.association.BLOCK", 1000)
    parts = associate(pairs, "interaction", n_draws=300)
    np.testing.assert_array_equal(whole.p_permutation, parts.p_permutation)
    np.testing.assert_array_equal(whole.p_max, parts.p_max)


def test_a_region_that_does_not_vary_has_no_slope_and_too_few_are_refused():
    pairs = simulated()
    brain = pairs.brain.copy()
    brain[:, 4] = 2.5
    found = associate(Pairs(brain, pairs.outcome, pairs.arm, pairs.nuisance), "active", n_draws=20)
    assert (found.slope[4], found.t[4], found.p_permutation[4]) == (0, 0, 1)
    few = Pairs(brain[:4], pairs.outcome[:4], np.array([0, 1, 0, 1]), np.ones((4, 1)))
    with pytest.raises(ValueError, match="4 participants leave 0 degrees of freedom"):
        associate(few, "interaction")


def test_leaving_one_out_takes_the_circularity_away():
    """The voxel that goes along best with a random outcome: r is large in the data that chose it, not outside."""
    generator = np.random.default_rng(5)
    circular, honest = [], []
    for _ in range(20):
        maps, outcome = generator.standard_normal((30, 80)), generator.standard_normal(30)

        def best(kept, maps=maps, outcome=outcome):
            r = np.corrcoef(np.column_stack([outcome[kept], maps[kept]]), rowvar=False)[0, 1:]
            return r == r.max()

        circular.append(np.corrcoef(maps[:, best(np.ones(30, bool))][:, 0], outcome)[0, 1])
        honest.append(np.corrcoef(leave_one_out(maps, best), outcome)[0, 1])
    assert np.mean(circular) > 0.4
    assert np.mean(honest) < 0.1
    assert np.isnan(leave_one_out(np.ones((3, 2)), lambda kept: np.zeros(2, bool))).all()


def test_the_stages_trial(shared_data):
    """Two scales of a real trial: more symptoms go along with less functioning."""
    rows = read_tables(shared_data / "stages" / "bids").participants.dropna()
    arm = (rows["arm"] == "medication").to_numpy(int)
    pairs = Pairs(rows[["sofas_change_t4"]].to_numpy(), rows["bprs_change_t4"].to_numpy(), arm, np.ones((len(arm), 1)))
    found = associate(pairs, "pooled", n_draws=1000)
    fit = smf.ols("bprs_change_t4 ~ arm + sofas_change_t4", rows.assign(arm=arm)).fit()
    assert found.t[0] == pytest.approx(fit.tvalues["sofas_change_t4"])
    assert found.slope[0] < 0
    assert found.p_permutation[0] < 0.05
