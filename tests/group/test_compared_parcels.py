"""Parcels, whole graphs and connections of a compared trial, from the files that the app leaves."""

import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from comparison import RECORD, changed
from simulated_trial import OPTIONS, call

from bids_app.graph import GLOBALS, EdgeRule, Linking, global_measures, nodal_measures, parcel_matrix
from bids_app.report.found_parcels import parcel_statements
from bids_app.report.headline import Evidence

pytestmark = pytest.mark.slow


def read(path, **options):
    return pd.read_csv(path, sep="\t", na_values="n/a", **options)


def the(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


@pytest.fixture(scope="module")
def analysed(compared):
    """Who was analysed, and the design of the model."""
    matrix = read(
        the(compared / "group" / "tables", "*_atlas-Demo_contrast-*Midazolam_matrix.tsv"), dtype={"participant_id": str}
    )
    covariates = matrix.drop(columns=["participant_id", "arm"]).to_numpy(float)
    return matrix["participant_id"].tolist(), matrix["arm"].to_numpy(float), covariates


def visits(compared, analysed, pattern, value):
    """Return (n, 2) values at baseline and follow-up."""
    people, _, _ = analysed
    return np.array(
        [
            [value(the(compared / person / f"ses-{visit}" / "func", pattern)) for visit in ("baseline", "day3")]
            for person in people
        ]
    )


def fitted(analysed, both):
    _, arm, covariates = analysed
    design = sm.add_constant(np.column_stack([arm, both[:, 0], covariates]))
    return sm.OLS(both[:, 1], design).fit()


@pytest.mark.parametrize("measure", ["density", "global-efficiency", "modularity", "gamma"])
def test_global_results_are_those_of_least_squares(compared, analysed, measure):
    column = measure.replace("-", "_")
    both = visits(compared, analysed, "*_desc-r025_global.tsv", lambda path: read(path)[column][0])
    fit = fitted(analysed, both)
    table = read(the(compared / "group", "tables/*_desc-global_global.tsv"))
    assert set(table["measure"]) == {"global"}
    row = table[(table["estimator"] == "ancova") & (table["name"] == GLOBALS[measure].label)].iloc[0]
    assert row["difference"] == pytest.approx(fit.params[1], rel=1e-6)
    assert row["t"] == pytest.approx(fit.tvalues[1], rel=1e-6)


def test_global_results_share_one_correction(compared):
    table = read(the(compared / "group", "tables/*_desc-global_global.tsv"))
    ancova = table[table["estimator"] == "ancova"]
    assert len(ancova) > 12
    assert (ancova["p_fwe"] >= ancova["p"]).all()
    order = ancova.sort_values("t", key=np.abs)["p_fwe"].to_numpy()
    assert (np.diff(order) <= 1e-12).all()  # one maximum over all of them: the larger t, the smaller p


def test_connections_are_those_of_least_squares(compared, analysed):
    group = compared / "group"
    t = read(the(group, "tables/*_stat-t_desc-edgesConnectivityFull_relmat.tsv"), index_col=0)
    names = list(t.index)
    assert list(t.columns) == names
    np.testing.assert_array_equal(t.to_numpy(), t.to_numpy().T)
    for one, other in ((0, 1), (3, 7), (len(names) - 2, len(names) - 1)):
        both = visits(
            compared,
            analysed,
            "*_stat-pearsoncorrelation_relmat.tsv",
            lambda path, one=one, other=other: np.arctanh(read(path, index_col=0).loc[names[one], names[other]]),
        )
        assert t.iloc[one, other] == pytest.approx(fitted(analysed, both).tvalues[1], rel=1e-6)


def test_components_are_made_of_the_significant_connections(compared):
    group = compared / "group"
    edges, components = read(the(group, "tables/*_edges.tsv")), read(the(group, "tables/*_components.tsv"))
    p_fwe = read(the(group, "tables/*_stat-pFwe_desc-edgesConnectivityFull_relmat.tsv"), index_col=0)
    significant = edges[(edges["estimator"] == "ancova") & edges["component"].notna()]
    assert len(significant) == (p_fwe.to_numpy()[np.triu_indices(len(p_fwe), 1)] <= 0.05).sum()
    own = components[components["estimator"] == "ancova"]
    assert own["n_connections"].sum() == len(significant)
    for row in edges[edges["estimator"] == "ancova"].itertuples():
        found = p_fwe.loc[row[edges.columns.get_loc("from") + 1], row.to]
        assert row.p_fwe == pytest.approx(found)


def test_parcels_painted_back_hold_the_result_of_their_parcel(compared):
    group = compared / "group"
    laid = nib.load(the(compared / "atlases", "*_atlas-Demo_dseg.nii.gz"))
    labels = np.asarray(laid.dataobj)
    nodes = read(the(group, "tables/*_atlas-Demo_contrast-*Midazolam_nodes.tsv"))
    assert {"x", "y", "z"} <= set(nodes)
    own = nodes[(nodes["measure"] == "degree") & (nodes["estimator"] == "ancova")]
    for stat, column in (("hedgesG", "hedges_g"), ("pFwe", "p_fwe"), ("t", "t")):
        painted = nib.load(the(group, f"maps/*/*_atlas-Demo_*_stat-{stat}_desc-degreeR025_statmap.nii.gz"))
        np.testing.assert_allclose(painted.affine, laid.affine)
        values = np.asarray(painted.dataobj)
        for row in own.itertuples():
            np.testing.assert_allclose(values[labels == row.index], getattr(row, column), rtol=1e-6)
        assert np.isnan(values[labels == 0]).all()


def test_the_page_has_all_three(compared):
    page = (compared / "group" / "index.html").read_text()
    heads = re.findall(r"<h2 id=[^>]*>([^<]+)</h2>", page)
    assert heads[:4] == ["Voxels", "Parcels of Demo", "Global measures of Demo", "Connections of Demo"]
    assert "in a glass brain" in page
    assert "chords of a circle" in page
    assert "painted over the parcels" in page


def test_significant_parcels_are_named_with_their_place():
    row = {"name": "sphere225", "x": 12.4, "y": -16.6, "z": -0.3, "t": 8.4, "hedges_g": 3, "g_low": 2, "g_high": 4}
    record = changed(RECORD, kind="parcels")
    feature = record.analyses.features[0]
    row |= {"feature": feature.title, "measure": feature.metric, "edges": feature.edges, "n": 6, "p_fwe": 0.01}
    row |= {"difference": 1.0, "ci_low": 0.5, "ci_high": 1.5}
    result = {"estimator": "ancova", "feature": feature.title, "n": 9, "n_fwe": 1, "rows": [row]}
    (said,) = parcel_statements([result | {"significant": [row]}], record, Evidence())
    assert said.found[0].place == "sphere225 (12, −17, 0 mm)"
    assert said.found[0].text.startswith("a > b in degree; g 3.00")
    del row["z"]
    (said,) = parcel_statements([result | {"significant": [row]}], record, Evidence())
    assert said.found[0].place == "sphere225"


def test_the_methods_say_how(compared):
    text = (compared / "logs" / "CITATION.md").read_text()
    for words in (
        "## Parcels",
        "Maslov & Sneppen 2002",
        "Blondel et al. 2008",
        "100 random graphs",
        "Zalesky et al. 2010",
    ):
        assert words in text


@pytest.fixture(scope="module")
def varied(simulated, tmp_path_factory):
    """One participant with other matrices, magnitudes, a backbone and a range of densities, without voxels."""
    output = tmp_path_factory.mktemp("varied")
    options = ("--participant-label", "01", "--atlas", simulated.atlas, "power", "--metrics", "betweenness")
    choices = ("--matrix", "pearson", "partial", "fisher", "--negative", "absolute", "--backbone", "--n-null-graphs", 5)
    more = ("--parcel-metrics", "degree", "strength", "betweenness", "--parcel-density", "0.1:0.3:0.1")
    done = call(
        simulated.bids_dir, output, "participant", *OPTIONS, *options, *choices, *more, "--skip-bids-validation"
    )
    assert done.returncode == 0, done.stderr
    return output / "sub-01" / "ses-baseline" / "func"


@pytest.mark.parametrize("matrix", ["pearson", "partial", "fisher"])
def test_choices_are_in_names_sidecars_and_values(varied, matrix):
    series = read(the(varied, "*_atlas-Demo_stat-mean_timeseries.tsv")).to_numpy().T
    kind = {"pearson": "absoluteTree", "partial": "partialAbsoluteTree", "fisher": "fisherAbsoluteTree"}[matrix]
    path = the(varied, f"*_atlas-Demo_desc-{kind}D02_nodes.tsv")
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert (sidecar["NegativeEdges"], sidecar["Backbone"]) == ("absolute", True)
    assert "strongest 20 % of pairs" in sidecar["EdgeRule"]
    r = np.tanh(parcel_matrix(series, "fisher")) if matrix == "fisher" else parcel_matrix(series, matrix)
    linking = Linking("absolute", backbone=True, fisher=matrix == "fisher")
    expected = nodal_measures(r, EdgeRule("density", 0.2), ["degree", "strength", "betweenness"], linking=linking)
    table = read(path)
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-6, atol=1e-8)
    if matrix != "pearson":
        plain = read(the(varied, "*_atlas-Demo_desc-absoluteTreeD02_nodes.tsv"))
        assert np.ptp(plain["strength"] - table["strength"]) > 0


def test_areas_over_the_densities(varied):
    at = [read(the(varied, f"*_atlas-Demo_desc-absoluteTreeD0{d}_global.tsv")).iloc[0] for d in (1, 2, 3)]
    area = read(the(varied, "*_atlas-Demo_desc-absoluteTreeAuc_global.tsv")).iloc[0]
    np.testing.assert_allclose(area, 0.1 * (at[0] + at[2]) / 2 + 0.1 * at[1], rtol=1e-6)
    sidecar = json.loads(the(varied, "*_atlas-Demo_desc-absoluteTreeD02_global.json").read_text())
    assert (sidecar["NumberOfNullGraphs"], sidecar["RandomSeed"]) == (5, 0)
    matrix = read(the(varied, "*_atlas-Demo_stat-pearsoncorrelation_relmat.tsv"), index_col=0).to_numpy()
    again = global_measures(matrix, EdgeRule("density", 0.2), linking=Linking("absolute", backbone=True))
    assert at[1]["modularity"] == pytest.approx(again.measures["modularity"])
    assert sidecar["Graph"]["n_components"] == 1  # the backbone


def test_spheres_beside_the_labels_and_no_voxels(varied):
    table = read(the(varied, "*_atlas-Power264_desc-absoluteTreeD01_nodes.tsv"))
    assert len(table) == 264
    missing = table["coverage"] < 0.5
    assert 0 < missing.sum() < 264
    np.testing.assert_array_equal(table["degree"].isna(), missing)
    assert not list(varied.glob("*_boldmap.nii.gz"))
