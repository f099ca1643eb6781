"""Groups that nobody randomized: which visits are compared, and in which words."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app import stats
from bids_app.bids.scans import Scan
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.group.analyses import Analysis, analyses_of
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design
from bids_app.trial.flow import by_visit, counts, participant_flow
from bids_app.trial.study import find_study
from bids_app.trial.tables import Tables
from bids_app.trial.visits import scanned_visits
from bids_app.trial.wording import GROUPS, PARALLEL

WHO = {"01": "patient", "02": "patient", "03": "control", "04": "control"}
ALONE = Design("group", "patient", "control", None, "", words=GROUPS)


def tables(who=None):
    participants = pd.DataFrame({"group": who or WHO})
    index = pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"])
    return Tables(participants, pd.DataFrame(index=index), {})


def designs(sessions, who=None, **options):
    scanned = scanned_visits((name, session) for name in who or WHO for session in sessions)
    return find_study(tables(who), scanned, Trial(**{"design": "groups", "scheme": "freedman-lane"} | options)).designs


@pytest.mark.parametrize(("sessions", "visits"), [([None], {"followup": None}), (["1"], {"followup": "1"})])
def test_of_one_visit_there_is_no_baseline(sessions, visits):
    (design,) = designs(sessions)
    assert (design.baseline, design.visits, design.first, design.motion) == (None, visits, "followup", "mean_fd")
    assert design.called == {"followup": "visit"}
    assert [one.text for one in design.findings if one.warning] == [GROUPS.warning]


def test_of_more_visits_each_followup_is_adjusted_for_the_baseline():
    found = designs(["pre", "week4", "week8"])
    assert [(one.baseline, one.followup) for one in found] == [("pre", "week4"), ("pre", "week8")]
    assert found[0].visits == {"baseline": "pre", "followup": "week4"}


def test_a_followup_by_itself_needs_no_baseline():
    options = {"followup": ("week4", "week8"), "estimator": "post", "estimator_told": True}
    found = designs(["pre", "week4", "week8"], **options)
    assert [one.visits for one in found] == [{"followup": "week4"}, {"followup": "week8"}]
    (adjusted,) = designs(["pre", "post"], baseline=("pre",), **options | {"followup": ("post",)})
    assert adjusted.baseline == "pre"


@pytest.mark.parametrize("estimator", ["ancova", "change"])
def test_what_needs_a_baseline_is_refused_of_one_visit(estimator):
    with pytest.raises(UsageError, match=f"--estimator {estimator}: there are scans of one visit only"):
        designs(["1"], estimator=estimator, estimator_told=True)
    with pytest.raises(UsageError, match="--baseline 1: there are scans of this visit only"):
        designs(["1"], baseline=("1",))


@pytest.mark.parametrize("sessions", [[None], ["1"]])
def test_arms_at_one_visit_are_refused_and_told_of_the_other_design(sessions):
    with pytest.raises(DataError, match=r"Two visits are needed; .* one visit too, with --design groups; "):
        designs(sessions, design="parallel")


def test_healthy_controls_are_a_group_beside_two_of_patients():
    who = {f"{place}{name}": name for name in ("healthy", "mdd", "ptsd") for place in range(3)}
    assert {one.contrast for one in designs([None], who, reference_arm="healthy")} == {
        "mdd − healthy",
        "ptsd − healthy",
    }
    with pytest.raises(UsageError, match="may be of people who were not randomized"):
        designs(["1", "2"], who, reference_arm="healthy", design="parallel")


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--scheme", "rerandomize"], "--design groups with --scheme rerandomize: nobody was randomized"),
        (["--allocations", "table.tsv"], "--design groups with --allocations: nobody was randomized"),
        (["--scheme", "rerandomize", "--allocations", "t.tsv"], "with --scheme rerandomize and --allocations: nobody"),
    ],
)
def test_what_repeats_a_randomization_is_refused(words, fragment):
    with pytest.raises(UsageError, match=fragment):
        parse(["bids", "out", "group", "--design", "groups", *words])


def test_the_flow_of_one_visit():
    facts = {"NumberOfVolumesKept": 100, "MinutesKept": 5.0, "Coverage": 0.9, "MeanFramewiseDisplacement": 0.1}
    scans = [Scan({"sub": name}, None, facts) for name in ("01", "02", "03")]
    flow = participant_flow(tables(), ALONE, by_visit(scans), {}, 4.0)
    assert not [column for column in flow if column.startswith("baseline")]
    assert flow.set_index("participant_id")["reason"].dropna().to_dict() == {"sub-04": "no scan"}
    assert counts(flow, ALONE).loc["with a scan"].to_dict() == {"patient": 2, "control": 1}
    assert list(counts(flow, ALONE).index) == ["in participants.tsv or scanned", "with a scan", "analysed"]


def test_only_the_visit_by_itself_is_analysed_and_slopes_are_of_it():
    trial = Trial(design="groups", estimator="post", slopes=("age",))
    found = analyses_of(trial, ALONE, ["hamd"])
    assert [one.key for one in found] == [
        "post",
        "slope:age",
        "slope-by-arm:age",
        "symptom:hamd",
        "symptom-by-arm:hamd",
    ]
    rng = np.random.default_rng(0)
    values, age = rng.normal(size=(9, 1)), rng.normal(size=9)
    arm = np.array([0, 1, 0, 1, 0, 1, 0, 1, 1])
    stated = stats.hypothesis(
        Analysis("slope", "age").estimand(ALONE), {None: values}, np.ones((9, 1)), arm=arm, covariate=age
    )
    assert (stated.outcome == values).all()
    assert stated.regressors == ()
    for one in found:
        assert not re.search(r"\b(arms?|baseline|follow-up|change)\b", one.text("node", ALONE))


def test_the_words_of_groups_speak_of_no_trial():
    texts = [text for text in dataclasses.asdict(GROUPS).values() if isinstance(text, str) and text != GROUPS.warning]
    assert not [text for text in texts if re.search(r"\b(arms?|randomi|treat|allocat)", text)]


@given(st.lists(st.sampled_from(["the arm", "Arms", "randomized", "alarm", "--arms", "army", "a_arm", "arm-by-visit"])))
def test_what_is_said_of_arms_stays_as_it_is_and_options_keep_their_names(parts):
    text = " ".join(parts)
    assert PARALLEL.of(text) == text
    retold = GROUPS.of(text)
    assert not re.search(r"(?<![-\w])[Aa]rms?\b", retold)
    for word in ("--arms", "alarm", "army", "a_arm"):
        assert retold.split().count(word) == parts.count(word)
