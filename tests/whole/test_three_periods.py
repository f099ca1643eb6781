"""Three treatments in three periods: from the tables to the page, against least squares with fixed participants."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from compared_once import once
from conftest import SMALL, SmallTrial
from outputs import table, visible

SIX = ("low-high-placebo", "high-placebo-low", "placebo-low-high", "low-placebo-high", "high-low-placebo")
ORDERS = {f"{n + 1:02d}": order for n, order in enumerate((*SIX, "placebo-high-low", "low-high-placebo"))}
LOST, NOT_SCORED = ("07", "3"), ("05", 1)
WORDS = ("--design", "crossover", "--n-permutations", "200", "--map-values", "raw", "--outcomes", "hamd")
WEIGHTS = ("--contrasts", "all-pairs", "both=low=0.5 high=0.5 placebo=-1")
FOLDERS = ["contrast-highVsPlacebo", "contrast-lowVsPlacebo", "contrast-lowVsHigh"]
COMPLETE = [one for one in ORDERS if one != "07"]

out, compared = once(*SMALL, *WORDS, *WEIGHTS)


def score(label, place):
    """Return a score of every participant in every period, in no simple pattern."""
    return 10 + (7 * int(label) ** 2 + 3 * int(label) * place + 5 * place) % 11


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    root = tmp_path_factory.mktemp("periods")
    made = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in ORDERS:
        for session in ("1", "2", "3"):
            if (label, session) != LOST:
                made.add_run(label, session)
    made.add_arms("sequence", **{f"s{label}": order for label, order in ORDERS.items()})
    people = made.bids / "participants.tsv"
    rows = people.read_text().splitlines()
    people.write_text("\n".join([f"{rows[0]}\tage", *(f"{row}\t{30 + n}" for n, row in enumerate(rows[1:]))]) + "\n")
    for label in ORDERS:
        (made.bids / f"sub-{label}").mkdir()
        values = ["n/a" if (label, place) == NOT_SCORED else score(label, place) for place in range(3)]
        rows = "".join(f"ses-{place + 1}\t{value}\n" for place, value in enumerate(values))
        (made.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(f"session_id\thamd\n{rows}")
    assert app(made.bids, root / "out", "participant", *SMALL).code == 0
    return made


def least_squares(value, labels):
    """Fit values, by label and period, on participants, periods and treatments; the reference is the placebo."""
    rows = [
        {"y": value(label, place), "who": label, "period": str(place), "given": name.replace("placebo", "0")}
        for label in labels
        for place, name in enumerate(ORDERS[label].split("-"))
    ]
    return smf.ols("y ~ C(who) + C(period) + C(given)", pd.DataFrame(rows)).fit()


def mean_of(out, label, place):
    (path,) = (out / f"sub-{label}" / f"ses-{place + 1}").rglob("*_stat-degree_desc-r025_boldmap.json")
    return json.loads(path.read_text())["Mean"]


@pytest.mark.parametrize("name", ["high", "low"])
def test_every_treatment_is_compared_with_the_reference_within_those_who_have_every_period(out, compared, name):
    fit = least_squares(lambda label, place: mean_of(out, label, place), COMPLETE)
    folder = out / "group" / f"contrast-{name}VsPlacebo"
    (row,) = table(folder, "wholebrain").to_dict("records")
    key = f"C(given)[T.{name}]"
    assert row["difference"] == pytest.approx(fit.params[key], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues[key], rel=1e-6)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(fit.conf_int().loc[key]), rel=1e-5)
    flow = table(folder, "flow").set_index("participant_id")
    assert flow.loc["sub-07", "reason"] == "period 3: no scan"
    assert flow["analysed"].sum() == 6
    assert flow.loc["sub-01", [f"period{n}_session" for n in (1, 2, 3)]].tolist() == [1, 2, 3]


def test_scores_are_compared_alike_with_what_stands_beside(out, compared):
    rows = table(out / "group" / FOLDERS[0], "outcomes").to_dict("records")
    fit = least_squares(score, [one for one in ORDERS if one != NOT_SCORED[0]])
    assert [row["method"] for row in rows] == ["crossover", "beside-carry-over", "first-period", "mixed-periods"]
    assert (rows[0]["estimate"], rows[0]["p"]) == pytest.approx(
        (fit.params["C(given)[T.high]"], fit.pvalues["C(given)[T.high]"])
    )
    assert rows[3]["note"] == "1 without some period"
    high = [score(label, order.split("-").index("high")) for label, order in ORDERS.items() if label != NOT_SCORED[0]]
    assert rows[0]["followup_mean_active"] == pytest.approx(np.mean(high))


def test_scores_of_all_treatments_are_of_one_model_with_f(out, compared):
    rows = table(out / "group", "mmrm").to_dict("records")
    assert [row["active"] for row in rows] == ["high", "low", "both", "any treatment"]
    alone = table(out / "group" / FOLDERS[0], "outcomes").to_dict("records")[-1]
    assert (rows[0]["estimate"], rows[0]["p"]) == pytest.approx((alone["estimate"], alone["p"]))
    assert rows[2]["estimate"] == pytest.approx((rows[0]["estimate"] + rows[1]["estimate"]) / 2)
    assert all(row["p"] <= row["p_together"] + 1e-3 for row in rows[:2])
    assert (rows[3]["df_numerator"], rows[3]["n_model"]) == (2, 7)


def test_record_tables_and_pages_say_what_was_compared_and_how(out, compared):
    group = out / "group"
    about = json.loads((group / "comparisons.json").read_text())
    assert [one["Folder"] for one in about["Comparisons"]] == FOLDERS
    assert about["Model"] == "all treatments and periods"
    together = table(group, "comparisons")
    assert together["comparison"].tolist() == [
        "high − placebo",
        "low − placebo",
        "low − high",
        "both",
        "any difference",
    ]
    assert together["p_together"].between(0, 1).all()
    assert (group / "index.html").read_text().count("placebo = high = low") == 1  # whose draws are exact
    (path,) = (group / FOLDERS[0]).glob("*_design.json")
    record = json.loads(path.read_text())
    assert record["AllTreatments"] == ["placebo", "high", "low"]
    assert sorted("-".join(one) for one in record["Orders"]) == sorted(set(ORDERS.values()))
    assert list(record["Estimators"]) == ["crossover", "beside-carry-over", "first-period"]
    assert list(record["Descriptive"]) == ["period", "carry-over"]
    assert sum(record["NumberAnalysed"].values()) == 6
    for page in (group / "index.html", *(group / one / "index.html" for one in FOLDERS)):
        assert not re.search(r"\bnan\b", visible(page.read_text()), re.IGNORECASE)
    page = " ".join((group / FOLDERS[0] / "index.html").read_text().split())
    assert "must not be used to choose between the analyses" in page
    assert "period 1, period 2 and period 3" in page
    assert "Too few participants have sequences that differ only in the places of high and placebo" in page
    assert record["Exchanged"].startswith("too few")
    paper = pd.read_csv(out / "logs" / "table1.tsv", sep="\t")
    assert paper.loc[paper["variable"] == "age", "everyone"].tolist() == ["33.0 (2.2)"]
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "participant and period taken out" in methods


def test_check_says_the_design_and_writes_nothing(trial, app, tmp_path):
    outcome = app("check", trial.bids, tmp_path / "out", *WORDS)
    assert outcome.code == 0, outcome.said
    said = " ".join(outcome.said.split())
    assert "'high', 'low' and the reference 'placebo' were given in turn" in said
    assert "6 of 7 would be compared" in said
    assert "no period 3" in said
