"""Objectives of a plan: what is read, what is refused, what contradicts."""

import pytest

from bids_app.errors import UsageError
from bids_app.settings.objectives import CORRECTIONS, STRATEGIES, Event, Objective
from bids_app.settings.plan import read_plan
from bids_app.settings.plan_problems import problems_of
from bids_app.stats import CORRECTIONS as COMPUTED
from bids_app.system.small_files import read_toml

WHOLE = """
[metrics]
primary = "degree"
secondary = ["strength"]
[graph]
threshold = 0.25
[trial]
reference = "midazolam"
arms = ["ketamine", "midazolam"]
followup = ["day3", "day14"]
[analysis]
estimator = "ancova"
regions = ["angular=angular_L.nii.gz"]
[outcomes]
primary = ["hamd17"]
secondary = ["cssrs"]
[protocol]
title = "A trial"
correction = "gatekeeping"
n_planned = {ketamine = 22, midazolam = 21}
stopping = "none"
[[objective]]
name = "Degree in the left angular gyrus"
role = "primary"
population = "everyone randomized"
arm = "ketamine"
reference = "midazolam"
measure = "degree"
region = "angular"
threshold = 0.25
visit = "ses-day3"
estimator = "ancova"
summary = "difference of adjusted means"
[[objective.event]]
name = "rescue medication"
strategy = "treatment policy"
[[objective.event]]
name = "open-label ketamine"
strategy = "hypothetical"
prepared = true
[[objective]]
name = "Mood"
role = "secondary"
outcome = "cssrs"
visit = "day14"
"""


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return read_plan(path)

    return reading


@pytest.fixture
def problems(tmp_path):
    def listed(text):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return problems_of(read_toml(path))

    return listed


def test_every_attribute_of_an_estimand_is_read(read, problems):
    plan = read(WHOLE)
    degree, mood = plan.objectives
    assert degree.attributes == {
        "Treatment": "ketamine compared with midazolam",
        "Population": "everyone randomized",
        "Endpoint": "degree (r > 0.25) in angular at ses-day3",
        "Intercurrent events": "rescue medication: treatment policy; open-label ketamine: hypothetical",
        "Summary": "difference of adjusted means",
    }
    assert (degree.visit, degree.edges) == ("day3", "r025")
    assert [one.departs for one in degree.events] == [False, False]
    assert mood.attributes["Treatment"] == mood.attributes["Population"] == "not stated"
    assert plan.protocol.n_planned == {"ketamine": 22, "midazolam": 21}
    assert problems(WHOLE) == []


def test_a_plan_without_objectives_is_as_before(read):
    plan = read('[metrics]\nprimary = "degree"\n')
    assert (plan.objectives, plan.protocol.correction) == ((), None)


def test_a_clinical_outcome_may_be_all_that_is_primary(read):
    one = '[[objective]]\nname = "Mood"\nrole = "primary"\noutcome = "hamd17"\n[outcomes]\nprimary = ["hamd17"]\n'
    plan = read(one + '[metrics]\nsecondary = ["degree"]\n')
    assert (plan.metric, plan.options["metrics"]) == (None, ["degree"])


def test_corrections_are_those_that_are_computed():
    assert list(CORRECTIONS) == list(COMPUTED)


@pytest.mark.parametrize(("strategy", "needs"), STRATEGIES.items())
def test_a_strategy_is_carried_out_or_said_not_to_be(strategy, needs):
    bare, prepared = (Event(name="rescue", strategy=strategy, prepared=one) for one in (False, True))
    assert bare.departs == (strategy != "treatment policy")
    assert prepared.departs == (needs is None)
    assert ("not done" in prepared.done) == (needs is None)
    assert bare.done.endswith(STRATEGIES["treatment policy"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('role = "primary"', 'role = "main"', "'main': it is one of primary, secondary"),
        ('strategy = "hypothetical"', 'strategy = "hypotetical"', r"did you mean hypothetical\?"),
        ("[[objective.event]]\n", "[[objective.event]]\nevnt = 1\n", "unknown key in event 1 of objective 1: evnt"),
        ('visit = "ses-day3"', "visit = 3", "objective 1: visit must be text"),
        ('measure = "degree"\n', 'mesure = "degree"\n', r"mesure \(did you mean measure\?\)"),
        ('correction = "gatekeeping"', 'correction = "bonferroni"', "it is one of fixed-sequence, gatekeeping, holm"),
        ("{ketamine = 22, midazolam = 21}", "43", "protocol: n_planned must be whole numbers by arm"),
        ('correction = "gatekeeping"', "", "2 objectives need protocol.correction"),
        ('name = "Mood"', 'name = "Degree in the left angular gyrus"', "two objectives are called"),
        ('role = "primary"', 'role = "secondary"', "no objective is primary"),
        ('measure = "degree"\n', 'measure = "strength"\n', "it is primary, and strength is not metrics.primary"),
        ('measure = "degree"\n', "", "its endpoint is one of these: a measure"),
        (
            'outcome = "cssrs"',
            'outcome = "madrs"',
            "madrs stands neither in outcomes.primary nor in",
        ),
        ('outcome = "cssrs"', 'outcome = "cssrs"\nregion = "angular"', "region is of a measure"),
        ('reference = "midazolam"\nmeasure', 'reference = "placebo"\nmeasure', "reference placebo is not in the rest"),
        ('visit = "ses-day3"', 'visit = "day4"', "visit day4 is not in the rest of the plan, which says day3, day14"),
        ('region = "angular"', 'region = "thalamus"', "region thalamus is not in the rest of the plan"),
        ("0.25\nvisit", "0.3\nvisit", "threshold 0.3 is not in the rest"),
        (
            "threshold = 0.25\nvisit",
            "density = 0.1\nvisit",
            "density 0.1 is not in the rest of the plan",
        ),
        ('estimator = "ancova"\nsummary', 'estimator = "post"\nsummary', "estimator post is not in the rest"),
        ('arm = "ketamine"', 'arm = "midazolam"', "midazolam is compared with itself"),
        ('visit = "day14"', "", r"which visit\? There are day3, day14"),
    ],
)
def test_what_contradicts_is_refused_and_listed(read, problems, old, new, said):
    text = WHOLE.replace(old, new, 1)
    assert text != WHOLE
    with pytest.raises(UsageError, match=said):
        read(text)
    assert len(problems(text)) == 1


def test_everything_that_is_wrong_is_listed_at_once(problems):
    found = problems("[metrics]\nprimry = 'degree'\n[graph]\nthreshold = 3\n[grph]\na = 1\n[[objective]]\nname = 'x'\n")
    assert len(found) == 4
    assert "(did you mean graph?)" in found[2]
    assert found[3] == "objective 1 has no role"


def test_nodes_of_a_map_are_all_of_the_mask():
    one = Objective(name="a", role="primary", measure="degree")
    assert one.attributes["Endpoint"] == "degree in every node of the mask"
