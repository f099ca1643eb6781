"""A cross-over trial with a baseline in each period: from the tables to the page."""

import json

import numpy as np
import pytest
import statsmodels.api as sm
from compared_once import once
from conftest import SMALL, SmallTrial
from outputs import table

from bids_app.trial.wording import BASELINES_CARRY

ORDERS = {"drug-placebo": ("01", "02", "03", "04"), "placebo-drug": ("05", "06", "07", "08")}
EVERYONE = sum(ORDERS.values(), ())
SESSIONS = tuple(f"{treatment}{when}" for treatment in ("drug", "placebo") for when in ("pre", "post"))
WORDS = ("--design", "crossover", "--n-permutations", "1000", "--map-values", "raw")
LOST, NOT_SCORED = ("08", "placebopre"), ("03", "drugpost")

out, compared = once(*SMALL, *WORDS, "--outcomes", "hamd")


def score(label, session):
    """Return a score that every session of a participant has, in no simple pattern."""
    visit = SESSIONS.index(session)
    return 10 + (7 * int(label) ** 2 + 3 * int(label) * visit + 5 * visit) % 11


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    root = tmp_path_factory.mktemp("baselines")
    made = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in EVERYONE:
        for session in SESSIONS:
            if (label, session) != LOST:
                made.add_run(label, session)
    made.add_arms("sequence", **{f"s{label}": order for order, labels in ORDERS.items() for label in labels})
    for label in EVERYONE:
        (made.bids / f"sub-{label}").mkdir()
        scores = {one: "n/a" if (label, one) == NOT_SCORED else score(label, one) for one in SESSIONS}
        rows = "".join(f"ses-{session}\t{value}\n" for session, value in scores.items())
        (made.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(f"session_id\thamd\n{rows}")
    assert app(made.bids, root / "out", "participant", *SMALL).code == 0
    return made


def least_squares(value, labels):
    """Return half the difference of the outcomes on the sequence and the difference of the baselines."""
    rows = []
    for order, members in ORDERS.items():
        for label in [label for label in members if label in labels]:
            pre, post = ([value(label, f"{drug}{when}") for drug in order.split("-")] for when in ("pre", "post"))
            rows.append((order == "drug-placebo", pre[0] - pre[1], (post[0] - post[1]) / 2))
    sequence, before, half = np.array(rows, dtype=float).T
    return sm.OLS(half, np.column_stack([sequence, np.ones(len(rows)), before])).fit()


def test_the_effect_is_adjusted_for_the_difference_of_the_baselines(out, compared):
    def mean_of(label, session):
        (path,) = (out / f"sub-{label}" / f"ses-{session}").rglob("*_stat-degree_desc-r025_boldmap.json")
        return json.loads(path.read_text())["Mean"]

    fit = least_squares(mean_of, EVERYONE[:-1])
    (row,) = table(out / "group", "wholebrain").to_dict("records")
    assert row["n"] == 7
    assert row["difference"] == pytest.approx(fit.params[0], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues[0], rel=1e-6)


def test_scores_are_adjusted_alike_and_stand_without_beside_and_with_who_has_one_period(out, compared):
    fit = least_squares(score, [label for label in EVERYONE if label != NOT_SCORED[0]])
    adjusted, alone, mixed = table(out / "group", "outcomes").to_dict("records")
    assert (adjusted["method"], adjusted["analysis"], alone["method"]) == ("crossover", "main", "unadjusted")
    assert (adjusted["estimate"], adjusted["p"]) == (pytest.approx(fit.params[0]), pytest.approx(fit.pvalues[0]))
    assert (mixed["method"], mixed["population"], mixed["note"]) == (
        "mixed-periods",
        "with at least one period",
        "1 with one period only",
    )
    assert (mixed["n_active"], mixed["n_reference"], alone["n_active"]) == (4, 4, 3)


def test_flow_record_motion_and_page_say_it(out, compared):
    flow = table(out / "group", "flow").set_index("participant_id")
    assert flow.loc["sub-05", ["period1_session", "baseline2_session"]].tolist() == ["placebopost", "drugpre"]
    assert flow.loc["sub-08", "reason"] == "baseline of period 1: no scan"
    assert {"baseline of period 1", "baseline of period 2"} < set(table(out / "group", "motion")["visit"])
    assert "mean FD at the baseline of period 1, mm" in set(table(out / "group", "balance")["variable"])
    (path,) = (out / "group").glob("*_design.json")
    record = json.loads(path.read_text())
    assert record["PeriodBaselines"]
    assert list(record["Estimators"]) == ["crossover", "unadjusted", "first-period"]
    assert "adjusted for the difference of their baselines" in record["Estimators"]["crossover"]
    assert list(record["Descriptive"]) == ["period", "carry-over", "baseline-carry-over"]
    page = " ".join((out / "group" / "index.html").read_text().split())
    assert BASELINES_CARRY.split(":")[0] in page
    assert "period 1 and period 2, each with its baseline" in page
    methods = (out / "logs" / "CITATION.md").read_text()
    assert "adjusted for the difference of their baselines" in methods
    assert "a mixed model of all periods that are there" in methods


def test_check_says_the_baselines(trial, app, tmp_path):
    outcome = app("check", trial.bids, tmp_path / "out", *WORDS, "--baseline", "pre", "--followup", "post")
    assert outcome.code == 0, outcome.said
    said = " ".join(outcome.said.split())
    assert "baselines within the periods, because --baseline says so" in said
    assert "no baseline of period 1" in said
    assert "7 of 8 would be compared" in said
