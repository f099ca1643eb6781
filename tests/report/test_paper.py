"""The results paragraph and the two tables of a paper say what the files say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bids_app.report.paper import TABLE_2, answers, results_text, table_1, table_2, write_paper_tables
from bids_app.stats.balance import standardized_differences


@pytest.fixture
def people():
    """Six people in two arms, with a number, and a category of two levels."""
    table = pd.DataFrame({"age": [20.0, 30, 40, 50, 60, 70], "sex": ["F", "M", "F", "M", "M", "M"]})
    return table, np.array([1, 1, 1, 0, 0, 0])


def record(*names):
    return SimpleNamespace(arms=SimpleNamespace(names=names, orders=None))


def test_table_1_has_a_column_of_each_arm(people):
    first = table_1([(standardized_differences(*people), record("drug", "placebo"))])
    assert list(first) == ["variable", "level", "drug", "placebo"]
    rows = first.set_index(["variable", "level"])
    assert list(rows.loc[("age", "")]) == ["30.0 (10.0)", "60.0 (10.0)"]
    assert list(rows.loc[("sex", "F")]) == ["2 (67 %)", "0 (0 %)"]
    assert list(rows.loc[("sex", "M")]) == ["1 (33 %)", "3 (100 %)"]


def test_of_three_arms_table_1_has_each_once(people):
    own = standardized_differences(*people)
    first = table_1([(own, record("low", "placebo")), (own, record("high", "placebo"))])
    assert list(first) == ["variable", "level", "low", "placebo", "high"]
    assert len(first) == 3
    assert not first.isna().any(axis=None)


def result(**more):
    return {
        "measure": "degree",
        "edges": "r025",
        "region": "Left angular gyrus (degree)",
        "role": "primary",
        "p": 0.0123,
        "which_p": "p_fwe",
        "n": 20,
        **{"effect": 0.5, "ci_low": 0.1, "ci_high": 0.9, "hedges_g": 1.25, "g_low": 0.2, "g_high": 2.3},
        **more,
    }


@pytest.fixture
def found():
    place = {"place": "Left angular gyrus", "text": "drug > placebo; mean g 1.25", "results": [result()]}
    outcome = result(measure="hamd17", edges=None, region=None, p=0.00001, which_p="p", hedges_g=None)
    differ = {"about": "voxels", "role": "primary", "text": "the arms differ.", "found": [place] * 8, "results": []}
    score = {"about": "hamd17", "role": "primary", "text": "the arms differ.", "found": [], "results": [outcome]}
    return [{"contrast": "drug − placebo", "analysed": {"drug": 10, "placebo": 10}, "statements": [differ, score]}]


def test_table_2_has_a_row_of_every_result(found):
    second = table_2(found)
    assert list(second) == list(TABLE_2)
    assert len(second) == 9
    assert list(second.iloc[0]) == [
        *("drug − placebo", "Degree, r > 0.25", "Left angular gyrus (degree)", "primary", 20),
        *("0.500 (95 % CI 0.100 to 0.900)", "1.25 (95 % CI 0.20 to 2.30)", "0.012", "p_fwe"),
    ]
    score = second.iloc[-1]
    assert (score["outcome"], score["p"], score["which_p"]) == ("hamd17", "< 0.0001", "p")
    assert pd.isna(score["region"])
    assert pd.isna(score["hedges_g"])


def test_what_could_not_be_estimated_is_left_empty(found):
    lacking = result(measure="mood", edges=None, region=None) | dict.fromkeys(("effect", "ci_low", "ci_high"), "n/a")
    found[0]["statements"][1]["results"] = [lacking | {"p": "n/a", "hedges_g": "n/a", "n": "n/a"}]
    row = table_2(found).iloc[-1]
    assert row["p"] == "–"
    assert row[["n", "effect", "hedges_g"]].isna().all()


def test_the_paragraph_says_everything_that_fits_and_where_the_rest_is(found):
    text = results_text(found)
    assert text.startswith("drug − placebo (10 drug, 10 placebo). Voxels (primary): the arms differ. Left angular")
    assert text.count("mean g 1.25.") == 6
    assert "2 more stand in Table 2." in text
    assert text.endswith("Hamd17 (primary): the arms differ.")


def test_what_earlier_results_left_goes(found, people, tmp_path):
    path = tmp_path / "balance.tsv"
    standardized_differences(*people).to_csv(path, sep="\t", index=False, na_rep="n/a")
    shown = write_paper_tables(tmp_path, [(path, record("drug", "placebo"))], found)
    assert {name: len(rows) for name, rows in shown.items()} == {"table1": 3, "table2": 9}
    assert {one.name for one in tmp_path.glob("table*")} == {"table1.tsv", "table1.json", "table2.tsv", "table2.json"}
    assert write_paper_tables(tmp_path, [], []) == {}
    assert not list(tmp_path.glob("table*"))
    assert answers([tmp_path]) == []
