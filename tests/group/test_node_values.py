"""What is read of a scan's file, the means of regions and visits, and what clusters are called: by definition."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app import __version__
from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph import GLOBALS
from bids_app.graph.features import Feature
from bids_app.group.cluster_labels import NOWHERE, Anatomy, cluster_anatomy
from bids_app.group.node_values import read_nodes, read_same_nodes, read_values
from bids_app.group.plan_match import file_deviations
from bids_app.group.region_values import Region, region_means, visit_means
from bids_app.settings.named import NamedRegion
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Graph, Settings, Trial

RNG = np.random.default_rng(6)
STEM = "sub-01_task-rest_atlas-A"


def nodal(folder, label="01", names=("a", "b", "NA"), indices=(7, 2, 9), **columns):
    path = folder / f"sub-{label}_task-rest_atlas-A_desc-r025_nodes.tsv"
    table = pd.DataFrame({"index": indices, "name": names, "degree": [1.5, np.nan, 3.0][: len(names)]} | columns)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    return path


def matrix(folder, stat, values, names):
    path = folder / f"{STEM}_stat-{stat}_relmat.tsv"
    pd.DataFrame(values, index=names, columns=names).to_csv(path, sep="\t", index_label="name", na_rep="n/a")
    return path


def test_a_nodal_table_gives_the_column_of_the_measure_in_its_order(tmp_path):
    path = nodal(tmp_path, clustering_weighted=[0.1, 0.2, 0.3], network=["x", "NA", "01"])
    np.testing.assert_array_equal(read_values(path, "degree"), [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(read_values(path, "clustering-weighted"), [0.1, 0.2, 0.3])
    nodes = read_nodes(path)
    assert nodes["index"].tolist() == [7, 2, 9]
    assert nodes["name"].tolist() == ["a", "b", "NA"]
    assert nodes["network"].tolist() == ["x", "NA", "01"]
    assert "degree" not in nodes


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize("stat", ["pearsoncorrelation", "fisherz", "partialcorrelation", "spearmancorrelation"])
def test_a_matrix_gives_every_pair_once_transformed_once(tmp_path, n, stat):
    half = RNG.uniform(-0.9, 0.9, (n, n))
    values = (half + half.T) / 2
    values[0, 1] = values[1, 0] = np.nan
    names = [f"{number:02d}" for number in range(n)]
    path = matrix(tmp_path, stat, values, names)
    found, nodes = read_values(path, "connectivity"), read_nodes(path)
    expected = [
        (
            f"{names[i]} – {names[j]}",
            names[i],
            names[j],
            i,
            j,
            values[i, j] if stat == "fisherz" else np.arctanh(values[i, j]),
        )
        for i in range(n)
        for j in range(i + 1, n)
    ]
    np.testing.assert_allclose(found, [row[-1] for row in expected])
    columns = ["name", "from", "to", "first", "second"]
    assert list(nodes[columns].itertuples(index=False, name=None)) == [row[:-1] for row in expected]
    assert nodes["index"].tolist() == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("lacking", [False, True])
def test_a_table_of_the_whole_graph_is_read_by_name_not_by_place(tmp_path, lacking):
    labels = [name.replace("-", "_") for name in GLOBALS]
    values = {label: float(place) for place, label in enumerate(labels)}
    table = pd.DataFrame([dict(reversed(values.items()))])
    table = table.drop(columns=labels[3]) if lacking else table
    path = tmp_path / f"{STEM}_desc-r025_global.tsv"
    table.to_csv(path, sep="\t", index=False)
    expected = np.arange(len(labels), dtype=float)
    expected[3] = np.nan if lacking else 3
    np.testing.assert_array_equal(read_values(path, "global"), expected)
    assert read_nodes(path)["name"].tolist() == [measure.label for measure in GLOBALS.values()]


def test_a_map_is_read_voxel_by_voxel_in_c_order(tmp_path):
    values = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "sub-01_stat-degree_desc-r025_boldmap.nii.gz")
    found = read_values(tmp_path / "sub-01_stat-degree_desc-r025_boldmap.nii.gz", "degree")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found.reshape(2, 3, 4), values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ("b", "a", "NA")}, r"other order \(number 1 is b, not a\)"),
        ({"names": ("a", "b", "c")}, "lacks NA and has besides c"),
        ({"names": ("a", "b"), "indices": (7, 2)}, "lacks NA"),
        ({"indices": (1, 2, 3)}, "numbers them in another way"),
        ({"names": ("parcel1", "parcel2", "parcel3")}, "3 without names: were the heads of its table lost"),
    ],
)
def test_parcels_that_differ_in_one_scan_are_told_with_the_scan(tmp_path, change, said):
    paths = [nodal(tmp_path, "01"), nodal(tmp_path, "02"), nodal(tmp_path, "03", **change)]
    for order in (paths, paths[::-1]):
        with pytest.raises(DataError, match=f"2 of 3 have the same 3; sub-03_.*{said}"):
            read_same_nodes("Parcels", [Scan({}, path) for path in order])
    alike = read_same_nodes("Parcels", [Scan({}, path) for path in paths[:2]])
    assert alike["name"].tolist() == ["a", "b", "NA"]


def region(*nodes):
    return Region("x", "x", Feature("degree", "r025"), np.array(nodes), "x")


def test_a_region_is_averaged_over_the_nodes_that_are_known(tmp_path):
    scan = Scan({"sub": "01"}, nodal(tmp_path))
    means = region_means(scan, "degree", [region(0, 2), region(0, 1), region(1), region(2)])
    np.testing.assert_array_equal(means, [2.25, 1.5, np.nan, 3.0])
    assert region_means(scan, "degree", []).shape == (0,)


def test_scans_of_a_visit_count_by_the_volumes_kept(tmp_path):
    scans = []
    for label, run, value, kept in (("01", "1", 2.0, 30), ("01", "2", 6.0, 90), ("02", "1", 5.0, 10)):
        path = nodal(tmp_path, f"{label}x{run}", names=("a",), indices=(1,), degree=[value])
        scans.append(Scan({"sub": label, "ses": "1", "run": run}, path, {"NumberOfVolumesKept": kept}))
    visits = [("02", "1"), None, ("01", "1"), ("01", "2")]
    for order in (scans, scans[::-1]):
        found = visit_means(order, "degree", [region(0)], visits)
        np.testing.assert_allclose(found[:, 0], [5.0, np.nan, (2 * 30 + 6 * 90) / 120, np.nan])


NODES = st.lists(st.integers(-1, 4), min_size=1, max_size=40)
NAMES = ["Angular", "Cuneus", "Insula", "NA", "Caudate"]


@given(labels=NODES, data=st.data())
def test_shares_of_a_cluster_are_counted_and_the_peak_is_where_it_is(labels, data):
    of_node = np.array(labels)
    nodes = np.array(data.draw(st.lists(st.integers(0, len(labels) - 1), min_size=1, unique=True)))
    peak = data.draw(st.sampled_from(nodes.tolist()))
    places = np.random.default_rng(0).normal(size=(len(labels), 3))
    found = cluster_anatomy(nodes, peak, of_node, NAMES, places)
    counted = Counter(NAMES[labels[node]] if labels[node] >= 0 else NOWHERE for node in nodes)
    assert dict(found.shares) == pytest.approx({name: 100 * n / len(nodes) for name, n in counted.items()})
    inside = [share for name, share in found.shares if name != NOWHERE]
    assert inside == sorted(inside, reverse=True)
    assert NOWHERE not in [name for name, _ in found.shares[:-1]], "what lies nowhere comes last"
    assert found.peak == (NAMES[labels[peak]] if labels[peak] >= 0 else NOWHERE)
    labelled = [node for node in nodes if labels[node] >= 0]
    if labelled:
        near = min(labelled, key=lambda node: np.linalg.norm(places[node] - places[peak]))
        assert found.nearest == (found.peak if labels[peak] >= 0 else NAMES[labels[near]])
    else:
        assert found.nearest == NOWHERE


@settings(max_examples=60)
@given(parts=st.lists(st.integers(1, 60), min_size=1, max_size=8), nowhere=st.integers(0, 40))
def test_the_text_of_a_cluster_leaves_no_share_out(parts, nowhere):
    total = sum(parts) + nowhere
    shares = tuple((f"n{place}", 100 * part / total) for place, part in enumerate(sorted(parts, reverse=True)))
    shares += ((NOWHERE, 100 * nowhere / total),) if nowhere else ()
    words = Anatomy("n0", "n0", shares).text().split("; ")
    assert words[0].startswith("n0 ")
    assert (words[-1].startswith(NOWHERE)) is bool(nowhere)
    told = [0.25 if "<1" in word else float(word.split()[-2]) for word in words]
    assert abs(sum(told) - 100) <= 0.5 * len(told) + 1e-9
    assert sum(word.startswith("others ") for word in words) <= 1


@pytest.mark.parametrize("option", ["mask", "allocations", "regions"])
@pytest.mark.parametrize("how", ["as planned", "changed", "not given"])
def test_a_file_is_held_against_its_planned_hash(tmp_path, option, how):
    path = tmp_path / "file"
    path.write_text("as planned" if how == "as planned" else "other")
    planned = hashlib.sha256(b"as planned").hexdigest()
    used = Settings(Path("bids"), Path("out"), "group", Path("work"))
    if how != "not given":
        trial = {"allocations": Trial(allocations=path), "regions": Trial(regions=(NamedRegion("r", path),))}.get(
            option, Trial()
        )
        graph = Graph(mask=str(path)) if option == "mask" else Graph()
        used = replace(used, trial=trial, graph=graph)
    found = file_deviations(Plan("degree", hashes={option: planned}), used)
    if how == "as planned":
        assert found == []
        return
    (one,) = found
    assert (one.what, one.planned) == (f"{option}, SHA-256", planned)
    assert one.used == ("no file" if how == "not given" else hashlib.sha256(b"other").hexdigest())


@pytest.mark.parametrize(("version", "departs"), [(None, False), (__version__, False), ("0.0.0", True)])
def test_another_version_is_a_departure(version, departs):
    used = Settings(Path("bids"), Path("out"), "group", Path("work"))
    assert bool(file_deviations(Plan("degree", version=version), used)) is departs
