"""Covariates and strata: how they are coded, against statsmodels, and what is said of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from bids_app import stats
from bids_app.errors import DataError, UsageError
from bids_app.group.thinness import thin_places
from bids_app.trial.covariates import balance_columns, code, filled, slopes
from bids_app.trial.design import Design
from bids_app.trial.strata import strata
from bids_app.trial.tables import Tables

DESIGN = Design("arm", "drug", "placebo", "pre", "post")
N = 12
LABELS = [f"{number:02d}" for number in range(1, N + 1)]
ARM = np.array([1, 0] * 6)


def trial(levels=None, **columns):
    index = pd.Index(LABELS, name="participant_id")
    arm = np.where(ARM == 1, "drug", "placebo")
    none = pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"]))
    return Tables(pd.DataFrame({"arm": arm} | columns, index=index), none, levels or {})


def coded(given, *names):
    found = code(given, DESIGN, names, LABELS)
    return replace(found, table=filled(found.table))


def warnings_of(findings):
    return [one.text for one in findings if one.warning]


def t_of(covariates):
    """Return t of the arm in three nodes, and the values at both visits, from seeded maps."""
    before, after = np.random.default_rng(4).normal(size=(2, N, 3))
    nuisance = stats.nuisance(N, covariates.to_numpy(), names=list(covariates))
    found = stats.compare_arms(after, before, nuisance, stats.allocations(ARM, None, 20))
    return found.effect.t.squeeze(), pd.DataFrame(np.column_stack([before, after]), columns=[*"abc", *"xyz"])


def test_a_site_that_is_coded_in_numbers_is_a_factor():
    site = np.array([1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3])
    given = trial({"site": {"1": "Aachen", "2": "Bonn", "3": "Ulm"}}, site=site)
    t, rows = t_of(coded(given, "site").table)
    rows = rows.assign(arm=ARM, site=site)
    for node, (before, after) in enumerate(zip("abc", "xyz", strict=True)):
        fit = smf.ols(f"{after} ~ arm + {before} + C(site)", rows).fit()
        assert t[node] == pytest.approx(fit.tvalues["arm"])


def test_without_levels_numbers_are_numbers_and_a_name_of_categories_is_warned_of():
    found = coded(trial(site=[1, 1, 2, 2, 3, 3] * 2, age=np.arange(30, 42)), "site", "age")
    assert list(found.table) == ["site", "age"]
    (said,) = warnings_of(found.findings)
    assert said.startswith("site is taken as a number, though its name is that of a category")


def test_missing_values_of_any_kind_are_filled_by_those_known():
    """Ten of one arm, two of the other; one age and one sex are missing."""
    age = np.array([34, 41, 29, 55, 47, 38, 60, 25, 33, 52, 44, np.nan])
    sex = ["F", "M", "F", "F", "M", "F", "M", "F", "F", "M", None, "F"]
    found = coded(trial(age=age, sex=sex), "age", "sex")
    assert list(found.table) == ["age", "sex[M]"], "what is missing is no level"
    male = np.array([one == "M" for one in sex], dtype=float)
    male[10] = 4 / 11
    t, rows = t_of(found.table)
    rows = rows.assign(arm=ARM, age=np.where(np.isnan(age), np.nanmean(age), age), male=male)
    assert t[1] == pytest.approx(smf.ols("y ~ arm + b + age + male", rows).fit().tvalues["arm"])
    assert warnings_of(found.findings) == [
        "age has no value for 1 of 12 analysed (sub-12); it is replaced by the mean of the others, 41.64, so that "
        "nobody is left out (White & Thompson 2005).",
        "sex has no value for 1 of 12 analysed (sub-11); it is replaced by the shares of its levels, so that nobody "
        "is left out (White & Thompson 2005).",
    ]


def test_a_category_whose_only_other_value_is_missing_is_constant_and_said():
    found = coded(trial(sex=["F"] * 11 + [None]), "sex")
    assert found.table.empty
    (said,) = warnings_of(found.findings)
    assert said == (
        "sex is taken as a category of 1 level: F (11); reference F. It has no value for sub-12, and is the same for "
        "everyone else analysed: it is not in the model."
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Male", "male", "F", "F"] * 3, "'Male' and 'male' differ by case, blanks or zeros only"),
        (["01", "1", "b", "b"] * 3, "'01' and '1' differ by case"),
        (["a", "b", "unknown", "a"] * 3, "'unknown' is taken as a level of its own"),
    ],
)
def test_odd_words_are_said_and_not_merged(words, said):
    found = coded(trial(sex=words), "sex")
    assert len(found.table.columns) == 2
    (text,) = warnings_of(found.findings)
    assert said in text


def test_a_category_of_very_many_levels_is_warned_of():
    found = coded(trial(bedtime=[f"2{hour % 4}:{hour:02d}" for hour in range(N)]), "bedtime")
    assert warnings_of(found.findings) == [
        "bedtime has 12 levels for 12 analysed; each but the first is a column of the model."
    ]


def test_levels_are_in_the_order_of_numbers():
    assert list(coded(trial(wave=["w10", "w2", "w1"] * 4), "wave").table) == ["wave[w2]", "wave[w10]"]


def test_a_column_that_depends_on_another_is_named():
    age = np.array([34, 41, 29, 55, 47, 38, 60, 25, 33, 52, 44, 31])
    table = coded(trial(age=age, age_months=age * 12, iq=np.arange(90, 102)), "age", "iq", "age_months").table
    with pytest.raises(ValueError, match=r"rank deficient: age_months depends on age$"):
        stats.nuisance(N, table.to_numpy(), names=list(table))
    site = ["a", "b", "c"] * 4
    table = coded(trial(site=site), "site").table
    with pytest.raises(ValueError, match=r"stratum b depends on site\[b\]; stratum c depends on site\[c\]"):
        stats.nuisance(N, table.to_numpy(), np.array(site), list(table))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_dependence_does_not_depend_on_units(scale):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(20, 2)) * [1, scale] + [0, 50 * scale]
    assert stats.nuisance(20, columns).shape == (20, 3)
    assert stats.independent_columns(columns).shape == (20, 2)
    with pytest.raises(ValueError, match="rank deficient"):
        stats.nuisance(20, np.column_stack([columns, columns.sum(axis=1)]))


def test_independent_columns_span_what_all_span():
    rng = np.random.default_rng(1)
    levels = np.eye(4)[rng.integers(0, 4, 30)]
    columns = np.column_stack([levels, rng.normal(size=30), levels[:, 0] + 3])
    kept = stats.independent_columns(columns)
    assert kept.shape[1] == 4
    full = np.column_stack([np.ones(30), columns])
    values = rng.normal(size=30)
    own = np.column_stack([np.ones(30), kept])
    fits = [design @ np.linalg.lstsq(design, values, rcond=None)[0] for design in (own, full)]
    np.testing.assert_allclose(*fits)


# Thin places


class Thin:
    """As much of a problem as is looked at."""

    def __init__(self, covariates, blocks=None):
        self.covariates, self.strata, self.arm = covariates, blocks, ARM


def thin(covariates, blocks=None):
    return [one.text for one in thin_places(Thin(covariates, blocks), ("placebo", "drug"))]


@pytest.mark.parametrize("level", ["a", "z"])
def test_a_level_of_one_member_takes_this_one_out_and_is_said(level):
    """Whether it has a dummy (z) or is the reference (a)."""
    site = [level, *["m", "n"] * 5, "m"]
    table = coded(trial(site=site), "site").table
    said = thin(table)
    exactly = [text for text in said if text.startswith("Fitted exactly")]
    alone = " (site[z] alone)" if level == "z" else ""
    assert [text.partition(": ")[2] for text in exactly] == [f"sub-01{alone}."]
    design = np.column_stack([np.ones(N), table])
    hat = design @ np.linalg.pinv(design)
    assert hat[0, 0] == pytest.approx(1)


def test_a_number_that_is_not_zero_for_one_is_said():
    (said,) = thin(coded(trial(relapses=[0] * 7 + [3] + [0] * 4), "relapses").table)
    assert said.startswith("Fitted exactly")
    assert said.endswith(": sub-08 (relapses alone).")


def test_a_level_and_a_stratum_with_one_arm_only_are_said():
    halves = np.where(np.arange(N) < 6, "s", "m")
    assert thin(coded(trial(site=["m", "m", "n", "n"] * 3), "site").table, halves) == []
    said = thin(pd.DataFrame(index=LABELS), np.where(ARM == 1, np.where(np.arange(N) < 4, "s", "m"), "m"))
    assert said == [
        "In strata of one arm only no exchange of arms is possible; they say nothing of the difference: 's' (drug, 2)."
    ]
    for level, name in (("x", "x"), ("a", "the reference")):
        words = np.where((ARM == 0) & (np.arange(N) < 6), level, "m").astype(object)
        words[11] = None
        (said,) = thin(coded(trial(site=words), "site").table)
        assert said == (
            "site has levels of one arm only, which say nothing of the difference between the arms: "
            f"{name!r} (placebo, 3)."
        )


def test_an_ordinary_design_has_no_thin_place():
    rng = np.random.default_rng(2)
    table = coded(trial(age=rng.normal(size=N), sex=["F", "F", "M", "M"] * 3), "age", "sex").table
    assert thin(table, np.array(["a"] * 6 + ["b"] * 6)) == []


# Strata, slopes, balance


def test_strata_are_the_words_of_the_table():
    given = trial(site=[1.0, 2.0] * 6, sex=["F", "M", None] * 4)
    assert strata(given, ("site", "sex"), LABELS)[:3].tolist() == ["1 | F", "2 | M", "1 | n/a"]
    assert strata(given, (), LABELS) is None


def test_slopes_are_of_numbers():
    given = trial({"site": {"1": "A", "2": "B"}}, site=[1, 2] * 6, age=[30.0, np.nan, *range(32, 42)], one=[1] * 12)
    found = slopes(given, DESIGN, ("age",), LABELS)
    assert found.table["age"][1] == pytest.approx(np.mean([30, *range(32, 42)]))
    with pytest.raises(UsageError, match="--slopes site: a column of numbers is needed; it holds words"):
        slopes(given, DESIGN, ("site",), LABELS)
    with pytest.raises(DataError, match="--slopes one: the same for everyone"):
        slopes(given, DESIGN, ("one",), LABELS)


def test_arms_are_described_by_what_codes_mean():
    given = trial({"site": {"1": "Basel", "2": "Bern"}}, site=[1, 2] * 6, age=np.arange(12.0))
    table = balance_columns(given, DESIGN, ("site", "age"), LABELS)
    assert table["site"].tolist()[:2] == ["1: Basel", "2: Bern"]
    assert table["age"].dtype == float


def test_permuted_participants_have_the_same_covariates():
    given = trial(age=[30.0, np.nan, *range(32, 42)], site=["a", "b", "c", None] * 3)
    order = np.random.default_rng(3).permutation(N)
    shuffled = replace(given, participants=given.participants.iloc[order])
    pd.testing.assert_frame_equal(coded(given, "age", "site").table, coded(shuffled, "age", "site").table)
    assert coded(given, "age", "site").findings == coded(shuffled, "age", "site").findings
