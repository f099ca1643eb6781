import numpy as np
import pytest

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
