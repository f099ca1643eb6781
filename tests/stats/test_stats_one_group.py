"""The change of one group: the paired t, all flips of signs, and how often nothing is found."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, ttest_1samp, ttest_rel, wilcoxon
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from benchmarks.one_group import Case, rates
from bids_app.stats import across, compare, hypothesis, sign_flips, two_visits
from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import CHANGE_COLUMNS, change_table
from bids_app.stats.motion import described
from bids_app.stats.reliability import intraclass_correlation
from bids_app.stats.twovisits import TwoVisits


def seven(seed=0, **more):
    rng = np.random.default_rng(seed)
    before = rng.normal(20, 4, 7)
    return TwoVisits(np.ones(7, dtype=int), before, before + rng.normal(-2, 2, 7), **more)


def test_without_covariates_it_is_the_paired_t_and_all_flips():
    data = seven()
    found, student = linear_estimate(data, "within"), ttest_rel(data.followup, data.baseline)
    interval = student.confidence_interval(0.95)
    assert (found.n_active, found.n_reference, found.df) == (7, 0, 6)
    assert (found.t, found.p) == pytest.approx((student.statistic, student.pvalue))
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    t = [abs(ttest_1samp(data.change * signs, 0).statistic) for signs in product((1, -1), repeat=7)]
    assert found.p_rerandomized == pytest.approx(np.mean(np.array(t) >= abs(student.statistic) - 1e-9))
    correction = 1 - 3 / (4 * 6 - 1)
    assert found.effect_size == pytest.approx(correction * data.change.mean() / data.change.std(ddof=1), rel=0.01)


def test_covariates_change_nothing():
    age = np.random.default_rng(5).normal(size=(7, 1))
    assert linear_estimate(seven(covariates=age), "within", n_draws=50) == linear_estimate(
        seven(), "within", n_draws=50
    )


def test_who_lacks_a_visit_is_left_out_and_too_few_are_said():
    data = seven()
    data.baseline[2] = np.nan
    assert linear_estimate(data, "within", n_draws=0).n_active == 6
    assert "too few" in linear_estimate(data.of(np.arange(7) == 1), "within", n_draws=0).note


def test_the_table_has_ranks_first_where_they_are_asked_for_and_no_second_arm():
    data = seven()
    table = change_table({"hamd": data, "bdi": data}, ordinal=["bdi"], n_draws=50)
    assert list(table.columns) == list(CHANGE_COLUMNS)
    assert not [name for name in table if "reference" in name]
    assert table[["outcome", "method", "analysis"]].to_numpy().tolist() == [
        ["hamd", "within", "main"],
        ["bdi", "signed-ranks", "main"],
        ["bdi", "within", "sensitivity"],
    ]
    assert table.loc[1, "p"] == pytest.approx(wilcoxon(data.change).pvalue)
    assert table.loc[0, "followup_mean_active"] == pytest.approx(data.followup.mean())


def test_motion_of_one_group_is_described_and_only_its_change_is_tested():
    values = np.array([0.1, 0.3, np.nan, 0.2])
    assert set(described(values)) == {"n_active", "mean_active", "sd_active"}
    assert described(values, is_change=True)["p"] == pytest.approx(ttest_1samp([0.1, 0.3, 0.2], 0).pvalue)


def test_visits_with_other_people_share_their_flips():
    flips = sign_flips(4)
    part = flips.of(np.array([0, 2]))
    np.testing.assert_array_equal(part.signs, flips.signs[:, [0, 2]])
    rng = np.random.default_rng(1)

    def tested(rows):
        maps = {"baseline": rng.normal(size=(len(rows), 3)), "followup": rng.normal(size=(len(rows), 3))}
        stated = hypothesis(two_visits("within"), maps, np.ones((len(rows), 1)))
        return compare(stated, flips.of(np.array(rows)))

    everyone, three = tested([0, 1, 2, 3]), tested([0, 1, 3])
    together = across([everyone, three])
    own = [
        (one.max_statistics[:, None] >= one.max_statistics[None, :] - 1e-12).mean(axis=0) for one in (everyone, three)
    ]
    smallest = np.min(own, axis=0)
    for one, p in zip((everyone, three), together, strict=True):
        np.testing.assert_allclose(p, [(smallest <= value + 1e-12).mean() for value in one.p_fwe])
        assert (p >= one.p_fwe - 1e-12).all()


def test_reliability_is_that_of_the_analysis_of_variance():
    rng = np.random.default_rng(3)
    person = rng.normal(size=(8, 1))
    first, second = (person + rng.normal(size=(8, 2)) for _ in range(2))
    second[3, 1] = np.nan
    found = intraclass_correlation(first, second)
    for column in (0, 1):
        known = np.isfinite(second[:, column])
        values = np.concatenate([first[known, column], second[known, column]])
        who = np.tile(np.flatnonzero(known), 2)
        squares = anova_lm(ols("value ~ C(who)", pd.DataFrame({"value": values, "who": who})).fit())["mean_sq"]
        between, within = squares["C(who)"], squares["Residual"]
        assert found[column] == pytest.approx((between - within) / (between + within))


def test_nothing_is_found_in_one_of_twenty_where_nothing_changes():
    """Short form of benchmarks/one_group.py; the visit that does not change is not found more often for the other."""
    low, high = binom.interval(0.999, 120, 0.05) / np.array(120)
    none, one = rates(Case(), range(120)), rates(Case(change=(1.5, 0.0)), range(120))
    assert low <= none["any, together"] <= high
    assert one["visit 3, together"] <= high
    assert one["visit 2, together"] > 0.9


def test_to_adjust_for_a_centred_covariate_finds_changes_that_are_none():
    """Why nothing is adjusted for in the mean change: it is taken for that of people with these covariates."""
    assert rates(Case(adjusted=True), range(60))["any, together"] > 0.12
