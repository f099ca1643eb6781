import dataclasses
import hashlib
from pathlib import Path

import pytest

from bids_app.errors import MissingInputError, UsageError
from bids_app.settings.plan import SECTIONS, Plan, read_plan

EXAMPLE = Path(__file__).parents[2] / "docs" / "plan.toml"


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
    assert (plan.min_minutes, plan.smooth_maps, plan.voxel_size) == (4.0, 6.0, 3)
    assert (plan.threshold, plan.density) == (0.25, None)
    assert (plan.arm, plan.reference, plan.baseline, plan.followup) == ("arm", "midazolam", ("baseline",), ("day3",))
    assert (plan.alpha, plan.n_permutations, plan.seed) == (0.05, 10_000, 2025)
    assert (plan.primary_outcomes, plan.secondary_outcomes) == (("hamd17",), ("cssrs",))
    assert plan.sha256 == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


def test_every_field_of_a_plan_has_one_key_in_the_file():
    names = [name for section in SECTIONS.values() for name in section.values()]
    own = ["further", "interim", "version", "objectives", "protocol", "hashes", "sha256"]
    assert sorted([*names, *own]) == sorted(field.name for field in dataclasses.fields(Plan))


def test_a_plan_may_leave_all_but_the_primary_measure_open(written):
    plan = read_plan(written('[metrics]\nprimary = "degree"\n[graph]\ndensity = 0.1\n[trial]\nbaseline = "ses-1"\n'))
    assert plan.settled == {"metric": "degree", "density": 0.1, "baseline": ("1",)}
    assert "threshold" not in plan.left_open
    assert {"mask", "alpha", "strata"} <= set(plan.left_open)


def test_a_trial_may_be_judged_by_outcomes_without_a_primary_measure(written):
    plan = read_plan(written('[metrics]\nsecondary = ["degree"]\n[outcomes]\nprimary = ["hamd17"]\n'))
    assert (plan.metric, plan.options) == (None, {"metrics": ["degree"], "outcomes": ["hamd17"]})
    assert "metric" in plan.left_open
    assert read_plan(written('[outcomes]\nprimary = ["hamd17"]\n')).options == {"outcomes": ["hamd17"]}


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("[metrics", "not valid TOML"),
        ("", r"metrics.primary is missing, and so is outcomes.primary"),
        ("[outcomes]\nprimary = []", r"metrics.primary is missing, and so is outcomes.primary"),
        ('[metrics]\nsecondary = ["degree"]', r"metrics.primary is missing, and so is outcomes.primary"),
        (
            'metric = "degree"',
            r"unknown section: metric \(did you mean metrics\?\); known are metrics, signal",
        ),
        ('metrics = "degree"', r"metrics must be a section, \[metrics\]"),
        (
            '[metrics]\nprimary = "degree"\nprimry = 1',
            r"unknown key in \[metrics\]: primry \(did you mean primary\?\); known",
        ),
        ("[metrics]\nprimary = 3", "metrics.primary must be text, not 3"),
        ('[metrics]\nprimary = ""', "metrics.primary must be text"),
        ('[metrics]\nsecondary = "degree"', "metrics.secondary must be a list of names, not 'degree'"),
        ('[graph]\nthreshold = "high"', "graph.threshold must be a number, not 'high'"),
        ("[graph]\nthreshold = 1.0", "graph.threshold = 1: must be at least 0 and below 1"),
        ("[graph]\ndensity = 0", "graph.density = 0: must be above 0 and at most 1"),
        ("[graph]\nsmooth_maps = -1", "graph.smooth_maps = -1: must be 0 mm or more"),
        ("[graph]\nvoxel_size = 2.5", "graph.voxel_size must be a whole number, not 2.5"),
        ('[graph]\nmap_values = "Z"', "it is one of z, raw"),
        ("[signal]\nfd_threshold = 0", "signal.fd_threshold = 0: must be above 0 mm"),
        ("[signal]\nmin_minutes = inf", "signal.min_minutes = inf: must be 0 or more"),
        ("[parcels]\nn_null_graphs = -1", "parcels.n_null_graphs = -1: must be 0 or more"),
        ("[signal]\ndenoise = '37p'", "'37p': it is one of friston24, 24p"),
        ("[graph]\nthreshold = true", "must be a number, not True"),
        ("[analysis]\nalpha = nan", "analysis.alpha = nan: must be above 0"),
        ('[analysis]\nestimator = "anova"', "'anova': it is one of ancova, change, post"),
        ('[analysis]\nn_permutations = "many"', "n_permutations must be a whole number"),
        ("[analysis]\nn_permutations = 0", "n_permutations = 0: must be 1 or more"),
        ("[analysis]\nseed = 1.5", "analysis.seed must be a whole number, not 1.5"),
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
    with pytest.raises(UsageError, match=r"latin.toml is not text in UTF-8"):
        read_plan(tmp_path / "latin.toml")


def test_any_change_of_the_file_changes_its_hash(written):
    first = read_plan(written('[metrics]\nprimary = "degree"\n'))
    second = read_plan(written('[metrics]\nprimary = "degree" # a remark\n'))
    assert first.settled == second.settled
    assert first.sha256 != second.sha256
