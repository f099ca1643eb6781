import dataclasses
import hashlib
from pathlib import Path

import pytest

from bids_app.errors import MissingInputError, UsageError
from bids_app.plan import SECTIONS, Plan, deviations, fill, read_plan, role_of

EXAMPLE = Path(__file__).parents[1] / "docs" / "plan.toml"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "plan.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_example_says_everything_that_a_plan_can_say():
    plan = read_plan(EXAMPLE)
    assert plan.left_open == []
    assert plan.metric == "degree"
    assert plan.secondary_metrics == ("clustering", "strength")
    assert (plan.threshold, plan.density) == (0.25, None)
    assert (plan.arm, plan.reference, plan.baseline, plan.followup) == ("arm", "midazolam", "baseline", "day3")
    assert (plan.alpha, plan.n_permutations, plan.seed) == (0.05, 10_000, 2025)
    assert (plan.primary_outcomes, plan.secondary_outcomes) == (("hamd17",), ("cssrs",))
    assert plan.sha256 == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


def test_every_field_of_a_plan_has_one_key_in_the_file():
    names = [name for section in SECTIONS.values() for name in section.values()]
    assert sorted([*names, "sha256"]) == sorted(field.name for field in dataclasses.fields(Plan))


def test_a_plan_may_leave_all_but_the_primary_measure_open(written):
    plan = read_plan(written('[metrics]\nprimary = "degree"\n[graph]\ndensity = 0.1\n[trial]\nbaseline = "ses-1"\n'))
    assert plan.settled == {"metric": "degree", "density": 0.1, "baseline": "1"}
    assert "threshold" not in plan.left_open
    assert {"mask", "alpha", "strata"} <= set(plan.left_open)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("[metrics", "not valid TOML"),
        ("", r"metrics.primary is missing"),
        ('metric = "degree"', "unknown section: metric; known are metrics, graph, trial"),
        ('metrics = "degree"', r"metrics must be a section, \[metrics\]"),
        ('[metrics]\nprimary = "degree"\nprimry = 1', r"unknown key in \[metrics\]: primry; known are primary"),
        ("[metrics]\nprimary = 3", "metrics.primary must be text, not 3"),
        ('[metrics]\nprimary = ""', "metrics.primary must be text"),
        ('[metrics]\nsecondary = "degree"', "metrics.secondary must be a list of names, not 'degree'"),
        ('[graph]\nthreshold = "high"', "graph.threshold must be a number, not 'high'"),
        ("[graph]\nthreshold = 1.0", "graph.threshold = 1: must be at least 0 and below 1"),
        ("[graph]\ndensity = 0", "graph.density = 0: must be above 0 and below 1"),
        ("[graph]\nthreshold = true", "must be a number, not True"),
        ("[analysis]\nalpha = nan", "analysis.alpha = nan: must be above 0"),
        ('[analysis]\nestimator = "anova"', "'anova': it is one of ancova, change, post"),
        ("[analysis]\nn_permutations = 0", "a whole number of 1 or more, not 0"),
        ("[analysis]\nseed = 1.5", "a whole number of 0 or more, not 1.5"),
        ('[trial]\ncovariates = ["age", 3]', "trial.covariates must be a list of names"),
        ('[metrics]\nprimary = "a"\n[graph]\nthreshold = 0.1\ndensity = 0.1', "two edge rules: keep one"),
        ('[metrics]\nprimary = "a"\nsecondary = ["b", "a"]', "a cannot be primary and secondary"),
    ],
)
def test_each_mistake_has_its_message(written, text, fragment):
    with pytest.raises(UsageError, match=rf"--plan .*plan.toml: .*{fragment}"):
        read_plan(written(text))


def test_a_plan_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"--plan .*none.toml: No such file"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'[metrics]\nprimary = "gr\xfcn"')
    with pytest.raises(UsageError, match=r"latin.toml: not valid TOML"):
        read_plan(tmp_path / "latin.toml")


def test_any_change_of_the_file_changes_its_hash(written):
    first = read_plan(written('[metrics]\nprimary = "degree"\n'))
    second = read_plan(written('[metrics]\nprimary = "degree" # a remark\n'))
    assert first.settled == second.settled
    assert first.sha256 != second.sha256


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
