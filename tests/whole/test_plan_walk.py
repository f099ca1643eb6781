"""The way of a plan, by the command lines of docs/plan.md: begun, decided, checked, told, run, and shown."""

import contextlib
import io
import json
import re
import shlex
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from conftest import SCALE, SmallTrial
from outputs import table, visible

from bids_app.cli.main import main
from bids_app.report.documents import W

DOCS = Path(__file__).parents[2] / "docs" / "plan.md"
ARMS = dict(zip(range(1, 9), ("ketamine", "midazolam") * 4, strict=True))
PLACE = re.compile(r"bids|out|plan\.toml|sap\.\w+")
SCANS = (*SCALE, "--metrics", "degree", "--smooth-maps", "20")
AS_PROCESSED = """
[graph]
voxel_size = 15
smooth_maps = 20
[signal]
denoise = "simple"
min_minutes = 1
"""
OBJECTIVES = """
[[objective]]
name = "Mood"
role = "primary"
population = "adults with depression"
arm = "ketamine"
reference = "midazolam"
outcome = "hamd17"
visit = "day3"
summary = "difference of adjusted means"
[[objective.event]]
name = "rescue medication"
strategy = "treatment policy"
[[objective]]
name = "Degree anywhere"
role = "secondary"
arm = "ketamine"
measure = "degree"
visit = "day3"
[[objective]]
name = "Degree without rescue"
role = "secondary"
measure = "degree"
[[objective.event]]
name = "rescue medication"
strategy = "hypothetical"
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Four per arm at 15 mm, of whom those with ketamine fare far better."""
    root = tmp_path_factory.mktemp("walk")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    for number, arm in ARMS.items():
        for session in ("baseline", "day3"):
            trial.add_run(f"{number:02}", session)
        before, gain = 20 + number % 5, 12 if arm == "ketamine" else 1
        (trial.bids / f"sub-{number:02}").mkdir()
        rows = f"ses-baseline\t{before}\nses-day3\t{before - gain + number % 3}\n"
        (trial.bids / f"sub-{number:02}" / f"sub-{number:02}_sessions.tsv").write_text(f"session_id\thamd17\n{rows}")
    people = "".join(f"sub-{number:02}\t{arm}\t{30 + number * number}\n" for number, arm in ARMS.items())
    (trial.bids / "participants.tsv").write_text(f"participant_id\tarm\tage\n{people}")
    return trial


def lines_of_docs():
    """Return the command lines of the page, in order."""
    return re.findall(r"^    trialgraph (.+)$", DOCS.read_text(), flags=re.MULTILINE)


def decided(text):
    """Decide what the plan leaves open, as a team would: take away the # of what it means, and add what it knows."""
    for key in ("primary", "threshold", "correction", "n_planned", "title"):
        text = re.sub(rf"^# ({key} = )", r"\1", text, flags=re.MULTILINE)
    text = text.replace("fixed-sequence", "gatekeeping").replace('title = ""', 'title = "A walk"')
    text = re.sub(r'"midazolam" = 4', '"midazolam" = 5', text).replace("10000", "200")
    threshold = re.search(r"^threshold.*$", text, flags=re.MULTILINE)[0]
    return text.replace("[graph]\n", "").replace(threshold, "") + AS_PROCESSED + OBJECTIVES


@pytest.fixture(scope="module")
def walked(trial, app):
    """Everything that the page says, in its order; and what each call said."""
    root, said = trial.bids.parent, {}
    for line in lines_of_docs():
        words = [str(root / word) if PLACE.fullmatch(word) else word for word in line.split()]
        if line.startswith("plan"):
            with contextlib.redirect_stdout(io.StringIO()) as heard:
                code = main(words)
            text = heard.getvalue()
        else:
            code, text = vars(app(*words, *(SCANS if line.endswith("participant") else ()))).values()
        assert code == 0, (shlex.join(words), text)
        said[line] = text
        if line.startswith("plan init"):
            path = root / "plan.toml"
            said["draft"] = path.read_text()
            path.write_text(decided(said["draft"]))
    return root, said


def test_the_draft_has_what_the_tables_say_and_leaves_open_what_they_do_not(walked):
    _, said = walked
    draft = said["draft"]
    filled = [line for line in draft.splitlines() if line and not line.startswith(("#", "["))]
    assert [line.split("  ")[0] for line in filled[:6]] == [
        'design = "parallel"',
        'arm = "arm"',
        'arms = ["ketamine", "midazolam"]',
        'reference = "midazolam"',
        'baseline = "baseline"',
        'followup = ["day3"]',
    ]
    assert '# covariates = ["age"]' in draft
    assert "# choose: hamd17: 16 scores at ses-baseline, ses-day3" in draft
    assert '# n_planned = {"ketamine" = 4, "midazolam" = 4}' in draft


def test_the_check_says_what_is_not_stated_and_what_is_not_done(walked):
    _, said = walked
    text = " ".join(said["plan check plan.toml bids"].split())
    assert "Objective 'Degree anywhere': population, intercurrent events, summary not stated." in text
    assert "'Degree without rescue' cannot be confirmed: rescue medication, hypothetical: not done" in text
    assert "Participants: n_planned: planned 5 midazolam, used 4 midazolam, by the tables." in text
    assert "a plan that can be used; SHA-256" in text


def test_the_plan_is_told_before_there_are_results(walked):
    root, _ = walked
    text = (root / "sap.md").read_text()
    assert text.startswith("# Statistical analysis plan: A walk\n")
    assert "| Treatment | ketamine compared with midazolam |" in text
    assert "secondary objectives tested only once every primary one is confirmed" in text
    assert "| rescue medication | hypothetical | not done" in text
    assert "nan" not in text.split()
    with zipfile.ZipFile(root / "sap.docx") as file:
        assert file.testzip() is None
        parts = [ElementTree.fromstring(file.read(name)) for name in file.namelist()]
    words = [one.text for one in parts[-1].iter(f"{{{W}}}t")]
    assert words[0] == "Statistical analysis plan: A walk"
    assert sum(1 for _ in parts[-1].iter(f"{{{W}}}tbl")) == text.count("| --- |\n")


def test_what_is_confirmed_is_what_the_plan_lets_be(walked):
    root, _ = walked
    rows = {row["objective"]: row for row in _objectives(root)}
    mood, degree, other = rows["Mood"], rows["Degree anywhere"], rows["Degree without rescue"]
    outcome = next(
        one for one in table(root / "out" / "group", "outcomes").to_dict("records") if one["analysis"] == "main"
    )
    assert (mood["p"], mood["estimate"], mood["confirmed"]) == (outcome["p"], outcome["estimate"], "yes")
    assert mood["p_objectives"] == pytest.approx(outcome["p"])
    assert degree["p"] == other["p"], "both are the smallest p of the map"
    assert degree["p_objectives"] == pytest.approx(max(min(1, 2 * degree["p"]), outcome["p"]))
    assert other["confirmed"] == "not as planned"
    assert other["p_objectives"] == 1
    assert other["departures"].startswith("rescue medication: hypothetical is planned, not done")


def _objectives(root):
    path = root / "out" / "group" / "tables" / "objectives.tsv"
    return pd.read_csv(path, sep="\t", na_values="n/a").to_dict("records")


def test_the_page_begins_with_the_objectives_and_says_no_more(walked, browse):
    root, _ = walked
    path = root / "out" / "group" / "index.html"
    page = " ".join(visible(path.read_text()).split())
    assert "Primary objective, Mood: a difference is confirmed (two-sided p" in page
    assert "Secondary objective, Degree without rescue: not analysed as planned, so that nothing is confirmed" in page
    assert page.count("is confirmed (") == 2 * page.count("Mood: a difference is confirmed"), "in the box and below"
    assert "Participants planned 4 ketamine, 5 midazolam" in page
    assert "n_planned" in page
    assert "Results had been seen before" not in page
    checklist = (root / "out" / "logs" / "CHECKLIST.md").read_text()
    assert "Participants planned: 4 ketamine, 5 midazolam" in checklist
    answer = json.loads((root / "out" / "group" / "results.json").read_text())
    assert [one["confirmed"] for one in answer["objectives"]][::2] == ["yes", "not as planned"]
    found = browse(path, 1000)
    assert (found.errors, found.overflow, found.cut) == ([], {}, {})
