import itertools

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import DataError, UsageError
from bids_app.settings.deviation import Deviation
from bids_app.settings.plan import Plan
from bids_app.trial.design import Design
from bids_app.trial.outcomes import OUTCOME_COLUMNS, name_of, outcome_table, two_visits, with_roles
from bids_app.trial.tables import Tables, read_tables

DESIGN = Design("arm", "ketamine", "midazolam", "0", "3")


def participants(**columns):
    index = pd.Index([f"{number:02d}" for number in range(1, 6)], name="participant_id")
    arms = ["ketamine", "midazolam", "ketamine", "midazolam", np.nan]
    return pd.DataFrame({"arm": arms, "site": ["a", "a", "b", np.nan, "b"], **columns}, index=index)


def sessions(**columns):
    visits = [("01", "0"), ("01", "3"), ("01", "7"), ("02", "0"), ("02", "3"), ("03", "0"), ("05", "0"), ("05", "3")]
    return pd.DataFrame(columns, index=pd.MultiIndex.from_tuples(visits, names=["participant_id", "session_id"]))


@pytest.fixture
def tables():
    scores = [20.0, 10, 8, 22, np.nan, 25, 30, 31]
    return Tables(participants(change=[1.0, 2, np.nan, 4, 5]), sessions(hamd17=scores), {})


def values(table, outcome, visit):
    rows = table[(table["outcome"] == outcome) & (table["visit"] == visit)]
    return rows.set_index("participant")["value"].to_dict()


def test_everyone_randomized_has_a_row_for_both_visits(tables):
    table = outcome_table(tables, DESIGN, ["hamd17"], strata=["site"])
    assert list(table) == list(OUTCOME_COLUMNS)
    followup = values(table, "hamd17", "followup")
    assert list(followup) == ["01", "02", "03", "04"]
    np.testing.assert_array_equal(list(followup.values()), [10, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(list(values(table, "hamd17", "baseline").values()), [20, 22, 25, np.nan])
    assert values(table, "hamd17", "7") == {"01": 8}
    strata = table.drop_duplicates("participant").set_index("participant")["stratum"]
    assert strata.to_dict() == {"01": "a", "02": "a", "03": "b", "04": "n/a"}


@pytest.mark.parametrize("labels", list(itertools.permutations(["baseline", "followup", "7"])))
def test_what_the_sessions_are_called_changes_no_score(tables, labels):
    """Another visit may be called baseline, such as one before a screening that is compared with."""
    plain = outcome_table(tables, DESIGN, ["hamd17"])
    renamed = dict(zip(("0", "3", "7"), labels, strict=True))
    design = Design("arm", "ketamine", "midazolam", renamed["0"], renamed["3"])
    table = outcome_table(Tables(tables.participants, tables.sessions.rename(index=renamed), {}), design, ["hamd17"])
    for visit in ("baseline", "followup"):
        np.testing.assert_equal(values(table, "hamd17", visit), values(plain, "hamd17", visit))
    others = table[~table["visit"].isin(["baseline", "followup"])]
    assert others["value"].tolist() == [8]
    assert others["visit"].str.removeprefix("ses-").tolist() == [renamed["7"]]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_rows_changes_no_score(tables, seed):
    shuffled = Tables(tables.participants, tables.sessions.sample(frac=1, random_state=seed), {})
    key = ["participant", "visit"]
    tables_of = [outcome_table(one, DESIGN, ["hamd17"], ["site"]).sort_values(key) for one in (tables, shuffled)]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in tables_of))


def test_a_column_of_participants_is_of_the_follow_up_only(tables):
    table = outcome_table(tables, DESIGN, ["change", "hamd17"])
    assert set(values(table, "change", "followup")) == {"01", "02", "03", "04"}
    data = two_visits(table, "change", DESIGN)
    assert data.baseline is None
    assert data.strata is None
    assert data.arm.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(data.followup, [1, 2, np.nan, 4])


def test_the_arrays_keep_the_order_of_the_participants(tables):
    table = outcome_table(tables, DESIGN, ["hamd17"], strata=["site"])
    age = pd.DataFrame({"age": [40.0, 30, 20, 10]}, index=["04", "03", "02", "01"])
    data = two_visits(table.sample(frac=1, random_state=0).sort_values("participant"), "hamd17", DESIGN, age)
    np.testing.assert_array_equal(data.baseline, [20, 22, 25, np.nan])
    assert data.covariates.ravel().tolist() == [10, 20, 30, 40]
    assert data.strata.tolist() == ["a", "a", "b", "n/a"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("hamd_pre", "hamd_post"),
        ("HAMD_Baseline", "HAMD_FollowUp"),
        ("hamd-ses-0", "hamd_ses-3"),
        ("bl_hamd", "fu_hamd"),
        ("hamd0", "hamd3"),
    ],
)
def test_two_columns_are_told_by_the_word_for_the_visit(first, second):
    scores = {first: [5.0, 6, 7, 8, 9], second: [1.0, 2, 3, np.nan, 5]}
    table = outcome_table(Tables(participants(**scores), sessions(), {}), DESIGN, ["hamd"])
    assert values(table, "hamd", "baseline") == {"01": 5, "02": 6, "03": 7, "04": 8}
    np.testing.assert_array_equal(list(values(table, "hamd", "followup").values()), [1, 2, 3, np.nan])


def test_two_columns_can_be_named():
    scores = {"first": [5.0, 6, 7, 8, 9], "last": [1.0, 2, 3, 4, 5]}
    tables = Tables(participants(**scores), sessions(), {})
    table = outcome_table(tables, DESIGN, ["hamd=first,last"])
    assert set(table["outcome"]) == {"hamd"} == {name_of("hamd=first,last")}
    assert values(table, "hamd", "followup")["03"] == 3
    with pytest.raises(UsageError, match=r"hamd=first,end: no column end in participants.tsv or phenotype/; there are"):
        outcome_table(tables, DESIGN, ["hamd=first,end"])
    with pytest.raises(UsageError, match=r"hamd=first: write NAME=BASELINE_COLUMN,FOLLOWUP_COLUMN"):
        outcome_table(tables, DESIGN, ["hamd=first"])


def test_columns_that_could_both_be_meant_are_a_question_to_the_user():
    scores = {name: [5.0, 6, 7, 8, 9] for name in ("hamd_pre", "hamd_bl", "hamd_post")}
    with pytest.raises(UsageError, match=r"the baseline could be hamd_pre, hamd_bl; write hamd=BASELINE_COLUMN"):
        outcome_table(Tables(participants(**scores), sessions(), {}), DESIGN, ["hamd"])


def test_a_missing_outcome_lists_those_there_are(tables):
    with pytest.raises(UsageError, match=r"--outcomes bdi: no such column. Per visit there are hamd17; per .* change"):
        outcome_table(tables, DESIGN, ["bdi"])
    with pytest.raises(UsageError, match=r"--strata centre: participants.tsv has arm, site, change"):
        outcome_table(tables, DESIGN, ["hamd17"], strata=["centre"])


def test_an_outcome_that_is_no_number_is_named(tables):
    with pytest.raises(DataError, match=r"Outcome site: 'a' is not a number \(4 such values\)"):
        outcome_table(tables, DESIGN, ["site"])
    empty = Tables(participants(), sessions(hamd17=[np.nan] * 8), {})
    with pytest.raises(DataError, match="Outcome hamd17 has no value for anyone"):
        outcome_table(empty, DESIGN, ["hamd17"])


def test_only_the_main_analysis_of_a_planned_endpoint_has_its_role():
    rows = [
        *(("hamd17", "score", "main"), ("hamd17", "score", "sensitivity"), ("hamd17", "response", "main")),
        *(("hamd17", "remission", "main"), ("cssrs", "score", "main")),
    ]
    table = pd.DataFrame(rows, columns=["outcome", "endpoint", "analysis"])
    plan = Plan("degree", primary_outcomes=("hamd17",), secondary_outcomes=("hamd17:response", "cssrs"))
    roles = with_roles(table, plan)["role"].tolist()
    assert roles == ["primary", "exploratory", "secondary", "exploratory", "secondary"]
    of_several = with_roles(table, plan, alone=False)["role"].tolist()
    assert of_several == ["secondary", "exploratory", "exploratory", "exploratory", "exploratory"]
    assert set(with_roles(table, None)["role"]) == {"exploratory"}
    assert set(with_roles(table, plan, [Deviation("alpha", 0.05, 0.1)])["role"]) == {"exploratory"}


def test_a_real_trial_of_ketamine(shared_data):
    tables = read_tables(shared_data / "bids_trees" / "ds005917_ketamine_rct")
    design = Design("infusion_1", "d", "p", "b0", "d2")
    table = outcome_table(tables, design, ["HAM17_Total", "MADRS_Total"])
    data = two_visits(table, "HAM17_Total", design)
    assert len(data.arm) == tables.participants["infusion_1"].isin(["d", "p"]).sum()
    rows = table.set_index(["outcome", "participant", "visit"])["value"]
    assert rows["HAM17_Total", "MOA101", "baseline"] == 20
    assert rows["MADRS_Total", "MOA101", "followup"] == 24
    assert np.isnan(rows["HAM17_Total", "MOA103", "followup"])
    assert data.observed.sum() < len(data.arm)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(("MADRS_ses-pre", "MADRS_ses-post"), ("hamd_baseline", "hamd_followup"), ("pre_HAMD", "post_HAMD")),
        *(("HAMD_T0", "HAMD_T1"), ("hamd_wk0", "hamd_wk8"), ("hamd.V1", "hamd.V2"), ("HAMD_BL", "HAMD_day3")),
        *(("hamd_1", "hamd_2"), ("hamd_ses-0", "hamd_ses-3"), ("hamdPre", "hamdPost"), ("hamd before", "hamd after")),
        *(("hamd_0", "hamd_3"), ("hamd_day1", "hamd_day28"), ("ses-00_hamd", "ses-03_hamd")),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_of_columns_is_told_apart_by_what_their_names_mean(before, after, turned):
    scores = {before: [20.0, 21, 22, 23, 24], after: [1.0, 2, 3, 4, 5]}
    scores = dict(reversed(scores.items())) if turned else scores
    name = "MADRS" if "MADRS" in before else "hamd"
    table = outcome_table(Tables(participants(**scores), sessions(), {}), DESIGN, [name])
    wide = table.pivot(index="participant", columns="visit", values="value")
    assert (wide["baseline"].dropna() >= 20).all()
    assert (wide["followup"].dropna() <= 5).all()


@pytest.mark.parametrize("columns", [("hamd_a", "hamd_b"), ("hamd_day3", "hamd_post"), ("hamd_total", "hamd_item1")])
def test_a_pair_of_columns_that_says_no_order_is_asked_for(columns):
    scores = {name: [1.0, 2, 3, 4, 5] for name in columns}
    with pytest.raises(UsageError, match="--outcomes hamd"):
        outcome_table(Tables(participants(**scores), sessions(), {}), DESIGN, ["hamd"])


def test_scores_of_sessions_that_are_called_otherwise_are_an_error():
    scores = sessions(hamd17=[20.0, 10, 21, 11, 22, 12, 23, 13]).rename({"0": "00", "3": "03"}, level="session_id")
    with pytest.raises(DataError, match=r"no value at the follow-up, ses-3: .*ses-00 may be meant for ses-0"):
        outcome_table(Tables(participants(), scores, {}), DESIGN, ["hamd17"])
