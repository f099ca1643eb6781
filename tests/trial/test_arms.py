"""Which two values of the arm column are compared, and where the others stand."""

import numpy as np
import pandas as pd
import pytest

from bids_app.bids.scans import Scan
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.report.flowchart import flowchart
from bids_app.settings.settings import Trial
from bids_app.trial.arms import find_arms
from bids_app.trial.design import Design
from bids_app.trial.flow import counts, participant_flow
from bids_app.trial.flow_table import read_flow
from bids_app.trial.outcomes import outcome_table
from bids_app.trial.tables import Tables, read_tables


def tables(values, levels=None, name="arm", **columns):
    index = pd.Index([f"{number:02d}" for number in range(1, len(values) + 1)], name="participant_id")
    none = pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"]))
    return Tables(pd.DataFrame({name: values, **columns}, index=index), none, levels or {})


def warnings_of(arms):
    return [one.text for one in arms.findings if one.warning]


@pytest.mark.parametrize(
    "other",
    [
        *("Unknown", "withdrawn", "Withdrawn (moved away)", "screen failure", "Screen-fail", "excluded"),
        *("not randomized", "not randomised", "dropout", "missing", "unassigned", "lost to follow-up"),
        "withdrew before treatment",
    ],
)
def test_a_value_that_is_clearly_no_arm_is_left_out_and_said(other):
    arms = find_arms(tables(["drug", "placebo", other, "drug"]), Trial())
    assert (*arms.others, arms.reference) == ("drug", "placebo")
    assert warnings_of(arms) == [
        f"The arm {other!r} says that someone is in no arm: sub-03 (1) stand in the flow but are not compared."
    ]


def test_the_meaning_of_a_code_can_say_that_it_is_no_arm():
    levels = {"arm": {"1": "drug", "2": "placebo", "3": "withdrawn"}}
    arms = find_arms(tables([1, 2, 3, 1, 2], levels), Trial())
    assert (*arms.others, arms.reference) == ("1", "2")
    assert len(warnings_of(arms)) == 1


@pytest.mark.parametrize("other", ["healthy control", "HC", "low dose", "open label", "test", "withdrawal", "None"])
def test_any_other_third_value_is_asked_about(other):
    with pytest.raises(UsageError) as raised:
        find_arms(tables(["drug", "placebo", other, "drug"]), Trial())
    for part in ("it holds 3: ", f"{other!r} (1)", "'drug' (2)", "'placebo' (1)", "--arms"):
        assert part in str(raised.value)


@pytest.mark.parametrize("wanted", [("high dose", "placebo"), ("placebo", "high dose")])
def test_arms_that_are_chosen_in_any_order(wanted):
    given = tables(["high dose", "placebo", "low", "high dose", np.nan])
    arms = find_arms(given, Trial(arms=wanted))
    assert (arms.column, *arms.others, arms.reference) == ("arm", "high dose", "placebo")
    assert warnings_of(arms) == [
        "The arm 'low' is not one of --arms: sub-03 (1) stand in the flow but are not compared."
    ]
    assert find_arms(given, Trial(arms=wanted, reference_arm="high dose")).others == ("placebo",)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (Trial(arms=("drug", "sham")), r"--arms sham: column arm .* 'drug' \(2\), 'low' \(1\), 'placebo' \(1\)"),
        (Trial(arms=("drug", "drug")), "--arms drug drug: two different values are needed"),
        (Trial(arms=("drug", "low")), "Which arm is the reference: drug or low"),
        (
            Trial(arms=("drug", "low"), reference_arm="placebo"),
            "--reference-arm placebo: column arm holds 'drug' and 'low'",
        ),
    ],
)
def test_arms_that_cannot_be_chosen(trial, message):
    with pytest.raises(UsageError, match=message):
        find_arms(tables(["drug", "placebo", "low", "drug"]), trial)


def test_the_column_that_holds_the_arms_chosen():
    given = tables(["MDD", "MDD", "HC", "BD"], name="group", treatment=["a", "b", "c", "a"])
    assert find_arms(given, Trial(arms=("a", "b"), reference_arm="a")).column == "treatment"
    assert find_arms(given, Trial(arms=("HC", "MDD"), reference_arm="HC")).column == "group"


@pytest.mark.parametrize("values", [["Drug", "drug", "placebo"], ["01", "1", "0"], ["usual care", "usualcare", "drug"]])
def test_arms_that_differ_by_case_or_blanks_only_are_asked_about(values):
    with pytest.raises(UsageError, match="differ by case, blanks or zeros only"):
        find_arms(tables(values), Trial())


def test_one_arm_is_no_trial():
    with pytest.raises(DataError, match=r"must hold two arms, or up to 6; it holds 2: 'drug' \(1\), 'Unknown' \(1\)"):
        find_arms(tables(["drug", "Unknown"]), Trial())


@pytest.mark.parametrize("option", [[], ["--reference-arm", "FALSE"]])
def test_true_and_false_are_words(tmp_path, option):
    (tmp_path / "participants.tsv").write_text("participant_id\ttreatment\nsub-1\tTRUE\nsub-2\tFALSE\nsub-3\tTRUE\n")
    (tmp_path / "participants.json").write_text('{"treatment": {"Levels": {"TRUE": "drug", "FALSE": "placebo"}}}')
    trial = parse([str(tmp_path), "out", "group", *option]).trial
    arms = find_arms(read_tables(tmp_path), trial)
    assert (*arms.others, arms.reference) == ("TRUE", "FALSE")


@pytest.mark.parametrize(
    ("words", "named"),
    [(("1.0", "0.0", "n/a"), ("1", "0")), (("01", "02"), ("01", "02")), (("drug ", "placebo"), ("drug", "placebo"))],
)
def test_words_of_arms_as_they_are_written(tmp_path, words, named):
    rows = "".join(f"sub-{number}\t{word}\n" for number, word in enumerate(words))
    (tmp_path / "participants.tsv").write_text(f"participant_id\tarm\n{rows}")
    arms = find_arms(read_tables(tmp_path), Trial(reference_arm=words[1].strip()))
    assert (*arms.others, arms.reference) == named


def test_a_blank_behind_one_arm_is_the_same_arm_and_said(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tarm\nsub-1\tdrug\nsub-2\tdrug \nsub-3\tplacebo\n")
    given = read_tables(tmp_path)
    assert find_arms(given, Trial()).others == ("drug",)
    assert [one.text for one in given.findings] == [
        "participants.tsv: blanks around words are left out, arm 'drug ' is 'drug'."
    ]


THREE = ["high", "placebo", "low", "high", "low", "placebo"]


@pytest.mark.parametrize(
    ("contrasts", "expected"),
    [
        ("reference", [("high", "placebo"), ("low", "placebo")]),
        ("all-pairs", [("high", "placebo"), ("low", "placebo"), ("low", "high")]),
    ],
)
def test_of_three_arms_each_is_compared_with_the_reference_or_with_each_other(contrasts, expected):
    arms = find_arms(tables(THREE), Trial(contrasts=contrasts))
    assert arms.pairs(contrasts) == expected
    for active, reference in expected:
        assert f"{active!r} is compared with {reference!r}" in arms.findings[0].text


def test_three_arms_that_are_chosen_need_not_be_large_or_of_patients():
    given = tables(["drug", "placebo", "HC", "HC", "drug", "other"])
    arms = find_arms(given, Trial(arms=("drug", "HC", "other", "placebo")))
    assert (arms.reference, arms.others) == ("placebo", ("drug", "HC", "other"))


@pytest.mark.parametrize("other", ["HC", "healthy controls", "Healthy_Volunteer", "normal"])
def test_healthy_people_beside_two_arms_are_asked_about(other):
    with pytest.raises(UsageError, match=f"Are these all arms. '{other}' may be of people who were not randomized"):
        find_arms(tables(["drug", "placebo", other, other, "drug", "placebo"]), Trial())


def test_too_many_values_are_no_arms():
    with pytest.raises(UsageError, match="must hold two arms, or up to 6; it holds 7"):
        find_arms(tables([f"dose {number}" for number in (1, 2, 3, 4, 5, 6, 7)] * 2), Trial())


def test_the_command_line_takes_two():
    assert parse(["bids", "out", "group", "--arms", "low dose", "B"]).trial.arms == ("low dose", "B")


def test_others_stand_in_the_flow_and_in_no_comparison(tmp_path):
    given = tables(["drug", "placebo", "withdrawn", np.nan, "1"], score=[1.0, 2, 3, 4, 5])
    design = Design("arm", "drug", "placebo", "1", "2")
    facts = {"NumberOfVolumesKept": 100, "MinutesKept": 5.0, "Coverage": 1.0, "MeanFramewiseDisplacement": 0.1}
    visits = {(label, ses): [Scan({}, None, facts)] for label in ("01", "02", "03") for ses in ("1", "2")}
    flow = participant_flow(given, design, visits, {}, 4.0)
    assert flow["analysed"].tolist() == [True, True, False, False, False]
    assert flow["arm"].fillna("nobody").tolist() == ["drug", "placebo", "withdrawn", "nobody", "1"]
    assert flow["reason"][2] == "arm 'withdrawn' is not compared"
    table = counts(flow, design)
    assert list(table.columns) == ["drug", "placebo", "other arms", "no arm"]
    assert table.loc["in participants.tsv or scanned"].tolist() == [1, 1, 2, 1]
    assert table.loc["with both"].tolist() == [1, 1, 1, 0]
    chart = flowchart(flow, design)
    assert chart["arms"][2]["left_out"][0] == ("arm 'withdrawn' is not compared", 1)
    assert set(outcome_table(given, design, ["score"])["participant"]) == {"01", "02"}
    flow.to_csv(tmp_path / "flow.tsv", sep="\t", index=False, na_rep="n/a")
    assert counts(read_flow(tmp_path / "flow.tsv"), design).equals(table)


@pytest.mark.parametrize("names", [("1", "0"), ("TRUE", "FALSE"), ("drug", "None")])
def test_the_flow_is_read_back_in_the_words_of_the_arms(tmp_path, names):
    given, design = tables(list(names)), Design("arm", *names, "1", "2")
    flow = participant_flow(given, design, {}, {}, 4.0)
    flow.to_csv(tmp_path / "flow.tsv", sep="\t", index=False, na_rep="n/a")
    assert counts(read_flow(tmp_path / "flow.tsv"), design).iloc[0].to_dict() == dict.fromkeys(names, 1)
