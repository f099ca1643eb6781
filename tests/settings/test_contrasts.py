"""Comparisons by weights, as they are written on the command line."""

from fractions import Fraction

import pytest

from bids_app.cli.settings_of import parse
from bids_app.errors import UsageError
from bids_app.settings.contrasts import chosen_contrasts, parse_weights


def test_names_of_arms_may_have_blanks_and_numbers_may_be_fractions():
    (one,) = parse_weights(["mean = usual care=-1 low dose = 1/3  mid=1/3 high=1/3"])
    assert one.name == "mean"
    assert one.arms == ("usual care", "low dose", "mid", "high")
    assert one.numbers == (-1, Fraction(1, 3), Fraction(1, 3), Fraction(1, 3))


def test_pairs_are_said_once_and_first():
    weights = "doses=1 1 -2"
    assert chosen_contrasts([weights]) == ("reference", weights)
    assert chosen_contrasts(["reference", weights, "all-pairs", weights]) == ("all-pairs", weights)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["doses=low=0.5 high=0.5 placebo=-0.9"], "add up to 0.1; they must to 0"),
        (["doses=low=0.333 mid=0.333 high=0.333 placebo=-1"], "add up to -0.001"),
        (["doses=low=0 high=0"], "no arm has a weight"),
        (["doses="], "no arm has a weight"),
        (["doses=low=1 high=much"], "'much' is no number"),
        (["doses=low=1 high=1/0"], "'1/0' is no number"),
        (["doses=nan 1 -1"], "'nan' is no number"),
        (["doses=low=1 low=-1"], "an arm is named twice"),
        (["doses=low=1 high"], "write ARM=NUMBER"),
        (["a=1 -1 0", "A=0 1 -1"], "a is given twice"),
        (["all-pairs=1 -1 0"], "a word with its own meaning"),
        (["Dose=1 -1 0"], "a word with its own meaning"),
        (["all-pair"], "it is reference or all-pairs, or weights: NAME="),
        (["doses=low=0.5", "high=0.5", "placebo=-1"], "in quotation marks|add up to 0.5"),
    ],
)
def test_what_is_no_comparison_is_refused(words, why):
    with pytest.raises(UsageError, match=why):
        chosen_contrasts(words)


@pytest.mark.parametrize("contrasts", ['["doses=1 1 -2"]', '["reference", "doses=1 1 -2"]', '"doses=1 1 -2"'])
def test_a_plan_says_them_as_text_or_a_list_and_less_than_it_is_a_departure(tmp_path, contrasts):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'[metrics]\nprimary = "degree"\n[trial]\ncontrasts = {contrasts}\ndose = "mg"\n')
    call = ["bids", "out", "group", "--plan", str(plan)]
    planned = parse(call).trial
    assert (planned.contrasts, planned.dose, planned.departed) == (("reference", "doses=1 1 -2"), ("mg",), ())
    (departed,) = parse([*call, "--contrasts", "reference"]).trial.departed
    assert departed.what == "contrasts"
