"""Several follow-ups put together: what is compared, who is in it, and what scores come to."""

import numpy as np
import pandas as pd
import pytest

from bids_app.bids.scans import Scan
from bids_app.errors import UsageError
from bids_app.graph.features import Feature
from bids_app.group.routes import ParcelRoute, with_summaries
from bids_app.settings.settings import Trial
from bids_app.trial.flow import by_visit, counts, participant_flow, several_scans
from bids_app.trial.outcomes import outcome_table, two_visits
from bids_app.trial.study import find_study
from bids_app.trial.summed_tables import left_of, unsummed
from bids_app.trial.tables import Tables
from bids_app.trial.visit_scans import weights

LABELS = ("baseline", "day3", "day7", "day21")
PEOPLE = ("01", "02", "03", "04")
ALL = {(name, session) for name in PEOPLE for session in LABELS}
SCORES = np.array([[20.0, 10, 8, 4], [22, 20, 19, 21], [25, 12, 6, np.nan], [30, 28, 29, 27]])


def tables(**columns):
    index = pd.MultiIndex.from_product([PEOPLE, LABELS], names=["participant_id", "session_id"])
    wide = {f"mood_{label}": SCORES[:, n].astype(object) for n, label in enumerate(LABELS)}
    arms = pd.DataFrame({"arm": ["drug", "placebo"] * 2, "last": [1.0, 2, 3, 4], **wide}, index=pd.Index(PEOPLE))
    sessions = pd.DataFrame({"hamd": SCORES.ravel(), "nurse": list("abcd") * 4, **columns}, index=index)
    return Tables(arms, sessions, {})


def study(*kinds, scanned=ALL, **options):
    return find_study(tables(), scanned, Trial(over_followups=kinds, **options))


def scan(name, session, volumes=100, minutes=5.0):
    facts = {"NumberOfVolumesKept": volumes, "MinutesKept": minutes, "MeanFramewiseDisplacement": 0.1, "Coverage": 0.9}
    return Scan({"sub": name, "ses": session}, None, facts)


def test_each_follow_up_stands_by_itself_and_the_summaries_beside():
    found = study("mean", "slope")
    assert [one.comparison for one in found.designs] == [
        "drug − placebo at ses-day3",
        "drug − placebo at ses-day7",
        "drug − placebo at ses-day21",
        "drug − placebo, mean over the follow-ups",
        "drug − placebo, slope over the follow-ups",
    ]
    assert {one.baseline for one in found.designs} == {"baseline"}
    assert [one.is_change for one in found.designs] == [False, False, False, False, True]
    said = " ".join(one.text for one in found.findings)
    assert "0.3333 of ses-day3, 0.3333 of ses-day7, 0.3333 of ses-day21" in said
    assert "the labels of the sessions: ses-day3 on day 3, ses-day7 on day 7, ses-day21 on day 21" in said


def test_without_the_option_nothing_changes():
    found = study()
    assert found.summaries == ()
    assert len(found.designs) == 3
    assert set(found.tables.sessions.index.get_level_values(1)) == set(LABELS)


@pytest.mark.parametrize("kind", ["mean", "area", "slope", "last-first"])
def test_scores_are_numpys_of_each_participant(kind):
    found, days = study(kind, outcomes=("hamd", "mood")), np.array([0, 3, 7, 21])
    design, curve = found.designs[-1], SCORES[:, 1:]
    expected = {
        "mean": curve.mean(axis=1),
        "area": np.trapezoid(SCORES, days, axis=1) / 21,
        "slope": [np.polyfit(days[1:], one, 1)[0] if np.isfinite(one).all() else np.nan for one in curve],
        "last-first": curve[:, 2] - curve[:, 0],
    }[kind]
    table = outcome_table(found.tables, design, ["hamd", "mood"])
    for name in ("hamd", "mood"):  # one is in sessions.tsv, the other in columns of participants.tsv
        data = two_visits(table, name, design)
        np.testing.assert_allclose(data.followup, expected, err_msg=name)
        np.testing.assert_allclose(data.baseline, SCORES[:, 0])
        change = data.followup if kind in ("slope", "last-first") else data.followup - data.baseline
        np.testing.assert_allclose(data.change, change)


def test_what_is_not_known_at_every_follow_up_is_left_out_and_said():
    trial = Trial(outcomes=("last", "hamd", "rare", "hamd:response"), cutoffs=("hamd:response=50%",))
    rare = tables(rare=[1.0, 2, np.nan, np.nan] * 4)
    found = find_study(rare, ALL, Trial(over_followups=("slope",), outcomes=trial.outcomes))
    assert list(left_of(found.tables, found.designs[-1], trial)) == ["last", "rare"]
    assert left_of(found.tables, found.designs[0], trial) == {}
    *_, cutoffs = [one.text for one in unsummed(found.tables, found.designs[-1], trial)]
    assert cutoffs.startswith("Cut-offs are of scores")


def test_words_of_a_session_are_no_words_of_several():
    assert study("mean").tables.sessions.xs("mean", level=1)["nurse"].isna().all()


def flow_of(scans, kind="mean", min_minutes=4.0):
    found = study(kind)
    route = with_summaries(ParcelRoute("parcels", {}, {Feature("degree", "r025"): scans}), found.summaries)
    visits, design = by_visit(next(iter(route.scans.values()))), found.designs[-1]
    return participant_flow(found.tables, design, visits, {("02", "day7"): "empty"}, min_minutes), visits, design


def test_who_lacks_a_follow_up_is_not_in_it_and_the_flow_says_which():
    scans = [scan(*visit) for visit in sorted(ALL - {("02", "day7"), ("03", "baseline")})]
    flow, _, design = flow_of(scans)
    reasons = flow.set_index("participant_id")["reason"]
    assert reasons["sub-02"] == "mean over the follow-ups: no scan of ses-day7 (processing failed: empty)"
    assert reasons["sub-03"] == "baseline: no scan"
    table = counts(flow, design)
    assert list(table.index[1:4]) == [
        "with a baseline scan",
        "with scans of ses-day3, ses-day7 and ses-day21",
        "with both",
    ]
    assert list(table.loc["analysed"]) == [1, 1]
    assert list(flow["followup_scans"]) == [3, 0, 3, 3]
    assert not several_scans(flow, design).any(axis=None)


def test_a_baseline_that_is_missing_is_said_once_of_the_area():
    scans = [scan(*visit) for visit in ALL - {("03", "baseline")}]
    flow, _, _ = flow_of(scans, "area")
    assert flow["reason"].dropna().tolist() == ["baseline: no scan"]


def test_each_session_needs_enough_data_by_itself():
    scans = [scan(*visit, minutes=3.0 if visit == ("01", "day21") else 9.0) for visit in sorted(ALL)]
    flow, _, _ = flow_of(scans)
    assert flow["reason"].dropna().tolist() == [
        "mean over the follow-ups: ses-day21: scanned, excluded: 3.00 min of data kept, less than 4"
    ]
    assert flow["followup_minutes"].tolist() == [3, 9, 9, 9]


def test_runs_of_a_session_share_its_weight_by_their_volumes():
    scans = [*(scan(*visit) for visit in sorted(ALL)), scan("01", "day7", volumes=300)]
    flow, visits, design = flow_of(scans, "last-first")
    own = visits["01", "lastfirst"]
    assert [(one.part, float(w)) for one, w in zip(own, weights(own), strict=True)] == [
        (("day3", -1.0), -1.0),
        (("day21", 1.0), 1.0),
    ]
    flow, visits, design = flow_of(scans)
    found = weights(visits["01", "mean"])
    np.testing.assert_allclose(found, np.array([1, 0.25, 0.75, 1]) / 3)
    assert several_scans(flow, design)["followup"].tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("options", "question"),
    [
        ({"followup": ("day3",)}, "several follow-ups are needed; there is day3"),
        ({"scanned": ALL | {("01", "mean")}, "baseline": ("baseline",), "followup": ("day3", "day7")}, "another label"),
    ],
)
def test_refused_with_what_is_needed(options, question):
    with pytest.raises(UsageError, match=question):
        study("mean", **options)


def test_the_order_of_the_option_is_not_that_of_time():
    """Days sort the follow-ups, however they are listed."""
    (one,) = study("last-first", followup=("day21", "day3")).summaries
    assert one.text == "ses-day21 minus ses-day3"


def baselines(scans=None, **options):
    """Two baselines, of which the second participant has the first only and the third none."""
    given = ("baseline", "day3")
    found = study(baseline=given, followup=("day7", "day21"), outcomes=("hamd", "mood"), **options)
    scans = [scan(*visit) for visit in sorted(ALL)] if scans is None else scans
    route = with_summaries(ParcelRoute("parcels", {}, {Feature("degree", "r025"): scans}), found.summaries, 4.0)
    visits = by_visit(next(iter(route.scans.values())))
    return found, visits, participant_flow(found.tables, found.first, visits, {("03", "day3"): "empty"}, 4.0)


def test_several_baselines_are_one_visit_before_every_follow_up():
    found, *_ = baselines()
    assert [(one.baseline, one.followup) for one in found.designs] == [
        ("baseline+day3", "day7"),
        ("baseline+day3", "day21"),
    ]
    assert found.first.sessions == "the mean of ses-baseline and ses-day3 (or of those there are) and ses-day7"
    said = " ".join(one.text for one in found.findings)
    assert "ses-baseline and ses-day3 are the baseline and ses-day7 the follow-up" in said
    assert "maps, motion and scores of each participant are averaged" in said


def test_those_baselines_that_there_are_weigh_alike_and_the_flow_counts_them():
    gone = {("02", "day3"), ("03", "baseline"), ("03", "day3")}
    scans = [scan(*visit, volumes=300 if visit[1] == "day3" else 100) for visit in sorted(ALL - gone)]
    found, visits, flow = baselines(scans)
    assert weights(visits["01", "baseline+day3"]).tolist() == [0.5, 0.5]
    assert weights(visits["02", "baseline+day3"]).tolist() == [1.0]
    assert flow["baseline_sessions"].tolist() == [2, 1, 0, 2]
    assert flow["analysed"].tolist() == [True, True, False, True]
    assert flow["reason"][2] == "baseline: no scan of ses-baseline; no scan of ses-day3 (processing failed: empty)"
    table = counts(flow, found.first)
    assert list(table.loc["of these with all of ses-baseline and ses-day3"]) == [1, 1]
    assert list(table.loc["with a baseline scan"]) == [1, 2]


def test_a_baseline_with_too_few_data_is_none_beside_one_with_enough():
    poor = {("01", "day3"), ("02", "day3"), ("02", "baseline")}
    scans = [scan(*visit, minutes=2.0 if visit in poor else 6.0) for visit in sorted(ALL)]
    _, visits, flow = baselines(scans)
    assert [one.part for one in visits["01", "baseline+day3"]] == [("baseline", 1.0)]
    assert flow["analysed"].tolist() == [True, False, True, True]
    few = "scanned, excluded: 2.00 min of data kept, less than 4"
    assert flow["reason"][1] == f"baseline: ses-baseline: {few}; ses-day3: {few}"


def test_scores_at_several_baselines_are_averaged_over_those_there_are():
    found, *_ = baselines()
    scores = SCORES.copy()
    table = outcome_table(found.tables, found.first, ["hamd", "mood"])
    for name in ("hamd", "mood"):
        np.testing.assert_allclose(two_visits(table, name, found.first).baseline, scores[:, :2].mean(axis=1))
    gaps = tables()
    gaps.sessions.loc[("02", "baseline"), "hamd"] = np.nan
    own = find_study(gaps, ALL, Trial(baseline=("baseline", "day3"), followup=("day7",)))
    assert own.tables.sessions.loc[("02", "baseline+day3"), "hamd"] == 20


@pytest.mark.parametrize("same", [True, False])
def test_words_at_several_baselines_are_known_where_they_agree(same):
    """The smoker was asked twice."""
    words = np.array(["yes", "yes" if same else "no", "no", "no"] * 4, dtype=object)
    own = find_study(tables(smoker=words), ALL, Trial(baseline=("baseline", "day3"), followup=("day7",)))
    found = own.tables.sessions.xs("baseline+day3", level=1)["smoker"]
    assert found.eq("yes").all() if same else found.isna().all()


def test_several_baselines_and_several_follow_ups_put_together():
    found = study("slope", "mean", baseline=("baseline", "day3"), followup=("day7", "day21"))
    assert [len(one.summaries) for one in found.designs] == [1, 1, 2, 2]
    assert found.designs[2].is_change
    with pytest.raises(UsageError, match="the area begins at the baseline"):
        study("area", baseline=("baseline", "day3"), followup=("day7", "day21"))


def test_a_second_baseline_after_a_follow_up_is_said_as_backwards():
    found = study(baseline=("baseline", "day7"), followup=("day3",))
    assert any("though ses-day3 came first" in one.text for one in found.findings if one.warning)


def test_what_comes_after_the_last_baseline_are_the_follow_ups():
    assert [one.followup for one in study(baseline=("day3", "baseline")).designs] == ["day7", "day21"]


def test_motion_is_called_that_of_the_scans_not_of_what_they_come_to():
    assert baselines()[0].first.scanned == {"baseline": "baseline", "followup": "follow-up"}
    assert study("slope").designs[-1].scanned == {"baseline": "baseline", "followup": "follow-ups"}
