"""Numbers, p values and places as pages and methods write them: read back, they are what they were."""

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from comparison import RECORD
from hypothesis import given
from hypothesis import strategies as st

from bids_app.report.citation import as_markdown
from bids_app.report.pages import centre, fixed, near_level, number, p_value, span

finite = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)
shares = st.floats(min_value=0, max_value=1)


def read(text):
    return float(plain(text))


def plain(text):
    """As a computer reads it: the minus of a page is longer than a hyphen."""
    assert "-" not in text
    return text.replace(",", "").replace("−", "-")


@given(value=finite, digits=st.integers(2, 5))
def test_a_number_is_rounded_to_its_digits_and_never_further(value, digits):
    text = number(value, digits)
    unit = Decimal(10) ** (Decimal(value).adjusted() - digits + 1) if value else Decimal(1)
    assert abs(Decimal(plain(text)) - Decimal(value)) <= min(unit, Decimal(1)) / 2 or abs(value) < 10**digits
    assert abs(Decimal(plain(text)) - Decimal(value)) <= unit / 2


@given(value=st.floats(min_value=1e-3, max_value=1e12), digits=st.integers(2, 5))
def test_no_large_number_is_written_with_an_exponent(value, digits):
    text = number(value, digits)
    assert "e" not in text
    assert number(-value, digits) == f"−{text}"


@given(first=finite, second=finite)
def test_numbers_in_order_are_written_in_order(first, second):
    low, high = sorted((first, second))
    assert read(number(low)) <= read(number(high))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (np.float32(-0.0), "0"),
        (999.7, "1,000"),
        (-999.5001, "−1,000"),
        (999.4, "999"),
        (np.int64(12_345), "12,345"),
        (np.float32(0.5), "0.5"),
    ],
)
def test_where_rounding_brings_another_digit(value, text):
    assert number(value) == text


@given(value=st.floats(-1e9, 1e9), decimals=st.integers(0, 4))
def test_a_column_has_one_number_of_decimals_and_nothing_is_further_off_than_half_the_last(value, decimals):
    text = fixed(value, decimals)
    assert len(text.partition(".")[2]) == decimals
    assert abs(read(text) - value) <= 0.5 * 10.0**-decimals * (1 + 1e-6)
    assert text.strip("−0.,") or not text.startswith("−"), "there is no minus zero"


@given(low=st.floats(1e-4, 1e6), more=st.floats(0, 10), further=st.floats(0, 10))
def test_an_interval_shows_three_digits_of_its_widest_end(low, more, further):
    row = {"x": low * (1 + more), "a": low, "b": low * (1 + more + further)}
    words = span(row, "x", "a", "b").replace("(", "").replace(")", "").replace("to ", "").split()
    shown = [read(word) for word in words]
    assert max(abs(shown[k] - row[name]) for k, name in enumerate("xab")) <= 0.0051 * row["b"]
    assert len({len(word.partition(".")[2]) for word in words}) == 1


@pytest.mark.parametrize("nothing", [None, math.nan, np.float64("nan"), "n/a"])
def test_nothing_is_a_dash(nothing):
    assert number(nothing) == "–"
    assert number("off") == "off"
    assert p_value(None) == p_value(math.nan) == "–"


@given(first=shares, second=shares)
def test_p_values_are_never_far_from_what_they_are_and_keep_their_order(first, second):
    low, high = sorted((first, second))
    bounds = [0.0 if text.startswith("<") else float(text) for text in map(p_value, (low, high))]
    assert bounds[0] <= bounds[1]
    for p in (low, high):
        if p < 1e-4:
            assert p_value(p) == "< 0.0001"
        else:
            assert abs(float(p_value(p)) - p) <= (5.1e-5 if p < 0.01 else 5.1e-4)


@given(p=shares, n=st.integers(50, 20_000), alpha=st.sampled_from([0.05, 0.01, 0.001]))
def test_a_p_is_near_the_level_within_two_standard_errors(p, n, alpha):
    drawn = replace(RECORD.inference, alpha=alpha, draws=n)
    said = near_level(p, drawn)
    error = math.sqrt(p * (1 - p) / n)
    distance = abs(p - alpha)
    if not math.isclose(distance, 2 * error, rel_tol=1e-9):
        assert bool(said) is (distance < 2 * error)
    assert near_level(p, replace(drawn, all_allocations_enumerated=True)) == ""
    assert near_level(None, drawn) == near_level(math.nan, drawn) == ""


@given(places=st.lists(st.floats(-200, 200), min_size=3, max_size=3))
def test_a_place_is_within_half_a_millimetre(places):
    row = dict(zip("xyz", map(np.float64, places), strict=True))
    found = [read(word) for word in centre(row).split(", ")]
    assert np.abs(np.subtract(found, places)).max() <= 0.5
    assert centre(row | {"y": np.nan}) == centre({"x": 1.0}) == ""


PIECES = [
    "<b>",
    "</b>",
    "<!-- x",
    "<?x?>",
    "<https://x.y>",
    "&#60;",
    "&lt;",
    "&amp",
    "[a](b)",
    "![a](b)",
    "](",
    "a < b",
]


@given(pieces=st.lists(st.sampled_from([*PIECES, " ", "r > 0.25", "p &", "é"]), max_size=6))
def test_markdown_shows_every_word_as_it_is(pieces):
    """What a reader of Markdown makes of it is the text again: no tag, no entity, no link."""
    text = " ".join(f"x {' '.join(pieces)} x".split())
    parsed = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).parse(as_markdown(text))
    tokens = [child for token in parsed for child in token.children or ()]
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens) == text
