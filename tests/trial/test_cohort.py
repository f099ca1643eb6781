import json
import os

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.study import find_study
from bids_app.trial.tables import Tables, read_tables

SESSIONS = {"1", "2"}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content.replace(",", "\t"), encoding="utf-8")


def participants(**columns):
    index = pd.Index([f"{number:02d}" for number in range(len(next(iter(columns.values()))))], name="participant_id")
    return pd.DataFrame(columns, index=index)


def tables(levels=None, sessions=None, **columns):
    none = pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"]))
    sessions = none if sessions is None else sessions
    moments = sessions.get("acq_time")
    return Tables(participants(**columns), sessions, levels or {}, logged=tuple(sessions.index), moments=moments)


def visits(*rows, **columns):
    """Make the table of sessions from (participant, session), in that order."""
    return pd.DataFrame(columns, index=pd.MultiIndex.from_tuples(rows, names=["participant_id", "session_id"]))


def design(levels=None, sessions=None, with_scans=SESSIONS, trial=None, **columns):
    columns = columns or {"arm": ["placebo", "ketamine"]}
    (found,) = designs(tables(levels, sessions, **columns), with_scans, trial)
    return found


def designs(given, with_scans, trial=None):
    return find_study(given, scanned(given, with_scans), trial or Trial()).designs


def scanned(given, sessions):
    """Return participant and session of scans that everyone has at the same sessions."""
    return {(participant, session) for participant in given.participants.index for session in sessions}


@pytest.mark.parametrize(
    "column", ["arm", "group", "treatment", "Arm", "TREATMENT", "study_arm", "allocation", "intervention", "trt"]
)
def test_the_arm_is_found_by_the_name_of_its_column(column):
    found = design(age=[30, 31, 32], **{column: ["sham", "stimulation", "sham"]}, sex=["m", "f", "f"])
    assert (found.arm_column, found.active, found.reference) == (column, "stimulation", "sham")
    assert found.contrast == "stimulation − sham"


def test_of_known_columns_the_one_with_two_values_holds_the_arm():
    found = design(group=["MDD", "BP", "HC", "HC"], arm=["placebo", "drug", np.nan, "drug"])
    assert found.arm_column == "arm"


def test_two_columns_that_could_hold_the_arm_are_a_question_to_the_user():
    both = {"group": ["patient", "control"], "treatment": ["placebo", "drug"]}
    with pytest.raises(UsageError, match=r"Several columns could hold the arm: group, treatment. Choose with --arm"):
        design(**both)
    assert design(**both, trial=Trial(arm="treatment")).reference == "placebo"


def test_no_known_column_lists_those_there_are():
    with pytest.raises(UsageError, match=r"there are sex \(2 values\), site \(1 values\). Choose with --arm"):
        design(sex=["m", "f"], site=["a", "a"])
    assert design(sex=["m", "f"], trial=Trial(arm="sex", reference_arm="f")).active == "m"


def test_a_column_that_is_not_there_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"--arm dose: no such column; participants.tsv has arm, age"):
        design(arm=["placebo", "drug"], age=[1, 2], trial=Trial(arm="dose"))


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        (["placebo"] * 3, r"it holds 1: 'placebo' \(3\)"),
        ([np.nan, np.nan], "it holds 0: none"),
    ],
)
def test_fewer_than_two_arms_stop(values, fragment):
    with pytest.raises(DataError, match=rf"Column arm of participants.tsv must hold two arms, or up to 6; {fragment}"):
        design(arm=values)


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        (["placebo", "ketamine"], "placebo"),
        (["Sham", "TMS"], "Sham"),
        (["midazolam", "ketamine"], "midazolam"),
        (["waiting list", "CBT"], "waiting list"),
        (["usual care", "active control therapy"], "usual care"),
    ],
)
def test_the_reference_arm_is_found_by_its_word(values, reference):
    assert design(arm=values).reference == reference


@pytest.mark.parametrize(
    "levels",
    [
        {"arm": {"A": "placebo", "B": "drug"}},
        {"arm": {"A": {"Description": "Placebo"}, "B": {"Description": "Drug"}}},
    ],
)
def test_the_reference_arm_is_found_by_what_its_level_means(levels):
    assert (design(levels, arm=["A", "B"]).active, design(levels, arm=["A", "B"]).reference) == ("B", "A")


@pytest.mark.parametrize("values", [["A", "B"], ["control", "placebo"]])
def test_an_unclear_reference_arm_is_a_question_to_the_user(values):
    with pytest.raises(UsageError, match=rf"{values[0]} or {values[1]}. Say so with --reference-arm"):
        design(arm=values)
    assert design(arm=values, trial=Trial(reference_arm=values[1])).active == values[0]


def test_a_reference_arm_that_no_one_is_in_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"--reference-arm sham: column arm holds 'ketamine' and 'placebo'"):
        design(trial=Trial(reference_arm="sham"))


@pytest.mark.parametrize("values", [[0, 1], [0.0, 1.0, np.nan]])
def test_arms_written_as_numbers_are_read_as_they_look(values):
    found = design({"arm": {"0": "placebo", "1": "drug"}}, arm=values)
    assert (found.active, found.reference) == ("1", "0")


@pytest.mark.parametrize(
    ("with_scans", "expected"),
    [
        ({"2", "10"}, ("2", "10")),
        ({"pre", "post"}, ("pre", "post")),
        ({"week8", "week12"}, ("week8", "week12")),
        ({"V02", "v1"}, ("v1", "V02")),
    ],
)
def test_without_a_table_visits_are_ordered_by_what_their_labels_mean(with_scans, expected):
    found = design(with_scans=with_scans)
    assert (found.baseline, found.followup) == expected
    (said,) = [one for one in found.findings if one.about == "Visits"]
    assert "because the labels say so" in said.text


@pytest.mark.parametrize("with_scans", [{"ketamine", "midazolam"}, {"a", "b"}, {"d2", "p2"}])
def test_labels_without_a_meaning_are_a_question_to_the_user(with_scans):
    first, second = sorted(with_scans)
    with pytest.raises(UsageError, match=rf"Which visit came first, ses-{first} or ses-{second}\? Neither acq_time"):
        design(with_scans=with_scans)
    found = design(with_scans=with_scans, trial=Trial(baseline=(second,), followup=(first,)))
    assert (found.baseline, found.followup) == (second, first)
    assert design(with_scans=with_scans, trial=Trial(followup=(first,))).baseline == second


def test_what_contradicts_the_order_that_was_told_is_said():
    found = design(with_scans={"pre", "post"}, trial=Trial(baseline=("post",), followup=("pre",)))
    (said,) = [one for one in found.findings if one.about == "Visits"]
    assert said.warning
    assert "though ses-pre came first" in said.text


def test_sessions_of_tables_that_match_no_scan_are_named_with_the_likely_cause():
    listed = visits(("00", "01"), ("00", "02"), ("01", "01"), ("01", "02"), hamd=[20, 10, 21, 12])
    found = design(sessions=listed)
    (said,) = [one for one in found.findings if one.about == "Keys"]
    assert said.warning
    assert "ses-01, ses-02, of which there is no scan" in said.text
    assert "ses-01 may be meant for ses-1" in said.text


def test_participants_that_lost_their_zeros_are_named():
    given = tables(arm=["placebo", "drug"])
    (found,) = find_study(given, {("0", "1"), ("1", "1"), ("0", "2"), ("1", "2")}, Trial()).designs
    (said,) = [one for one in found.findings if one.about == "Keys"]
    assert "sub-00 may be meant for sub-0, sub-01 may be meant for sub-1" in said.text


def test_the_order_of_the_sessions_table_goes_before_the_name():
    listed = visits(("00", "pre"), ("00", "post"), ("01", "pre"), ("01", "post"))
    found = design(sessions=listed, with_scans={"post", "pre"})
    assert (found.baseline, found.followup) == ("pre", "post")


def test_one_participant_who_lists_only_the_second_visit_does_not_turn_the_order():
    listed = visits(("00", "post"), ("01", "pre"), ("01", "post"), ("02", "pre"), ("02", "post"))
    found = design(sessions=listed, with_scans={"post", "pre"})
    assert (found.baseline, found.followup) == ("pre", "post")


def test_dates_go_before_the_order_of_the_table():
    dates = ["1925-03-02T10:00:00", "1925-01-01T10:00:00", "1930-05-01", "1929-05-01"]
    listed = visits(("00", "a"), ("00", "b"), ("01", "a"), ("01", "b"), acq_time=dates)
    found = design(sessions=listed, with_scans={"a", "b"})
    assert (found.baseline, found.followup) == ("b", "a")


def test_a_few_unknown_dates_leave_the_others_to_say():
    dates = ["1925-03-02T10:00:00", "1925-01-01T10:00:00", np.nan, np.nan]
    listed = visits(("00", "a"), ("00", "b"), ("01", "a"), ("01", "b"), acq_time=dates)
    assert design(sessions=listed, with_scans={"a", "b"}).baseline == "b"


def test_dates_shifted_per_participant_are_compared_within_participants():
    dates = ["1900-01-01", "1900-02-01", "2000-01-01", "2000-02-01"]
    listed = visits(("00", "b"), ("00", "a"), ("01", "b"), ("01", "a"), acq_time=dates)
    assert design(sessions=listed, with_scans={"a", "b"}).baseline == "b"


@pytest.mark.parametrize("dates", [[np.nan, np.nan], ["2020-01-01", np.nan]])
def test_dates_that_do_not_say_leave_it_to_the_order_of_the_table(dates):
    listed = visits(("00", "b"), ("00", "a"), acq_time=dates)
    found = design(sessions=listed, with_scans={"a", "b"}, arm=["placebo", "drug"])
    assert found.baseline == "b"
    assert any(one.warning and "nothing else says which came first" in one.text for one in found.findings)


@pytest.mark.parametrize("dates", [["yesterday", "today"], ["1.0", "2.0"]])
def test_dates_that_cannot_be_read_leave_nothing_to_weaker_evidence(dates):
    listed = visits(("00", "b"), ("00", "a"), acq_time=dates)
    with pytest.raises(UsageError, match=rf"acq_time cannot be read: '{dates[0]}' \(sub-00\)"):
        design(sessions=listed, with_scans={"a", "b"})


def test_dates_with_and_without_a_time_zone_are_compared():
    dates = ["2020-02-01T10:00:00Z", "2020-01-01T10:00:00", "2020-02-01T10:00:00+02:00", "2020-01-01"]
    listed = visits(("00", "a"), ("00", "b"), ("01", "a"), ("01", "b"), acq_time=dates)
    assert design(sessions=listed, with_scans={"a", "b"}).baseline == "b"


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        (Trial(), ("1", ["2", "10"])),
        (Trial(baseline=("1",)), ("1", ["2", "10"])),
        (Trial(baseline=("2",)), ("2", ["10"])),
        (Trial(followup=("10",)), ("1", ["10"])),
        (Trial(followup=("10", "2")), ("1", ["10", "2"])),
        (Trial(baseline=("1",), followup=("10",)), ("1", ["10"])),
        (Trial(baseline=("10",), followup=("1",)), ("10", ["1"])),  # backwards, as told
    ],
)
def test_of_three_sessions_in_a_known_order_all_after_the_baseline_are_followups(trial, expected):
    found = designs(tables(arm=["placebo", "drug"]), {"10", "1", "2"}, trial)
    assert ({one.baseline for one in found}, [one.followup for one in found]) == ({expected[0]}, expected[1])
    said = [one.text for one in found[0].findings if one.about == "Visits"]
    for session in expected[1]:
        assert any(f"ses-{session} the follow-up" in text for text in said)


@pytest.mark.parametrize(("told", "early"), [({"baseline": ("10",)}, "1"), ({"followup": ("1",)}, "1")])
def test_the_order_of_three_sessions_is_not_turned_by_half(told, early):
    with pytest.raises(UsageError, match=rf"ses-{early} came first .*give both --baseline and --followup"):
        designs(tables(arm=["placebo", "drug"]), {"10", "1", "2"}, Trial(**told))


@pytest.mark.parametrize("told", [{}, {"baseline": ("a",)}, {"followup": ("a", "b")}])
def test_three_sessions_in_no_known_order_are_a_question_to_the_user(told):
    with pytest.raises(UsageError, match=r"Sessions are a, b, c: choose with --baseline and --followup"):
        designs(tables(arm=["placebo", "drug"]), {"a", "b", "c"}, Trial(**told))


def test_of_two_sessions_one_that_is_named_names_the_other():
    assert design(trial=Trial(baseline=("1",))).followup == "2"
    assert design(trial=Trial(followup=("2",))).baseline == "1"


@pytest.mark.parametrize("told", [{"baseline": ("2",)}, {"followup": ("1",)}])
def test_one_that_is_named_does_not_turn_the_order(told):
    with pytest.raises(UsageError, match=r"ses-1 came first .*give both --baseline and --followup"):
        design(trial=Trial(**told))


@pytest.mark.parametrize(("with_scans", "fragment"), [({"1"}, "scans of 1"), (set(), "scans of no session")])
def test_fewer_than_two_sessions_stop(with_scans, fragment):
    with pytest.raises(DataError, match=rf"Two visits are needed; there are {fragment}"):
        design(with_scans=with_scans)


@pytest.mark.parametrize("option", ["baseline", "followup"])
def test_a_session_without_scans_is_named_with_those_there_are(option):
    with pytest.raises(UsageError, match=rf"--{option} 3: no scan of that session; there are 1, 2"):
        design(trial=Trial(**{option: {"baseline": ("3",), "followup": ("3",)}[option]}))


def test_one_session_cannot_be_both_visits():
    with pytest.raises(UsageError, match=r"--baseline and --followup are both 1"):
        design(trial=Trial(baseline=("1",), followup=("1",)))


def test_tables_are_read_with_labels_bare_and_missing_values_missing(tmp_path):
    write(tmp_path / "participants.tsv", "\ufeffparticipant_id,arm,age\nsub-01,placebo,30\nsub-002,n/a,n/a\n")
    read = read_tables(tmp_path)
    assert list(read.participants.index) == ["01", "002"]
    assert list(read.participants.columns) == ["arm", "age"]
    assert read.participants["arm"].isna().tolist() == [False, True]
    assert read.participants.loc["01", "age"] == 30
    assert read.sessions.empty
    assert read.levels == {}


@pytest.mark.parametrize("arm", ["None", "none", "null"])
def test_no_treatment_is_an_arm_not_a_missing_one(tmp_path, arm):
    write(tmp_path / "participants.tsv", f"participant_id,arm\nsub-01,{arm}\nsub-02,drug\n")
    assert read_tables(tmp_path).participants["arm"].tolist() == [arm, "drug"]


@pytest.mark.parametrize("missing", ["n/a", "NA", "NaN", ""])
def test_a_column_of_numbers_stays_one_if_some_are_missing(tmp_path, missing):
    write(tmp_path / "participants.tsv", f"participant_id,age\nsub-01,{missing}\nsub-02,30\n")
    np.testing.assert_array_equal(read_tables(tmp_path).participants["age"], [np.nan, 30.0])


def test_without_participants_there_is_no_trial(tmp_path):
    with pytest.raises(MissingInputError, match=r"participants.tsv does not exist: .* who was in which arm"):
        read_tables(tmp_path)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("participant_id,arm\nsub-01,a\nsub-01,b\n", "more than one row for 01"),
        ("participant_id,arm\nsub-01,a\n01,b\n", "more than one row for 01"),
        ("participant,arm\nsub-01,a\n", "no column participant_id; there are participant, arm"),
        ("", "cannot be read as a table"),
        ("participant_id,arm\nsub-01,a,b,c\nsub-02,a\n,,,,,\n", "participants.tsv"),
    ],
)
def test_a_wrong_participants_table_is_named(tmp_path, content, fragment):
    write(tmp_path / "participants.tsv", content)
    with pytest.raises(DataError, match=fragment):
        read_tables(tmp_path)


def test_a_table_in_another_encoding_is_named(tmp_path):
    (tmp_path / "participants.tsv").write_bytes("participant_id\tarm\nsub-01\tgrün\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"participants.tsv cannot be read as a table: .*utf-8"):
        read_tables(tmp_path)


def test_sessions_are_read_from_everyone_in_the_order_of_the_files(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,a\nsub-02,b\n")
    write(tmp_path / "sub-01" / "sub-01_sessions.tsv", "session_id,score\nses-post,5\nses-pre,9\n")
    write(tmp_path / "sub-02" / "sub-02_sessions.tsv", "session_id,score\nses-pre,n/a\n")
    read = read_tables(tmp_path)
    assert list(read.sessions.index) == [("01", "post"), ("01", "pre"), ("02", "pre")]
    assert read.sessions["score"].tolist()[:2] == [5, 9]


def test_phenotype_joins_by_participant_or_by_visit(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-02,b\nsub-01,a\n")
    write(tmp_path / "phenotype" / "iq.tsv", "participant_id,iq\nsub-01,101\nsub-02,102\nsub-99,103\n")
    write(
        tmp_path / "phenotype" / "madrs.tsv",
        "participant_id,session_id,madrs\nsub-01,ses-1,30\nsub-01,ses-2,10\nsub-02,ses-1,31\n",
    )
    read = read_tables(tmp_path)
    assert read.participants["iq"].to_dict() == {"02": 102, "01": 101}
    assert read.sessions["madrs"].to_dict() == {("01", "1"): 30, ("01", "2"): 10, ("02", "1"): 31}


def test_phenotype_of_visits_that_the_sessions_table_lacks_is_not_lost(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,a\nsub-02,b\n")
    write(tmp_path / "sub-01" / "sub-01_sessions.tsv", "session_id,score\nses-1,5\n")
    write(tmp_path / "phenotype" / "madrs.tsv", "participant_id,session_id,madrs\nsub-01,ses-1,30\nsub-02,ses-1,20\n")
    write(tmp_path / "phenotype" / "ymrs.tsv", "participant_id,session_id,ymrs\nsub-02,ses-1,3\nsub-02,ses-2,4\n")
    sessions = read_tables(tmp_path).sessions
    assert sessions.loc[("01", "1"), ["score", "madrs"]].tolist() == [5, 30]
    assert sessions.loc[("02", "1"), ["madrs", "ymrs"]].tolist() == [20, 3]
    assert sessions.loc[("02", "2"), "ymrs"] == 4


def test_a_phenotype_without_rows_adds_nothing(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,a\n")
    write(tmp_path / "phenotype" / "madrs.tsv", "participant_id,session_id,madrs\n")
    assert len(read_tables(tmp_path).sessions) == 0


def test_one_visit_twice_in_a_phenotype_is_named(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,a\n")
    write(tmp_path / "phenotype" / "madrs.tsv", "participant_id,session_id,madrs\nsub-01,ses-1,30\nsub-01,1,31\n")
    with pytest.raises(DataError, match=r"madrs.tsv: more than one row for 01 1"):
        read_tables(tmp_path)


@pytest.mark.parametrize("key", ["participant_id", "participant_id,session_id"])
def test_one_column_in_two_tables_is_not_chosen_from(tmp_path, key):
    ids = "sub-01,ses-1" if "session" in key else "sub-01"
    write(tmp_path / "participants.tsv", "participant_id,arm,score\nsub-01,a,1\n")
    write(tmp_path / "sub-01" / "sub-01_sessions.tsv", "session_id,score\nses-1,1\n")
    write(tmp_path / "phenotype" / "scale.tsv", f"{key},score\n{ids},2\n")
    with pytest.raises(DataError, match=r"scale.tsv: the column score is in another table too; rename one"):
        read_tables(tmp_path)


def test_levels_are_read_from_the_sidecar(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,A\nsub-02,B\n")
    sidecar = {"arm": {"Levels": {"A": "placebo", "B": "drug"}}, "age": {"Units": "year"}, "odd": "text", "odder": 3}
    (tmp_path / "participants.json").write_text("\ufeff" + json.dumps(sidecar), encoding="utf-8")
    assert read_tables(tmp_path).levels == {"arm": {"A": "placebo", "B": "drug"}}


@pytest.mark.parametrize(("content", "fragment"), [("{", "not valid JSON"), ("[]", "must describe the columns")])
def test_a_wrong_sidecar_is_named(tmp_path, content, fragment):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,placebo\nsub-02,B\n")
    (tmp_path / "participants.json").write_text(content)
    with pytest.raises(DataError, match=rf"participants.json: {fragment}"):
        read_tables(tmp_path)


def test_a_pipe_in_the_place_of_a_sidecar_is_not_waited_for(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,placebo\nsub-02,B\n")
    os.mkfifo(tmp_path / "participants.json")
    with pytest.raises(DataError, match=r"participants.json is a pipe"):
        read_tables(tmp_path)


def test_levels_without_descriptions_do_no_harm(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id,arm\nsub-01,placebo\nsub-02,B\n")
    (tmp_path / "participants.json").write_text('{"arm": {"Levels": ["placebo", "B"]}}')
    read = read_tables(tmp_path)
    assert find_study(read, scanned(read, SESSIONS), Trial()).designs[0].reference == "placebo"


def test_stages(shared_data):
    read = read_tables(shared_data / "stages" / "bids")
    (found,) = find_study(read, scanned(read, SESSIONS), Trial()).designs
    assert (found.arm_column, found.active, found.reference) == ("arm", "medication", "placebo")
    assert read.participants["arm"].value_counts().to_dict() == {"medication": 35, "placebo": 14}
    assert read.participants["arm"].isna().sum() == 6


def test_a_crossover_has_no_arm_to_find(shared_data):
    read = read_tables(shared_data / "bids_trees" / "ds005917_ketamine_rct")
    with pytest.raises(UsageError, match=r"looks like a cross-over trial: infusion_1, infusion_2 .* --arm infusion_1"):
        find_study(read, scanned(read, SESSIONS), Trial())
    first = Trial(arm="infusion_1", reference_arm="p", baseline=("1",), followup=("2",))
    assert find_study(read, scanned(read, SESSIONS), first).designs[0].contrast == "d − p"
