"""When the visits of a study were: by dates, days or labels, never by guessing."""

import pandas as pd
import pytest

from bids_app.errors import UsageError
from bids_app.trial.tables import Tables
from bids_app.trial.visit_times import nominal_times

WORDS = ("pre", "mid", "post")


def tables(moments=None, **columns):
    """Four participants with three sessions each."""
    index = pd.MultiIndex.from_product([["01", "02", "03", "04"], WORDS], names=["participant_id", "session_id"])
    dates = None if moments is None else pd.Series(dict(zip(index, moments, strict=True)), dtype=object)
    return Tables(pd.DataFrame(), pd.DataFrame(columns, index=index), {}, moments=dates)


def dates(year, *days):
    return [f"{year}-01-{1 + day:02d}T10:00:00" for day in days]


def scanned(sessions=WORDS):
    return {(name, session) for name in ("01", "02", "03", "04") for session in sessions}


def test_dates_count_from_each_ones_own_first_session_and_their_median_is_taken():
    """Everyone's dates are shifted by years of their own; the last has none of the middle session."""
    moments = [*dates(2001, 0, 3, 14), *dates(1907, 1, 4, 16), *dates(2050, 5, 9, 20), "1999-01-01", None, "1999-01-17"]
    found = nominal_times(tables(moments), scanned(), WORDS)
    assert found.days == {"pre": 0, "mid": 3, "post": 15}
    assert found.source == "acq_time, medians (3 participants have all)"
    assert found.findings == ()


def test_dates_that_can_be_read_in_two_ways_are_no_times():
    """The order is the same by both readings, the days between are not."""
    moments = ["01.02.2021", "03.02.2021", "05.03.2021"] * 4
    with pytest.raises(UsageError, match="On which days were ses-pre, ses-mid, ses-post"):
        nominal_times(tables(moments), scanned(), WORDS)


def test_dates_of_sessions_that_nobody_scanned_do_not_count():
    moments = dates(2001, 0, 3, 14) * 4
    with pytest.raises(UsageError, match="On which days"):
        nominal_times(tables(moments), scanned(("pre", "mid")), WORDS)


@pytest.mark.parametrize("first", ["n/a", "0", "2"])
def test_a_column_of_days(first):
    days = [None if one == "n/a" else one for one in (first, "5", "12") * 4]
    since = 0 if first == "n/a" else int(first)
    found = nominal_times(tables(days=days), scanned(), WORDS)
    assert found.days == {"pre": 0, "mid": 5 - since, "post": 12 - since}
    assert "column days" in found.source


@pytest.mark.parametrize(
    ("labels", "days"),
    [
        (("baseline", "day3", "week2"), (0, 3, 14)),
        (("day1", "day3", "month6"), (0, 2, 181.625)),
        (("day3", "day7"), (0, 4)),
    ],
)
def test_labels_with_units(labels, days):
    assert tuple(nominal_times(tables(), scanned(labels), labels).days.values()) == days


@pytest.mark.parametrize(
    "labels", [WORDS, ("pre", "1", "2"), ("pre", "m1", "m6"), ("pre", "day3", "post"), ("2", "day3")]
)
def test_labels_without_a_time_or_of_two_meanings_ask_one_question(labels):
    with pytest.raises(UsageError, match=r"Give sessions.tsv a column days"):
        nominal_times(tables(), scanned(labels), labels)


@pytest.mark.parametrize("days", [("0", "5", "5"), ("3", "0", "9")])
def test_visits_at_once_or_before_the_first_are_refused(days):
    with pytest.raises(UsageError, match="each must be later than the first, no two at once"):
        nominal_times(tables(days=list(days) * 4), scanned(), WORDS)


def test_labels_that_say_otherwise_are_named():
    labels = ("baseline", "day3", "day28")
    index = pd.MultiIndex.from_product([["01"], labels], names=["participant_id", "session_id"])
    given = Tables(pd.DataFrame(), pd.DataFrame({"days": ["0", "3", "61"]}, index=index), {})
    (finding,) = nominal_times(given, {("01", one) for one in labels}, labels).findings
    assert finding.warning
    assert finding.text.endswith("ses-day28 on day 61; the labels of ses-day28 say otherwise.")
