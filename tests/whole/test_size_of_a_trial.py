"""trialgraph power on the small simulated trial: what it writes, says, and refuses."""

import json
import shutil

import pandas as pd
import pytest

from bids_app.settings.power_options import power_parser

AT = ("--effect-at", -48, -63, 35, "--effect-radius", 16)
QUICK = ("--trials", 20, "--draws", 40, "--n-cpus", 1, "--metrics", "degree")
PARCELS = ("--route", "Demo", "--effect-region", "default angular gyrus L")


@pytest.fixture(scope="module")
def output(compared, tmp_path_factory):
    """What the participant level left, without the group's."""
    folder = tmp_path_factory.mktemp("pilot") / "out"
    shutil.copytree(compared, folder, ignore=shutil.ignore_patterns("group", "work", "*.html", "*.png", "*.svg"))
    return folder


def power(app, *words):
    outcome = app("power", *words)
    return outcome.code, outcome.said


def read(output):
    folder = output / "power"
    return json.loads((folder / "results.json").read_text()), pd.read_csv(folder / "power.tsv", sep="\t")


def test_voxels_are_planned_from_their_own_maps(output, app, browse):
    code, said = power(app, output, *AT, "--effect-size", 2.5, "--n", 12, 40, "--dropout", 0.1, *QUICK)
    assert code == 0, said
    record, table = read(output)
    assert table["n"].tolist() == [12, 40]
    assert table["power"].iloc[1] > 0.8
    assert table["n_analysed"].iloc[1] == pytest.approx(36, abs=2)
    assert table["false_alarms"].max() <= 0.25
    assert record["Maps"]["Participants"] >= 7  # one lacks the follow-up
    assert record["Analysis"]["Estimator"] == "ancova"
    assert "who was given what is not read" in said
    assert "participants have to be randomized" in said or "cannot be told" in said
    words = (output / "power" / "sample_size.txt").read_text()
    assert "an increase of 2.50 standard deviations in degree" in words
    assert "10 % drop out" in words
    page = output / "power" / "index.html"
    assert "nan" not in page.read_text().lower().replace("resonance", "")
    found = browse(page)
    assert (found.errors, found.requests, found.blank_images) == ([], [], [])
    assert (found.violations, found.overflow, found.cut) == ([], {}, {})


def test_the_same_call_gives_the_same_bytes(output, app):
    call = (output, *PARCELS, "--effect-size", 1.5, "--n", 20, *QUICK)
    files = []
    for _ in range(2):
        code, said = power(app, *call)
        assert code == 0, said
        files.append({path.name: path.read_bytes() for path in (output / "power").iterdir()})
    assert files[0] == files[1]


def test_an_effect_is_looked_for_and_several_comparisons_are_told_apart(output, app):
    design = ("--n-arms", 3, "--ratio", "2:1:1", "--visit-correlation", 0.5, "--draws", 100)
    code, said = power(app, output, *PARCELS, *QUICK, *design, "--n", 60)
    assert code == 0, said
    record, table = read(output)
    assert record["Wanted"]["LooksFor"] == "effect"
    assert record["Needed"]["Low"] <= record["Needed"]["Size"]
    assert table["n"].unique().tolist() == [60]
    each = pd.read_csv(output / "power" / "comparisons.tsv", sep="\t")
    assert set(each["comparison"]) == {f"arm {arm} against the reference" for arm in (1, 2)}
    assert "60 participants find an effect of" in said


def test_a_plan_says_design_visits_measure_and_level(output, app, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[metrics]\nprimary = "clustering"\nsecondary = ["degree"]\n[trial]\nbaseline = "baseline"\n'
        'followup = ["day3"]\ncovariates = ["age"]\n[analysis]\nalpha = 0.01\nestimator = "change"\n'
    )
    code, said = power(app, output, *PARCELS, *QUICK[:-2], "--plan", plan, "--effect-size", 1.5, "--n", 30, 60)
    assert code == 0, said
    record, _ = read(output)
    analysis = record["Analysis"]
    assert (analysis["Estimator"], analysis["Alpha"]) == ("change", 0.01)
    assert (analysis["Measures"], analysis["CorrectedOverMeasures"]) == (["Clustering, r > 0.25"], False)
    assert record["Maps"]["Sessions"] == ["baseline", "day3"]
    assert len(record["Plan"]) == 64
    assert (analysis["Covariates"], analysis["Strata"], analysis["Explained"]) == (2, 1, 0)
    assert "adjusts for 2 covariates (age, motion at baseline)" in said
    assert "Covariates and strata explain nothing" in said


@pytest.mark.parametrize("design", ["crossover", "one-group", "groups"])
def test_other_designs_are_planned(output, app, design):
    code, said = power(app, output, *PARCELS, "--design", design, "--effect-size", 1, *QUICK)
    assert code == 0, said
    record, table = read(output)
    estimator = {"crossover": "crossover", "one-group": "within", "groups": "post"}[design]
    assert record["Analysis"]["Estimator"] == estimator
    assert table["power"].is_monotonic_increasing or table["power"].iloc[-1] > 0.6
    assert not (output / "power" / "comparisons.tsv").exists()


@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        (("--effect-size", 1), 64, "--effect-region NAME or --effect-at"),
        ((*AT, "--n", 20, 30), 64, "give --effect-size G"),
        ((*AT, "--effect-size", 0), 64, "without an effect are simulated"),
        (("--effect-at", 300, 0, 0, "--effect-size", 1), 64, "mm away"),
        (("--effect-region", "Anglar", "--effect-size", 1, "--atlas", "dosenbach"), 64, "no such region"),
        ((*AT, "--effect-size", 1, "--route", "voxel"), 64, "did you mean voxels?"),
        ((*AT, "--effect-size", 1, "--effect-measure", "degre"), 64, "did you mean degree?"),
        ((*AT, "--effect-size", 1, "--visits", "day9"), 64, "did you mean day3?"),
        ((*AT, "--effect-size", 1, "--visits", "day3"), 64, "--visit-correlation R"),
        ((*AT, "--effect-size", 1, "--participant-label", "01", "02"), 65, "at least 5 are needed"),
        ((*AT, "--effect-size", 1, "--ratio", "2:1:1"), 64, "there are 2 arms"),
        ((*AT, "--effect-size", 1, "--design", "crossover", "--n-arms", 3), 64, "no --n-arms"),
        ((*AT, "--effect-size", 1, "--effect-arms", 2), 64, "1 to 1"),
        ((*AT, "--effect-size", 1, "--dropout", 1.5), 64, "must be from 0 to 0.9"),
        ((*AT, "--effect-size", 1, "--alhpa", 0.1), 64, "did you mean --alpha?"),
        ((*AT, "--effect-size", 1, "--metrics", "strength", "--threshold", 0.9), 18, "holds no graph maps"),
    ],
)
def test_what_cannot_be_planned_is_said(output, app, words, code, fragment):
    before = (output / "power").exists() and sorted(path.name for path in (output / "power").iterdir())
    found, said = power(app, output, *words)
    assert found == code, said
    assert fragment in said
    assert "Traceback" not in said
    assert ((output / "power").exists() and sorted(path.name for path in (output / "power").iterdir())) == before


@pytest.mark.parametrize(
    ("route", "name", "node", "further"),
    [
        ("global measures of Demo", "Transitivity", "measure", ()),
        ("connections of Demo", "default angular gyrus L", "connection", ("--edge-statistic", "nbs")),
    ],
)
def test_networks_and_whole_graphs_are_planned(output, app, route, name, node, further):
    words = ("--route", route, "--effect-region", name, "--effect-size", 1.5, "--n", 20, 60, *further)
    code, said = power(app, output, *words, *QUICK)
    assert code == 0, said
    record, table = read(output)
    assert record["Maps"]["Route"] == route
    assert table["power"].iloc[1] >= table["power"].iloc[0]
    assert f"tested at every {node}" in (output / "power" / "sample_size.txt").read_text()


def test_strata_covariates_three_arms_and_three_visits_are_planned_together(output, app):
    design = ("--n-arms", 3, "--n-followups", 2, "--visit-correlation", 0.5, "--draws", 100, "--n-strata", 2)
    how = ("--n-covariates", 2, "--explained", 0.3)
    code, said = power(app, output, *PARCELS, *QUICK, *design, *how, "--effect-size", 1.5, "--n", 45, 90)
    assert code == 0, said
    record, table = read(output)
    assert (record["Design"]["Arms"], record["Design"]["Visits"]) == (3, 3)
    assert table["false_alarms"].max() <= 0.25
    assert len(record["Effect"]["Comparisons"]) == 4
    text = (output / "power" / "sample_size.txt").read_text()
    assert "2 covariates and 2 strata of the randomization, which explain 30 % of the error variance" in text


def test_the_page_is_made_anew_of_what_is_saved(output, app, tmp_path):
    code, said = power(app, output, *PARCELS, "--effect-size", 1.5, "--n", 20, *QUICK)
    assert code == 0, said
    saved = {path.name: path.read_bytes() for path in (output / "power").iterdir()}
    (output / "power" / "index.html").unlink()
    code, said = power(app, output, "--reports-only")
    assert code == 0, said
    assert {path.name: path.read_bytes() for path in (output / "power").iterdir()} == saved
    code, said = power(app, tmp_path, "--reports-only")
    assert (code, "has no results.json and no power.tsv" in said) == (66, True), said


def test_a_folder_that_is_not_there_is_said(tmp_path, app):
    assert power(app, tmp_path / "nowhere", *AT, "--effect-size", 1)[0] == 66
    assert list(tmp_path.iterdir()) == []


def test_every_option_has_its_help():
    assert all(action.help for action in power_parser()._actions)
