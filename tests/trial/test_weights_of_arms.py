"""Which weights the arms have in comparisons of several, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.study import find_study
from bids_app.trial.tables import Tables

ARMS = ("placebo", "low", "high") * 2
WHO = [f"{number:02d}" for number in range(1, 7)]
DOSES = "doses=low=0.5 high=0.5 placebo=-1"


def study(*contrasts, words=ARMS, columns=None, sessions=("pre", "post"), **options):
    index = pd.MultiIndex.from_arrays([[], []], names=["participant_id", "session_id"])
    tables = Tables(pd.DataFrame({"arm": words, **(columns or {})}, index=WHO), pd.DataFrame(index=index), {})
    scanned = {(name, session) for name in WHO for session in sessions}
    told = {"contrasts": ("reference", *contrasts), "baseline": ("pre",), **options}
    return find_study(tables, scanned, Trial(**told))


def weights_of(found):
    return {one.name: dict(one.weights) for one in found.weighted}


def test_weights_stand_beside_the_pairs_of_arms_and_are_said():
    found = study(DOSES)
    assert [one.sides for one in found.designs] == [("high", "placebo"), ("low", "placebo")]
    assert weights_of(found) == {"doses": {"placebo": -1, "low": 0.5, "high": 0.5}}
    assert any("doses = −1 placebo + 0.5 high + 0.5 low." in one.text for one in found.findings)


@pytest.mark.parametrize(
    ("arms", "order", "said"),
    [
        ((), ("high", "low", "placebo"), "in the order of their names: high, low, placebo"),
        (("low", "placebo", "high"), ("low", "placebo", "high"), "as --arms has them: low, placebo, high"),
    ],
)
def test_plain_numbers_stand_for_the_arms_in_an_order_that_is_said(arms, order, said):
    found = study("linear=1 2 -3", arms=arms)
    assert weights_of(found)["linear"] == dict(zip(order, (1, 2, -3), strict=True))
    assert any(said in one.text for one in found.findings)


@pytest.mark.parametrize(
    ("contrasts", "options", "why"),
    [
        ((DOSES.replace("low", "lo"),), {}, r"'lo' is no arm \(did you mean low\?\); there are placebo, high, low"),
        (("linear=1 -1",), {}, "2 weights for the 3 arms high, low, placebo"),
        (("lowVsPlacebo=1 1 -2",), {}, "its files could not be told from others"),
        (("a-b=1 1 -2", "a_b=1 0 -1"), {}, "its files could not be told from others"),
        ((DOSES,), {"allocations": "table.tsv"}, "not with --allocations"),
        ((DOSES,), {"design": "one-group"}, "--design one-group with --contrasts doses: weights are of three arms"),
        ((), {"design": "crossover", "dose": ("mg",)}, "--design crossover with --dose: weights are of three arms"),
        ((), {"dose": ("mg",)}, r"no such column; there are arm"),
        ((), {"dose": ("low=1", "high=2")}, "no dose is given for placebo"),
        ((), {"dose": ("low=1", "high=1", "placebo=1")}, "every arm has the same dose, 1"),
    ],
)
def test_what_cannot_be_is_refused(contrasts, options, why):
    with pytest.raises(UsageError, match=why):
        study(*contrasts, **options)


def test_of_two_arms_there_are_no_weights():
    with pytest.raises(UsageError, match="weights are of three arms and more; there are placebo and low"):
        study("x=1 -1", words=("placebo", "low") * 3)


def test_the_weights_of_doses_give_the_slope_of_the_arms_means():
    """Against least squares over three means, whatever they are."""
    doses = {"placebo": 0.0, "low": 0.25, "high": 1.0}
    (weights,) = weights_of(study(columns={"mg": [doses[arm] for arm in ARMS]}, dose=("mg",))).values()
    given = weights_of(study(dose=("placebo=0", "low=1/4", "high=1")))["dose"]
    assert given == weights
    for means in np.random.default_rng(1).normal(0, 3, (5, 3)):
        slope = np.polyfit(list(doses.values()), means, 1)[0]
        assert sum(weights[arm] * mean for arm, mean in zip(doses, means, strict=True)) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("mg", "why"),
    [
        ([0, 1, 2, 0, 1, 3], "In high it is 2, but for sub-06 it is 3"),
        ([0, 1, 2, 0, np.nan, 2], "no number for sub-05 of the arm low"),
        (["0", "1", "much", "0", "1", "2"], "no number for sub-03 of the arm high"),
    ],
)
def test_a_dose_that_is_not_one_number_for_everyone_in_an_arm_is_refused_by_name(mg, why):
    with pytest.raises(UsageError, match=why):
        study(columns={"mg": mg}, dose=("mg",))


def test_without_an_arm_at_a_follow_up_weights_are_not_compared_then():
    found = study(DOSES, "ends=high=1 placebo=-1", sessions=("pre", "day3", "day7"), followup=("day3", "day7"))
    pairs = [one for one in found.designs if (one.active, one.followup) != ("low", "day7")]
    made, left = found.by_weights(pairs)
    assert [one.comparison for one in made] == ["doses at ses-day3", "ends at ses-day3", "ends at ses-day7"]
    assert left == ["doses at ses-day7: low cannot be compared then."]
    assert [one.weight(arm) for one in made[:2] for arm in ("placebo", "low", "high")] == [-1, 0.5, 0.5, -1, 0, 1]
    assert made[0].arms == ("placebo", "high", "low")
