"""The pages in a browser, and their numbers against the files that they come from."""

import html
import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from browser import NOTHING_WRONG
from simulated_trial import NAMED, OPTIONS, call

from bids_app.bids.scans import index_scans
from bids_app.graph import MEASURES
from bids_app.graph.features import Feature
from bids_app.report.bibliography import bibliography, bibtex, cited, key_of
from bids_app.report.citation import write_citation
from bids_app.report.pages import fixed, number, p_value, span, spread

pytestmark = pytest.mark.slow
MOTION = {"mean_fd": 3, "volumes": 0, "minutes": 2, "coverage": 3}  # and decimals
PAGES = ("index.html", "sub-01.html", "sub-09.html", "group/index.html", "logs/CITATION.html", "logs/CHECKLIST.html")


class Tables(HTMLParser):
    """Collects the rows of all tables, cells as text."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.cell = [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = []

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def tables(page, *heads):
    """Return the bodies of the tables of a page whose heading has these cells."""
    found = Tables(page.read_text()).tables
    return [rows[1:] for rows in found if set(heads) <= set(rows[0])]


def read(output, pattern, folder="group/tables"):
    (path,) = (output / folder).glob(pattern)
    return pd.read_csv(path, sep="\t", na_values="n/a")


def place(row):
    return ", ".join(fixed(row[axis], 0) for axis in "xyz")


def text_of(page):
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL).split())


@pytest.mark.parametrize("width", [1000, 420])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_wrong_in_a_browser(compared, browse, page, width):
    assert browse(compared / page, width) == NOTHING_WRONG


def test_no_page_shows_a_gap_as_text_or_the_name_of_a_column(compared):
    for page in (compared / "group" / "index.html", compared / "logs" / "CITATION.html"):
        hidden = r"<(code|a|script|style)\b.*?</\1>|srcdoc=\"[^\"]*\"|<[^>]+>"
        text = html.unescape(re.sub(hidden, " ", page.read_text(), flags=re.DOTALL))
        assert not re.findall(r"\bnan\b|\bNone\b|\bfollowup\b", text)
        columns = set(re.findall(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b", text))
        assert columns <= {"acq_time", "participant_id", "session_id"}, "those of BIDS are what to look for in the data"


def test_every_table_that_scrolls_is_called_by_what_is_in_it(compared):
    for page in (compared / "group" / "index.html", compared / "index.html"):
        names = re.findall(r'role="group" aria-label="(.*?)"', page.read_text())
        assert len(set(names)) == len(names) > 0
        tables = re.findall(r'class="scroll" tabindex="0" role="group" aria-label="(.*?)"', page.read_text())
        assert all(name.endswith(": table, scrolls sideways") for name in tables)


def test_every_link_of_the_group_page_leads_somewhere(compared):
    page = compared / "group" / "index.html"
    text = page.read_text()
    links = set(re.findall(r'href="([^"#]+)"', text))
    assert {"results.json"} < {link for link in links if link.endswith((".json", ".tsv"))}
    assert [link for link in links if not (page.parent / link).exists()] == []
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'id="([^"]+)"', text))


def test_a_click_on_a_head_sorts_and_another_turns_it_round(compared, chromium):
    page = chromium.new_page()
    page.goto((compared / "group" / "index.html").resolve().as_uri())
    table = page.locator("table", has=page.locator("th", has_text="Adjusted difference (95 % CI)")).first
    head, read_t = table.locator("thead th", has_text=re.compile("^t$")), "cells => cells.map(one => one.textContent)"
    place = head.evaluate("one => [...one.parentElement.children].indexOf(one) + 1")
    seen = []
    for _ in range(2):
        head.locator("button").click()
        texts = table.locator(f"tbody tr > :nth-child({place})").evaluate_all(read_t)
        seen.append([float(text.replace("−", "-")) for text in texts])
    page.close()
    assert seen[0] == sorted(seen[0]) != seen[1] == sorted(seen[1], reverse=True)


def test_pages_are_small_enough_to_be_sent(compared):
    assert (compared / "group" / "index.html").stat().st_size < 5e6


def interval(row, name="difference", low="ci_low", high="ci_high"):
    return span(row, name, low, high, 2 if name == "hedges_g" else None)


def test_clusters_are_those_of_the_table(compared):
    clusters = read(compared, "*_res-8mm_*_clusters.tsv")
    clusters = clusters[~clusters["estimator"].str.startswith("within:")]  # which are described, not tested
    shown = [row for table in tables(compared / "group" / "index.html", "Region", "Direction", "mm³") for row in table]
    assert len(shown) == len(clusters)
    assert len(clusters)
    for _, row in clusters.iterrows():
        same = [one for one in shown if one[0] == row["region"] and one[1] == row["direction"]]
        peak = ", ".join(fixed(row[f"peak_{axis}"], 0) for axis in "xyz")
        expected = [number(row["n_voxels"]), fixed(row["volume_mm3"], 0), peak, fixed(row["t"]), interval(row)]
        expected += [interval(row, "hedges_g", "g_low", "g_high"), p_value(row["p_fwe"]), p_value(row["p_fwe_all"])]
        assert expected in [one[2:10] for one in same]


def test_whole_brain_means_are_those_of_the_table(compared):
    for pattern, place in (("*_res-8mm_*_wholebrain.tsv", 0), ("*_atlas-*Midazolam_wholebrain.tsv", 1)):
        means = read(compared, pattern)
        shown = tables(compared / "group" / "index.html", "ketamine, baseline", "Adjusted difference (95 % CI)")[place]
        for (_, row), cells in zip(means.iterrows(), shown, strict=True):
            values = [number(row[column]) for column in means if "_mean_" in column]
            expected = [*values, fixed(row["t"]), interval(row), interval(row, "hedges_g", "g_low", "g_high")]
            assert cells[1:] == [*expected, p_value(row["p"]), p_value(row["p_fwe"])]


def test_bounds_of_the_whole_brain_are_there_whether_or_not_anything_is_significant(compared):
    shown = tables(compared / "group" / "index.html", "Measure", "Assumption")
    files = sorted(compared.glob("group/tables/*_wholebrainmissing.tsv"))
    assert len(shown) >= len(files) > 1
    made = [pd.read_csv(path, sep="\t", na_values="n/a") for path in files]
    assert sum(len(rows) for rows in shown) == sum(map(len, made)), "what is not shown at once is folded, not left out"
    for table in made:
        assert {"worst case", "best case", "imputed"} <= set(table["method"])


def test_regions_that_were_named_beforehand_are_those_of_the_table(compared):
    table = read(compared, "*_atlas-*_regions.tsv")
    nodes = read(compared, "*_atlas-*_nodes.tsv")
    assert set(table["region"]) == {NAMED}
    (shown,) = tables(compared / "group" / "index.html", "Region", "Nodes", "p FWE")
    assert [cells[-1] for cells in shown] == [p_value(p) for p in table["p_fwe"]]
    own = nodes[(nodes["name"] == NAMED) & (nodes["estimator"] == "ancova")].set_index(["measure", "edges"])
    for row in table.itertuples():  # a parcel by itself is the same comparison, with a smaller correction
        assert row.t == pytest.approx(own.loc[(row.measure, row.edges), "t"], rel=1e-6)
        assert row.p == own.loc[(row.measure, row.edges), "p"]
    missing = read(compared, "*_atlas-*_regionsmissing.tsv")
    assert len(missing) == 5 * len(table)
    text = text_of(compared / "group" / "index.html")
    assert f"Of {len(table)} values in regions that were named beforehand" in text
    assert f"named beforehand, {NAMED} (1 node)" in text_of(compared / "logs" / "CITATION.html")


def test_parcels_are_those_of_the_table(compared):
    nodes = read(compared, "*_atlas-*_nodes.tsv")
    shown = tables(compared / "group" / "index.html", "Parcel", "q FDR")
    assert len(shown) >= 4
    for cells in (row for table in shown for row in table):
        rows = nodes[nodes["name"] == cells[0]]
        formatted = [
            [
                place(row),
                fixed(row["t"]),
                interval(row),
                interval(row, "hedges_g", "g_low", "g_high"),
                p_value(row["p"]),
            ]
            for _, row in rows.iterrows()
        ]
        assert cells[1:6] in formatted


def test_the_flow_and_the_headline_are_those_of_the_files(compared):
    page, flow = text_of(compared / "group" / "index.html"), read(compared, "*_res-8mm_*_flow.tsv")
    clusters = read(compared, "*_res-8mm_*_clusters.tsv")
    found = clusters[(clusters["estimator"] == "ancova") & (clusters["p_fwe_all"] <= 0.05)]
    assert f"{flow['analysed'].sum()} of {len(flow)} participants analysed" in page
    said = "Voxels: the arms differ in" if len(found) else "Voxels: the arms do not differ significantly"
    assert said in page
    for arm, members in flow.groupby("arm"):
        assert f"{arm}: {len(members)}" in page
        assert f"Analysed: {members['analysed'].sum()}" in page
    assert "1 × follow-up: no scan" in page


def test_results_as_data_are_those_of_the_tables_and_of_the_page(compared):
    """Every cluster that counts is in one place; its mean is the headline row of the table of sensitivity."""
    written = json.loads((compared / "group" / "results.json").read_text())
    page = html.unescape(text_of(compared / "group" / "index.html"))
    clusters = read(compared, "*_res-8mm_*_clusters.tsv").set_index("cluster")
    (of_voxels,) = [one for one in written["statements"] if one["about"] == "voxels"]
    own = [result for place in of_voxels["found"] for result in place["results"]]
    counted = clusters[(clusters["estimator"] == "ancova") & (clusters["p_fwe_all"] <= 0.05)]
    assert sorted(one["cluster"] for one in own) == sorted(counted.index)
    for one in own:
        row = clusters.loc[one["cluster"]]
        assert (one["p"], one["region"], one["peak_hedges_g"]) == pytest.approx(
            (row["p_fwe_all"], row["region"], row["hedges_g"])
        )
        sensitivity = read(compared, "*_res-8mm_*_sensitivity.tsv")
        (mean,) = sensitivity[sensitivity["cluster"] == one["cluster"]].head(1).to_dict("records")
        assert one["hedges_g"] == pytest.approx(mean["effect_size"])
        assert all((compared / "group" / name).exists() for name in one["files"])
    for statement in written["statements"]:
        assert statement["text"] in page
        assert all(place["text"] in page for place in statement["found"][:6])


def test_motion_is_that_of_the_flow(compared):
    flow = read(compared, "*_res-8mm_*_flow.tsv")
    shown = tables(compared / "group" / "index.html", "Arm", "Visit", "Mean FD, mm (SD)")[0]
    for arm, visit, n, *values in shown:
        members = flow[flow["analysed"] & (flow["arm"] == arm)]
        prefix = visit.replace("-", "")
        assert int(n) == len(members)
        for (quantity, decimals), cell in zip(MOTION.items(), values, strict=True):
            column = members[f"{prefix}_{quantity}"]
            assert cell == spread(column.mean(), column.std(), decimals)


def test_a_participants_numbers_are_those_of_the_sidecars(compared):
    page = text_of(compared / "sub-01.html")
    for session in ("baseline", "day3"):
        (path,) = compared.glob(f"sub-01/ses-{session}/func/*_stat-degree_desc-r025_boldmap.json")
        facts = json.loads(path.read_text())
        kept = f"{facts['NumberOfVolumesKept']} of {facts['NumberOfVolumes']} kept"
        motion = f"mean framewise displacement {number(facts['MeanFramewiseDisplacement'])} mm"
        edges = f"{number(facts['NumberOfEdges'])} edges, density {number(100 * facts['Density'])} %"
        noise = f"temporal signal to noise {number(facts['TemporalSignalToNoise'])} before"
        for expected in (kept, motion, edges, noise, f"mean degree {number(facts['MeanDegree'])}"):
            assert expected in page
    means = tables(compared / "sub-01.html", "Measure", "Mean over nodes")[0]
    for title, mean, deviation, _ in means:
        metric = next(name for name in MEASURES if Feature(name, "r025").title == title)
        stat = Feature(metric, "r025").label.removesuffix("R025")
        (path,) = compared.glob(f"sub-01/ses-baseline/func/*_stat-{stat}_desc-r025_boldmap.json")
        facts = json.loads(path.read_text())
        assert (mean, deviation) == (number(facts["Mean"], 4), number(facts["StandardDeviation"], 4))


def test_every_file_of_a_participant_is_linked(compared):
    links = set(re.findall(r'href="(sub-01/[^"]+)"', (compared / "sub-01.html").read_text()))
    files = {path.relative_to(compared).as_posix() for path in (compared / "sub-01").rglob("*") if path.is_file()}
    assert files == links


def test_the_index_shows_every_scan(compared):
    quality = read(compared, "quality.tsv", "logs")
    graphs = tables(compared / "index.html", "Scan", "Kind")[0]
    assert len(graphs) == len(quality) == 17 * 2
    for (_, row), cells in zip(quality.iterrows(), graphs, strict=True):
        assert cells == [
            row["scan"],
            row["kind"],
            *(fixed(row[name], decimals) for name, decimals in (("coverage", 2), ("density", 3), ("mean_degree", 1))),
        ]
    of_maps = quality[quality["kind"] == "voxels"].set_index("scan")
    flow = read(compared, "*_res-8mm_*_flow.tsv").set_index("participant_id")
    (shown,) = tables(compared / "index.html", "Scan", "State")
    assert [cells[0] for cells in shown] == list(of_maps.index)
    for scan, arm, visit, state, motion, *_, why in shown:
        person = flow.loc[scan.split()[0]]
        assert (arm, motion) == (person["arm"], fixed(of_maps.loc[scan, "mean_fd"], 3))
        assert visit == ("baseline" if "ses-baseline" in scan else "follow-up")
        assert state == ("usable" if person["analysed"] else "not compared")
        assert person["analysed"] or why.endswith(person["reason"])


def test_participants_pages_lead_to_each_other_and_say_the_arm(compared):
    flow = read(compared, "*_res-8mm_*_flow.tsv").set_index("participant_id")
    for place, name in enumerate(flow.index):
        page = (compared / f"{name}.html").read_text()
        assert f"Arm: {flow.loc[name, 'arm']}." in page
        assert 'href="group/index.html"' in page
        assert re.findall(r'href="([^"]+)" rel="prev"', page) == [f"{one}.html" for one in flow.index[:place][-1:]]
        assert re.findall(r'href="([^"]+)" rel="next"', page) == [f"{one}.html" for one in flow.index[place + 1 :][:1]]
        if not flow.loc[name, "analysed"]:
            assert flow.loc[name, "reason"] in page


def test_counts_agree_with_their_nouns(compared):
    for page in compared.rglob("*.html"):
        assert not re.findall(r"\b1 (?:participants|scans|visits|files|outliers|regressors)\b", text_of(page)), page


def test_motion_and_graphs_are_correlated_over_participants(compared):
    quality, qcfc = read(compared, "quality.tsv", "logs"), read(compared, "qcfc.tsv", "logs")
    row = qcfc[(qcfc["kind"] == "voxels") & (qcfc["session"] == "baseline") & (qcfc["measure"] == "density")].iloc[0]
    members = quality[(quality["kind"] == "voxels") & (quality["session"] == "baseline")]
    assert row["n"] == len(members) == 9
    ranks = members[["mean_fd", "density"]].rank()
    assert row["rho"] == pytest.approx(ranks.corr().iloc[0, 1], abs=1e-8)


def test_links_lead_somewhere(compared):
    for name in PAGES:
        page = compared / name
        for link in re.findall(r'href="([^"#]+)"', page.read_text()):
            assert link.startswith("https://doi.org/") or (page.parent / link).exists(), (name, link)


def test_pages_are_made_anew_from_the_files(compared, simulated, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(compared, output)
    before = {name: (output / name).read_bytes() for name in PAGES}
    for name in PAGES:
        (output / name).unlink()
    for level in ("participant", "group"):
        again = call(simulated.bids_dir, output, level, *OPTIONS, "--reports-only")
        assert again.returncode == 0, again.stderr
    assert sorted(name for name in PAGES if not (output / name).exists()) == []
    for name in ("index.html", "sub-01.html"):
        assert text_of(output / name) == text_of(compared / name)
    assert before["logs/CITATION.html"] == (output / "logs" / "CITATION.html").read_bytes()


def test_there_must_be_something_to_make_pages_of(simulated, tmp_path):
    nothing = call(simulated.bids_dir, tmp_path, "group", *OPTIONS, "--reports-only")
    assert nothing.returncode == 18
    assert "holds nothing of the group level to make pages from" in nothing.stderr


def test_methods_change_with_what_was_run(compared, tmp_path):
    shutil.copytree(compared, tmp_path / "out")
    before = write_citation(tmp_path / "out", index_scans(tmp_path / "out")).read_text()
    (design,) = (tmp_path / "out" / "group").glob("*_res-8mm_*_design.json")
    content = json.loads(design.read_text())
    changed = {"Scheme": "freedman-lane", "Draws": 777, "StandardErrors": "HC3", "Alpha": 0.01, "Strata": ["site"]}
    design.write_text(json.dumps(content | changed))
    after = write_citation(tmp_path / "out", index_scans(tmp_path / "out")).read_text()
    for said in ("permuted 777 times within strata (Freedman & Lane 1983", "HC3 standard errors", "p ≤ 0.01"):
        assert said in after
        assert said not in before
    assert "MacKinnon, James G." in after
    assert "mackinnon1985" in (tmp_path / "out" / "logs" / "CITATION.bib").read_text()
    assert "Freedman" not in before


def test_methods_say_what_the_files_say(compared):
    text = (compared / "logs" / "CITATION.md").read_text()
    assert "17 resting-state scans of 9 participants" in text
    assert "r > 0.25" in text
    assert "26 regressors" in text
    assert "through all 70 possible allocations" in text
    checklist = (compared / "logs" / "CHECKLIST.md").read_text()
    assert "| CONSORT 2025 | voxels: analysed | ketamine 4, midazolam 4 |" in checklist
    assert "| CONSORT 2025 | Analysis plan | none: all is exploratory |" in checklist
    assert checklist.count("for you to fill in") >= 4


def test_every_reference_of_a_measure_is_in_the_bibliography():
    for measure in MEASURES.values():
        assert bibliography()[key_of(measure.reference)]["doi"] in measure.reference


def test_bibtex_has_a_whole_entry_for_each_key():
    keys = list(bibliography())
    text = bibtex(keys)
    assert re.findall(r"^@\w+\{(\w+),", text, flags=re.MULTILINE) == keys
    for entry in bibliography().values():
        assert {"type", "author", "title", "year"} <= set(entry)
    assert cited("a [@x; @y] b [@x]") == ["x", "y"]
