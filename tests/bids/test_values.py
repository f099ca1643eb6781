"""What words in tables mean: the same table in other clothes, codes for missing values, words among numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.bids.tables import read_rows, read_table, tidy
from bids_app.bids.values import Codebook, is_number, likely_codes, match, numbers, words_of
from bids_app.errors import DataError
from bids_app.group.trial_tables import read_scores
from bids_app.settings.settings import Trial
from bids_app.stats.ancova import linear_estimate
from bids_app.trial.covariates import code, filled, read_column
from bids_app.trial.design import Design
from bids_app.trial.outcomes import outcome_table
from bids_app.trial.tables import Tables, read_tables

DESIGN = Design("arm", "drug", "placebo", "1", "2")
QUICK = settings(max_examples=60, deadline=None, derandomize=True)
PEOPLE = [f"{number:02d}" for number in range(1, 9)]


def written(folder, rows, sidecar=None, name="participants.tsv"):
    """Write columns as a table, and return the tables of the trial."""
    columns = {"participant_id": [f"sub-{label}" for label in PEOPLE], "arm": ["drug", "placebo"] * 4} | rows
    pd.DataFrame(columns).to_csv(folder / name, sep="\t", index=False, na_rep="n/a")
    if sidecar is not None:
        (folder / name).with_suffix(".json").write_text(json.dumps(sidecar))
    return read_tables(folder)


def table_of(tables, *names):
    return filled(code(tables, DESIGN, names, PEOPLE).table)


# The same table in other clothes


@st.composite
def clothes(draw):
    """Return the bytes of one table, written as people and their software write it, and whether it must be read."""
    columns = {
        "participant_id": [f"sub-{label}" for label in PEOPLE],
        "arm": ["drug", "placebo"] * 4,
        "age": ["41.5", "38.25", "29", "n/a", "55.5", "47.25", "33", "36.5"],
        "site": ["Bern", "Basel", "Bern", "Basel, old", "Basel", "Bern", "Bern", "Basel"],
        "dose": ["1", "2", "1", "3", "2", "1", "3", "2"],
    }
    columns["participant_id"] = draw(
        st.sampled_from([columns["participant_id"], PEOPLE, [f" sub-{label} " for label in PEOPLE]])
    )
    columns["age"][3] = draw(st.sampled_from(["n/a", "", "NA", " N/A "]))
    separator = draw(st.sampled_from(["\t", ",", ";"]))
    if draw(st.booleans()):
        columns["age"] = [word.replace(".", ",") for word in columns["age"]]
    if draw(st.booleans()):
        columns["dose"] = [f"{word}.0" for word in columns["dose"]]
    blank = draw(st.sampled_from(["", " ", "  "]))
    quote = separator != "\t" or draw(st.booleans())
    rows = draw(st.permutations(range(len(PEOPLE))))
    heads = draw(st.permutations(list(columns)))

    def cell(word):
        return f'"{word}{blank}"' if quote and ("," in word or separator in word) else f"{word}{blank}"

    lines = [separator.join(map(cell, heads))]
    lines += [separator.join(cell(columns[head][row]) for head in heads) for row in rows]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end, 2 * end]))
    return text.encode()


@QUICK
@given(content=clothes())
def test_a_table_in_any_clothes_is_the_same(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("clothes")
    (folder / "participants.tsv").write_bytes(content)
    found = table_of(read_tables(folder), "age", "site", "dose")
    assert set(found) == {"age", "site[Basel, old]", "site[Bern]", "dose"}
    ages = [41.5, 38.25, 29, np.mean([41.5, 38.25, 29, 55.5, 47.25, 33, 36.5]), 55.5, 47.25, 33, 36.5]
    np.testing.assert_allclose(found["age"], ages)
    assert found["site[Bern]"].tolist() == [1, 0, 1, 0, 0, 1, 1, 0]
    assert found["dose"].tolist() == [1, 2, 1, 3, 2, 1, 3, 2]


HEADS = {"participant_id": "Participant_ID", "age": "Age"}


@pytest.mark.parametrize(
    ("head", "message"), [("participant_id", "no column participant_id"), ("age", "No column age")]
)
def test_heads_in_another_case_are_a_message(tmp_path, head, message):
    text = "participant_id\tarm\tage\nsub-01\tdrug\t30\n".replace(head, HEADS[head])
    (tmp_path / "participants.tsv").write_text(text)
    with pytest.raises(Exception, match=message) as raised:
        code(read_tables(tmp_path), DESIGN, ["age"], ["01"])
    assert raised.value.exit_code in (64, 65)


@QUICK
@given(values=st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)), min_size=3, max_size=8))
def test_numbers_come_back_as_they_were_written(values):
    table, _ = tidy(pd.DataFrame({"x": [f" {value}" for value in values]}), "x.tsv")
    np.testing.assert_array_equal(numbers(table["x"]), values)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["0,125", "0,250", "1,375"], [0.125, 0.25, 1.375]),
        (["19,78997095", "21,799"], [19.78997095, 21.799]),
    ],
)
def test_decimal_commas_are_points(words, expected):
    assert tidy(pd.DataFrame({"x": words}), "x.tsv")[0]["x"].tolist() == expected


@pytest.mark.parametrize(
    "words", [["1,5", "1.5", "2.5", "3"], ["1,234", "2,500", "987", "1,001"], ["1.234.567", "2.5", "3.5", "4"]]
)
def test_commas_that_could_be_either_are_not_numbers(tmp_path, words):
    given = written(tmp_path, {"x": words * 2})
    with pytest.raises(DataError, match=r"Column x: '1[.,].*' is not a number .* of sub-01"):
        code(given, DESIGN, ["x"], PEOPLE)


def test_cells_beyond_the_columns_are_refused_unless_empty(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("participant_id\tarm\t\nsub-01\tdrug\t\t\t\n\nsub-02\n")
    assert read_table(path, ["participant_id"]).to_dict("index") == {"01": {"arm": "drug"}, "02": {"arm": np.nan}}
    path.write_text("participant_id\tarm\nsub-01\tdrug\t30\n")
    with pytest.raises(DataError, match="row 2 has 3 cells, but there are 2 columns: participant_id, arm"):
        read_rows(path)


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("participant_id\tage\tage\nsub-01\t30\t40\n")
    with pytest.raises(DataError, match="more than one column is called age"):
        read_table(path, ["participant_id"])


@pytest.mark.parametrize("words", [["TRUE", "FALSE"], ["01", "1"], ["1.0", "1.5"], ["yes", "1"], ["20.00", "3"]])
def test_words_stay_as_they_are_written_unless_they_are_plain_numbers(words):
    found = tidy(pd.DataFrame({"x": words}), "x.tsv")[0]["x"].tolist()
    assert found == (words if words != ["20.00", "3"] else [20, 3])


def test_blanks_that_part_one_word_from_itself_are_said():
    _, findings = tidy(pd.DataFrame({"arm": ["drug", "drug ", " placebo"], "note": ["a ", "b ", "c"]}), "x.tsv")
    assert [one.text for one in findings] == ["x.tsv: blanks around words are left out, arm 'drug ' is 'drug'."]


# Numbers with words among them

AGES = ["31", "28", "45", "52", "39", "61", "27", "33"]


@pytest.mark.parametrize("word", ["n.a.", "missing", "12 years", "<5", "inf", "-Infinity", "1e", "0x1F", "?", "−5"])
def test_a_word_among_numbers_is_an_error_that_names_it_where_it_is_used(tmp_path, word):
    ages = [*AGES[:6], word, AGES[7]]
    given = written(tmp_path, {"age": ages, "iq": AGES})
    for use in (lambda: code(given, DESIGN, ["age"], PEOPLE), lambda: outcome_table(given, DESIGN, ["age"])):
        with pytest.raises(DataError) as raised:
            use()
        assert f"age: {word!r} is not a number (1 such value): {word!r} of sub-07" in str(raised.value)
    assert list(table_of(given, "iq")) == ["iq"]


def test_ages_that_all_have_a_unit_are_no_categories(tmp_path):
    given = written(tmp_path, {"age": [f"{age} years" for age in AGES]})
    with pytest.raises(DataError, match=r"8 such values.*'31 years' of sub-01"):
        code(given, DESIGN, ["age"], PEOPLE)


@pytest.mark.parametrize(
    "words",
    [
        ["3T", "1.5T", "3T", "3T", "1.5T", "3T", "3T", "1.5T"],
        ["10mg", "20mg", "placebo", "10mg"] * 2,
        ["1", "0", "unknown", "1", "0", "1", "1", "0"],
        ["18-30", "31-45", "46-60", "18-30"] * 2,
        ["TRUE", "FALSE"] * 4,
    ],
)
def test_words_that_name_categories_are_categories(words):
    assert not is_number(pd.Series(words))


@QUICK
@given(
    stray=st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=1, max_size=8).filter(
        lambda word: word.lower() not in ("n/a", "na", "nan", "inf", "infinity")
    ),
    place=st.integers(0, 7),
)
def test_one_stray_word_never_makes_a_dummy_of_each_number(stray, place):
    words = [*AGES[:place], stray, *AGES[place + 1 :]]
    column = pd.Series(words, index=pd.Index(PEOPLE, name="participant_id"))
    given = Tables(pd.DataFrame({"age": column}), pd.DataFrame(), {})
    with pytest.raises(DataError) as raised:
        read_column(given, DESIGN, "age")
    assert repr(stray) in str(raised.value)
    assert f"sub-{PEOPLE[place]}" in str(raised.value)


# Levels, units and codes for missing values

CODES = ["1", "2", "3", "1", "2", "3", "1", "2"]
SITES = {"1": "Basel", "2": {"Description": "Bern"}, "3": "Ulm"}


@pytest.mark.parametrize("spelling", ["{}", "{}.0", "{} "])
def test_levels_make_codes_a_category_and_name_it(tmp_path, spelling):
    words = [spelling.format(word) for word in CODES]
    given = written(tmp_path, {"site": words}, {"site": {"Levels": SITES}})
    coded = code(given, DESIGN, ["site"], PEOPLE)
    assert list(coded.table) == ["site[2: Bern]", "site[3: Ulm]"]
    assert coded.table["site[3: Ulm]"].tolist() == [0, 0, 1, 0, 0, 1, 0, 0]
    assert coded.findings[0].text == (
        "site is taken as a category of 3 levels: 1: Basel (3), 2: Bern (3), 3: Ulm (2); reference 1."
    )


def test_units_go_before_levels(tmp_path):
    given = written(
        tmp_path, {"dose": CODES}, {"dose": {"Units": "mg", "Levels": {"1": "low", "2": "mid", "3": "high"}}}
    )
    assert list(table_of(given, "dose")) == ["dose"]


def test_levels_of_the_ends_of_a_scale_leave_it_a_number(tmp_path):
    given = written(tmp_path, {"pain": [0, 3, 10, 7, 5, 2, 9, 4]}, {"pain": {"Levels": {"0": "none", "10": "worst"}}})
    coded = code(given, DESIGN, ["pain"], PEOPLE)
    assert list(coded.table) == ["pain"]
    assert "Levels name only a few" in coded.findings[0].text


def test_a_word_on_a_scale_whose_ends_are_described_is_an_error(tmp_path):
    pain = [0, 3, 10, 7, "n.a.", 2, 9, 4]
    given = written(tmp_path, {"pain": pain}, {"pain": {"Levels": {"0": "none", "10": "worst"}}})
    with pytest.raises(DataError, match=r"pain: 'n.a.' is not a number .* of sub-05"):
        code(given, DESIGN, ["pain"], PEOPLE)


def test_a_code_that_the_levels_lack_is_said(tmp_path):
    given = written(tmp_path, {"site": [*CODES[:7], "4"]}, {"site": {"Levels": SITES}})
    coded = code(given, DESIGN, ["site"], PEOPLE)
    assert "site[4]" in coded.table
    assert any(one.warning and "'4' is not among its Levels" in one.text for one in coded.findings)


@pytest.mark.parametrize(
    ("meaning", "missing"),
    [
        ("missing", True),
        ("Not done", True),
        ("unknown", True),
        ("Not applicable", True),
        ("refused to answer", True),
        ("n/a", True),
        ("missing: did not attend", True),
        ("no response", True),
        ("not available (lost)", True),
        ("non-responder", False),
        ("unknown aetiology", False),
        ("none", False),
        ("not depressed", False),
        ("no treatment", False),
    ],
)
@pytest.mark.parametrize("written_as", ["-99", "-99.0"])
def test_codes_that_are_declared_missing_are_missing_in_every_use(tmp_path, meaning, missing, written_as):
    words = [*AGES[:6], written_as, AGES[7]]
    given = written(tmp_path, {"age": words}, {"age": {"Levels": {"-99": meaning}}})
    assert numbers(given.participants["age"]).isna().tolist() == [False] * 6 + [missing, False]
    scores = outcome_table(given, DESIGN, ["age"]).query("visit == 'followup'").set_index("participant")["value"]
    assert np.isnan(scores["07"]) == missing
    assert [one.text for one in given.findings] == [
        f"participants.json declares codes for missing values; they are missing in every use: age '-99' is {meaning!r} "
        "(sub-07)."
    ] * missing


def test_scores_with_declared_codes_are_compared_without_them(tmp_path):
    rng = np.random.default_rng(3)
    before = rng.integers(18, 28, 8)
    after = before - np.array([9, 4] * 4) + rng.integers(-2, 3, 8)
    rows = {"hamd_pre": [*before[:7], -99], "hamd_post": [after[0], 999, *after[2:]]}
    levels = {"hamd_pre": {"Levels": {"-99": "not done"}}, "hamd_post": {"Levels": {"999": "missing"}}}
    given = written(tmp_path, rows, levels)
    scores = read_scores(given, DESIGN, Trial(outcomes=("hamd=hamd_pre,hamd_post",)))
    found = linear_estimate(scores.outcomes["hamd"], "ancova", n_draws=0)
    known = np.arange(8) != 1
    x = np.where(np.arange(8) == 7, before[:7].mean(), before)[known]
    arm = np.array([1.0, 0.0] * 4)[known]
    design = np.column_stack([np.ones(7), arm, x])
    assert found.estimate == pytest.approx(np.linalg.lstsq(design, after[known], rcond=None)[0][1])
    assert any("999" in one.text for one in given.findings)


def test_codes_of_phenotypes_and_of_visits_are_declared_beside_them(tmp_path):
    (tmp_path / "phenotype").mkdir()
    written(tmp_path, {})
    scores = {"iq": [101, 102, 999, 98, 95, 103, 110, 120]}
    sidecar = {"iq": {"MissingValues": [999]}}
    given = pd.DataFrame({"participant_id": PEOPLE} | scores)
    given.to_csv(tmp_path / "phenotype" / "iq.tsv", sep="\t", index=False)
    (tmp_path / "phenotype" / "iq.json").write_text(json.dumps(sidecar))
    for label in PEOPLE:
        folder = tmp_path / f"sub-{label}"
        folder.mkdir()
        (folder / f"sub-{label}_sessions.tsv").write_text("session_id\thamd\nses-1\t20\nses-2\t-9\n")
    (tmp_path / "sessions.json").write_text(json.dumps({"hamd": {"Levels": {"-9": "not assessed"}}}))
    found = read_tables(tmp_path)
    assert found.participants["iq"].isna().sum() == 1
    assert found.sessions["hamd"].isna().tolist() == [False, True] * 8
    assert len(found.findings) == 2


def test_declared_codes_are_missing_arms_and_strata_too(tmp_path):
    given = written(
        tmp_path,
        {"arm": [1, 2] * 3 + [9, 9], "site": ["a", "b"] * 3 + ["u", "a"]},
        {"arm": {"Levels": {"1": "drug", "2": "placebo", "9": "unknown"}}, "site": {"Levels": {"u": "not known"}}},
    )
    assert given.participants["arm"].isna().tolist() == [False] * 6 + [True] * 2
    assert given.participants["site"].isna().tolist() == [False] * 6 + [True, False]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([20, 30, 40, 999], [999]),
        ([20, 30, 40, -99], [-99]),
        ([20, 30, 40, 99], [99]),
        ([18, 22, 25, -9], [-9]),
        ([20.5, 30, 40, 999.9], [999.9]),
        ([120, 900, 2000, 999], []),
        ([-1.5, 0.2, 1.1, -1], []),
        ([98, 97, 95, 99], []),
        ([20, 30, 40, 400], []),
        ([999, 999], []),
    ],
)
def test_codes_that_nobody_declared_are_warned_of(values, found):
    assert likely_codes(pd.Series(values, dtype=float)) == found


def test_a_likely_code_is_said_and_stays_a_number(tmp_path):
    given = written(tmp_path, {"age": [*AGES[:7], "-999"]})
    coded = code(given, DESIGN, ["age"], PEOPLE)
    assert coded.table["age"].iloc[-1] == -999
    (said,) = [one.text for one in coded.findings if one.warning]
    assert said.startswith("age: -999 (sub-08) far from all other values may be a code")


def test_a_codebook_without_levels_leaves_the_words_to_say():
    assert is_number(pd.Series(["1", "2"]), Codebook({}))


@QUICK
@given(words=st.lists(st.decimals(-(10**7), 10**7, places=4, allow_nan=False), min_size=2, max_size=12, unique=True))
def test_numbers_that_differ_are_different_words(words):
    """A site may be called 10000.01: what is told apart in the table is told apart in arms and strata."""
    column = pd.Series([float(word) for word in words])
    assert words_of(column).nunique() == len(words)
    assert [float(word) for word in words_of(column)] == column.tolist()
    assert [match(value, words_of(column)) for value in column] == words_of(column).tolist()
