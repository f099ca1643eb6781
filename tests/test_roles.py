from bids_app.plan import Plan
from bids_app.roles import deviations, fill, role_of


def test_the_command_line_goes_before_the_plan_and_the_plan_before_the_default():
    plan = Plan("degree", alpha=0.01, threshold=0.3)
    used = fill(plan, {"metric": "strength"}, {"metric": "clustering", "alpha": 0.05, "threshold": 0.25, "seed": 0})
    assert used == {"metric": "strength", "alpha": 0.01, "threshold": 0.3, "seed": 0}
    assert deviations(plan, used) == [("metric", "degree", "strength")]
    assert fill(None, {}, {"alpha": 0.05}) == {"alpha": 0.05}


def test_another_edge_rule_than_the_planned_one_is_a_deviation():
    plan = Plan("degree", threshold=0.3)
    used = fill(plan, {"density": 0.1}, {})
    assert used == {"metric": "degree", "density": 0.1}
    assert deviations(plan, used) == [("threshold", 0.3, None)]
    assert fill(None, {"density": 0.1}, {"threshold": 0.25}) == {"density": 0.1}
    assert fill(Plan("degree", density=0.1), {}, {"threshold": 0.25}) == {"metric": "degree", "density": 0.1}


def test_only_what_differs_from_the_plan_is_a_deviation():
    plan = Plan("degree", covariates=("age", "sex"), strata=(), alpha=0.05)
    assert deviations(plan, {"covariates": ("sex", "age"), "strata": [], "alpha": 0.05, "seed": 3}) == []
    assert deviations(plan, {"covariates": ("age",), "strata": ("site",)}) == [
        ("covariates", ("age", "sex"), ("age",)),
        ("strata", (), ("site",)),
    ]
    assert deviations(None, {"alpha": 0.05}) == []


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


def test_what_departs_from_the_plan_in_substance_is_exploratory():
    plan = Plan("degree", threshold=0.25, seed=1, secondary_metrics=("strength",))
    assert role_of(plan, metric="degree", departed=deviations(plan, {"threshold": 0.3})) == "exploratory"
    assert role_of(plan, metric="degree", departed=deviations(plan, {"seed": 2})) == "primary"
    assert role_of(plan, metric="degree", departed=deviations(plan, {"secondary_metrics": ()})) == "primary"
