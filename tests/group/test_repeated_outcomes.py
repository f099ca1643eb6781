"""The outcomes of a study of several comparisons: which scores are modelled, what they count for, and whose words."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_app.group.notes import Notes
from bids_app.group.repeated_outcomes import read_repeated, write_repeated
from bids_app.group.targets import TrialScans
from bids_app.settings.deviation import Deviation
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Settings, Trial
from bids_app.trial.design import Design
from bids_app.trial.study import Study
from bids_app.trial.tables import Tables
from bids_app.trial.wording import GROUPS, ONE_GROUP, PARALLEL

N = 30
LABELS = [f"{number:02d}" for number in range(1, N + 1)]
ARMS = ("placebo", "low", "high")


def tables():
    generator = np.random.default_rng(5)
    person = generator.standard_normal(N)
    columns = {
        "arm": [ARMS[one % 3] for one in range(N)],
        "age": generator.normal(40, 9, N),
        "site": ["A", "A", "B"] * 10,
    }
    columns |= {f"mood_{visit}": person + generator.standard_normal(N) for visit in ("pre", "day3", "day7")}
    columns |= {"sleep_before": person, "sleep_after": person + generator.standard_normal(N)}
    index = pd.Index(LABELS, name="participant_id")
    visits = pd.MultiIndex.from_product([LABELS, ["pre", "day3", "day7"]], names=["participant_id", "session_id"])
    hamd = np.repeat(person, 3) + generator.standard_normal(3 * N)
    sessions = pd.DataFrame({"hamd": hamd, "panss": hamd + 1}, index=visits)
    sessions.loc[(slice(None), "day3"), "panss"] = np.nan
    sessions.loc[("04", "pre"), "hamd"] = np.nan
    sessions["flat"] = 1.0
    return Tables(pd.DataFrame(columns, index=index), sessions, {})


def study(words=PARALLEL):
    if words is ONE_GROUP:
        designs = [Design("", "everyone", None, "pre", one, words=words) for one in ("day3", "day7")]
        return Study(tables(), tuple(designs))
    designs = [
        Design("arm", arm, "placebo", "pre", followup, words=words)
        for followup in ("day3", "day7")
        for arm in ("low", "high")
    ]
    return Study(tables(), tuple(designs))


def written(tmp_path, options, words=PARALLEL, notes=None):
    options = replace(options, n_permutations=100)
    settings = Settings(Path("bids"), tmp_path, "group", tmp_path / "work", trial=options)
    settings.group_dir.mkdir(parents=True)
    path = write_repeated(
        TrialScans(settings=settings, study=study(words), routes=[], failed=[]), options, notes or Notes()
    )
    return pd.read_csv(path, sep="\t", na_values="n/a"), json.loads(path.with_suffix(".json").read_text())


def test_scores_of_every_session_are_read_with_what_they_are_adjusted_for():
    options = Trial(outcomes=("hamd",), covariates=("age",), strata=("site",))
    found, left = read_repeated(study(), options)
    data, given = found["hamd"], tables()
    assert (data.arms, data.followups, left) == (ARMS, ("day3", "day7"), [])
    assert [data.arms[one] for one in data.arm] == list(given.participants["arm"])
    wide = given.sessions["hamd"].unstack()
    np.testing.assert_array_equal(data.values, wide[["day3", "day7"]])
    np.testing.assert_array_equal(data.baseline, wide["pre"])
    np.testing.assert_array_equal(np.ravel(data.covariates), given.participants["age"])
    assert list(data.strata) == list(given.participants["site"])


def test_columns_of_each_visit_are_read_and_one_that_cannot_be_of_all_is_not():
    found, left = read_repeated(study(), Trial(outcomes=("mood", "sleep")))
    participants = tables().participants
    np.testing.assert_array_equal(found["mood"].values, participants[["mood_day3", "mood_day7"]])
    np.testing.assert_array_equal(found["mood"].baseline, participants["mood_pre"])
    assert list(found) == ["mood"]
    assert left == ["sleep has one column of follow-up scores, which cannot be of all 2 follow-ups"]


def test_a_follow_up_at_which_nobody_was_asked_is_not_one_of_the_outcome():
    found, _ = read_repeated(study(), Trial(outcomes=("panss",)))
    assert found["panss"].followups == ("day7",)


def test_whom_an_option_leaves_out_is_not_missing():
    found, _ = read_repeated(study(), Trial(outcomes=("hamd",)), LABELS[:12])
    assert len(found["hamd"].arm) == 12


def test_without_outcomes_nothing_is_written(tmp_path):
    settings = Settings(Path("bids"), tmp_path, "group", tmp_path / "work")
    assert write_repeated(TrialScans(settings=settings, study=study(), routes=[], failed=[]), Trial(), Notes()) is None


def test_one_row_of_an_outcome_counts_for_what_the_plan_says(tmp_path):
    plan = Plan("degree", primary_outcomes=("hamd",), secondary_outcomes=("mood", "panss"))
    options = Trial(outcomes=("hamd", "mood", "panss"), ordinal=("panss",), plan=plan)
    table, about = written(tmp_path / "kept", options)
    counts = table.groupby(["outcome", "role"]).size().to_dict()
    assert counts == {
        ("hamd", "primary"): 1,
        ("hamd", "secondary"): 7,
        ("mood", "secondary"): 1,
        ("mood", "exploratory"): 7,
        ("panss", "exploratory"): 3,
    }
    (decides,) = table[table["role"] == "primary"].to_dict("records")
    assert (decides["followup"], decides["active"], about["Deviations"]) == ("any", "any arm", [])
    departed = replace(options, departed=(Deviation("alpha", 0.05, 0.1),))
    table, about = written(tmp_path / "departed", departed)
    assert set(table["role"]) == {"exploratory"}
    assert about["Covariance"] == dict.fromkeys(("hamd", "mood", "panss"), "unstructured")


@pytest.mark.parametrize(
    ("primary", "options", "why"),
    [
        ("hamd", {"outcome_model": "ancova"}, "ancova is of one follow-up"),
        ("hamd", {"ordinal": ("hamd",)}, "ranks are of one follow-up"),
        ("hamd:response", {"cutoffs": ("hamd:response=50%",)}, "shares are of one follow-up"),
        ("sleep", {"outcomes": ("sleep",)}, "sleep has one column of follow-up scores"),
        ("flat", {"outcomes": ("flat",)}, "not estimated: the scores leave no error"),
    ],
)
def test_a_primary_outcome_that_no_row_decides_is_a_departure(tmp_path, primary, options, why):
    options = Trial(**({"outcomes": ("hamd",)} | options), plan=Plan("degree", primary_outcomes=(primary,)))
    notes = Notes()
    table, about = written(tmp_path, options, notes=notes)
    assert "primary" not in set(table["role"])
    ((what, planned, used),) = [one.values() for one in about["Deviations"]]
    assert (what, planned) == ("primary_outcomes", primary)
    assert used.startswith(f"each comparison by itself, none of which decides: {why}")
    assert [one.text for one in notes.departed] == notes.unmet == [f"{what}: planned {planned}, used {used}"]


@pytest.mark.parametrize("words", [PARALLEL, GROUPS])
def test_groups_are_told_of_as_groups_and_adjusted_for_the_baseline(tmp_path, words):
    table, about = written(tmp_path, Trial(outcomes=("hamd",)), words)
    (entered,), said = set(table["baseline"]), json.dumps(about)
    assert entered == ("one mean of all arms" if words.randomized else "adjusted for at each follow-up")
    assert ("randomiz" in said.replace("nobody was randomized", "")) == words.randomized
    assert ("all groups and follow-ups" in about["Model"]) != words.randomized
    assert about.get("Warning") == words.warning
    assert set(table["n_model"]) == {N if words.randomized else N - 1}
    assert table["note"].isna().all() == words.randomized
    assert ("p_rerandomized" in table) == words.randomized == ("re-drawn" in about["Model"])
    assert list(table) == [name for name, one in about.items() if isinstance(one, dict) and "Description" in one]
    assert set(table["active"]) == {"low", "high", f"any {words.arm}"}


def test_of_one_group_every_visit_is_compared_with_the_first_and_f_of_any_change_decides(tmp_path):
    plan = Plan("degree", primary_outcomes=("mood",), secondary_outcomes=("hamd",))
    notes = Notes()
    options = Trial(outcomes=("mood", "hamd", "sleep", "panss"), ordinal=("hamd",), plan=plan, design="one-group")
    table, about = written(tmp_path, options, ONE_GROUP, notes)
    assert list(table) == [name for name, one in about.items() if isinstance(one, dict) and "Description" in one]
    mood = table[table["outcome"] == "mood"].set_index("followup")
    assert mood["role"].to_dict() == dict.fromkeys(("day3", "day7", "average", "interaction"), "secondary") | {
        "any": "primary"
    }
    people = tables().participants
    plain = stats.ttest_rel(people["mood_day7"], people["mood_pre"])
    assert (mood.loc["day7", "t"], mood.loc["day7", "p"]) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-6)
    assert (about["FirstVisit"], about["Warning"], about["Deviations"]) == ("pre", ONE_GROUP.warning, [])
    assert about["JointTests"] == ["any", "interaction"]
    assert about["NotModelled"] == ["sleep has one column of follow-up scores, which cannot be of all 2 follow-ups"]
    assert set(table.loc[table["outcome"] == "hamd", "role"]) == {"exploratory"}
    assert set(table.loc[table["outcome"] == "hamd", "n_model"]) == {N}, "one who lacks the first visit counts"
    assert list(table.loc[table["outcome"] == "panss", "followup"]) == ["day7"]
    assert notes.unmet == []
    assert "randomiz" not in json.dumps(about)
    assert "arm" not in json.dumps(about).replace("harm", "")


@pytest.mark.parametrize(
    ("primary", "model", "why"),
    [("mood", "ancova", "Student's t of the mean change is of one later visit"), ("flat", "auto", "no error")],
)
def test_a_primary_outcome_of_one_group_that_no_row_decides_is_a_departure(tmp_path, primary, model, why):
    options = Trial(outcomes=(primary,), plan=Plan("degree", primary_outcomes=(primary,)), design="one-group")
    notes = Notes()
    table, _ = written(tmp_path, replace(options, outcome_model=model), ONE_GROUP, notes)
    assert "primary" not in set(table["role"]) or table.loc[table["role"] == "primary", "p"].isna().all()
    (unmet,) = notes.unmet
    assert why in unmet
