"""A matrix in the place of series: the same graphs, and what it cannot say is said."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_app.bids.matrix_runs import MatrixRun, coordinates_in, matrix_runs
from bids_app.bids.names import Name
from bids_app.bids.runs import find_inputs
from bids_app.bids.scan_facts import ScanFacts
from bids_app.bids.scans import Scan
from bids_app.bids.series_runs import SeriesRun
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError
from bids_app.graph import parcel_matrix
from bids_app.participant.parcel_matrix import matrix_parcels
from bids_app.participant.parcel_series import table_parcels
from bids_app.participant.parcel_tables import graphs_of, write_parcels
from bids_app.settings.settings import ParcelGraph
from bids_app.trial.visit_scans import facts_of, weights

ENTITIES = {"sub": "01", "ses": "pre", "task": "rest", "seg": "mine"}
NAMES = [f"r{j}" for j in range(12)]
PLACES = {name: [10.0 * j, 0.0, 5.0] for j, name in enumerate(NAMES)}


def series(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(90, 12)) + rng.normal(size=(90, 1)) * np.linspace(-0.4, 1.2, 12)


def save_matrix(path, r, names=NAMES, **options):
    pd.DataFrame(r, columns=names, index=names).to_csv(path, sep="\t", index_label="Node", na_rep="n/a", **options)
    return path


def matrix_run(path, kind="pearson", **more):
    return MatrixRun(ENTITIES, path, kind, ("bids:x:y",), **more)


@pytest.fixture
def both(tmp_path):
    """Return the parcels of the same scan by both routes; one region has no signal."""
    values = series()
    values[:, 4] = np.nan
    table = tmp_path / "x_timeseries.tsv"
    pd.DataFrame(values, columns=NAMES).to_csv(table, sep="\t", index=False, na_rep="n/a", float_format="%.17g")
    by_series = table_parcels(SeriesRun(ENTITIES, table, 2.0, ("bids:x:y",), coordinates=PLACES))
    r = parcel_matrix(by_series.series)
    path = save_matrix(tmp_path / "x_relmat.tsv", r, float_format="%.17g")
    return by_series, matrix_parcels(matrix_run(path, coordinates=PLACES))


@pytest.mark.parametrize("negative", ["drop", "absolute"])
def test_the_same_graphs_as_of_the_series(both, negative):
    metrics = ("degree", "strength", "clustering", "efficiency", "betweenness", "degree-long", "strength-signed")
    options = ParcelGraph(metrics=metrics, matrices=("pearson", "fisher"), negative=negative, n_null_graphs=2)
    made = [graphs_of(one.matrix, options, {"coordinates": one.coordinates, "modules": None}, 40.0) for one in both]
    for ours, theirs in zip(*made, strict=True):
        np.testing.assert_allclose(theirs.values, ours.values, rtol=0, atol=1e-12)
        assert list(theirs.nodes) == list(ours.nodes)
        assert len(ours.nodes) >= len(metrics) - 1
        for feature, values in ours.nodes.items():
            np.testing.assert_allclose(theirs.nodes[feature], values, rtol=0, atol=1e-12, err_msg=feature.key)
        for edges, whole in ours.whole.items():
            assert theirs.whole[edges].measures == pytest.approx(whole.measures, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kind", ["partial", "spearman"])
def test_what_needs_the_series_is_refused(both, kind):
    with pytest.raises(DataError, match=f"--matrix {kind} cannot be made of a matrix of pearson correlations"):
        both[1].matrix(kind)


def test_z_is_read_as_r(tmp_path):
    r = np.corrcoef(series().T)
    z = np.arctanh(r - np.eye(12) * r)
    found = matrix_parcels(matrix_run(save_matrix(tmp_path / "x.tsv", z, float_format="%.17g"), "fisher"))
    np.testing.assert_allclose(found.matrix("pearson"), r, rtol=0, atol=1e-12)


def test_unknown_is_written_as_unknown(both, tmp_path):
    written = write_parcels(tmp_path, both[1], graphs_of(both[1].matrix, ParcelGraph(), {"modules": None}, 75.0))
    assert not [path for path in written if path.name.endswith("_timeseries.tsv")]
    sidecar = json.loads(written[-1].with_suffix(".json").read_text())
    assert sidecar["NumberOfVolumesKept"] == "n/a"
    assert {"MinutesKept", "MeanFramewiseDisplacement", "RepetitionTime"} & set(sidecar) == set()
    assert "motion are not known" in sidecar["Warnings"][0]
    facts = ScanFacts.from_json(sidecar)
    assert np.isnan(facts.volumes.kept)
    scans = [Scan({}, None, sidecar)] * 2
    np.testing.assert_array_equal(weights(scans), [0.5, 0.5])
    visit, reason = facts_of(scans, 5)
    assert reason is None  # nothing says that it is too little
    assert np.isnan([visit["volumes"], visit["minutes"], visit["mean_fd"]]).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda r: r.__setitem__((0, 1), 0.9), "is not symmetric"),
        (lambda r: (r.__setitem__((0, 1), 1.5), r.__setitem__((1, 0), 1.5)), "holds 1.5: correlations are at most 1"),
        (lambda r: (r.__setitem__((0, 1), np.nan), r.__setitem__((1, 0), np.nan)), "missing here and there"),
        (lambda r: r.__setitem__(slice(None), np.nan), "missing here and there"),
    ],
)
def test_what_is_no_matrix_of_correlations(tmp_path, change, text):
    r = np.corrcoef(series().T)
    change(r)
    with pytest.raises(DataError, match=text):
        matrix_parcels(matrix_run(save_matrix(tmp_path / "x.tsv", r)))


def test_tables_that_are_not_square(tmp_path):
    pd.DataFrame(series(), columns=NAMES).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="is no matrix of parcels: it has 90 rows and 12 columns"):
        matrix_parcels(matrix_run(tmp_path / "x.tsv"))
    (tmp_path / "y.tsv").write_text("a\tb\n1\tx\nx\t1\n")
    with pytest.raises(DataError, match="cannot be read as a matrix with names"):
        matrix_parcels(matrix_run(tmp_path / "y.tsv"))


def test_matrices_of_scans_with_nothing_else(tmp_path):
    """XCP-D leaves a matrix beside its series: they are not read twice."""
    root, r = tmp_path / "xcpd", np.corrcoef(series().T)
    for person, stats in (
        ("01", ["pearsoncorrelation"]),
        ("02", ["fisherz", "pearsoncorrelation"]),
        ("03", ["fisherz"]),
    ):
        place = root / f"sub-{person}" / "func"
        place.mkdir(parents=True)
        for stat in stats:
            save_matrix(place / f"sub-{person}_task-rest_seg-mine_stat-{stat}_relmat.tsv", r)
    pd.DataFrame(series(), columns=NAMES).to_csv(
        root / "sub-01" / "func" / "sub-01_task-rest_seg-mine_stat-mean_timeseries.tsv", sep="\t", index=False
    )
    (root / "dataset_description.json").write_text(
        '{"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "derivative"}'
    )
    (tmp_path / "bids").mkdir()
    words = [str(tmp_path / "bids"), str(tmp_path / "out"), "participant", "--derivatives", str(root)]
    found = {run.entities["sub"]: run for run in find_inputs(parse(words)).runs}
    assert isinstance(found["01"], SeriesRun)
    assert [found[person].kind for person in ("02", "03")] == ["pearson", "fisher"]
    assert found["02"].label == "sub-02 task-rest mine"


def test_coordinates_as_sidecars_have_them():
    assert coordinates_in({"RegionCoordinates": PLACES}) == PLACES
    assert coordinates_in({"RegionCoordinates": {"a": [1, 2]}}) is None
    assert coordinates_in({}) is None
    assert (
        matrix_runs([(Name.parse("sub-01_relmat.tsv"), None, None, None)], [], parse(["b", "o", "group"]).selection)
        == []
    )
