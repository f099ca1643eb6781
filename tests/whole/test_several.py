"""Three arms and two follow-ups, from the tables to the page: what is compared, and p over all of it."""

import json

import pandas as pd
import pytest
from conftest import SMALL, SmallTrial

ARMS = {"low": ("01", "02", "03"), "placebo": ("04", "05", "06"), "high": ("07", "08", "09")}
GROUP = (*SMALL, "--n-permutations", "40")
FOLDERS = [f"contrast-{arm}VsPlacebo_ses-{session}" for session in ("day3", "day7") for arm in ("high", "low")]


@pytest.fixture(scope="module")
def trial(tmp_path_factory, app):
    """Nine participants, of whom the first has no second follow-up."""
    root = tmp_path_factory.mktemp("several")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    trial.add_arms(**{f"s{label}": arm for arm, labels in ARMS.items() for label in labels})
    for label in sum(ARMS.values(), ()):
        for session in ("baseline", "day3", "day7"):
            if (label, session) != ("01", "day7"):
                trial.add_run(label, session)
    assert app(trial.bids, root / "out", "participant", *SMALL).code == 0
    return trial


@pytest.fixture(scope="module")
def out(trial):
    return trial.bids.parent / "out"


@pytest.fixture(scope="module")
def compared(trial, out, app):
    outcome = app(trial.bids, out, "group", *GROUP)
    assert outcome.code == 0, outcome.said
    return outcome


def tables(out):
    (path,) = (out / "group").glob("*_comparisons.tsv")
    return pd.read_csv(path, sep="\t", na_values="n/a")


def test_each_arm_is_compared_with_the_reference_at_each_followup(compared, out):
    record = json.loads((out / "group" / "comparisons.json").read_text())
    assert [one["Folder"] for one in record["Comparisons"]] == FOLDERS
    for folder in FOLDERS:
        page = (out / "group" / folder / "index.html").read_text()
        assert "../manifest.json" in page
        assert "../../index.html" in page
        (flow,) = (out / "group" / folder).glob("*_flow.tsv")
        analysed = pd.read_csv(flow, sep="\t").groupby("arm")["analysed"].sum()
        other = "low" if "highVs" in folder else "high"
        assert analysed[other] == 0
        assert analysed["placebo"] == 3
    assert analysed["low"] == 2  # the first has no scan of day 7


def test_p_over_all_comparisons_is_never_below_that_of_one_alone(compared, out):
    table = tables(out)
    assert list(table["comparison"]) == [
        *(f"{arm} − placebo at ses-{session}" for session in ("day3", "day7") for arm in ("high", "low")),
        "any difference at ses-day3",
        "any difference at ses-day7",
    ]
    assert table["p_together"].between(1 / 40, 1).all()
    assert (table["p_together_all"] == table["p_together"]).all()  # of one measure
    assert list(table["n"]) == [9, 9, 8, 8, 9, 8]


def test_as_many_draws_are_recorded_as_were_made(compared, out):
    """Two arms of three have 20 allocations; three arms have more than were asked for."""
    sidecars = {path.name: json.loads(path.read_text()) for path in (out / "group").glob("*_statmap.json")}
    for name, one in sidecars.items():
        assert one["NumberOfDraws"] == (40 if "contrast-any" in name else 20), name


def test_the_overview_names_every_comparison_and_its_page(compared, out):
    page = (out / "group" / "index.html").read_text()
    for folder in FOLDERS:
        assert f'href="{folder}/index.html"' in page
    assert "Estimates are of the model of all arms" in page
    assert "nan" not in page.lower().split("</style>")[1]


def test_the_methods_say_how_all_comparisons_are_corrected_together(compared, out):
    text = (out / "logs" / "CITATION.md").read_text()
    part = text.split("## Several comparisons")[1].split("##")[0]
    assert "closed test" in part
    assert f"{len(json.loads((out / 'group' / 'comparisons.json').read_text())['Comparisons'])} comparisons" in part
    assert "@" not in part
    assert "On closed testing procedures" in text


def test_the_pages_are_made_anew_alike(compared, trial, out, app):
    before = {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}
    assert app(trial.bids, out, "group", *GROUP, "--reports-only").code == 0
    assert before == {path: path.read_bytes() for path in (out / "group").rglob("*") if path.is_file()}


def test_two_chosen_arms_and_one_followup_leave_one_comparison_without_folders(compared, trial, out, app, tmp_path):
    words = ("--arms", "low", "placebo", "--followup", "day3")
    outcome = app(trial.bids, out, "group", *GROUP, *words)
    assert outcome.code == 0, outcome.said
    alone = out / "group"
    assert not (alone / "comparisons.json").exists()
    assert not (alone / FOLDERS[0]).exists()
    assert len(list(alone.glob("*_design.json"))) == 1


def test_an_arm_that_cannot_be_compared_at_one_followup_is_said_and_the_rest_is_made(trial, out, app, tmp_path):
    words = ("--participant-label", *(label for label in sum(ARMS.values(), ()) if label not in ("02",)))
    outcome = app(trial.bids, out, "group", *GROUP, *words)
    assert outcome.code == 65
    record = json.loads((out / "group" / "comparisons.json").read_text())
    (text,) = record["NotCompared"]
    assert text.startswith("low − placebo at ses-day7: ")
    assert (
        "times the 3 comparisons (Bonferroni), because not every arm can be compared at every follow-up"
        in record["Together"]
    )
    assert text in outcome.said
    page = (out / "group" / "index.html").read_text()
    assert "Estimates are of the model of the two arms of each comparison" in page
