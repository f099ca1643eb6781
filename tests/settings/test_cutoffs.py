from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import UsageError
from bids_app.settings.cutoffs import Cutoff, parse_cutoffs


def test_cutoffs_of_several_outcomes():
    assert parse_cutoffs(["hamd17:response=50%,remission<=7", "cssrs:none<1"]) == [
        Cutoff("hamd17", "response", "=", 50.0),
        Cutoff("hamd17", "remission", "<=", 7.0),
        Cutoff("cssrs", "none", "<", 1.0),
    ]
    assert parse_cutoffs([]) == []


@pytest.mark.parametrize(
    ("word", "fragment"),
    [
        ("hamd17", "write OUTCOME:NAME=PERCENT%"),
        ("hamd17:", "write OUTCOME:NAME=PERCENT%"),
        (":response=50%", "write OUTCOME"),
        ("hamd17:response", "'response' is no rule"),
        ("hamd17:response=50%,", "'' is no rule"),
        ("hamd17:response=half", "'response=half' is no rule"),
        ("hamd17:response=50", "= is a change in percent, response=50%; a bound is <="),
        ("hamd17:remission<=7%", "a bound is a score"),
        ("hamd17:response=0%", "above 0 and at most 100 %"),
        ("hamd17:response=150%", "above 0 and at most 100 %"),
    ],
)
def test_each_mistake_has_its_message(word, fragment):
    with pytest.raises(UsageError, match=rf"--cutoffs {word}: .*{fragment}"):
        parse_cutoffs([word])


def test_one_name_cannot_have_two_rules():
    with pytest.raises(UsageError, match="hamd17:response is given twice"):
        parse_cutoffs(["hamd17:response=50%", "hamd17:response=40%"])
    assert len(parse_cutoffs(["hamd17:response=50%", "madrs:response=50%"])) == 2


def test_who_responded():
    baseline = np.array([20.0, 20, 20, 0, np.nan, 20])
    followup = np.array([10.0, 10.5, 30, 0, 5, np.nan])
    (fall,) = parse_cutoffs(["x:response=50%"])
    np.testing.assert_array_equal(fall.reached(baseline, followup), [1, 0, 0, np.nan, np.nan, np.nan])
    (rise,) = parse_cutoffs(["x:response=-50%"])
    np.testing.assert_array_equal(rise.reached(baseline, followup), [0, 0, 1, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("sign", "reached"), [("<=", [1, 1, 0]), ("<", [1, 0, 0]), (">=", [0, 1, 1]), (">", [0, 0, 1])]
)
def test_who_remitted_needs_no_baseline(sign, reached):
    (cutoff,) = parse_cutoffs([f"x:remission{sign}7"])
    followup = np.array([6.0, 7, 8, np.nan])
    np.testing.assert_array_equal(cutoff.reached(np.full(4, np.nan), followup), [*reached, np.nan])


@pytest.mark.parametrize("digits", [0, 1, 2])
@pytest.mark.parametrize("percent", ["50", "20", "33.3", "10", "100", "-20", "-50", "-33.3"])
def test_who_responded_is_decided_as_in_decimals(digits, percent):
    """Exactly half is half, also of scores such as 4.0 and 3.2 that binary numbers do not hold."""
    scores = [Decimal(score).scaleb(-digits) for score in range(1, 300, 3)]
    (cutoff,) = parse_cutoffs([f"x:response={percent}%"])
    for baseline in scores[::7]:
        followups = [*scores, *(baseline * (100 - Decimal(percent)) / 100 + step for step in (0, 1, -1))]
        changes = [(baseline - score) * 100 / baseline for score in followups]
        expected = [
            change >= Decimal(percent) if Decimal(percent) > 0 else change <= Decimal(percent) for change in changes
        ]
        found = cutoff.reached(np.full(len(followups), float(baseline)), np.array(followups, dtype=float))
        assert found.astype(bool).tolist() == expected, baseline


@given(
    outcome=st.sampled_from(["hamd17", "HAMD-17", "scale:total", "Ångst", "a b"]),
    name=st.sampled_from(["r", "response", "no-suicide", "remission_2"]),
    sign=st.sampled_from(["=", "<=", "<", ">=", ">"]),
    value=st.integers(-99, 99).filter(bool),
)
def test_a_rule_that_is_built_is_read_as_it_was(outcome, name, sign, value):
    (cutoff,) = parse_cutoffs([f"{outcome}:{name}{sign}{value}{'%' if sign == '=' else ''}"])
    assert cutoff == Cutoff(outcome, name, sign, float(value))
