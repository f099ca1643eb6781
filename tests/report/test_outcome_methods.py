"""What the methods say of the models of clinical outcomes."""

from dataclasses import replace

import pytest
from comparison import RECORD

from bids_app.report.bibliography import bibliography, cited
from bids_app.report.group_methods import group_methods
from bids_app.trial.wording import GROUPS

GROUP_RECORD = replace(RECORD, arms=replace(RECORD.arms, comparison_of="groups"))
TRIAL = {"Outcomes": ["hamd", "mood"]}
REPEATED = {"ReferenceArm": "placebo", "Covariance": {"hamd": "unstructured", "mood": "heterogeneous Toeplitz"}}


def said(record, repeated=None):
    return dict(group_methods([record], TRIAL, repeated=repeated))["Clinical outcomes"]


def test_arms_that_chance_made_have_one_mean_before():
    text = said(RECORD)
    assert "by ANCOVA on the baseline" in text
    assert "of both visits of everyone randomized" in text
    assert "with one mean of the arms at the baseline [@liang2000], an unstructured covariance" in text


def test_groups_that_nobody_randomized_have_each_their_own():
    assert GROUP_RECORD.arms.words is GROUPS
    text = said(GROUP_RECORD, REPEATED)
    assert "with a mean of each group at the baseline (the difference of their changes)" in text
    assert "where it has a baseline adjusted for it; every group was compared with placebo" in text
    assert "Liang" not in text
    assert "randomized" not in text


@pytest.mark.parametrize("record", [RECORD, GROUP_RECORD])
def test_what_is_cited_is_in_the_bibliography(record):
    assert (
        {"mallinckrodt2008", "kenward1997", "vickers2001"} <= set(cited(said(record, REPEATED))) <= set(bibliography())
    )


def test_the_model_of_all_follow_ups_names_every_covariance():
    text = said(RECORD, REPEATED)
    assert text.endswith("The covariance of the visits was unstructured for hamd; heterogeneous Toeplitz for mood.")
    assert said(RECORD, REPEATED | {"Covariance": {}}) == said(RECORD)
    visit = replace(RECORD, arms=replace(RECORD.arms, baseline_session=None))
    assert "one mixed model for repeated measures" in said(visit, REPEATED)
