"""Both levels on a real randomized trial, given as parcel time series."""

import json
import re

import bct
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from browser import NOTHING_WRONG

from bids_app.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stages(shared_data):
    return shared_data / "stages"


@pytest.fixture(scope="module")
def analysed(stages, tmp_path_factory):
    output = tmp_path_factory.mktemp("stages")
    common = [str(stages / "bids"), str(output)]
    options = ["--derivatives", str(stages / "derivatives-xcpd"), "--n-cpus", "1", "--n-null-graphs", "10"]
    assert main([*common, "participant", *options]) == 0
    scores = ["bprs_change_t4", "bprs_change_t5", "sofas_change_t4", "sofas_change_t5"]
    more = [
        "--n-permutations",
        "500",
        "--edge-statistic",
        "tfnbs",
        "--outcomes",
        *scores,
        "--higher-is-better",
        *scores[2:],
        "--robustness",
    ]
    assert main([*common, "group", *options, *more]) == 0
    return output


def nodes(output, participant, session):
    (path,) = output.glob(f"sub-{participant}/ses-{session}/func/*_desc-r025_nodes.tsv")
    return pd.read_csv(path, sep="\t")


@pytest.mark.parametrize(("participant", "session"), [("001", "1"), ("017", "2"), ("044", "1")])
def test_nodal_measures_equal_bctpy(stages, analysed, participant, session):
    (path,) = stages.glob(f"derivatives-xcpd/sub-{participant}/ses-{session}/func/*_timeseries.tsv")
    series = pd.read_csv(path, sep="\t").to_numpy()
    present = np.ptp(series, axis=0) > 0
    r = np.corrcoef(series[:, present], rowvar=False)
    np.fill_diagonal(r, 0)
    weights = np.where(r > 0.25, r, 0)
    binary = (weights > 0).astype(float)
    table = nodes(analysed, participant, session)
    assert len(table) == 419
    assert table["degree"].notna().tolist() == present.tolist()
    table = table[present]
    np.testing.assert_allclose(table["degree"], bct.degrees_und(binary), atol=1e-6)
    np.testing.assert_allclose(table["strength"], bct.strengths_und(weights), atol=1e-6)
    np.testing.assert_allclose(table["clustering"], bct.clustering_coef_bu(binary), atol=1e-6)


def test_who_was_analysed_and_why_others_were_not(analysed):
    (path,) = analysed.glob("group/tables/*_contrast-medicationVsPlacebo_flow.tsv")
    flow = pd.read_csv(path, sep="\t", na_values="n/a")
    assert flow.loc[flow["analysed"], "arm"].value_counts().to_dict() == {"medication": 23, "placebo": 14}
    left_out = flow.loc[~flow["analysed"], "reason"]
    assert len(left_out) == 18
    assert left_out.str.contains("no arm stated").sum() == 6
    assert left_out.str.contains("follow-up: no scan").all()


def test_the_page_says_so(analysed):
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (analysed / "group" / "index.html").read_text()))
    assert "medication (n = 23) minus placebo (n = 14)" in page
    assert "18 not analysed" in page
    assert page.count("follow-up: no scan") >= 18  # and in the chart, by arm


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("page", ["group/index.html", "index.html", "sub-017.html"])
def test_nothing_is_wrong_in_a_browser(analysed, browse, page, width):
    assert browse(analysed / page, width) == NOTHING_WRONG


def test_nodal_results_are_plausible(analysed):
    (path,) = analysed.glob("group/tables/*_nodes.tsv")
    table = pd.read_csv(path, sep="\t")
    (design,) = analysed.glob("group/*_contrast-medicationVsPlacebo_design.json")
    n_compared = json.loads(design.read_text())["NodesCompared"]
    assert set(table.groupby(["measure", "edges", "estimator"]).size()) == {n_compared}
    assert {"symptom:bprs_change_t5", "symptom-by-arm:sofas_change_t4", "within:placebo"} <= set(table["estimator"])
    ancova = table[table["estimator"] == "ancova"]
    assert (ancova["ci_low"] < ancova["difference"]).all()
    assert (ancova["p_fwe"] >= ancova["p"]).all()
    assert (ancova["p_fdr"] >= ancova["p"] - 1e-12).all()
    # Nothing is known to differ: the share of small p is near the level, allowing for dependent parcels.
    assert 0.005 < (ancova["p"] < 0.05).mean() < 0.2


def test_the_tree_is_valid(analysed, validation_errors):
    assert validation_errors(analysed) == []


def test_one_page_per_participant(analysed):
    assert len(list(analysed.glob("sub-*.html"))) == 55


def test_outcomes_equal_least_squares(stages, analysed):
    """They are changes already: the follow-up alone is compared, of everyone randomized who has it."""
    (path,) = analysed.glob("group/tables/contrast-*_outcomes.tsv")
    rows = pd.read_csv(path, sep="\t", na_values="n/a").set_index(["outcome", "method"])
    people = pd.read_csv(stages / "bids" / "participants.tsv", sep="\t", na_values="n/a").dropna(subset=["arm"])
    for outcome in ("bprs_change_t4", "bprs_change_t5", "sofas_change_t4", "sofas_change_t5"):
        known = people.dropna(subset=[outcome])
        active = (known["arm"] != "placebo").astype(float)
        fit = sm.OLS(known[outcome], sm.add_constant(active)).fit()
        row = rows.loc[outcome, "post"]
        assert row["n_active"] + row["n_reference"] == len(known)
        assert row["estimate"] == pytest.approx(fit.params.iloc[1], rel=1e-6)
        assert row["p"] == pytest.approx(fit.pvalues.iloc[1], rel=1e-6)
    page = (analysed / "group" / "index.html").read_text()
    assert "bprs_change_t5" in page
