"""Intercurrent events of a column: who had one by when, what is left out for it, and what cannot be done."""

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import DataError, UsageError
from bids_app.settings.contradictions import contradictions
from bids_app.settings.objectives import Event, Objective, Protocol
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design
from bids_app.trial.events import count_by_arm, find_events, happened
from bids_app.trial.tables import Tables

PEOPLE = ["a", "b", "c", "d"]
VISITS = ("base", "day3", "day14")
SCANNED = {(who, visit) for who in PEOPLE for visit in VISITS}
RESCUE = {"a": ("no", "yes", "no"), "b": ("no", "no", "yes"), "c": ("no", None, "no"), "d": ("no", "no", "no")}
RESCUED = Event(name="rescue", strategy="hypothetical", column="rescue")


def tables(rescue=RESCUE, **columns):
    index = pd.MultiIndex.from_product([PEOPLE, VISITS], names=["participant_id", "session_id"])
    sessions = pd.DataFrame({"rescue": [one for who in PEOPLE for one in rescue[who]], "hamd": "20"}, index=index)
    people = pd.DataFrame({"arm": ["drug", "drug", "placebo", "placebo"], **columns}, index=PEOPLE)
    return Tables(people, sessions, {}, logged=tuple(index))


def trial(*objectives, followup=("day3", "day14"), **options):
    plan = Plan("degree", objectives=objectives, primary_outcomes=("hamd",), protocol=Protocol(correction="holm"))
    return Trial(plan=plan, baseline=("base",), followup=followup, **options)


def objective(event=RESCUED, name="Mood", **what):
    return Objective(name=name, role="primary", events=(event,), **(what or {"outcome": "hamd", "visit": "day14"}))


def test_an_event_stays_and_what_is_not_known_stays_unknown():
    by = happened(tables(), "rescue", ("day3", "day14"))
    assert by.loc["a"].tolist() == [True, True]
    assert by.loc["b"].tolist() == [False, True]
    assert by.loc["c"].tolist() == [None, None], "whether it was at day 3 is not known, so neither is by day 14"
    assert by.loc["d"].tolist() == [False, False]


def test_events_are_counted_by_arm_at_the_visit_of_a_comparison():
    by = happened(tables(), "rescue", ("day3", "day14"))
    for visit, said in (("day3", "drug 1 of 2, placebo 0 of 2 (1 not known)"), ("day14", "drug 2 of 2")):
        design = Design("arm", "drug", "placebo", "base", visit)
        assert count_by_arm(by, tables(), design).startswith(said)


def test_scores_after_an_event_are_left_out_and_scans_stay_where_an_outcome_is_meant():
    left, events = find_events(tables(), SCANNED, trial(objective()))
    gone = left.sessions["hamd"].isna()
    assert set(gone.index[gone]) == {("a", "day3"), ("a", "day14"), ("b", "day14")}
    assert events.after == {}
    assert events.findings[0].text == (
        "rescue (rescue): 1 of 4 (1 not known) by ses-day3; 2 of 4 (1 not known) by ses-day14, of everyone in the "
        "tables."
    )


def test_scans_after_an_event_are_left_out_and_scores_stay_where_a_measure_is_meant():
    left, events = find_events(tables(), SCANNED, trial(objective(measure="degree")))
    assert left.sessions["hamd"].notna().all()
    assert set(events.after) == {("a", "day3"), ("a", "day14"), ("b", "day14")}
    assert set(events.after.values()) == {"left out after rescue (hypothetical)"}
    _, unnamed = find_events(tables(), SCANNED, trial(objective(measure="degree")), named=False)
    assert set(unnamed.after.values()) == {"left out after an intercurrent event (hypothetical)"}


def test_treatment_policy_counts_and_leaves_out_nothing():
    policy = Event(name="rescue", strategy="treatment policy", column="rescue")
    left, events = find_events(tables(), SCANNED, trial(objective(policy), objective(policy, measure="degree")))
    assert left.sessions["hamd"].notna().all()
    assert (events.after, list(events.by)) == ({}, ["rescue"])


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        (tables(RESCUE | {"a": ("no", "perhaps", "no")}), {}, DataError, "says perhaps: it has to say yes or no"),
        (tables(RESCUE | {"a": ("yes", "no", "no")}), {}, DataError, "ses-base, which is no follow-up"),
        (
            tables(),
            {"event": Event(name="x", strategy="hypothetical", column="ect")},
            DataError,
            "neither participants.tsv",
        ),
        (
            tables(ever=["yes", "no", "no", "no"]),
            {"event": Event(name="x", strategy="hypothetical", column="ever")},
            DataError,
            "needs a column of the sessions.tsv",
        ),
        (
            tables(),
            {"event": Event(name="x", strategy="while on treatment", column="rescue")},
            UsageError,
            "the last value before the event",
        ),
        (tables(), {"design": "crossover"}, UsageError, "an event in one period"),
    ],
)
def test_what_cannot_be_known_or_done_is_refused(given, options, error, said):
    event = options.pop("event", RESCUED)
    with pytest.raises(error, match=said):
        find_events(given, SCANNED, trial(objective(event), **options))


def test_whether_it_ever_happened_is_enough_of_one_follow_up():
    given = tables(ever=["yes", "no", np.nan, "no"])
    by = happened(given, "ever", ("day3",))
    assert by["day3"].tolist() == [True, False, None, False]


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ([objective(Event(name="x", strategy="composite", column="rescue"))], "made of a cut-off only"),
        ([objective(RESCUED, outcome="hamd:response")], "counts as a failure, which is a composite strategy"),
        ([objective(Event(name="x", strategy="hypothetical", column="r", prepared=True))], "keep one"),
        (
            [objective(measure="degree"), Objective(name="All", role="primary", measure="degree")],
            "'Mood' and 'All' differ in whether the scans after an event (rescue) are left out",
        ),
        ([Objective(name="All", role="primary", connections="X")], "connections need analysis.edge_statistic"),
        (
            [Objective(name="All", role="primary", whole_graph="density", region="PCC")],
            "region is of a measure, not of a m",
        ),
        (
            [Objective(name="All", role="primary", whole_graph="density", outcome="hamd")],
            "its endpoint is one of these",
        ),
    ],
)
def test_a_plan_that_needs_what_one_run_cannot_do_is_refused(objectives, said):
    protocol = Protocol(correction="holm")
    plan = Plan(
        "degree",
        objectives=tuple(objectives),
        primary_outcomes=("hamd", "hamd:response"),
        further={"regions": ("PCC",)},
        protocol=protocol,
    )
    assert [text for text in contradictions(plan) if said in text]


def test_a_composite_of_a_cut_off_and_a_hypothetical_score_leave_out_the_same():
    composite = Event(name="rescue", strategy="composite", column="rescue")
    both = (objective(), objective(composite, "Response", outcome="hamd:response", visit="day14"))
    plan = Plan(
        "degree", objectives=both, primary_outcomes=("hamd", "hamd:response"), protocol=Protocol(correction="holm")
    )
    assert contradictions(plan) == []
    assert [one.events[0].departs for one in both] == [False, False]
