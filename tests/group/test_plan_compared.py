"""Everything that changes a result is held against the plan: options, settings, and what was done in the end."""

import dataclasses
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from region_trial import DESIGN, made

from bids_app import __version__
from bids_app.cli.settings_of import parse
from bids_app.errors import UsageError
from bids_app.graph.features import Feature
from bids_app.group.plan_match import done_deviations, given_files
from bids_app.group.sample import assemble
from bids_app.settings.deviation import Deviation
from bids_app.settings.parser import app_parser
from bids_app.settings.plan import SECTIONS as SECTIONS_OF_PLAN
from bids_app.settings.plan import Plan, read_plan
from bids_app.settings.plan_keys import IN_PARTS, NOT_PLANNED, SECTIONS, option_of, planned_actions
from bids_app.settings.roles import LISTS, PRECISION, feature_role, role_of, settings_of
from bids_app.settings.settings import Settings
from bids_app.system.provenance import digest_of_file

EXAMPLE = Path(__file__).parents[2] / "docs" / "plan.toml"
MINIMAL = '[metrics]\nprimary = "degree"\n'
CHANGED = {
    "--denoise 24p": "denoise",
    "--bandpass 0.01 0.08": "bandpass",
    "--bandpass off": "bandpass",
    "--fd-threshold 0.3": "fd_threshold",
    "--dummy-scans 4": "dummy_scans",
    "--min-minutes 3": "min_minutes",
    "--threshold 0.3": "threshold",
    "--voxel-size native": "voxel_size",
    "--smooth-maps 4": "smooth_maps",
    "--mask brain": "mask",
    "--map-values raw": "map_values",
    "--atlas power": "atlas",
    "--partition dosenbach": "partition",
    "--distance 60": "distance",
    "--matrix fisher": "matrix",
    "--negative absolute": "negative",
    "--backbone": "backbone",
    "--parcel-threshold 0.4": "parcel_threshold",
    "--parcel-density 0.4": "parcel_threshold",
    "--n-null-graphs 10": "n_null_graphs",
    "--contrasts all-pairs": "contrasts",
    "--dose mg": "dose",
    "--arm sex": "arm",
    "--arms ketamine midazolam": "arms",
    "--detrend none": "detrend",
    "--accept-mixed": "accept_mixed",
    "--use-syn-sdc": "use_syn_sdc",
    "--reference-arm ketamine": "reference",
    "--baseline screening": "baseline",
    "--followup day14": "followup",
    "--over-followups mean": "over_followups",
    "--participant-label 01 02": "population",
    "--covariates age": "covariates",
    "--strata sex": "strata",
    "--design groups": "design",
    "--design crossover": "design",
    "--design one-group": "design",
    "--design paired": "design",
    "--estimator change": "estimator",
    "--scheme freedman-lane": "scheme",
    "--statistic t": "statistic",
    "--connectivity 26": "connectivity",
    "--cluster-threshold 2.3": "cluster_threshold",
    "--edge-statistic nbs": "edge_statistic",
    "--hc3": "hc3",
    "--tail-approximation": "tail_approximation",
    "--min-per-arm 5": "min_per_arm",
    "--slopes age": "slopes",
    "--regions PCC": "regions",
    "--alpha 0.01": "alpha",
    "--n-permutations 500": "n_permutations",
    "--random-seed 3": "seed",
    "--ordinal hamd17": "ordinal",
    "--outcome-model mmrm": "outcome_model",
    "--higher-is-better hamd17": "higher_is_better",
    "--cutoffs hamd17:response=40%": "cutoffs",
    "--robustness": "robustness",
    "--also other=/tmp": "also",
    "--session-label baseline": "sessions",
    "--task-id nback": "task",
    "--derivatives other=/tmp": "derivatives",
    "--space MNI152NLin6Asym": "space",
    "--res 2": "resolution",
    "--surface left.gii right.gii": "meshes",
    "--preprocess always": "preprocess",
    "--template /tmp": "template",
    "--no-baseline-motion": "baseline_motion",
}
# Options of which nothing but a path that is there can be given, or that the others are about.
ELSEWHERE = {"allocations", "filters", "density", "parcel_density", "parcel_metrics"}


def parsed(plan, *words):
    return parse(["bids", "out", "group", "--plan", str(plan), *words])


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "plan.toml").write_text(text)
        return tmp_path / "plan.toml"

    return write


def test_every_option_is_a_key_of_the_plan_or_declared_irrelevant():
    keys = {option_of(key) for section in planned_actions().values() for key in section}
    options = {action.dest for action in app_parser()._actions}
    assert options - keys - set(IN_PARTS) - set(NOT_PLANNED) == set()
    assert not keys & set(NOT_PLANNED)
    titles = {group.title for group in app_parser()._action_groups}
    assert titles - set(SECTIONS) == {"positional arguments", "options", "the run"}


def test_every_setting_is_compared_or_declared_irrelevant():
    settings = Settings(Path("bids"), Path("out"), "group", Path("work"))
    compared = set(settings_of(settings))
    keys = {"metric", *Plan("degree").left_open} - {"version"}
    assert compared - {"metrics", "parcel_metrics", "outcomes"} <= keys, "each has a key of the same name"
    assert len(compared) == len(keys - set(sum(IN_PARTS.values(), ()))) - 1 + 3, "parcel_metrics is in both"
    parts = {"selection", "preprocessing", "signal", "graph", "trial", "resources"}
    rest = {field.name for field in dataclasses.fields(Settings)} - parts - {"group_folder"}
    assert rest | {field.name for field in dataclasses.fields(settings.resources)} <= set(NOT_PLANNED)


def test_a_setting_that_is_new_is_compared_without_being_listed(written):
    @dataclasses.dataclass(frozen=True)
    class Signal(type(parsed(EXAMPLE).signal)):
        novel: str = "no"

    settings = replace(Settings(Path("bids"), Path("out"), "group", Path("work")), signal=Signal(novel="yes"))
    assert settings_of(settings)["novel"] == "yes"


def test_the_example_departs_from_itself_in_nothing(written):
    assert parsed(EXAMPLE).trial.departed == ()
    words = "--threshold 0.25 --covariates sex age --bandpass .01 .1 --baseline ses-baseline --min-minutes 4.0"
    assert parsed(EXAMPLE, *words.split()).trial.departed == (), "the same, written otherwise"
    assert parsed(written(MINIMAL)).trial.departed == ()


def test_the_list_of_changes_is_complete():
    keys = {"metric", *Plan("degree").left_open} - {"version"}
    assert keys - set(CHANGED.values()) - ELSEWHERE == set(sum(IN_PARTS.values(), ()))


@pytest.mark.parametrize("words", CHANGED)
@pytest.mark.parametrize("whole", [True, False])
def test_whatever_differs_is_a_departure(written, words, whole):
    trial = parsed(EXAMPLE if whole else written(MINIMAL), *words.split()).trial
    (departed,) = trial.departed
    assert departed.what == CHANGED[words]
    if not whole:
        assert departed.planned.startswith("not in the plan; the default is")
    spared = CHANGED[words] in (*PRECISION, *LISTS)
    role = "primary" if spared else "exploratory"
    assert feature_role(trial, Feature("degree", "r025"), "ancova") == role
    outcomes = role_of(trial.plan, outcome="hamd17", departed=trial.departed)
    assert outcomes == (role if whole else "exploratory")


def test_a_plan_of_a_crossover_has_its_estimator_without_naming_it(written):
    trial = parsed(written(MINIMAL + '[trial]\ndesign = "crossover"\n')).trial
    assert (trial.design, trial.estimator, trial.baseline_motion, trial.departed) == (
        "crossover",
        "crossover",
        False,
        (),
    )
    assert feature_role(trial, Feature("degree", "r025"), "crossover") == "primary"
    assert feature_role(trial, Feature("degree", "r025"), "first-period") == "exploratory"
    with pytest.raises(UsageError, match="--design crossover with --estimator change"):
        parsed(written(MINIMAL + '[trial]\ndesign = "crossover"\n[analysis]\nestimator = "change"\n'))


def test_files_are_compared_by_name_and_by_content(written, tmp_path):
    table, other = tmp_path / "allocations.tsv", tmp_path / "other.tsv"
    table.write_text("participant_id\t1\n")
    other.write_text("participant_id\t2\n")
    text = MINIMAL + f'[analysis]\nallocations = "{table}"\n[sha256]\nallocations = "{digest_of_file(table)}"\n'
    plan = written(text)
    settings = parsed(plan)
    assert (settings.trial.allocations, settings.trial.departed) == (table, ())
    assert given_files(settings)["allocations"] == [table]
    table.write_text("participant_id\t3\n")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    (one,) = parsed(plan).trial.departed
    assert (one.what, one.used) == ("allocations, SHA-256", digest)
    assert [one.what for one in parsed(plan, "--allocations", str(other)).trial.departed] == [
        "allocations",
        "allocations, SHA-256",
    ]
    with pytest.raises(UsageError, match=r"sha256\.mask must be 64 hexadecimal digits"):
        read_plan(written(MINIMAL + '[sha256]\nmask = "abc"\n'))


def test_another_version_is_said_and_costs_no_role(written):
    trial = parsed(written('version = "0.0.1"\n' + MINIMAL)).trial
    assert trial.departed == (Deviation("version", "0.0.1", __version__),)
    assert feature_role(trial, Feature("degree", "r025"), "ancova") == "primary"


def test_measures_and_outcomes_that_are_left_out_or_beside(written):
    text = MINIMAL + 'secondary = ["strength"]\n[outcomes]\nprimary = ["hamd17"]\nsecondary = ["hamd17:response"]\n'
    plan = written(text)
    assert parsed(plan, "--cutoffs", "hamd17:response=50%").trial.departed[-1].what == "cutoffs"
    assert (
        Deviation("secondary_outcomes", ("hamd17:response",), ("hamd17:response",)) not in parsed(plan).trial.departed
    )
    assert parsed(plan, "--metrics", "degree").trial.departed == (Deviation("secondary_metrics", ("strength",), ()),)
    assert parsed(plan, "--metrics", "degree", "strength", "clustering").trial.departed == ()
    assert parsed(plan, "--parcel-metrics", "strength").trial.departed == (Deviation("metric", "degree", None),)
    assert parsed(plan, "--outcomes", "bdi").trial.departed[0] == Deviation("primary_outcomes", ("hamd17",), ())
    columns = ("--outcomes", "hamd17=a,b", "hamd17:response")
    assert parsed(plan, *columns).trial.departed == (), "NAME=COLUMNS is the outcome NAME"


def test_without_an_estimator_or_a_threshold_the_defaults_are_what_is_primary():
    plan = Plan("degree")
    assert role_of(plan, metric="degree", estimator="ancova") == "primary"
    assert role_of(plan, metric="degree", estimator="change") == "exploratory"
    trial = parsed(EXAMPLE).trial
    trial = replace(trial, plan=plan)
    assert [feature_role(trial, Feature("degree", rule), "ancova") for rule in ("r025", "r03")] == [
        "primary",
        "exploratory",
    ]
    named = Plan("degree", primary_outcomes=("hamd17=a,b",))
    assert role_of(named, outcome="hamd17") == "primary"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[analysis]\nhc3 = 1\n", "hc3 must be true or false, not 1"),
        ("[signal]\nbandpass = 0.1\n", "bandpass|LOW HIGH"),
        ("[analysis]\nconnectivity = 7\n", "connectivity"),
        ('[analysis]\nmin_per_arm = "many"\n', "min-per-arm"),
        ("[outcomes]\nordinal = [1.5, true]\n", "ordinal must be text, a number, or a list of them, not True"),
        ("[trial]\nverbose = 2\n", r"unknown key in \[trial\]: verbose"),
        ("[parcels]\nmatrx = 2\n", r"unknown key in \[parcels\]: matrx \(did you mean matrix\?\); known are matrix"),
    ],
)
def test_what_no_option_takes_is_refused(written, text, message):
    with pytest.raises(UsageError, match=message):
        parsed(written(MINIMAL + text))


NAMES = {(section, key): name for section, keys in SECTIONS_OF_PLAN.items() for key, name in keys.items()}
NAMES |= {
    (section, key): key for section, keys in planned_actions().items() for key in keys if key not in NAMES.values()
}
TEXTS = st.text(alphabet="-abz09.=:, %/[]", max_size=6)
SCALARS = st.one_of(
    TEXTS, st.booleans(), st.integers(-3, 30), st.floats(-2, 2), st.sampled_from(["-h", "--help", "all"])
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(sorted(NAMES)), value=st.one_of(SCALARS, st.lists(SCALARS, max_size=3)))
def test_any_value_of_any_key_is_taken_or_refused_in_a_sentence(tmp_path, where, value):
    sections = {"metrics": {"primary": "degree"}}
    sections.setdefault(where[0], {})[where[1]] = value
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(one)}\n" for key, one in keys.items())
        for section, keys in sections.items()
    )
    (tmp_path / "plan.toml").write_text(text)
    plan, refusal = None, ""
    try:
        plan = read_plan(tmp_path / "plan.toml")
    except UsageError as error:
        refusal = str(error)
    name = NAMES[where]
    assert refusal.startswith(f"--plan {tmp_path / 'plan.toml'}: ") or (
        name in plan.settled and name not in plan.left_open
    )


@given(order=st.permutations(range(6)))
def test_the_order_of_sections_and_keys_says_nothing(tmp_path_factory, order):
    parts = ['[metrics]\nprimary = "degree"', "[signal]\nfd_threshold = 0.4", "[parcels]\nbackbone = true"]
    parts += ['[trial]\nstrata = ["b", "a"]', "[analysis]\nhc3 = true\nalpha = 0.1", '[outcomes]\nordinal = ["x"]']
    folder = tmp_path_factory.mktemp("plan")
    (folder / "plan.toml").write_text("\n".join(parts[number] for number in order))
    (folder / "same.toml").write_text("\n".join(parts))
    assert read_plan(folder / "plan.toml").settled == read_plan(folder / "same.toml").settled
    assert parsed(folder / "plan.toml").trial.departed == ()


# What was done in the end.


def done(tmp_path, plan, columns=None, scores=None, **options):
    group = made(tmp_path, plan=plan, **options)
    tables = group.tables if columns is None else replace(group.tables, participants=columns(group.tables.participants))
    sample = assemble(group.route, group.flow, tables, DESIGN, group.settings.trial)
    return done_deviations(group.settings, [(group.route, sample)], scores), group, sample


def test_a_planned_covariate_that_is_the_same_for_everyone_is_a_departure(tmp_path):
    plan = Plan("degree", covariates=("age",), further={"baseline_motion": True})
    assert done(tmp_path / "a", plan)[0] == ()
    (one,) = done(tmp_path / "b", plan, lambda table: table.assign(age=40))[0]
    assert (one.what, one.planned) == ("covariates", ("age",))
    assert "without age" in one.used


def test_baseline_motion_that_is_added_by_itself_is_a_departure_from_a_plan_that_lists_the_covariates(tmp_path):
    plan = Plan("degree", covariates=("age",))
    departed, group, sample = done(tmp_path, plan)
    assert "baseline_mean_fd" in sample.covariates
    assert [one.what for one in departed] == ["baseline_motion"]
    off = replace(group.settings, trial=replace(group.settings.trial, baseline_motion=False))
    sample = assemble(group.route, group.flow, group.tables, DESIGN, off.trial)
    assert list(sample.covariates) == ["age"]
    assert done_deviations(off, [(group.route, sample)]) == ()
    assert done(tmp_path / "open", Plan("degree"))[0] == (), "left open, and at its default"


def test_motion_that_was_planned_and_is_unknown_is_a_departure(tmp_path):
    plan = Plan("degree", further={"baseline_motion": True})
    group = made(tmp_path, plan=plan)
    flow = group.flow.assign(baseline_mean_fd=float("nan"))
    sample = assemble(group.route, flow, group.tables, DESIGN, group.settings.trial)
    (one,) = done_deviations(group.settings, [(group.route, sample)])
    assert one.what == "baseline_motion"
    assert "not known of everyone" in one.used


def test_scans_that_were_processed_otherwise_are_a_departure(tmp_path):
    _, group, sample = done(tmp_path, Plan("degree", fd_threshold=0.5))
    logs = tmp_path / "logs"
    (logs / "status").mkdir(parents=True)
    (logs / "status" / "sub-01.json").write_text(json.dumps({"Run": "first"}))
    (logs / "first").mkdir()
    ran = json.loads(group.settings.to_json())
    settings = logs / "first" / "settings.json"
    settings.write_text(json.dumps(ran))
    assert done_deviations(group.settings, [(group.route, sample)]) == ()
    ran["signal"] |= {"fd_threshold": 0.2, "bandpass": [0.02, 0.1], "min_minutes": 1}
    ran["graph"]["metrics"] = ["degree"]
    ran["graph"]["parcels"]["n_null_graphs"] = 7
    settings.write_text(json.dumps(ran))
    departed = {one.what: one.used for one in done_deviations(group.settings, [(group.route, sample)])}
    assert departed == {
        "bandpass": "0.02 to 0.1 when the scans were processed",
        "fd_threshold": "0.2 when the scans were processed",
        "n_null_graphs": "7 when the scans were processed",
    }
    settings.write_text(group.settings.to_json())
    (logs / "first" / "command.json").write_text(json.dumps({"Version": "0.0.1"}))
    of_version = replace(group.settings.trial, plan=Plan("degree", version=__version__))
    departed = done_deviations(replace(group.settings, trial=of_version), [(group.route, sample)])
    assert departed == (Deviation("version", __version__, "0.0.1 when the scans were processed"),)


def test_a_planned_measure_or_outcome_that_is_not_there_is_a_departure(tmp_path):
    plan = Plan("clustering", primary_outcomes=("hamd",))
    departed = done(tmp_path, plan)[0]
    assert departed == (Deviation("metric", "clustering", None), Deviation("primary_outcomes", ("hamd",), ()))


def test_those_left_out_by_an_option_stay_in_the_flow():
    from bids_app.group.assumptions import left_out
    from bids_app.report.flowchart import flowchart
    from bids_app.trial.flow import LEFT_OUT, without

    flow = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-2", "sub-3"],
            "arm": ["drug", "usual care", "drug"],
            "baseline_scans": [1, 1, 0],
            "followup_scans": [1, 1, 0],
            "analysed": [True, True, False],
            "reason": [None, None, "baseline: no scan"],
        }
    )
    pd.testing.assert_frame_equal(without(flow, ()), flow)
    cut = without(flow, ("1",))
    assert cut["reason"].isna()[0]
    assert cut["reason"][1:].tolist() == [LEFT_OUT, LEFT_OUT]
    assert cut["analysed"].tolist() == [True, False, False]
    chart = flowchart(cut, DESIGN)
    assert (chart["total"], chart["analysed"]) == (3, 1)
    (found,) = left_out(cut, ("1",), None)
    assert found.warning
    assert "leaves out 2 of 3" in found.text
    assert left_out(flow, (), None) == ()
