"""References of the texts, the table of the scans' quality, and the chart of participants."""

import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bids_app.bids.names import build, folder
from bids_app.bids.scans import index_scans
from bids_app.graph import GLOBALS
from bids_app.graph.measures import MEASURES
from bids_app.report.bibliography import bibliography, bibtex, cited, in_full, key_of, spelled_out
from bids_app.report.flowchart import flowchart
from bids_app.report.group_methods import STATISTICS
from bids_app.report.quality import QCFC, write_quality
from bids_app.settings.settings import BY_OPTION
from bids_app.trial.comparison_record import Statistic
from bids_app.trial.design import Design

KEYS = sorted(bibliography())


@pytest.mark.parametrize("key", KEYS)
def test_every_reference_is_whole_and_says_the_same_everywhere(key):
    entry = bibliography()[key]
    assert {"type", "author", "title", "year"} <= set(entry)
    assert entry.get("journal") or entry.get("booktitle") or entry.get("publisher")
    full, short, bib = in_full(key), spelled_out(f"x [@{key}]"), bibtex([key])
    first = entry["author"].split(" and ")[0].partition(",")[0]
    for text in (full, short):
        assert first in text
        assert f"{entry['year']}" in text
        assert not re.search(r"\bothers\b|None|@", text)
    assert entry["title"] in full
    assert bib.startswith(f"@{entry['type']}{{{key},\n")
    assert bib.count("{") == bib.count("}")
    parsed = dict(re.findall(r"^  (\w+) = \{(.*)\},$", bib, flags=re.MULTILINE))
    assert parsed == {name: str(value) for name, value in entry.items() if name != "type"}
    if "doi" in entry:
        assert key_of(f"Somebody {entry['year']}, doi:{entry['doi']}") == key
        assert full.endswith(f"https://doi.org/{entry['doi']}")


def test_no_two_references_share_a_doi():
    counted = Counter(entry["doi"].lower() for entry in bibliography().values() if "doi" in entry)
    assert {doi for doi, n in counted.items() if n > 1} == set()


@pytest.mark.parametrize("measure", [*MEASURES.values(), *GLOBALS.values()], ids=lambda measure: measure.name)
def test_every_measure_has_a_reference_that_can_be_cited(measure):
    assert key_of(measure.reference) in KEYS


@given(groups=st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), max_size=4))
def test_keys_are_found_in_order_and_none_is_left_in_the_text(groups):
    text = "word".join(f" [@{'; @'.join(group)}] " for group in groups)
    keys = [key for group in groups for key in group]
    assert cited(text) == sorted(set(keys), key=keys.index)
    assert "[@" not in spelled_out(text)
    assert spelled_out(text).count("(") == len(groups)
    assert cited(spelled_out(text)) == []


def test_every_statistic_that_can_be_asked_for_or_kept_has_its_words():
    asked = {*BY_OPTION["statistic"].metadata["choices"], *BY_OPTION["edge_statistic"].metadata["choices"]} - {"none"}
    assert set(STATISTICS) == asked == set(Statistic.__args__)
    for words in STATISTICS.values():
        assert set(cited(words)) <= set(KEYS)


def left(output, label, session, **facts):
    entities = {"sub": label, "task": "rest", "space": "MNI152NLin2009cAsym"} | ({"ses": session} if session else {})
    for desc in ("r025", "r03"):
        path = output / folder(entities) / build({**entities, "stat": "degree", "desc": desc}, "boldmap", ".nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        sidecar = {"NumberOfVolumesKept": 100, "MeanDegree": 5.0} | facts
        if desc == "r03":
            sidecar |= {"MeanDegree": 99.0}
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))


def test_quality_has_a_row_of_each_scan_by_its_first_edge_rule(tmp_path):
    (tmp_path / "logs").mkdir()
    left(tmp_path, "02", "1", MeanFramewiseDisplacement=0.25, MinutesKept=5.5, Coverage="n/a")
    left(tmp_path, "01", "2", MeanFramewiseDisplacement=0.5)
    left(tmp_path, "01", "1", Density=0.125)
    left(tmp_path, "03", None)
    quality, qcfc = write_quality(tmp_path, index_scans(tmp_path))
    assert quality["participant_id"].tolist() == ["sub-01", "sub-01", "sub-02", "sub-03"]
    assert quality["session"].fillna("none").tolist() == ["1", "2", "1", "none"]
    assert quality["mean_degree"].tolist() == [5.0] * 4
    assert set(quality["kind"]) == {"voxels"}
    np.testing.assert_equal(quality["mean_fd"].to_numpy(), [np.nan, 0.5, 0.25, np.nan])
    np.testing.assert_equal(quality["density"].to_numpy(), [0.125, np.nan, np.nan, np.nan])
    assert quality["coverage"].isna().all(), "n/a is no number"
    assert quality.loc[2, "minutes"] == 5.5
    assert qcfc.empty
    for name in ("quality", "qcfc"):
        table = pd.read_csv(tmp_path / "logs" / f"{name}.tsv", sep="\t", na_values="n/a", dtype={"session": str})
        described = json.loads((tmp_path / "logs" / f"{name}.json").read_text())
        assert list(table.columns) == list(described)
    assert len(pd.read_csv(tmp_path / "logs" / "quality.tsv", sep="\t")) == 4


@pytest.mark.parametrize("n", [4, 5, 12])
@pytest.mark.parametrize("constant", [False, True])
def test_how_graphs_go_along_with_motion_is_spearmans_correlation_of_people(tmp_path, n, constant):
    rng = np.random.default_rng(n)
    (tmp_path / "logs").mkdir()
    motion, density = rng.uniform(0.1, 0.5, n), rng.uniform(0, 1, n) * (not constant)
    for number in range(n):
        known = {"MeanFramewiseDisplacement": motion[number], "Density": density[number], "MeanDegree": 4.0}
        left(tmp_path, f"{number:02d}", "1", **known)
    left(tmp_path, "99", "1", Density=0.5)  # whose motion is not known
    _, qcfc = write_quality(tmp_path, index_scans(tmp_path))
    if n < 5 or constant:
        assert qcfc.empty, "fewer than five, or no spread, say nothing"
        return
    assert set(qcfc["measure"]) <= set(QCFC)
    row = qcfc.set_index("measure").loc["density"]
    expected = stats.spearmanr(motion, density)
    assert (row["n"], row["session"], row["kind"]) == (n, "1", "voxels")
    assert (row["rho"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert "mean_degree" not in qcfc["measure"].tolist()


DESIGN = Design("arm", "drug", "placebo", "1", "2")
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["drug", "placebo", "third", None]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from(["moved", "no scan", None]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(people=PEOPLE)
def test_everyone_is_once_in_the_chart_and_each_column_adds_up(people):
    rows = [
        {
            "participant_id": f"sub-{number}",
            "arm": arm,
            "baseline_scans": before,
            "followup_scans": after,
            "analysed": (analysed := bool(fit and before and after and arm in ("drug", "placebo"))),
            "reason": None if analysed else reason,
        }
        for number, (arm, before, after, fit, reason) in enumerate(people)
    ]
    chart = flowchart(pd.DataFrame(rows), DESIGN)
    assert chart["total"] == len(people) == sum(arm["first"] for arm in chart["arms"])
    assert chart["analysed"] == sum(arm["analysed"] for arm in chart["arms"]) == sum(row["analysed"] for row in rows)
    assert [arm["name"] for arm in chart["arms"]][:2] == ["drug", "placebo"]
    for arm in chart["arms"]:
        assert arm["first"] == arm["analysed"] + sum(count for _, count in arm["left_out"])
        counts = [count for _, count in arm["left_out"]]
        assert counts == sorted(counts, reverse=True)
        baseline, followup, both = (count for _, count in arm["steps"])
        assert arm["analysed"] <= both <= min(baseline, followup) <= arm["first"]
        assert baseline + followup - both <= arm["first"]
