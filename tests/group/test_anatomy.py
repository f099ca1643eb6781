from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import pytest

from bids_app.group.cluster_labels import (
    ANATOMY_COLUMNS,
    Anatomy,
    anatomy_columns,
    cluster_anatomy,
    label_columns,
    with_anatomy,
)
from bids_app.settings.atlas_source import find_atlas
from bids_app.space.atlas import read_atlas
from bids_app.space.grid import Grid
from bids_app.stats.clusters import Cluster

NAMES = ["Angular_L", "Parietal_Inf_L", "Thalamus_R"]


def test_percentages_of_a_cluster():
    of_node = np.array([0] * 62 + [1] * 30 + [-1] * 8 + [2] * 50)
    anatomy = cluster_anatomy(np.arange(100), 70, of_node, NAMES)
    assert (anatomy.peak, anatomy.nearest) == ("Parietal_Inf_L", "Parietal_Inf_L")
    assert anatomy.shares == (("Angular_L", 62.0), ("Parietal_Inf_L", 30.0), ("none", 8.0))
    assert anatomy.text() == "Angular_L 62 %; Parietal_Inf_L 30 %; none 8 %"


def test_percentages_add_up_whatever_the_cluster():
    generator = np.random.default_rng(1)
    of_node = generator.integers(-1, 3, 200)
    for size in (1, 7, 60):
        nodes = np.sort(generator.permutation(200)[:size])
        anatomy = cluster_anatomy(nodes, nodes[0], of_node, NAMES)
        assert sum(share for _, share in anatomy.shares) == pytest.approx(100)


def test_a_peak_outside_the_atlas_names_the_nearest_label_of_the_cluster():
    of_node = np.array([-1, -1, 1, 0])
    coordinates = np.array([[0.0, 0, 0], [3, 0, 0], [6, 0, 0], [-3, 0, 0]])
    anatomy = cluster_anatomy(np.array([0, 1, 2]), 0, of_node, NAMES, coordinates)
    assert (anatomy.peak, anatomy.nearest) == ("none", "Parietal_Inf_L")  # node 3 is nearer, but not of the cluster
    assert cluster_anatomy(np.array([0, 1]), 0, of_node, NAMES, coordinates).nearest == "none"
    assert cluster_anatomy(np.array([0, 1, 2]), 0, of_node, NAMES).nearest == "none"


def test_small_shares_are_summed_and_the_largest_is_always_shown():
    many = Anatomy("a", "a", (("a", 4.0), ("b", 3.0), ("c", 0.3), ("none", 92.7)))
    assert many.text() == "a 4 %; others 3 %; none 93 %"
    assert many.text(minimum=0) == "a 4 %; b 3 %; c <1 %; none 93 %"
    assert cluster_anatomy(np.array([0, 1]), 0, np.array([-1, -1]), NAMES).text() == "none 100 %"


def test_equal_shares_are_in_the_order_of_the_atlas():
    assert cluster_anatomy(np.arange(4), 0, np.array([2, 2, 0, 0]), NAMES).shares[0][0] == "Angular_L"


def test_columns_of_a_table():
    of_node = np.array([0, 0, -1, 2])
    clusters = [Cluster(np.array([0, 1]), 0, 1), Cluster(np.array([2, 3]), 2, -1)]
    columns = label_columns(clusters, of_node, NAMES, np.arange(12.0).reshape(4, 3))
    assert set(columns) == set(ANATOMY_COLUMNS)
    assert columns["peak_label"] == ["Angular_L", "none (nearest: Thalamus_R)"]
    assert columns["labels"] == ["Angular_L 100 %", "Thalamus_R 50 %; none 50 %"]
    assert label_columns([], of_node, NAMES) == {"peak_label": [], "labels": []}


@pytest.mark.parametrize(("xyz", "expected"), [((-45, -63, 39), "Angular_L"), ((12, -18, 9), "Thalamus_R")])
def test_known_places_in_the_aal_atlas(shared_data, xyz, expected):
    folder = shared_data / "atlases" / "aal"
    if not folder.is_dir():
        pytest.skip(f"no AAL atlas at {folder}")
    affine = np.array([[3.0, 0, 0, -90], [0, 3, 0, -126], [0, 0, 3, -72], [0, 0, 0, 1]])
    grid = Grid(np.ones((61, 73, 61), bool), affine)
    atlas = read_atlas(find_atlas(str(folder / "AAL.nii")), grid)
    labels = ElementTree.parse(folder / "AAL.xml").iter("label")
    called = {int(label.findtext("index")): label.findtext("name") for label in labels}
    distances = np.linalg.norm(grid.coordinates - xyz, axis=1)
    nodes = np.flatnonzero(distances < 7)
    names = [called[index] for index in atlas.parcels["index"]]
    anatomy = cluster_anatomy(nodes, int(distances.argmin()), atlas.of_node, names, grid.coordinates)
    assert anatomy.peak == expected
    assert anatomy.shares[0][0] == expected
    assert anatomy.shares[0][1] > 50


def test_every_atlas_labels_the_clusters_in_columns_of_its_own(tmp_path):
    grid = Grid(np.ones((4, 1, 1), dtype=bool), np.diag([2.0, 2, 2, 1]))
    for name, labels in (("one", [1, 1, 2, 0]), ("two", [7, 7, 7, 7])):
        volume = np.array(labels, dtype=np.int16).reshape(4, 1, 1)
        nib.save(nib.Nifti1Image(volume, grid.affine), tmp_path / f"atlas-{name}_dseg.nii.gz")
    (tmp_path / "atlas-one_dseg.tsv").write_text("index\tname\n1\tleft\n2\tright\n")
    paths = [find_atlas(str(tmp_path / f"atlas-{name}_dseg.nii.gz")) for name in ("one", "two")]
    clusters = [Cluster(np.array([0, 1, 2]), 1, 1), Cluster(np.array([3]), 3, -1)]
    laid = {path: read_atlas(path, grid) for path in paths}
    table = with_anatomy(clusters, grid, laid)
    assert (
        list(table)
        == list(anatomy_columns(paths))
        == [
            *("peak_label_one", "labels_one", "peak_label_two", "labels_two"),
        ]
    )
    assert table["peak_label_one"].tolist() == ["left", "none"]
    assert table["labels_one"].tolist() == ["left 67 %; right 33 %", "none 100 %"]
    assert table["peak_label_two"].tolist() == ["parcel7", "parcel7"]
    assert list(with_anatomy(clusters, grid, {paths[0]: laid[paths[0]]})) == ["peak_label", "labels"]
    assert with_anatomy(clusters, grid, {}).shape == (2, 0)
    assert with_anatomy([], grid, laid).shape == (0, 4)
