import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bids_app.bids.runs import find_inputs
from bids_app.bids.scans import Scan
from bids_app.cli.settings_of import parse
from bids_app.group.region_values import usable_visits
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design
from bids_app.trial.flow import by_visit, counts, participant_flow
from bids_app.trial.study import find_study
from bids_app.trial.tables import Tables, read_tables
from bids_app.trial.visit_scans import weights

DESIGN = Design("arm", "drug", "placebo", "1", "2")


def scan(participant, session, *, volumes=150, minutes=5.0, fd=0.1, coverage=0.9):
    facts = {
        "NumberOfVolumesKept": volumes,
        "MinutesKept": minutes,
        "MeanFramewiseDisplacement": fd,
        "Coverage": coverage,
    }
    known = {key: value for key, value in facts.items() if value is not None}
    return Scan({"sub": participant, "ses": session}, None, known)


def flow(scans, arms, failures=None, min_minutes=4.0):
    participants = pd.DataFrame({"arm": list(arms.values())}, index=pd.Index(arms, name="participant_id"))
    tables = Tables(participants, pd.DataFrame(), {})
    return participant_flow(tables, DESIGN, by_visit(scans), failures or {}, min_minutes)


def both(participant, **facts):
    return [scan(participant, "1", **facts), scan(participant, "2", **facts)]


def row(scans, failures=None, arm="drug", **more):
    return flow(scans, {"01": arm}, failures, **more).iloc[0]


def test_a_scan_weighs_as_its_share_of_the_volumes_kept():
    shares = weights([scan("01", "1", volumes=kept) for kept in (100, 50, 50)])
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25])


def test_scans_are_grouped_by_visit_in_their_order():
    scans = [scan("01", "1"), scan("01", "2"), scan("02", "1"), scan("01", "1", volumes=7)]
    grouped = by_visit(scans)
    assert grouped["01", "1"] == [scans[0], scans[3]]
    assert {key: len(group) for key, group in grouped.items()} == {("01", "1"): 2, ("01", "2"): 1, ("02", "1"): 1}


def test_who_has_enough_at_both_visits_is_analysed():
    result = row(both("01"))
    assert result["analysed"]
    assert result["reason"] is None
    assert (result["participant_id"], result["arm"]) == ("sub-01", "drug")


def test_the_facts_of_a_visit_are_those_of_its_scans_together():
    scans = [*both("01"), scan("01", "2", volumes=50, minutes=2.0, fd=0.5, coverage=0.5)]
    result = row(scans)
    assert (result["baseline_scans"], result["followup_scans"]) == (1, 2)
    assert (result["baseline_minutes"], result["followup_minutes"]) == (5.0, 7.0)
    assert result["followup_mean_fd"] == pytest.approx((150 * 0.1 + 50 * 0.5) / 200)
    assert result["followup_coverage"] == pytest.approx((150 * 0.9 + 50 * 0.5) / 200)


REASONS = [
    ([], "drug", "baseline: no scan; follow-up: no scan"),
    ([scan("01", "1")], "drug", "follow-up: no scan"),
    ([scan("01", "2")], "drug", "baseline: no scan"),
    ([scan("01", "1"), scan("01", "3")], "drug", "follow-up: no scan"),
    (
        [scan("01", "1", minutes=3.96), scan("01", "2")],
        "drug",
        "baseline: scanned, excluded: 3.96 min of data kept, less than 4",
    ),
    (
        both("01", minutes=1.0),
        "drug",
        "baseline: scanned, excluded: 1.00 min of data kept, less than 4; follow-up: scanned, excluded: 1.00 min",
    ),
    (
        [scan("01", "1"), scan("01", "2", coverage=0.3)],
        "drug",
        "follow-up: scanned, excluded: 30% of the analysis mask covered, less than 50%",
    ),
    ([scan("01", "1"), scan("01", "2", coverage=0.3, minutes=1.0)], "drug", "follow-up: scanned, excluded: 1.00 min"),
    (both("01"), np.nan, "no arm stated"),
    ([scan("01", "1")], np.nan, "no arm stated; follow-up: no scan"),
]


@pytest.mark.parametrize(("scans", "arm", "reason"), REASONS)
def test_who_is_left_out_is_told_why(scans, arm, reason):
    result = row(scans, arm=arm)
    assert not result["analysed"]
    assert result["reason"].startswith(reason)
    assert result["reason"].count(";") == reason.count(";")


def test_the_limits_themselves_are_enough():
    assert row(both("01", minutes=4.0, coverage=0.5))["analysed"]
    assert row(both("01", minutes=0.5), min_minutes=0.0)["analysed"]
    assert row([*both("01", minutes=2.0), *both("01", minutes=2.0)])["analysed"]


@given(
    milliseconds=st.integers(400, 3500),
    n_volumes=st.lists(st.integers(1, 2000), min_size=1, max_size=3),
    quarters=st.integers(1, 80),
    exactly=st.booleans(),
)
@example(milliseconds=1400, n_volumes=[1350], quarters=1, exactly=True)
@example(milliseconds=1400, n_volumes=[675], quarters=63, exactly=False)
def test_minutes_are_enough_as_whole_numbers_say(milliseconds, n_volumes, quarters, exactly):
    """Milliseconds are counted without rounding; what is written in words is never at odds with itself."""
    total = milliseconds * sum(n_volumes)
    needed = total if exactly else 15_000 * quarters
    scans = [scan("01", ses, volumes=n, minutes=n * (milliseconds / 1000) / 60) for ses in "12" for n in n_volumes]
    result = row(scans, min_minutes=needed / 60_000)
    assert result["analysed"] == (total >= needed)


@pytest.mark.parametrize(("kept", "analysed"), [(1350, True), (1349, False)])
def test_regions_of_everyone_use_the_same_limit(kept, analysed):
    participants = flow(both("01", minutes=kept * 1.4 / 60), {"01": "drug"}, min_minutes=31.5)
    assert participants["analysed"].tolist() == [analysed]
    visits = usable_visits(participants, DESIGN, 31.5)
    assert visits == {"baseline": [("01", "1") if analysed else None], "followup": [("01", "2") if analysed else None]}


def test_unknown_minutes_motion_and_coverage_are_no_reason():
    result = row(both("01", minutes=None, fd=None, coverage=None))
    assert result["analysed"]
    assert np.isnan([result[f"baseline_{name}"] for name in ("minutes", "mean_fd", "coverage")]).all()


def test_what_is_not_a_number_is_unknown():
    assert np.isnan(row(both("01", fd="n/a"))["baseline_mean_fd"])


def test_why_a_scan_failed_is_said_where_it_is_missed():
    failures = {("01", "2"): "x_bold.nii.gz is empty (0 bytes)."}
    result = row([scan("01", "1")], failures)
    assert result["reason"] == "follow-up: no scan (processing failed: x_bold.nii.gz is empty (0 bytes).)"


def test_one_failed_scan_of_two_does_not_leave_anyone_out():
    result = row(both("01"), {("01", "2"): "truncated."})
    assert result["analysed"]
    assert result["reason"] is None


def test_who_was_scanned_but_not_randomized_is_named():
    result = flow([*both("01"), *both("99")], {"01": "drug"}).set_index("participant_id")
    assert result.loc["sub-99", "reason"] == "not in participants.tsv"
    assert pd.isna(result.loc["sub-99", "arm"])
    assert result.loc["sub-01", "analysed"]


def test_everyone_has_one_row_in_order():
    result = flow(both("10"), {"03": "drug", "01": "placebo"})
    assert list(result["participant_id"]) == ["sub-01", "sub-03", "sub-10"]


@pytest.mark.parametrize(("value", "written"), [(0.0, "0"), (1, "1"), ("drug", "drug")])
def test_arms_are_written_as_the_design_writes_them(value, written):
    assert row(both("01"), arm=value)["arm"] == written


def test_counts_per_arm_at_each_step():
    scans = [*both("01"), *both("02", minutes=1.0), scan("03", "1"), scan("04", "2"), *both("05"), *both("06")]
    arms = {"01": "drug", "02": "drug", "03": "drug", "04": "placebo", "05": "placebo", "07": np.nan}
    table = counts(flow(scans, arms), DESIGN)
    assert list(table.columns) == ["drug", "placebo", "no arm"]
    assert table["drug"].tolist() == [3, 3, 2, 2, 1]
    assert table["placebo"].tolist() == [2, 1, 2, 1, 1]
    assert table["no arm"].tolist() == [2, 1, 1, 1, 0]


def test_there_is_no_column_for_nobody():
    assert list(counts(flow(both("01"), {"01": "drug", "02": "placebo"}), DESIGN).columns) == ["drug", "placebo"]


def test_stages(shared_data):
    """The trial's authors report both scans for 23 on medication and 14 on placebo."""
    stages = shared_data / "stages"
    words = [stages / "bids", "out", "group", "-d", stages / "derivatives-xcpd"]
    inputs = find_inputs(parse([str(word) for word in words]))
    tables = read_tables(stages / "bids")
    scans = [scan(run.entities["sub"], run.entities["ses"]) for run in inputs.runs]
    (design,) = find_study(tables, {(run.entities["sub"], run.entities["ses"]) for run in inputs.runs}, Trial()).designs
    result = participant_flow(tables, design, by_visit(scans), {}, 4.0)
    table = counts(result, design)
    assert (design.baseline, design.followup) == ("1", "2")
    assert table.loc["analysed"].to_dict() == {"medication": 23, "placebo": 14, "no arm": 0}
    assert table.loc["in participants.tsv or scanned"].sum() == 55
    assert result.loc[result["arm"].isna(), "reason"].str.startswith("no arm stated").all()
