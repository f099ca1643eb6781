"""What the methods and the columns say of clinical outcomes: what the tables hold, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from comparison import RECORD
from depression_trial import simulated

from bids_app.report.bibliography import bibliography, cited
from bids_app.report.group_methods import group_methods
from bids_app.report.outcome_methods import SAID
from bids_app.stats.clinical import METHODS, clinical_columns, clinical_table, crossover_table, methods_of
from bids_app.stats.missing import ASSUMPTIONS, missing_columns, missing_table
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.wording import GROUPS

GROUP_RECORD = replace(RECORD, arms=replace(RECORD.arms, comparison_of="groups"))
VISIT = replace(GROUP_RECORD, arms=replace(GROUP_RECORD.arms, baseline_session=None))
REPEATED = {
    "ReferenceArm": "placebo",
    "Covariance": {"hamd": "unstructured", "mood": "heterogeneous Toeplitz"},
    "JointTests": ["any", "interaction"],
    "LabelsRedrawn": True,
    "Deviations": [],
}
DATA = simulated()
ALONE = replace(DATA, baseline=None)
REACHED = {"hamd": {"response": np.where(DATA.observed, DATA.followup < 15, np.nan)}}
FEW = TwoVisits(np.array([0, 1]), np.array([1.0, 2]), np.array([1.0, np.nan]))


def given(outcomes, table):
    return {"Outcomes": list(outcomes), "Methods": methods_of(table)}


def said(record, trial, repeated=None):
    return dict(group_methods([record], trial, repeated=repeated))["Clinical outcomes"]


TABLES = {
    "scores": (RECORD, {"hamd": DATA}, {}),
    "ordinal": (RECORD, {"hamd": DATA, "cgi": DATA}, {"ordinal": ["cgi"]}),
    "cut-off": (RECORD, {"hamd": DATA}, {"successes": REACHED}),
    "no baseline": (RECORD, {"change": ALONE}, {"ordinal": ["change"]}),
    "groups": (GROUP_RECORD, {"hamd": DATA}, {"n_draws": None, "ordinal": ["hamd"]}),
    "one visit": (VISIT, {"hamd": ALONE}, {"n_draws": None}),
    "too few": (RECORD, {"hamd": FEW}, {"successes": {"hamd": {}}}),
}


@pytest.mark.parametrize("which", TABLES)
def test_text_and_columns_name_the_methods_that_the_table_holds_and_no_other(which):
    record, outcomes, options = TABLES[which]
    table = clinical_table(outcomes, **{"n_draws": 50} | options)
    there, trial = set(table["method"]), given(outcomes, table)
    text, columns = said(record, trial), clinical_columns(table)
    assert [
        part.partition(": ")[0] for part in columns["method"].split("; ") if part.partition(": ")[0] in METHODS
    ] == [name for name in METHODS if name in there]
    estimated = table.dropna(subset=["estimate", "p_rerandomized"], how="all")
    assert {name for name in SAID if _phrase(name) in text} == set(estimated["method"])
    for _, row in estimated.iterrows():
        endpoint = row["outcome"] if row["endpoint"] == "score" else f"{row['outcome']}:{row['endpoint']}"
        assert endpoint in text.split(_phrase(row["method"]))[1].split("; by ")[0]
    for column, word, kind in (("estimate", "ranks", "ranks"), ("df", "Kenward", "mixed"), ("p", "score test", "prop")):
        assert (word in columns[column]) == any(name.startswith(kind) for name in there)
    assert set(cited(text)) <= set(bibliography())


def _phrase(method):
    """Return the words that no other method's text begins with."""
    if method == "mixed-periods":
        return "of all periods that are there"
    if method.startswith("mixed"):
        return "one mean of the arms [@liang2000]" if method == "mixed" else "(the difference of their changes)"
    if method == "post":
        return " alone [@statsmodels]"
    return SAID[method].partition(" [@")[0].partition(", of")[0].partition("{")[0]


def test_sequences_are_compared_by_the_difference_between_the_periods():
    record = replace(RECORD, arms=replace(RECORD.arms, comparison_of="crossover", treatments=("drug", "placebo")))
    for ordinal in ([], ["hamd"]):
        table = crossover_table({"hamd": DATA}, ordinal=ordinal, n_draws=50)
        text, columns = said(record, given(["hamd"], table)), clinical_columns(table, crossover=True)
        assert "half the difference between the periods" in text
        assert ("by ranks of the difference between the periods" in text) == bool(ordinal)
        assert ("ranks: ranks of that difference" in columns["method"]) == bool(ordinal)
        assert ("probability" in columns["estimate"]) == bool(ordinal)
        assert "repeated measures" not in text + columns["method"]
        assert "ANCOVA" not in text


@pytest.mark.parametrize("outcomes", [{"hamd": DATA}, {"change": ALONE}])
def test_assumptions_of_what_is_missing_are_those_in_the_table(outcomes):
    table = missing_table(outcomes, n_draws=0, seed=0)
    text = missing_columns(table)["method"]
    assert {name for name in ASSUMPTIONS if f"{name}: " in text} == set(table["method"])


def test_arms_that_chance_made_have_one_mean_before():
    text = said(RECORD, given(["hamd"], clinical_table({"hamd": DATA}, n_draws=50)))
    assert "ANCOVA on the baseline" in text
    assert "of both visits [@mallinckrodt2008] of everyone randomized with one mean of the arms [@liang2000]" in text


def test_groups_that_nobody_randomized_have_each_their_own():
    assert GROUP_RECORD.arms.words is GROUPS
    about = REPEATED | {"LabelsRedrawn": False}
    text = said(GROUP_RECORD, given(["hamd"], clinical_table({"hamd": DATA}, n_draws=None)), about)
    assert "with a mean of each group (the difference of their changes) at the baseline" in text
    assert "where it has a baseline adjusted for it; every group was compared with placebo" in text
    assert "whether any group differs at any follow-up" in text.lower()
    assert "Liang" not in text
    assert "randomi" not in text


def test_the_model_of_all_follow_ups_says_what_it_was_made_of():
    trial = given(["hamd"], clinical_table({"hamd": DATA}, n_draws=50))
    text = said(RECORD, trial, REPEATED)
    assert text.endswith("The covariance of the visits was unstructured for hamd; heterogeneous Toeplitz for mood.")
    assert "hamd, mood were each analysed by one mixed model" in text
    assert "Whether any arm differs at any follow-up and whether differences change over the follow-ups was" in text
    assert "p by re-randomization of the arms within strata" in text
    once = said(RECORD, trial, REPEATED | {"JointTests": [], "LabelsRedrawn": False, "Covariance": {"hamd": "AR(1)"}})
    assert "hamd was analysed by one" in once
    assert "by F of" not in once
    assert "p by re-randomization" not in once
    assert said(RECORD, trial, REPEATED | {"Covariance": {}}) == said(RECORD, trial)
    assert "one mixed model for repeated measures" in said(VISIT, trial, REPEATED)
