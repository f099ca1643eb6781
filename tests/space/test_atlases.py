"""Atlases as they come: names, folders, tables of spheres, probabilistic maps, labels in every format."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import datasets
from nilearn.maskers import NiftiMapsMasker

from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.participant.parcel_series import average_parcels
from bids_app.settings.atlas_source import DEBIAN, IN_DEBIAN, find_atlas
from bids_app.space.atlas import network_of_nodes, read_atlas
from bids_app.space.atlas_labels import labels_beside, read_labels
from bids_app.space.atlas_names import check_names, source_entities
from bids_app.space.grid import Grid, template_grid
from bids_app.space.saved_atlas import load_atlas, save_atlas

AFFINE = nib.affines.from_matvec(np.diag([4.0, 4, 4]), [-20, -20, -20])
GRID = Grid(np.ones((10, 10, 10), dtype=bool), AFFINE)
BLOCKS = np.kron(np.arange(1, 9).reshape(2, 2, 2), np.ones((5, 5, 5))).astype(np.int16)


def save(path, values=BLOCKS, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def lay(word, grid=GRID, space=None):
    return read_atlas(find_atlas(str(word)), grid, space)


@pytest.fixture(scope="module")
def grid():
    return template_grid("gm", 4)


@pytest.mark.parametrize(("name", "n_parcels"), [("power", 264), ("dosenbach", 160), ("seitzman", 300)])
def test_spheres_by_name(grid, name, n_parcels):
    """Each node lies within the radius of its centre, and no other centre is nearer."""
    atlas = lay(name, grid)
    assert len(atlas.parcels) == n_parcels
    assert atlas.parcels["name"].is_unique
    inside = atlas.of_node >= 0
    distances = np.linalg.norm(grid.coordinates[inside][:, None] - atlas.coordinates[None], axis=2)
    own = distances[np.arange(inside.sum()), atlas.of_node[inside]]
    assert own.max() <= 5
    if name != "seitzman":  # its spheres differ in size
        np.testing.assert_array_equal(own, distances.min(axis=1))
        outside = np.linalg.norm(grid.coordinates[~inside][:500, None] - atlas.coordinates[None], axis=2)
        assert outside.min() > 5
    assert np.unique(atlas.of_node[inside]).size > 0.6 * n_parcels
    assert name == "power" or atlas.parcels["network"].notna().all()


def test_spheres_of_a_table(tmp_path):
    table = pd.DataFrame({"name": ["a", "b", "a"], "x": [0, 8, 0], "y": [0, 0, 8], "z": [0, 0, 0], "radius": [5, 1, 4]})
    table.to_csv(tmp_path / "seeds.tsv", sep="\t", index=False)
    atlas = lay(tmp_path / "seeds.tsv")
    assert atlas.entities == {"atlas": "seeds"}
    assert atlas.parcels["name"].tolist() == ["a 1", "b", "a 3"]
    counts = np.bincount(atlas.of_node[atlas.of_node >= 0])
    np.testing.assert_array_equal(counts, [7, 1, 6])  # (0, 4, 0) is as near to the first as to the third
    (tmp_path / "bad.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="need the columns x, y and z in mm; there are x, y"):
        lay(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("x,y,z\n1,2,here\n")
    with pytest.raises(DataError, match="must be numbers in every row"):
        lay(tmp_path / "bad.csv")


def test_spheres_keep_the_words_of_their_table(tmp_path):
    lines = ["name\tx\ty\tz\tnetwork", "NA\t0\t0\t0\t1", "01\t20\t0\t0\tn/a", "n/a\t0\t20\t0\t02"]
    (tmp_path / "seeds.tsv").write_text("\n".join(lines))
    atlas = lay(tmp_path / "seeds.tsv")
    back = load_atlas(save_atlas(tmp_path / "out", atlas, GRID, {"space": "X"}), GRID)
    for parcels in (atlas.parcels, back.parcels):
        assert parcels["name"].tolist() == ["NA", "01", "sphere3"]
        assert parcels["network"].fillna("").tolist() == ["1", "", "02"]


@pytest.mark.parametrize("radius", ["wide", "", "0", "-3", "n/a"])
def test_a_sphere_needs_a_radius(tmp_path, radius):
    (tmp_path / "seeds.csv").write_text(f"x,y,z,radius\n0,0,0,5\n8,0,0,{radius}\n")
    with pytest.raises(DataError, match=r"seeds.csv: radius must be a number above 0, in mm, in every row"):
        lay(tmp_path / "seeds.csv")


@pytest.mark.parametrize(("name", "n_parcels"), [("aal", 116), ("aicha", 192)])
def test_atlases_of_debian(grid, name, n_parcels):
    if not (DEBIAN / IN_DEBIAN[name][0]).exists():
        pytest.skip("mricron-data is not installed; the image has it")
    atlas = lay(name, grid)
    assert len(atlas.parcels) == n_parcels
    assert atlas.entities == {"atlas": name.upper()}
    assert not atlas.parcels["name"].str.startswith("parcel").any()


LABELS = {
    "bids.tsv": "index\tname\tnetwork\n0\tBackground\tn/a\n1\tleft one\tA\n7\tright\tB\n",
    "nilearn.csv": "index,name\n0,Background\n1,left one\n7,right\n",
    "headless.csv": "\ufeff1,left one\n7,right\n",
    "freesurfer.txt": "# No. Label R G B A\n0 Unknown 0 0 0 0\n1 left one 120 18 131 0\n7 right 70 130 180 0\n",
    "schaefer.txt": "1\tleft one\t120\t17\t128\t0\n7\tright\t120\t17\t129\t0\n",
    "mricron.txt": "1 left_one 2001\n7 right 2002\n",
    "itksnap.txt": '1   255 0 0  1 1 1 "left one"\n7   0 255 0  1 1 1 "right"\n',
    "apostrophe.txt": "1 left_one's 2001\n7 right 2002\n",
    "spm.xml": "<atlas><data><label><index>1</index><name>left one</name></label>"
    "<label><index>7</index><name>right</name></label></data></atlas>",
    "fsl.xml": '<atlas><data><label index="0" x="1" y="2" z="3">left one</label>'
    '<label index="6" x="1" y="2" z="3">right</label></data></atlas>',
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_in_every_format(tmp_path, name):
    (tmp_path / name).write_text(LABELS[name], encoding="utf-8")
    table = read_labels(tmp_path / name, [1, 7])
    assert table["index"].tolist() == [1, 7]
    assert table["name"].str.replace("_", " ").str.removesuffix("'s").tolist() == ["left one", "right"]
    assert ("network" in table) == (name == "bids.tsv")


def test_names_alone_are_those_of_the_images_labels(tmp_path):
    (tmp_path / "Tian.txt").write_text("HIP-rh\nAMY-rh\n\npTHA-rh\n")
    table = read_labels(tmp_path / "Tian.txt", [3, 1, 2])
    assert table.to_dict("list") == {"index": [1, 2, 3], "name": ["HIP-rh", "AMY-rh", "pTHA-rh"]}
    with pytest.raises(DataError, match="it has 3 names and no labels, the image has 2 labels"):
        read_labels(tmp_path / "Tian.txt", [1, 2])


def test_networks_of_schaefers_names(tmp_path):
    names = ("7Networks_LH_Vis_1", "17Networks_RH_ContA_PFCl_1", "HIP-rh")
    (tmp_path / "a.txt").write_text("".join(f"{n} {name} 1 2 3 0\n" for n, name in enumerate(names, start=1)))
    networks = read_labels(tmp_path / "a.txt", [1, 2, 3])["network"]
    assert networks.tolist()[:2] == ["Vis", "ContA"]
    assert pd.isna(networks[2])


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "empty"),
        ("index\tcolor\n1\ta\n", "one of names are needed, index and name; there are index, color"),
        ("index\tname\n1\ta\n1\tb\n", "1 is there twice"),
    ],
)
def test_tables_that_are_none(tmp_path, text, fragment):
    (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(DataError, match=fragment):
        read_labels(tmp_path / "labels.tsv", [1])
    (tmp_path / "labels.xml").write_text("<atlas>")
    with pytest.raises(DataError, match="no table of labels can be read"):
        read_labels(tmp_path / "labels.xml", [1])


@pytest.mark.parametrize(
    ("image", "table", "found"),
    [
        ("Schaefer_400Parcels_order_FSLMNI152_2mm.nii.gz", "Schaefer_400Parcels_order.txt", True),
        ("Schaefer_1000Parcels_order.nii.gz", "Schaefer_100Parcels_order.txt", False),
        ("Tian_S1_3T.nii", "Tian_S1_3T_label.txt", True),
        ("aal.nii.gz", "aal.nii.txt", True),
        ("tpl-X_res-02_atlas-A_dseg.nii.gz", "tpl-X_atlas-A_dseg.tsv", True),
        ("tpl-X_atlas-A_desc-400_dseg.nii.gz", "tpl-X_atlas-A.tsv", False),
        ("AAL.nii", "AAL.xml", True),
        ("one.nii", "two.txt", False),
    ],
)
def test_the_table_beside(tmp_path, image, table, found):
    (tmp_path / image).touch()
    (tmp_path / table).write_text("1 a 2\n")
    (tmp_path / "README.txt").touch()
    assert labels_beside(tmp_path / image) == (tmp_path / table if found else None)


def test_a_table_after_the_colon(tmp_path):
    image = save(tmp_path / "blocks.nii.gz")
    (tmp_path / "elsewhere.txt").write_text("".join(f"{label} block_{label}\n" for label in range(1, 9)))
    assert lay(f"{image}:{tmp_path / 'elsewhere.txt'}").parcels["name"].tolist()[7] == "block_8"
    with pytest.raises(MissingInputError, match=r"the labels .*nowhere.txt do not exist"):
        find_atlas(f"{image}:{tmp_path / 'nowhere.txt'}")


def test_two_atlases_as_one(tmp_path):
    """Where both have a node the first keeps it; labels that both have are counted on, as are their names."""
    first = save(tmp_path / "cortex.nii.gz", np.where(BLOCKS <= 4, BLOCKS, 0))
    second = save(tmp_path / "deep.nii.gz", np.where(BLOCKS >= 4, BLOCKS - 3, 0))
    atlas = lay(f"both={first}+{second}")
    assert atlas.entities == {"atlas": "both"}
    assert len(atlas.parcels) == 4 + 5
    expected = np.where(BLOCKS <= 4, BLOCKS - 1, BLOCKS).ravel()
    np.testing.assert_array_equal(atlas.of_node, expected)
    assert atlas.parcels["name"].is_unique
    assert atlas.parcels["index"].is_unique
    assert lay(f"{first}+{second}").entities == {"atlas": "cortex+deep"}


def test_a_path_with_the_signs_of_the_syntax_is_a_path(tmp_path):
    image = save(tmp_path / "a+b=c.nii.gz")
    assert [part.kind for part in find_atlas(str(image)).parts] == ["image"]


def folder_of_atlases(root):
    for scale, n in ((100, 2), (200, 4)):
        for res, size in (("02", 2.0), ("01", 1.0)):
            name = f"tpl-MNI152NLin2009cAsym_res-{res}_atlas-S_desc-{scale}_dseg.nii.gz"
            values = np.where(n >= BLOCKS, BLOCKS, 0)
            save(root / "tpl-MNI152NLin2009cAsym" / name, values, np.diag([size, size, size, 1]))
    save(root / "tpl-MNI152NLin6Asym" / "tpl-MNI152NLin6Asym_res-01_atlas-S_desc-100_dseg.nii.gz", affine=np.eye(4))
    return root


def test_a_folder_of_several_is_chosen_from(tmp_path):
    root = folder_of_atlases(tmp_path / "atlases")
    chosen = find_atlas(f"{root}:desc-200")
    assert source_entities(chosen) == {"atlas": "S", "seg": "200"}
    atlas = read_atlas(chosen, GRID)
    assert "res-01" in atlas.origin  # the finest
    of_space = read_atlas(find_atlas(f"{root}:desc-100"), GRID, "MNI152NLin6Asym")
    assert "NLin6Asym" in of_space.origin
    with pytest.raises(UsageError, match="several atlases fit; choose by a colon and entities"):
        lay(root)
    with pytest.raises(UsageError, match="none fits"):
        lay(f"{root}:desc-300")
    with pytest.raises(UsageError, match="after the colon comes what chooses"):
        find_atlas(f"{root}:big")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="no \\*_dseg"):
        lay(tmp_path / "empty")


def test_a_cache_of_templateflow(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(folder_of_atlases(tmp_path)))
    source = find_atlas("S:desc-200")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", "/work/cache")  # as the app does where the cache cannot be written
    assert read_atlas(source, GRID, "MNI152NLin2009cAsym").entities == {"atlas": "S", "seg": "200"}


def test_a_cache_of_nilearn(shared_data, tmp_path, monkeypatch, grid):
    """Laid out as nilearn's fetcher leaves it, from the files that it fetches."""
    official = shared_data / "atlases" / "schaefer_official"
    cache = tmp_path / "schaefer_2018"
    cache.mkdir()
    for name in (
        "Schaefer2018_100Parcels_7Networks_order.txt",
        "Schaefer2018_100Parcels_7Networks_order_FSLMNI152_2mm.nii.gz",
    ):
        shutil.copy(official / name, cache / name)
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path))
    atlas = lay("schaefer100", grid)
    direct = lay(official / "Schaefer2018_100Parcels_7Networks_order_FSLMNI152_2mm.nii.gz", grid)
    np.testing.assert_array_equal(atlas.of_node, direct.of_node)
    pd.testing.assert_frame_equal(atlas.parcels, direct.parcels, check_dtype=False)
    assert atlas.entities == {"atlas": "Schaefer100"}


def test_what_is_not_cached_and_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(datasets.atlas, "fetch_files", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(MissingInputError, match=r"schaefer200: nilearn has it neither in .*none"):
        lay("schaefer200")


def soft_maps(n_maps=4):
    """Overlapping bumps, one volume each."""
    places = GRID.coordinates
    centres = np.random.default_rng(0).uniform(-12, 12, (n_maps, 3))
    maps = np.exp(-np.square(places[None] - centres[:, None]).sum(axis=2) / 60)
    return np.where(maps > 0.05, maps, 0).astype(np.float32)


def test_probabilistic_maps_are_regressed_as_nilearn_does(tmp_path):
    maps = soft_maps()
    image = save(tmp_path / "atlas-Soft_probseg.nii.gz", np.moveaxis(maps.reshape(-1, 10, 10, 10), 0, -1))
    series = np.random.default_rng(1).normal(size=(GRID.n_nodes, 30))
    atlas = lay(image)
    means, coverage = average_parcels(atlas, series)
    bold = nib.Nifti1Image(series.reshape(10, 10, 10, 30), AFFINE)
    theirs = NiftiMapsMasker(image, mask_img=GRID.mask_image()).fit_transform(bold)
    np.testing.assert_allclose(means, theirs.T, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(coverage, 1)
    np.testing.assert_array_equal(atlas.of_node, np.where(maps.any(axis=0), maps.argmax(axis=0), -1))


def test_a_map_that_is_half_outside_the_signal_is_left_out(tmp_path):
    maps = soft_maps()
    atlas = lay(save(tmp_path / "p.nii.gz", np.moveaxis(maps.reshape(-1, 10, 10, 10), 0, -1)))
    series = np.random.default_rng(1).normal(size=(GRID.n_nodes, 30))
    series[np.argsort(-maps[2])[: int(0.5 * (maps[2] > 0).sum())]] = np.nan
    means, coverage = average_parcels(atlas, series)
    assert coverage[2] < 0.5
    assert np.isnan(means[2]).all()
    kept = [row for row in range(4) if coverage[row] >= 0.5]
    assert kept
    assert np.isfinite(means[kept]).all()
    alive = np.isfinite(series).all(axis=1)
    expected = np.linalg.lstsq(maps[kept][:, alive].T.astype(float), series[alive], rcond=None)[0]
    np.testing.assert_allclose(means[kept], expected, rtol=1e-3, atol=1e-3)


def test_maps_cannot_be_joined(tmp_path):
    maps = save(tmp_path / "p.nii.gz", np.moveaxis(soft_maps().reshape(-1, 10, 10, 10), 0, -1))
    with pytest.raises(UsageError, match="maps of probabilities cannot be joined"):
        lay(f"{maps}+power")


@pytest.mark.parametrize("kind", ["labels", "maps", "spheres"])
def test_an_atlas_comes_back_as_it_was_laid(tmp_path, kind):
    words = {"labels": save(tmp_path / "atlas-L_dseg.nii.gz"), "spheres": "seitzman"}
    words["maps"] = save(tmp_path / "atlas-P.nii.gz", np.moveaxis(soft_maps().reshape(-1, 10, 10, 10), 0, -1))
    atlas = lay(words[kind])
    back = load_atlas(save_atlas(tmp_path / "out", atlas, GRID, {"space": "X"}), GRID)
    np.testing.assert_array_equal(back.of_node, atlas.of_node)
    np.testing.assert_allclose(back.coordinates, atlas.coordinates, atol=0.006)
    pd.testing.assert_frame_equal(back.parcels, atlas.parcels, check_dtype=False)
    seen_from_the_output = {"labels": "../atlas-L_dseg.nii.gz", "maps": "../atlas-P.nii.gz"}
    assert (back.entities, back.origin) == (atlas.entities, seen_from_the_output.get(kind, atlas.origin))
    if kind == "maps":
        np.testing.assert_array_equal(back.maps.toarray(), atlas.maps.toarray())
    assert lay(tmp_path / "out" / "atlases" / next((tmp_path / "out" / "atlases").glob("*_dseg.nii.gz"))).origin


def test_one_of_another_space_is_warned_of(tmp_path, caplog):
    lay(save(tmp_path / "tpl-MNI152NLin6Asym_atlas-A_dseg.nii.gz"), space="MNI152NLin2009cAsym")
    assert "is in MNI152NLin6Asym, the data in MNI152NLin2009cAsym" in caplog.text


def test_partition_by_a_name():
    networks = network_of_nodes(find_atlas("seitzman"), template_grid("gm", 6))
    assert len(np.unique(networks)) == len(set(datasets.fetch_coords_seitzman_2018().networks)) + 1


def test_names_must_differ():
    sources = [find_atlas("power"), find_atlas("again=power"), find_atlas("power+seitzman")]
    check_names([(source, source_entities(source)) for source in sources])
    with pytest.raises(UsageError, match="the outputs of power and power would have the same names"):
        check_names([(source, source_entities(source)) for source in sources[:1] * 2])


def test_a_cut_image_is_said_to_be(tmp_path):
    path = save(tmp_path / "atlas-A_dseg.nii.gz")
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[: len(whole) // 2]))
    with pytest.raises(DataError, match=r"--atlas .*atlas-A_dseg.nii.gz is no readable image"):
        lay(path)
