"""The order of visits is found from evidence, never from the alphabet."""

import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.trial.moments import read_moments
from bids_app.trial.session_labels import compared, meaning_of
from bids_app.trial.visit_order import order_of

ORDERED = [  # each later than the one before
    *(("pre", "post"), ("before", "after"), ("baseline", "followup"), ("BL", "FU1"), ("bl", "day3"), ("base", "end")),
    *(
        ("start", "end"),
        ("screening", "baseline"),
        ("intake", "exit"),
        ("preop", "postop"),
        ("preInfusion", "postInfusion"),
    ),
    *(("pretreatment", "day3"), ("baseline", "1month"), ("baseline", "24h"), ("pre", "day3"), ("baseline", "week8")),
    *(("24h", "day3"), ("day3", "1week"), ("week1", "month1"), ("wk8", "wk12"), ("w8", "w12"), ("month3", "month12")),
    *(("m0", "m6"), ("d0", "d3"), ("day0", "day3"), ("1", "2"), ("01", "02"), ("9", "10"), ("V1", "V2"), ("v0", "v2")),
    *(
        ("T0", "T1"),
        ("b0", "d2"),
        ("20210603", "20210704"),
        ("202106031200", "202106031415"),
        ("t1", "t2"),
        ("tp1", "tp2"),
        ("visit1", "visit10"),
        ("followup1", "followup2"),
        ("followup", "followup2"),
    ),
    *(("first", "second"), ("first", "last"), ("initial", "final"), ("ketpre", "ketpost"), ("pre", "postday3")),
    *(("baseline", "followup12m"), ("ses1", "ses2"), ("20210310", "20210405"), ("wave1", "wave2"), ("pre1", "post1")),
    *(("scan1", "scan2"), ("time1", "time2"), ("PRE", "Post"), ("Baseline", "Month6"), ("baseline", "endpoint")),
    *(("pre", "ketamine"), ("treatment", "posttreatment"), ("0", "3"), ("year1", "year2"), ("6mo", "12mo")),
]
UNKNOWN = [
    *(
        ("A", "B"),
        ("10052021", "03062021"),
        ("100521", "030621"),
        ("ketamine", "midazolam"),
        ("d2", "p2"),
        ("drug", "placebo"),
        ("on", "off"),
        ("ketpre", "midpost"),
    ),
    *(("post", "day3"), ("followup", "end"), ("red", "blue"), ("siteA", "siteB"), ("basal", "forebrain"), ("am", "pm")),
    *(("day3", "2"), ("preserved", "control"), ("task", "rest"), ("3T", "7T"), ("I", "II")),
]


@pytest.mark.parametrize(("first", "second"), ORDERED)
def test_labels_that_mean_an_order(first, second):
    assert compared(meaning_of(first), meaning_of(second)) == 1, (meaning_of(first), meaning_of(second))
    assert compared(meaning_of(second), meaning_of(first)) == -1
    for case in (str.upper, str.lower, str.title):
        assert order_of({("01", case(first)), ("01", case(second))}).sessions == (case(first), case(second))


@pytest.mark.parametrize(("first", "second"), UNKNOWN)
def test_labels_that_mean_no_order(first, second):
    order = order_of({("01", first), ("01", second)})
    assert order.sessions == (), (meaning_of(first), meaning_of(second))
    assert "neither acq_time" in order.evidence


def test_more_than_two():
    scanned = {("01", label) for label in ("day14", "baseline", "24h", "day3", "screening")}
    assert order_of(scanned).sessions == ("screening", "baseline", "24h", "day3", "day14")


def moments(**by_session):
    """Return acq_time of two participants, the second a year later."""
    rows = {
        (sub, ses): word for ses, words in by_session.items() for sub, word in zip(("01", "02"), words, strict=True)
    }
    return pd.Series(rows, dtype=object)


SCANNED = {("01", "a"), ("01", "b"), ("02", "a"), ("02", "b")}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("2021-03-10T10:00:00", "2022-03-10T10:00:00"), ("2021-03-05T10:00:00", "2022-03-05T10:00:00")),
        (("10.05.2021 10:00", "13.03.2022"), ("10.03.2021 10:00", "01.02.2022")),
        (("05/10/2021", "03/13/2022"), ("03/10/2021", "02/01/2022")),
        (("10-May-2021", "13 March 2022"), ("10-Mar-2021", "1 Feb 2022")),
        (("20210510", "20220313"), ("20210310", "20220201")),
        (("2021.05.10", "2022/03/13"), ("2021.03.10", "2022/02/01")),
        (
            ("2021-03-10T10:00:00+01:00", "2022-01-01T00:00:00Z"),
            ("2021-03-10T09:30:00+01:00", "2021-12-31T23:59:59.5Z"),
        ),
        (("01/02/2021 02:00 PM", "31/12/2022 1:00 PM"), ("01/02/2021 11:00 AM", "31/12/2022 1:00 AM")),
    ],
)
def test_dates_as_people_write_them(a, b):
    order = order_of(SCANNED, moments(a=a, b=b))
    assert order.sessions == ("b", "a"), order
    assert "acq_time of 2 participants" in order.evidence


def test_dates_that_can_be_read_in_two_ways_are_named():
    order = order_of(SCANNED, moments(a=("01/02/2021", "01/02/2022"), b=("02/01/2021", "02/01/2022")))
    assert order.sessions == ()
    assert "'01/02/2021' (sub-01)" in order.doubts[0]


def test_two_readings_that_give_one_order_are_no_matter():
    assert order_of(SCANNED, moments(a=("01/02/2021", "01/02/2022"), b=("03/04/2021", "03/04/2022"))).sessions == (
        "a",
        "b",
    )


@pytest.mark.parametrize("word", ["yesterday", "44326.42", "10:00", "2021-13-45", "may be", "1"])
def test_what_is_no_date_is_named(word):
    order = order_of(SCANNED, moments(a=(word, word), b=(word, word)))
    assert order.sessions == ()
    assert repr(word) in order.doubts[0]


def test_dates_of_sessions_without_scans_do_not_count():
    times = moments(a=("2021-03-01", "2022-03-01"), b=("2021-01-01", "2022-01-01"))
    times["03", "a"], times["03", "b"] = "2021-01-01", "2021-09-01"  # never scanned
    assert order_of(SCANNED, times).sessions == ("b", "a")


def test_participants_whose_dates_disagree_settle_nothing():
    order = order_of(SCANNED, moments(a=("2021-03-01", "2022-01-01"), b=("2021-01-01", "2022-03-01")))
    assert order.sessions == ()
    assert "for 1 participants and after it for 1" in order.doubts[0]


def test_the_one_whose_dates_are_mixed_up_is_named():
    scanned = {(f"{n:02d}", session) for n in range(12) for session in "ab"}
    times = pd.Series({(sub, ses): f"2021-0{1 + ((ses == 'b') ^ (sub == '07'))}-01" for sub, ses in scanned})
    order = order_of(scanned, times)
    assert order.sessions == ("a", "b")
    assert order.doubts[0].startswith("sub-07: the dates of the visits are in another order")


def test_dates_go_before_words_and_it_is_said():
    scanned = {("01", "pre"), ("01", "post")}
    order = order_of(scanned, pd.Series({("01", "pre"): "2021-05-01", ("01", "post"): "2021-03-01"}))
    assert order.sessions == ("post", "pre")
    assert "ses-pre before ses-post would follow" in order.doubts[0]


@pytest.mark.parametrize(("rows", "expected"), [("ba ba", ("b", "a")), ("ba ab", ()), ("b a", ())])
def test_rows_of_sessions_tsv_where_they_agree(rows, expected):
    logged = [(f"0{n}", session) for n, own in enumerate(rows.split(), start=1) for session in own]
    order = order_of(SCANNED, None, logged)
    assert order.sessions == expected
    assert order.weak is bool(expected)


labels = st.sampled_from([*itertools.chain(*ORDERED, *UNKNOWN)]) | st.text(
    "abcdefgprtovw0123456789", min_size=1, max_size=8
)


@given(labels=st.lists(labels, min_size=2, max_size=5, unique_by=str.lower))
def test_words_order_the_same_whatever_the_alphabet(labels):
    """An order, if there is one, is one of every two of its labels, and does not depend on how they are given."""
    order = order_of({("01", label) for label in labels}).sessions
    assert order in ((), order_of({("9", label) for label in reversed(labels)}).sessions)
    for first, second in itertools.combinations(order, 2):
        assert compared(meaning_of(first), meaning_of(second)) == 1


dates = st.datetimes(pd.Timestamp("1925-01-01"), pd.Timestamp("2030-12-31"))


@given(
    values=st.lists(dates, min_size=1, max_size=8),
    style=st.sampled_from(["%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d", "%d-%b-%Y"]),
)
def test_dates_of_one_style_are_read_or_named(values, style):
    words = pd.Series([f"  {value.strftime(style)} " for value in values])
    times, doubts = read_moments(words)
    if doubts:
        assert style in ("%d.%m.%Y", "%m/%d/%Y")
        assert all(value.day <= 12 for value in values)
    elif any(value.day > 12 for value in values) or style in ("%Y-%m-%d", "%d-%b-%Y"):
        assert [time.date() for time in times] == [value.date() for value in values]
