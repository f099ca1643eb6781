import json

import pytest

from bids_app.cli.settings_of import parse
from bids_app.settings.deviation import Deviation, said
from bids_app.settings.plan import Plan
from bids_app.settings.roles import left_to, role_of
from bids_app.settings.settings import Settings, Trial


@pytest.fixture
def departed(tmp_path):
    """Return what departs from a plan in a call of the app."""

    def departures(plan, words=""):
        (tmp_path / "plan.toml").write_text(plan)
        return list(parse(["in", "out", "group", "--plan", str(tmp_path / "plan.toml"), *words.split()]).trial.departed)

    return departures


def test_the_command_line_goes_before_the_plan_and_the_plan_before_the_default():
    assert left_to(Plan("degree", alpha=0.01, threshold=0.3), {"metrics"}) == {"alpha": 0.01, "threshold": [0.3]}
    assert left_to(None, set()) == {}


def test_another_edge_rule_than_the_planned_one_is_a_deviation(departed):
    plan = '[metrics]\nprimary = "degree"\n[graph]\nthreshold = 0.3\n'
    assert departed(plan, "--density 0.1") == [Deviation("threshold", 0.3, None)]
    assert departed(plan, "--threshold 0.2") == [Deviation("threshold", 0.3, 0.2)]
    assert departed(plan, "--threshold 0.3 0.4") == [], "those beside the planned explore"
    assert "threshold" not in left_to(Plan("degree", threshold=0.3), {"density"})


def test_only_what_differs_from_the_plan_is_a_deviation(departed):
    plan = (
        '[metrics]\nprimary = "degree"\n[trial]\ncovariates = ["age", "sex"]\nstrata = []\n[analysis]\nalpha = 0.05\n'
    )
    assert departed(plan, "--covariates sex age --alpha 0.05") == []
    assert departed(plan, "--covariates age --strata site") == [
        Deviation("covariates", ("age", "sex"), ("age",)),
        Deviation("strata", (), ("site",)),
    ]


def test_settings_are_written_for_people():
    assert [said(value) for value in (None, (), {}, True, False, 0.5, ("a", 2), ["b"])] == [
        *("nothing", "nothing", "nothing", "yes", "no", "0.5", "a, 2", "b")
    ]
    assert Deviation("strata", (), ("site",)).text == "strata: planned nothing, used site"


def test_roles():
    plan = Plan(
        "degree",
        secondary_metrics=("strength",),
        estimator="ancova",
        primary_outcomes=("hamd17",),
        secondary_outcomes=("cssrs",),
    )
    assert role_of(plan, metric="degree", estimator="ancova") == "primary"
    assert role_of(plan, metric="strength", estimator="ancova") == "secondary"
    assert role_of(plan, metric="degree", estimator="change") == "exploratory"
    assert role_of(plan, metric="clustering") == "exploratory"
    assert [role_of(plan, outcome=name) for name in ("hamd17", "cssrs", "bdi")] == [
        "primary",
        "secondary",
        "exploratory",
    ]
    assert role_of(None, metric="degree") == "exploratory"


def test_of_a_plan_without_a_primary_measure_no_measure_is_primary():
    plan = Plan(primary_outcomes=("hamd17",), secondary_metrics=("degree",))
    assert [role_of(plan, metric=one) for one in ("degree", "strength")] == ["secondary", "exploratory"]
    assert [role_of(plan, outcome=one) for one in ("hamd17", "cssrs")] == ["primary", "exploratory"]


def test_no_primary_measure_is_missed_where_the_plan_names_none(departed):
    plan = '[metrics]\nsecondary = ["degree"]\n[outcomes]\nprimary = ["hamd17"]\n'
    assert departed(plan) == []
    assert [one.what for one in departed(plan, "--outcomes cssrs --metrics strength")] == [
        *("secondary_metrics", "primary_outcomes")
    ]


def test_what_departs_from_the_plan_in_substance_is_exploratory():
    plan = Plan("degree", threshold=0.25, seed=1, secondary_metrics=("strength",))
    assert role_of(plan, metric="degree", departed=[Deviation("threshold", 0.25, 0.3)]) == "exploratory"
    assert role_of(plan, metric="degree", departed=[Deviation("seed", 1, 2)]) == "primary"
    assert role_of(plan, metric="degree", departed=[Deviation("secondary_metrics", ("strength",), ())]) == "primary"


def test_settings_keep_what_departs_as_a_list_of_three(tmp_path):
    trial = Trial(departed=(Deviation("strata", (), ("site",)), Deviation("hc3", False, True)))
    kept = json.loads(Settings(tmp_path, tmp_path, "group", tmp_path, trial=trial).to_json())
    assert kept["trial"]["departed"] == [["strata", [], ["site"]], ["hc3", False, True]]
