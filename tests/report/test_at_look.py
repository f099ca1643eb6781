"""What the page says at an interim look."""

from types import SimpleNamespace

import pytest

from bids_app.report.answer import Statement, answer
from bids_app.trial.comparison_record import Looked

ARMS = SimpleNamespace(
    contrast="drug − placebo", number_analysed={"drug": 12}, baseline_session=None, treatments=None, orders=None
)
INFERENCE = SimpleNamespace(alpha=0.00305)


def at(look, *statements, planned=24.0):
    looked = Looked(
        look=look,
        looks=2,
        look_planned=planned,
        spending="obrien-fleming",
        alpha_spent=0.00305,
        alpha_of_all_looks=0.05,
    )
    made = [Statement(role=role, about=about, text="", differs=differs) for role, about, differs in statements]
    return answer(ARMS, INFERENCE, made, interim=looked)


@pytest.mark.parametrize(
    ("look", "statements", "crossed", "said"),
    [
        (1, [("primary", "voxels", True)], True, "The boundary is crossed (voxels): the plan allows to stop"),
        (1, [("primary", "voxels", False), ("secondary", "mood", True)], False, "the trial goes on as planned"),
        (1, [("exploratory", "voxels", True)], False, "nothing here says whether to stop"),
        (2, [("primary", "voxels", True)], True, "It is the last look."),
    ],
)
def test_what_is_primary_says_whether_to_stop(look, statements, crossed, said):
    found = at(look, *statements).interim
    assert found.crossed is crossed
    assert said in found.text
    assert f"Look {look} of 2, planned at 24 participants: p is compared with 0.00305" in found.text
    assert "0.00305 of 0.05 is spent" in found.text


def test_a_share_of_the_participants_is_said_as_one_and_no_look_is_not_said():
    assert "planned at 50 % of the participants" in at(1, planned=0.5).interim.text
    assert answer(ARMS, INFERENCE, []).interim is None
    assert answer(ARMS, INFERENCE, [], interim=Looked()).interim is None
