"""Patients and controls, scanned once: from the tables to the page."""

import json
import re
import shutil

import numpy as np
import pytest
import statsmodels.api as sm
from conftest import SMALL, SmallTrial
from outputs import table, visible

from bids_app.bids.names import Name, build
from bids_app.settings import settings
from bids_app.trial.wording import GROUPS

PEOPLE = {"patient": ("01", "02", "03", "04"), "control": ("05", "06", "07")}
EVERYONE = sum(PEOPLE.values(), ())
DRAWS = 720
WORDS = ("--design", "groups", "--reference-arm", "control", "--n-permutations", DRAWS)
TRIAL_WORDS = re.compile(r"\b(arms?|randomi[sz]\w*|treat\w*)\b", re.IGNORECASE)


def small_study(root, sessions=("1",), column="group"):
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for label in EVERYONE:
        for session in sessions:
            trial.add_run(label, session)
    trial.add_arms(column, **{f"s{label}": group for group, labels in PEOPLE.items() for label in labels})
    return trial


@pytest.fixture(scope="module")
def study(tmp_path_factory, app):
    """Four patients and three controls, scanned without a session."""
    trial = small_study(tmp_path_factory.mktemp("groups"), (None,))
    assert app(trial.bids, trial.bids.parent / "out", "participant", *SMALL).code == 0
    return trial


@pytest.fixture(scope="module")
def compared(study, app):
    out = study.bids.parent / "out"
    outcome = app(study.bids, out, "group", *SMALL, *WORDS)
    assert outcome.code == 0, outcome.said
    return out, outcome


def freedman_lane(outcome, group, nuisance, n_draws, seed):
    """Return t of the group of the data, and of residuals of the nuisance that are put back in another order."""
    design = np.column_stack([group, nuisance])
    fitted = sm.OLS(outcome, nuisance).fit()
    rng = np.random.default_rng(seed)
    drawn = [
        sm.OLS(fitted.fittedvalues + rng.permutation(fitted.resid), design).fit().tvalues[0] for _ in range(n_draws)
    ]
    return sm.OLS(outcome, design).fit(), np.array(drawn)


def test_the_estimate_is_that_of_least_squares_and_p_that_of_permuted_residuals(compared):
    out, _ = compared
    matrix = table(out / "group", "matrix")
    assert list(matrix.columns) == ["participant_id", "arm", "mean_fd"]
    assert list(matrix["arm"]) == [1, 1, 1, 1, 0, 0, 0]
    means = []
    for name in matrix["participant_id"]:
        (path,) = (out / name).rglob("*_stat-degree_desc-r025_boldmap.json")
        means.append(json.loads(path.read_text())["Mean"])
    nuisance = sm.add_constant(matrix["mean_fd"].to_numpy())
    fit, drawn = freedman_lane(np.array(means), matrix["arm"].to_numpy(), nuisance, 4000, seed=1)
    (row,) = table(out / "group", "wholebrain").to_dict("records")
    assert row["difference"] == pytest.approx(fit.params[0], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues[0], rel=1e-6)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-6)
    p = np.mean(np.abs(drawn) >= abs(fit.tvalues[0]) - 1e-9)
    assert row["p"] == pytest.approx(p, abs=4 * np.sqrt(0.25 / 4000 + 0.25 / DRAWS))
    assert row["estimator"] == "post"


def test_the_page_speaks_of_groups_and_of_one_visit(compared):
    out, outcome = compared
    page = visible((out / "group" / "index.html").read_text())
    assert page.count(GROUPS.warning) >= 2, "among the warnings, and among what is assumed"
    assert page.index("Read this first") < page.index(GROUPS.warning)
    found = TRIAL_WORDS.findall(page.replace(GROUPS.warning, ""))
    assert not found
    assert "is an association, and never an effect of treatment" in GROUPS.warning
    assert "The question is one of confounding" in page.split("Standardized difference")[-1]
    assert "ses-None" not in page
    assert GROUPS.warning in " ".join(outcome.said.split())


def test_the_record_and_the_methods_speak_of_groups(compared):
    out, _ = compared
    (path,) = (out / "group").glob("*_design.json")
    record = json.loads(path.read_text())
    assert record["ComparisonOf"] == "groups"
    assert not {"BaselineSession", "FollowupSession"} & set(record)
    assert (record["Scheme"], record["Headline"], list(record["Estimators"])) == ("freedman-lane", "post", ["post"])
    said = json.dumps([record["Findings"], record["Estimators"], record["VarianceWarnings"]]).replace(
        GROUPS.warning, ""
    )
    assert not TRIAL_WORDS.findall(said)
    methods = (out / "logs" / "CITATION.md").read_text()
    ours = methods[methods.index("## Comparison") : methods.index("## Plan")].replace(GROUPS.warning[:-1], "")
    assert not TRIAL_WORDS.findall(ours)
    assert "Residuals were permuted" in ours
    assert "is an association, and never an effect of treatment" in " ".join(methods.split())


PLAN = """
[metrics]
primary = "degree"
[trial]
design = "groups"
reference = "control"
[analysis]
n_permutations = "auto"
[interim]
looks = [7, 14]
spending = "pocock"
"""


def test_a_look_whose_draws_stop_when_p_is_settled_is_said_everywhere(study, tmp_path, app, monkeypatch):
    (plan := tmp_path / "plan.toml").write_text(PLAN)
    monkeypatch.setattr(settings, "N_DRAWS", 100)  # so that the 5,040 permutations there are need not all be made
    out = tmp_path / "out"
    shutil.copytree(study.bids.parent / "out", out, ignore=shutil.ignore_patterns("group"))
    outcome = app(study.bids, out, "group", *SMALL, *WORDS[:-2], "--plan", plan, "--look", "1")
    assert outcome.code == 0, outcome.said
    (path,) = (out / "group").glob("*_design.json")
    record = json.loads(path.read_text())
    assert record["DrawsAtMost"] == 5040
    assert 1000 <= record["Draws"] <= 5040
    found = json.loads((out / "group" / "results.json").read_text())["draws"]
    assert [(one["about"], one["draws"], one["at_most"]) for one in found] == [("voxels", record["Draws"], 5040)]
    (sidecar,) = (out / "group").rglob("*stat-pFwe_*.json")
    assert json.loads(sidecar.read_text())["NumberOfDraws"] == record["Draws"]
    page = " ".join(visible((out / "group" / "index.html").read_text()).split())
    state = f"not settled: {'; '.join(record['NotSettled'])}" if record["NotSettled"] else "settled"
    assert f"every corrected p is at the peaks, at 5,040 at the latest: {state}" in page
    methods = " ".join((out / "logs" / "CITATION.md").read_text().split())
    assert f"Residuals were permuted {record['Draws']} times" in methods
    assert "valid at any number of draws" in methods
    assert "Draws stopped when it was settled" in " ".join(outcome.said.split())
    assert (record["Alpha"], record["AlphaSpent"], record["AlphaOfAllLooks"]) == (0.031, 0.031, 0.05)
    interim = json.loads((out / "group" / "results.json").read_text())["interim"]
    assert (interim["look"], interim["looks"], interim["planned"]) == (1, 2, 7)
    assert interim["text"] in page
    assert "Look 1 of 2, planned at 7 participants: p is compared with 0.031" in page
    assert "No result is primary" in page, "for --voxel-size and others depart from the plan"
    assert "This was look 1 of 2" in methods


def test_the_flow_motion_and_balance_are_of_one_visit(compared):
    out, _ = compared
    flow = table(out / "group", "flow")
    assert not [column for column in flow if "baseline" in column]
    assert flow["analysed"].all()
    motion = table(out / "group", "motion")
    assert set(motion["visit"]) == {"followup"}
    fd = motion.set_index("variable").loc["mean_fd"]
    own = flow.groupby("arm")["followup_mean_fd"].mean()
    assert fd["difference"] == pytest.approx(own["patient"] - own["control"])
    assert np.isfinite(fd["p"])
    assert not list((out / "group").glob("tables/*missing.tsv"))


def test_the_pages_are_made_anew_alike(compared, study, app):
    out, _ = compared
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    assert app(study.bids, out, "group", *SMALL, *WORDS, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


def test_without_the_design_the_refusal_says_that_there_is_one(study, app):
    out = study.bids.parent / "out"
    outcome = app(study.bids, out, "group", *SMALL)
    assert outcome.code == 65
    assert "Groups that nobody randomized are compared at one visit too, with --design groups;" in outcome.said


@pytest.mark.parametrize("estimator", ["ancova", "change"])
def test_an_estimator_that_needs_a_baseline_is_refused_at_one_visit(study, app, estimator):
    outcome = app(study.bids, study.bids.parent / "out", "group", *SMALL, *WORDS, "--estimator", estimator)
    assert outcome.code == 64
    assert f"--estimator {estimator}: there are scans of one visit only" in outcome.said


def test_check_says_who_could_be_compared(study, app, tmp_path, capsys):
    outcome = app("check", study.bids, tmp_path / "out", *WORDS)
    assert outcome.code == 0, outcome.said
    assert "7 of 7 would be compared" in outcome.said


def test_three_groups_without_sessions_have_names_that_can_be_read(study, compared, app):
    rows = "".join(f"sub-{label}\t{'abc'[number % 3]}\n" for number, label in enumerate(EVERYONE))
    (study.bids / "participants.tsv").write_text(f"participant_id\tgroup\n{rows}")
    out = study.bids.parent / "out"
    words = ("--design", "groups", "--reference-arm", "a", "--n-permutations", "20", "--no-baseline-motion")
    outcome = app(study.bids, out, "group", *SMALL, *words)
    assert outcome.code == 0, outcome.said
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Folder"] for one in record["Comparisons"]] == ["contrast-bVsA", "contrast-cVsA"]
    assert "One of 2 comparisons; the other is c − a. p is corrected" in outcome.said
    maps = list((out / "group").glob("maps/*/*statmap.nii.gz"))
    assert len(maps) == 2
    for path in maps:
        assert path.name == build(Name.parse(path).entities, "statmap", ".nii.gz")
        assert "ses" not in Name.parse(path).entities
        assert path.name.startswith("task-")
