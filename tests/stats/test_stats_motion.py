import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats

from bids_app.stats.balance import (
    BALANCE_COLUMNS,
    category_distance,
    standardized_difference,
    standardized_differences,
)
from bids_app.stats.motion import MOTION_COLUMNS, motion_table


@pytest.fixture
def flow():
    generator = np.random.default_rng(1)
    fd = generator.gamma(3, 0.05, (2, 24))
    fd[1, 3] = np.nan
    minutes = generator.uniform(4, 8, (2, 24))
    columns = {"baseline_mean_fd": fd[0], "followup_mean_fd": fd[1]}
    return pd.DataFrame({**columns, "baseline_minutes": minutes[0], "followup_minutes": minutes[1]})


ARM = np.repeat([1, 0], 12)


def test_motion_is_compared_at_each_visit_and_in_its_change(flow):
    table = motion_table(flow, ARM)
    assert list(table) == list(MOTION_COLUMNS)
    assert table[["variable", "visit"]].agg(" ".join, axis=1).tolist() == [
        *("mean_fd baseline", "mean_fd followup", "mean_fd change"),
        *("minutes baseline", "minutes followup", "minutes change"),
    ]
    row = table.iloc[1]
    first, second = flow["followup_mean_fd"][:12].dropna(), flow["followup_mean_fd"][12:]
    assert (row["n_active"], row["n_reference"]) == (11, 12)
    means = sm.stats.CompareMeans(sm.stats.DescrStatsW(first), sm.stats.DescrStatsW(second))
    t, p, df = means.ttest_ind(usevar="unequal")
    assert (row["t"], row["p"], row["df"]) == pytest.approx((t, p, df))
    np.testing.assert_allclose(row[["ci_low", "ci_high"]].astype(float), means.tconfint_diff(usevar="unequal"))
    assert row["p_rank"] == pytest.approx(scipy_stats.mannwhitneyu(first, second).pvalue)
    assert row["standardized_difference"] == pytest.approx(
        (first.mean() - second.mean()) / np.sqrt((first.var() + second.var()) / 2)
    )
    change = table.iloc[2]
    assert change["difference"] == pytest.approx(
        (flow["followup_mean_fd"] - flow["baseline_mean_fd"])[:12].mean()
        - (flow["followup_mean_fd"] - flow["baseline_mean_fd"])[12:].mean()
    )


def test_what_nobody_knows_or_nothing_varies_has_no_test(flow):
    flow = flow.assign(baseline_minutes=np.nan, followup_minutes=5.0)
    table = motion_table(flow, ARM).set_index(["variable", "visit"])
    assert table.loc[("minutes", "baseline"), ["n_active", "n_reference"]].tolist() == [0, 0]
    assert table.loc[("minutes", "followup"), "difference"] == 0
    assert table.loc[("minutes", "followup"), "standardized_difference"] == 0
    assert table.loc["minutes", "p"].isna().all()


def test_standardized_differences_by_hand():
    assert standardized_difference([1.0, 2, 3, np.nan], [2.0, 3, 4]) == pytest.approx(-1)
    # Shares of 3/4 and 1/4: both variances are 3/16.
    assert standardized_difference([1, 1, 1, 0], [1, 0, 0, 0]) == pytest.approx(0.5 / np.sqrt(3 / 16))
    assert standardized_difference([1, 1], [1, 1]) == 0
    assert np.isnan(standardized_difference([1, 1], [0, 0]))
    assert np.isnan(standardized_difference([], [0, 1]))
    assert np.isnan(standardized_difference([2.5], [0.0, 1.0]))


def test_the_distance_over_two_levels_is_the_difference_of_a_share():
    first, second = list("aaab"), list("abbb")
    assert category_distance(first, second, ["a", "b"]) == pytest.approx(0.5 / np.sqrt(3 / 16))
    assert category_distance(first, first, ["a", "b"]) == 0


def test_the_distance_over_three_levels_does_not_depend_on_their_order():
    first, second = list("aaabbc"), list("abbccc")
    distances = [category_distance(first, second, list(order)) for order in ("abc", "bca", "cab")]
    np.testing.assert_allclose(distances, distances[0])
    # p = (3, 2, 1) / 6 and (1, 2, 3) / 6 over the levels b and c, worked out by hand.
    covariance = (np.array([[8, -2], [-2, 5]]) + np.array([[8, -6], [-6, 9]])) / 36 / 2
    difference = np.array([0, -2]) / 6
    assert distances[0] == pytest.approx(np.sqrt(difference @ np.linalg.inv(covariance) @ difference))


def test_table_one_has_no_p():
    table = pd.DataFrame(
        {
            "age": [30.0, 40, 50, np.nan, 20, 30, 40, 50],
            "sex": ["f", "f", "m", "m", "f", "m", "m", "m"],
            "site": ["a", "b", "c", None, "a", "b", "c", "a"],
            "episode": [0, 1, 1, 1, 0, 0, 1, 0],
            "empty": [np.nan] * 8,
        }
    )
    found = standardized_differences(table, np.repeat([1, 0], 4))
    assert list(found) == list(BALANCE_COLUMNS)
    assert not [column for column in found if column == "p" or column.startswith("p_")]
    rows = found.set_index("variable")
    assert rows.loc["age", ["n_active", "missing_active", "missing_reference"]].tolist() == [3, 1, 0]
    assert rows.loc["age", "active_spread"] == pytest.approx(10)
    sex = rows.loc["sex"]
    assert sex["level"].tolist() == ["f", "m"]
    assert sex["active"].tolist() == [2, 2]
    assert sex["reference_spread"].tolist() == [0.25, 0.75]
    assert sex["standardized_difference"].iloc[0] == pytest.approx(0.25 / np.sqrt((0.25 + 3 / 16) / 2))
    assert rows.loc["site", "level"].tolist() == ["a", "b", "c"]
    assert rows.loc["episode", "active"].tolist() == [1, 3]
    assert np.isnan(rows.loc["empty", "standardized_difference"])
