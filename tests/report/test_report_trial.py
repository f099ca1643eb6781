"""The page's part on the trial shows the numbers of the files, and says what is not there."""

import re

import pandas as pd
import pytest
from comparison import RECORD, changed
from matplotlib import pyplot as plt
from region_trial import DESIGN, made, save_group_maps

from bids_app.bids.files import save_described, save_json, save_table
from bids_app.bids.names import Name
from bids_app.bids.result_names import group_name, trial_name
from bids_app.group.arm_tables import write_arms
from bids_app.group.notes import Notes
from bids_app.group.plan_record import write_plan
from bids_app.group.region_tables import write_region_tables
from bids_app.group.trial_tables import read_scores, write_outcomes
from bids_app.report.pages import p_value, span, write_page
from bids_app.report.trial import role_text, route_context, trial_context
from bids_app.report.words import said
from bids_app.settings.deviation import Deviation
from bids_app.settings.plan import Plan
from bids_app.trial.comparison_record import read_comparison
from bids_app.trial.flow_table import FLOW_COLUMNS

PLAN = Plan("degree", threshold=0.25, alpha=0.01, primary_outcomes=("hamd",), sha256="0123abcd")
TEMPLATES = ("trial_arms.html.jinja", "trial_regions.html.jinja", "trial.html.jinja")
OUTCOMES = {"outcomes": ("hamd", "ideation"), "cutoffs": ("hamd:response=50%",)}


def record_of(active, reference):
    return changed(RECORD, active_arm=active, reference_arm=reference)


def written(output_dir, p_cluster=(0.01, 0.02, 0.05, 0.05), problems=(), **options):
    """Write all files of a small group, and return it with the path of its design."""
    group = made(output_dir, **options)
    save_group_maps(group, p_cluster)
    scores, notes = read_scores(group.tables, DESIGN, group.settings.trial), Notes(list(problems))
    folder = output_dir / "group"
    if scores:
        write_outcomes(group.run(scores, notes))
    write_arms(group.run(scores, notes), group.target)
    regions = write_region_tables(group.run(scores, notes), group.target)
    write_plan(group.run(None, notes), {group.route.name: regions})
    save_described(folder / group_name(group.route, DESIGN, "flow", ".tsv"), group.flow, FLOW_COLUMNS)
    design = folder / group_name(group.route, DESIGN, "design", ".json")
    save_json(design, record_of(DESIGN.active, DESIGN.reference).to_json())
    return group, design


def page_of(design_path):
    """Fill each template as the page does, and return the text of all."""
    folder, record = design_path.parent, read_comparison(design_path)
    content = {
        "trial": trial_context(folder, [design_path]),
        "route": {"anchor": "voxels", "trial": route_context(folder, Name.parse(design_path).entities, record)},
        "record": record,
    }
    texts, others = [], plt.get_fignums()
    for template in TEMPLATES:
        write_page(folder / "part.html", template, **content)
        texts.append((folder / "part.html").read_text())
    assert plt.get_fignums() == others, "figures are closed"
    return "\n".join(texts)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    departed = (Deviation("alpha", 0.01, 0.05),)
    group, design = written(tmp_path_factory.mktemp("page"), robustness=True, plan=PLAN, departed=departed, **OUTCOMES)
    return group, design, page_of(design)


def rows_of(page, caption):
    """Return the cells of a table of the page, by its caption."""
    (table,) = [part for part in re.findall("<table.*?</table>", page, flags=re.DOTALL) if caption in part]
    body = table.split("<tbody>")[1]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in body.split("<tr>")[1:]]


def test_every_table_of_the_files_is_on_the_page_row_by_row(whole):
    group, _, page = whole
    folder = group.settings.output_dir / "group"
    captions = {
        "motion": "Motion and data kept",
        "balance": "Before treatment",
        "association": "Brain and symptom",
        "roimissing": "Regions: what missing",
        "sensitivity": "Regions: the effect when",
        "agreement": "Regions: how far",
    }
    for suffix, caption in captions.items():
        table = pd.read_csv(folder / group_name(group.route, DESIGN, suffix, ".tsv"), sep="\t", na_values="n/a")
        assert len(rows_of(page, caption)) == len(table) > 0, suffix


def test_numbers_of_the_page_are_those_of_the_files(whole):
    group, _, page = whole
    folder = group.settings.output_dir / "group"
    outcomes = pd.read_csv(folder / trial_name(DESIGN, "outcomes"), sep="\t", na_values="n/a")
    for cells, row in zip(rows_of(page, "compared with"), outcomes.itertuples(), strict=True):
        assert cells[:3] == [row.outcome, row.endpoint, f"{said(row.method)}, {row.population}"]
        assert cells[3] == f"{row.analysis}, {row.role}"
        assert cells[7] == span(row._asdict(), "estimate", "ci_low", "ci_high")
        assert cells[8:11] == [p_value(p).replace("<", "&lt;") for p in (row.p, row.p_hc3, row.p_rerandomized)]
    path = folder / group_name(group.route, DESIGN, "sensitivity", ".tsv")
    sensitivity = pd.read_csv(path, sep="\t", na_values="n/a")
    for cells, row in zip(rows_of(page, "the effect when"), sensitivity.itertuples(), strict=True):
        assert cells[3] == span(row._asdict(), "estimate", "ci_low", "ci_high")


def test_the_plan_and_its_departures_are_shown(whole):
    _, _, page = whole
    assert "0123abcd" in page
    assert rows_of(page, "departs from the plan") == [["alpha", "0.01", "0.05"]]
    assert ["Degree, r &gt; 0.25", said("ancova"), "exploratory"] in rows_of(page, "counts for")
    assert "covariates" in re.search("<dt>Left open</dt><dd>(.*?)</dd>", page)[1]


def test_images_have_their_words_and_nothing_is_loaded(whole):
    _, _, page = whole
    images = re.findall("<img[^>]*>", page)
    assert len(images) == 1 + 1 + 2 + 2 + 1, "motion; the region; two outcomes; two associations; one curve"
    assert all(len(re.search('alt="([^"]*)"', image)[1]) > 20 for image in images)
    assert not re.findall(r"""(?:src|href)=["']?https?:""", page)
    assert page.count("<table") == page.count("<caption>")


def test_without_plan_outcomes_or_regions_the_page_says_so(tmp_path):
    _, design = written(tmp_path, (0.2, 0.3, 0.4, 0.5), ["Tipping points: not made (ValueError: no spread)"])
    page = page_of(design)
    assert "No significant cluster or parcel" in page
    assert "There is no plan: everything on this page is exploratory." in page
    assert "Clinical outcomes" not in page
    assert "no spread" in page
    assert "no plan" in trial_context(design.parent, [design])["role_text"]


def test_files_that_are_not_there_leave_no_trace(tmp_path):
    design = tmp_path / "task-rest_contrast-drugVsUsualCare_design.json"
    save_json(design, record_of("drug", "usual care").to_json())
    assert not re.search("<(table|img|h2|h3)", page_of(design))


@pytest.mark.parametrize("column", ["baseline_mean_fd", "followup_mean_fd"])
def test_an_arm_may_be_called_none(tmp_path, column):
    """Who is given nothing is drawn like anyone else."""
    drawn = []
    for arm in ("None", "Nine"):
        flow = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(8)], "arm": [arm, "drug"] * 4})
        flow = flow.assign(baseline_mean_fd=0.1, followup_mean_fd=0.2).assign(**{column: [0.1 * i for i in range(8)]})
        folder = tmp_path / arm
        save_table(folder / "tables" / f"task-rest_contrast-drugVs{arm}_flow.tsv", flow)
        design = folder / f"task-rest_contrast-drugVs{arm}_design.json"
        record = record_of("drug", arm)
        drawn.append(
            route_context(folder, Name.parse(design).entities, record)["motion_figure"].read_text().count("<use")
        )
    assert drawn[0] == drawn[1] > 8


def test_what_was_planned_as_primary_and_no_longer_is_says_why():
    roles = [{"Role": "exploratory", "Title": "Degree, r > 0.25", "Metric": "degree"}]
    plan = {"Settled": {"metric": "degree", "primary_outcomes": ["hamd"]}}
    departed = [
        {"What": "min_minutes", "Planned": "4", "Used": "3"},
        {"What": "hc3", "Planned": "not in the plan; the default is no", "Used": "yes"},
        {"What": "n_permutations", "Planned": "10000", "Used": "500"},
    ]
    assert role_text({"Plan": plan | {"Deviations": departed}, "Roles": roles}) == (
        "Planned as primary, now exploratory because min_minutes is 3 (planned: 4); hc3 is yes (not in the plan; the "
        "default is no): Degree, r > 0.25; hamd."
    )


def test_primary_outcomes_are_among_what_the_plan_says_and_what_is_lost():
    outcomes = [
        {"outcome": "hamd", "endpoint": "score", "analysis": "main", "role": "primary"},
        {"outcome": "hamd", "endpoint": "response", "analysis": "main", "role": "secondary"},
        {"outcome": "hamd", "endpoint": "score", "analysis": "sensitivity", "role": "secondary"},
    ]
    roles = [{"Role": "secondary", "Title": "Degree", "Metric": "degree"}]
    plan = {"Settled": {"primary_outcomes": ["hamd"], "secondary_metrics": ["degree"]}, "Deviations": []}
    assert role_text({"Plan": plan, "Roles": roles}, outcomes) == (
        "By the plan, primary: hamd. Secondary: hamd, response; Degree. Every analysis beside the headline's is "
        "exploratory."
    )
    plan |= {"Deviations": [{"What": "hc3", "Planned": "no", "Used": "yes"}]}
    lost = [one | {"Role": "exploratory"} for one in roles]
    assert role_text({"Plan": plan, "Roles": lost}) == (
        "Planned as primary, now exploratory because hc3 is yes (planned: no): hamd."
    )


def test_roles_in_a_sentence():
    roles = [{"Role": "primary", "Title": "Degree"}, {"Role": "exploratory", "Title": "Strength"}]
    text = role_text({"Plan": {"Deviations": [], "Settled": {}}, "Roles": roles})
    assert text.startswith("By the plan, primary: Degree. Exploratory: Strength. Every analysis beside")
    departed = [{"What": "hc3"}, {"What": "population"}]
    text = role_text({"Plan": {"Deviations": departed, "Settled": {}}, "Roles": roles})
    assert "There are 2 departures from the plan, listed below (hc3, population)." in text
