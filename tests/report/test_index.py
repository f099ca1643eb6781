"""The index of an output folder with scans of every fate, against the files that it is made from."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from browser import NOTHING_WRONG
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.names import build, folder
from bids_app.bids.scans import index_scans
from bids_app.bids.status import save_status
from bids_app.report.compared import Compared
from bids_app.report.every_scan import STATES, write_scans
from bids_app.report.heads import head, write_heads
from bids_app.report.index import write_index_page
from bids_app.report.quality import write_quality
from bids_app.report.strips import LANE, RADIUS, WIDTH, spread_out, strip

REASON = "The table of confounds has 120 rows, the image has 118 volumes."
FACTS = {
    "NumberOfVolumesKept": 150,
    "MinutesKept": 5.0,
    "MeanFramewiseDisplacement": 0.1,
    "Coverage": 1.0,
    "TemporalSignalToNoise": 50.0,
    "Density": 0.1,
    "MeanDegree": 100.0,
}


@pytest.fixture
def left(tmp_path):
    """Write what a run leaves of scans, as far as the index reads it: facts of each, or the reason why it failed."""

    def leave(scans, min_minutes=4.0):
        (tmp_path / "logs" / "run").mkdir(parents=True)
        content = {"signal": {"min_minutes": min_minutes}}
        (tmp_path / "logs" / "run" / "settings.json").write_text(json.dumps(content))
        states = {}
        for (sub, ses, number), facts in scans.items():
            name = f"sub-{sub} ses-{ses} task-rest run-{number}"
            failed = {"State": "failed", "Reason": facts} if isinstance(facts, str) else {"State": "done"}
            states.setdefault(sub, {})[name] = {"Scan": name, "Session": ses, **failed}
            if isinstance(facts, dict):
                write(sub, ses, number, FACTS | {"Scan": name} | facts)
        for sub, of_participant in states.items():
            save_status(tmp_path, sub, "run", of_participant)
            (tmp_path / f"sub-{sub}.html").write_text(f"<p>before</p>{head(f'sub-{sub}', [])}<p>after</p>")
        return tmp_path

    def write(sub, ses, number, facts):
        entities = {"sub": sub, "ses": ses, "task": "rest", "run": number, "space": "MNI152NLin2009cAsym"}
        path = tmp_path / folder(entities) / build({**entities, "stat": "degree", "desc": "r025"}, "boldmap", ".nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(facts))

    return leave


def people(n=8, **more):
    rng = np.random.default_rng(n)
    scans = {
        (f"{k:02d}", ses, "1"): {"MeanFramewiseDisplacement": rng.uniform(0.1, 0.2)} for k in range(n) for ses in "12"
    }
    return scans | more.get("changed", {})


def table_of(output, compared=None):
    index = index_scans(output)
    quality, _ = write_quality(output, index)
    return write_scans(output, index, quality, compared or Compared()).set_index("scan")


CHANGED = {
    ("02", "1", "1"): REASON,
    ("03", "2", "1"): {"MinutesKept": 3.5},
    ("04", "1", "1"): {"Coverage": 0.3},
    ("05", "1", "1"): {"MeanFramewiseDisplacement": 0.9},
    ("06", "2", "1"): {"MinutesKept": 3.0, "NumberOfVolumesKept": 90},
    ("06", "2", "2"): {"MinutesKept": 3.0, "NumberOfVolumesKept": 90},
}


def test_every_scan_is_in_the_table_with_what_became_of_it_and_why(left):
    output = left(people(changed=CHANGED))
    table = table_of(output)
    assert len(table) == 17
    state, reason = table["state"], table["reason"]
    assert set(state) <= set(STATES)
    unused = state[state != "usable"].to_dict()
    assert unused == {
        "sub-02 ses-1 task-rest run-1": "failed",
        "sub-03 ses-2 task-rest run-1": "excluded",
        "sub-04 ses-1 task-rest run-1": "excluded",
    }
    assert reason["sub-02 ses-1 task-rest run-1"] == REASON
    assert reason["sub-03 ses-2 task-rest run-1"] == "scanned, excluded: 3.50 min of data kept, less than 4"
    assert "30% of the analysis mask" in reason["sub-04 ses-1 task-rest run-1"]
    assert reason[state == "usable"].isna().all()
    assert "mean_fd" in table.loc["sub-05 ses-1 task-rest run-1", "outliers"].split(", ")
    written = pd.read_csv(output / "logs" / "scans.tsv", sep="\t", na_values="n/a", dtype=str)
    described = json.loads((output / "logs" / "scans.json").read_text())
    assert list(written.columns) == list(described)
    assert written["state"].tolist() == state.tolist()


def test_what_the_group_level_found_is_said_of_each_scan(left):
    compared = Compared({"sub-01": "drug"}, {"sub-03": "no arm stated"}, {"1": "baseline"}, min_minutes=2.0)
    table = table_of(left(people(changed=CHANGED)), compared)
    assert table.loc["sub-01 ses-1 task-rest run-1", ["arm", "visit"]].tolist() == ["drug", "baseline"]
    assert pd.isna(table.loc["sub-01 ses-2 task-rest run-1", "visit"])
    assert table.loc["sub-03 ses-2 task-rest run-1", ["state", "reason"]].tolist() == ["not compared", "no arm stated"]
    assert table["arm"].notna().sum() == 2


def test_without_logs_the_scans_are_those_of_the_files(left):
    output = left(people(changed=CHANGED))
    for path in (output / "logs" / "status").iterdir():
        path.unlink()
    table = table_of(output)
    assert len(table) == 16
    assert set(table["state"]) == {"usable", "excluded"}, "without settings only coverage is judged"
    assert table.index[table["state"] == "excluded"].tolist() == ["sub-04 ses-1 task-rest run-1"]


def test_the_page_counts_as_many_scans_as_its_table_and_its_dots_lead_to_pages(left):
    output = left(people(changed=CHANGED))
    page = write_index_page(output, index_scans(output)).read_text()
    assert "8 participants, 17 scans: 14 usable, 2 scanned, but excluded, 1 failed." in page
    body = re.search(r'<table id="scans".*?</table>', page, re.DOTALL)[0]
    assert body.count("<tr") == 1 + 17
    assert page.count(REASON) == 2
    motion = re.search(r'<svg viewBox[^>]*aria-label="Mean framewise.*?</svg>', page, re.DOTALL)[0]
    dots = re.findall(
        r'<a href="(sub-\d+)\.html"><title>(sub-\d+)[^<]*?: ([\d.]+)(, outlier)?</title><(path|circle)', motion
    )
    assert len(dots) == 16
    assert all(link == name for link, name, *_ in dots)
    assert [(name, value) for _, name, value, outlier, _ in dots if outlier] == [("sub-05", "0.9")]
    assert {shape for *_, outlier, shape in dots if outlier} == {"path"}
    values = [float(value) for _, _, value, *_ in dots]
    assert values[:7] == sorted(values[:7]), "arrow keys go from small to large"


def test_one_scan_is_one_scan(left):
    page = write_index_page(output := left({("1", "1", "1"): {}}), index_scans(output)).read_text()
    assert "1 participant, 1 scan: all usable." in page


@pytest.mark.parametrize("width", [1400, 1000, 420])
def test_nothing_is_wrong_with_it_in_a_browser(left, browse, width):
    output = left(people(30, changed=CHANGED))
    assert browse(write_index_page(output, index_scans(output)), width) == NOTHING_WRONG


def test_dots_are_reached_by_arrow_keys(left, chromium):
    output = left(people())
    page = chromium.new_page()
    page.goto(write_index_page(output, index_scans(output)).resolve().as_uri())
    first = page.locator(".strips svg").first
    assert first.locator("a[tabindex='0']").count() == 1
    first.locator("a").first.focus()
    page.keyboard.press("ArrowRight")
    said = page.evaluate("document.activeElement.querySelector('title').textContent")
    assert said == first.locator("a").nth(1).locator("title").text_content()
    page.close()


@given(places=st.lists(st.floats(0, WIDTH), min_size=1, max_size=200).map(sorted))
def test_dots_stay_in_their_lane(places):
    assert np.abs(spread_out(np.array(places))).max() <= LANE / 2 - RADIUS


def test_a_dot_is_where_its_value_is():
    values = np.array([1.0, 2.0, 5.0])
    scans = pd.DataFrame({"x": values, "lane": "all", "text": "", "page": None, "outliers": ["x", None, "y, x"]})
    drawn = strip(scans, "x", "title")
    x = [dot.x for dot in drawn.lanes[0].dots]
    ticks = {value: place for place, value in drawn.ticks}
    assert x[1] == pytest.approx(x[0] + (x[2] - x[0]) / 4, abs=0.1)
    assert all(ticks[value] == pytest.approx(np.interp(value, values, x), abs=0.1) for value in ticks)
    assert drawn.lanes[0].median == x[1]
    assert [dot.outlier for dot in drawn.lanes[0].dots] == [True, False, True]
    assert strip(scans.assign(x=np.nan), "x", "title") is None


def test_heads_are_put_in_place_and_nothing_else_is_touched(left):
    output = left(people(3, changed={("01", "2", "1"): {"MinutesKept": 3.5}}))
    (output / "sub-02.html").write_text("a page of an earlier version")
    compared = Compared({"sub-01": "drug"}, {}, {"1": "baseline"})
    scans = table_of(output, compared).reset_index()
    write_heads(output, scans, compared)
    page = (output / "sub-01.html").read_text()
    assert page.startswith("<p>before</p>")
    assert page.endswith("<p>after</p>")
    for said in ("Arm: drug.", "Visits: ses-1 (baseline), ses-2.", 'href="sub-00.html" rel="prev"', "is excluded:"):
        assert said in page
    assert (output / "sub-02.html").read_text() == "a page of an earlier version"
    made = (output / "sub-01.html").stat().st_mtime_ns
    write_heads(output, scans, compared)
    assert (output / "sub-01.html").stat().st_mtime_ns == made
