"""What the page over all comparisons says of the clinical outcomes, read back from it."""

import json
import re

import numpy as np
import pytest

from bids_app.bids.files import save_described
from bids_app.bids.result_names import COMPARISONS, study_name
from bids_app.report.overview import write_overview
from bids_app.report.pages import p_value
from bids_app.stats.repeated import ANY, INTERACTION, REPEATED_COLUMNS, RepeatedScores, repeated_table

RECORD = {
    "ArmColumn": "arm",
    "Comparisons": [
        {"Folder": f"contrast-{arm}_ses-{visit}", "Active": arm, "Reference": "placebo", "Followup": visit}
        | {"Comparison": f"{arm} − placebo at ses-{visit}"}
        for visit in ("day3", "day7")
        for arm in ("low", "high")
    ],
    "NotCompared": [],
    "Routes": [],
    "Together": "",
    "Model": "",
    "Alpha": 0.05,
    "Baseline": "pre",
}


DEPARTED = [{"What": "primary_outcomes", "Planned": "cgi", "Used": "each comparison by itself"}]


def scores(n=24):
    generator = np.random.default_rng(1)
    values = generator.standard_normal((n, 1)) + generator.standard_normal((n, 3))
    return RepeatedScores(("placebo", "low", "high"), ("day3", "day7"), np.arange(n) % 3, values[:, 0], values[:, 1:])


@pytest.fixture(params=[200, 0])
def page(request, tmp_path):
    """Return the table, and the words of its block of the page; with and without re-randomization."""
    table = repeated_table({"hamd": scores()}, n_draws=request.param).assign(role="secondary")
    table.loc[table["followup"] == ANY, "role"] = "primary"
    if not request.param:
        table = table.drop(columns="p_rerandomized")
    columns = {name: REPEATED_COLUMNS.get(name, "Role") for name in table}
    save_described(tmp_path / study_name("mmrm"), table, columns, Model="A model.", NotModelled=[], Deviations=DEPARTED)
    (tmp_path / COMPARISONS).write_text(json.dumps(RECORD))
    html = write_overview(tmp_path, "abc").read_text().split("</style>")[1]
    for one in RECORD["Comparisons"]:
        named = f"{one['Active']} − placebo at ses-{one['Followup']}"
        assert f'<a href="{one["Folder"]}/index.html#outcomes">{named}</a>' in html
    return table, " ".join(re.sub("<[^>]+>", " ", html).split()).replace("&lt;", "<").replace(" .", ".")


def test_p_of_the_model_p_rerandomized_and_f_are_on_the_page(page):
    table, text = page
    drawn = "p_rerandomized" in table
    assert ("p, model p, re-randomized p over all" if drawn else "p, model p over all") in text
    rows = table[table["df_numerator"].isna()]
    for _, row in rows.iterrows():
        shown = ["p", *["p_rerandomized"] * drawn, "p_together"]
        assert " ".join(p_value(row[name]) for name in shown) in text
    tests = table.dropna(subset="f").set_index("followup")
    of_any, of_both = tests.loc[ANY], tests.loc[INTERACTION]
    which = "any arm − placebo, any difference at any follow-up"
    said = f"F(4, {of_any['df']:.3g}) = {of_any['f']:.3g}, "
    said += f"p of the model {p_value(of_any['p'])}"
    said += f", p re-randomized {p_value(of_any['p_rerandomized'])}." if drawn else "."
    assert f"hamd, {which} (primary): {said}" in text
    assert f"Primary outcome hamd. {which}: {said}" in text
    assert "Departs from the plan primary_outcomes: planned cgi, used each comparison by itself" in text
    assert f"F(2, {of_both['df']:.3g}) = {of_both['f']:.3g}, p of the model {p_value(of_both['p'])}." in text
    assert "nan" not in text
    assert "(tipping point) stand under Clinical outcomes on the page of each follow-up" in text
