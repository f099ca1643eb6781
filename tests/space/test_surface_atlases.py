"""Atlases whose labels lie on surfaces: CIFTI, GIFTI and FreeSurfer's, and parcels of grayordinates end to end."""

from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import pandas as pd
import pytest
from conftest import SmallTrial
from nibabel.cifti2 import BrainModelAxis, LabelAxis
from scipy.signal import detrend
from surface_trial import AFFINE, add_surface_run, hemispheres, save_mesh, small_surface

from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.settings.atlas_source import find_atlas
from bids_app.space.atlas import fitting, read_atlas
from bids_app.space.atlas_names import atlas_entities
from bids_app.space.grid import template_grid
from bids_app.space.saved_atlas import load_atlas, save_atlas
from bids_app.space.surface import HEMISPHERES

COLOUR = (0.1, 0.2, 0.3, 1.0)
CALL = "--denoise none --bandpass off --min-minutes 1 --n-cpus 1 --metrics betweenness --parcel-metrics degree"
QUARTERS = ("lowerBack", "lowerFront", "upperBack", "upperFront")


@pytest.fixture
def surface():
    return small_surface()


def quarter(positions):
    """Return 1 to 4 for each place: above or below, behind or before the middle."""
    return 1 + 2 * (positions[:, 2] > 0) + (positions[:, 1] > 0)


def of_vertices(side, first=0):
    """Return the labels of all vertices of a hemisphere; those of the right one may be counted on."""
    return (first * (side == "R") + quarter(hemispheres()[side][0])).astype(np.int32)


def expected(surface):
    """Return the label of each grayordinate, 1 to 8 on the cortex, 9 in the voxels."""
    right = surface.axis.name == HEMISPHERES["R"]
    return np.where(surface.axis.volume_mask, 9, quarter(surface.positions) + 4 * right)


def save_dlabel(path, axis, labels, names, n_maps=1):
    table = {0: ("???", (0, 0, 0, 0))} | {number: (name, COLOUR) for number, name in names.items()}
    maps = LabelAxis([f"map{number}" for number in range(n_maps)], [table] * n_maps)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Cifti2Image(np.tile(labels, (n_maps, 1)).astype(np.float32), (maps, axis)), path)
    return path


def save_areas(path, n_maps=1):
    """Write labels of all vertices, the medial wall too, and of voxels twice as fine as those of the data."""
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    fine[:3, 3] -= 2  # eight of them fill one of the data's
    axes = [BrainModelAxis.from_mask(np.ones(162, dtype=bool), HEMISPHERES[side]) for side in "RL"]
    axes.append(BrainModelAxis.from_mask(np.ones((8, 8, 8), dtype=bool), "CIFTI_STRUCTURE_THALAMUS_LEFT", fine))
    labels = np.concatenate([of_vertices("R", 4), of_vertices("L"), np.full(512, 9)])
    names = dict(enumerate([f"{side}_{name}_ROI" for side in "LR" for name in QUARTERS] + ["Thalamus-L"], 1))
    return save_dlabel(path, axes[0] + axes[1] + axes[2], labels, names, n_maps)


def save_label_gii(path, labels, names):
    table = nib.gifti.GiftiLabelTable()
    for key, name in {0: "???", **names}.items():
        table.labels.append(nib.gifti.GiftiLabel(key, *COLOUR))
        table.labels[-1].label = name
    array = nib.gifti.GiftiDataArray(labels, "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.GiftiImage(darrays=[array], labeltable=table), path)
    return path


def lay(word, grid, space="fsLR"):
    return read_atlas(find_atlas(str(word)), grid, space)


def labels_at(atlas):
    return np.where(atlas.of_node >= 0, atlas.parcels["index"].to_numpy()[atlas.of_node], 0)


def test_cifti_labels_are_found_by_vertex_and_place(surface, tmp_path):
    """In another order of structures than the data, and with vertices that these lack."""
    atlas = lay(save_areas(tmp_path / "Areas.32k_fs_LR.dlabel.nii"), surface)
    np.testing.assert_array_equal(labels_at(atlas), expected(surface))
    assert atlas.parcels["name"].tolist()[::4] == ["L_lowerBack_ROI", "R_lowerBack_ROI", "Thalamus-L"]
    assert atlas.entities == {"atlas": "Areas"}
    members = surface.positions[expected(surface) == 6]
    np.testing.assert_allclose(atlas.coordinates[5], members.mean(axis=0))


def test_cifti_without_voxels_leaves_them_without_a_parcel(surface, tmp_path):
    path = save_areas(tmp_path / "all.dlabel.nii")
    axis, values = nib.load(path).header.get_axis(1), nib.load(path).get_fdata()[0]
    cortex = ~axis.volume_mask
    save_dlabel(tmp_path / "cortex.dlabel.nii", axis[cortex], values[cortex], dict(enumerate("abcdefgh", 1)))
    found = labels_at(lay(tmp_path / "cortex.dlabel.nii", surface))
    np.testing.assert_array_equal(found, np.where(surface.axis.volume_mask, 0, expected(surface)))


def test_what_both_hemispheres_name_is_told_apart(surface, tmp_path):
    """Numbers and names of the same kind on both sides, as Desikan's; the medial wall is no parcel."""
    for side in "LR":
        labels = np.where(np.abs(hemispheres()[side][0][:, 0]) > 20, of_vertices(side), 5)
        names = dict(enumerate([*QUARTERS, "Medial_wall", "nowhere"], 1))
        save_label_gii(tmp_path / f"sub.{side}.areas.32k.label.gii", labels, names)
    atlas = lay(tmp_path / "sub.L.areas.32k.label.gii", surface)
    assert atlas.parcels["name"].tolist() == [f"{side}_{name}" for side in "LR" for name in QUARTERS]
    assert atlas.parcels["index"].tolist() == [1, 2, 3, 4, 11, 12, 13, 14]
    own = expected(surface)
    own = np.where(own > 8, 0, np.where(own > 4, own + 6, own))
    np.testing.assert_array_equal(labels_at(atlas), own)
    assert labels_at(lay(tmp_path / "sub.R.areas.32k.label.gii", surface)).tolist() == own.tolist(), "by either"


def test_what_is_no_parcel_never_becomes_one_of_the_other_side(surface, tmp_path):
    """Whatever number the medial wall has, 14 too, which the right hemisphere's fourth parcel gets."""
    for side in "LR":
        outer = np.abs(hemispheres()[side][0][:, 0]) > 40
        names = {**dict(enumerate(QUARTERS, 1)), 14: "Medial_wall"}
        save_label_gii(tmp_path / f"x.{side}.label.gii", np.where(outer, of_vertices(side), 14), names)
    atlas = lay(tmp_path / "x.L.label.gii", surface)
    right = surface.axis.name == HEMISPHERES["R"]
    assert set(atlas.parcels["index"][np.unique(atlas.of_node[right & (atlas.of_node >= 0)])]) == {11, 12, 13, 14}
    assert set(labels_at(atlas)[~right]) == {0, 1, 2, 3, 4}


def test_numbers_that_are_each_sides_own_are_kept(surface, tmp_path):
    names = [f"7Networks_{side}H_{network}_1" for side in "LR" for network in ("Vis", "Cont", "Limbic", "Default")]
    for side in "LR":
        path = tmp_path / f"tpl-fsLR_hemi-{side}_den-32k_atlas-Schaefer_seg-8P_dseg.label.gii"
        save_label_gii(path, of_vertices(side, 4), dict(enumerate(names, 1)))
    atlas = lay(path.with_name(path.name.replace("hemi-R", "hemi-L")), surface)
    assert atlas.entities == {"atlas": "Schaefer", "seg": "8P"}
    assert atlas.parcels["index"].tolist() == list(range(1, 9))
    assert atlas.parcels["name"].tolist() == names
    assert atlas.parcels["network"].tolist() == ["Vis", "Cont", "Limbic", "Default"] * 2
    np.testing.assert_array_equal(labels_at(atlas), expected(surface) % 9)


@pytest.mark.parametrize("first", ["unknown", "lowerBack"])
def test_annotations_of_freesurfer(surface, tmp_path, first):
    """Whose first name may be of no parcel, or of one."""
    names = list(QUARTERS) if first in QUARTERS else [first, *QUARTERS]
    table = np.column_stack([np.arange(1, 6), np.arange(2, 7), np.arange(3, 8), np.zeros(5, dtype=int)])[: len(names)]
    for side, word in (("L", "lh"), ("R", "rh")):
        labels = of_vertices(side) - (first in QUARTERS)
        nib.freesurfer.write_annot(tmp_path / f"{word}.aparc.annot", labels, table, names, fill_ctab=True)
    atlas = lay(tmp_path / "lh.aparc.annot", surface)
    assert atlas.entities == {"atlas": "aparc"}
    assert atlas.parcels["name"].tolist() == [f"{side}_{name}" for side in "LR" for name in QUARTERS]
    own = expected(surface)
    np.testing.assert_array_equal(labels_at(atlas), np.where(own > 8, 0, np.where(own > 4, own + 6, own)))


def test_the_desikan_atlas_of_nilearn(surface, tmp_path):
    """A real annotation of fsaverage5, for both sides: 34 areas, neither the medial wall nor the corpus callosum."""
    real = Path(nilearn.__file__).parent / "surface" / "tests" / "data" / "test.annot"
    if not real.exists():
        pytest.skip("nilearn was installed without its tests")
    for word in ("lh", "rh"):
        (tmp_path / f"{word}.desikan.annot").write_bytes(real.read_bytes())
    labels, _, names = nib.freesurfer.read_annot(real)
    mesh = (np.random.default_rng(0).normal(size=(10242, 3)), np.array([[0, 1, 2]]))
    axes = [BrainModelAxis.from_surface(np.arange(10242), 10242, HEMISPHERES[side]) for side in "LR"]
    large = type(surface)(np.ones(20484, dtype=bool), axes[0] + axes[1], {"L": mesh, "R": mesh})
    atlas = lay(tmp_path / "lh.desikan.annot", large)
    assert len(atlas.parcels) == 2 * 34
    bankssts = names.index(b"bankssts")
    at = atlas.parcels.set_index("index")["name"].reindex(labels_at(atlas)).to_numpy()
    np.testing.assert_array_equal(at[:10242] == "L_bankssts", labels == bankssts)
    np.testing.assert_array_equal(at[10242:] == "R_bankssts", labels == bankssts)


def test_a_table_beside_the_labels_names_them(surface, tmp_path):
    save_areas(tmp_path / "tpl-fsLR_atlas-4S_den-91k_dseg.dlabel.nii")
    table = pd.DataFrame({"index": range(1, 10), "name": list("abcdefghi"), "network": ["x", "y", "z"] * 3})
    table.to_csv(tmp_path / "tpl-fsLR_atlas-4S_den-91k_dseg.tsv", sep="\t", index=False)
    atlas = lay(tmp_path / "tpl-fsLR_atlas-4S_den-91k_dseg.dlabel.nii", surface)
    assert atlas.parcels["name"].tolist() == list("abcdefghi")
    assert atlas.parcels["network"].tolist() == ["x", "y", "z"] * 3


def test_a_folder_gives_the_kind_that_the_data_need(surface, tmp_path):
    """As the atlases that XCP-D takes are laid out: one for volumes, one for grayordinates."""
    save_areas(tmp_path / "atlas-4S" / "tpl-fsLR_atlas-4S_den-91k_dseg.dlabel.nii")
    for side in "LR":  # another one, which is left out by its name
        path = tmp_path / "atlas-B" / f"tpl-fsLR_hemi-{side}_den-32k_atlas-B_dseg.label.gii"
        save_label_gii(path, of_vertices(side), dict(enumerate(QUARTERS, 1)))
    blocks = np.ones((60, 70, 60), dtype=np.int16)
    image = nib.Nifti1Image(blocks, nib.affines.from_matvec(np.diag([3.0, 3, 3]), [-90, -120, -70]))
    nib.save(image, tmp_path / "atlas-4S" / "tpl-MNI152NLin2009cAsym_atlas-4S_res-01_dseg.nii.gz")
    assert lay(f"{tmp_path}:atlas-4S", surface).origin.endswith("dlabel.nii")
    assert len(lay(f"{tmp_path}:atlas-B", surface).parcels) == 8
    voxels = lay(f"{tmp_path}:atlas-4S", template_grid("gm", 8), "MNI152NLin2009cAsym")
    assert voxels.origin.endswith("dseg.nii.gz")
    assert (voxels.of_node == 0).mean() > 0.9


def test_an_atlas_survives_its_files(surface, tmp_path):
    atlas = lay(save_areas(tmp_path / "areas.dlabel.nii"), surface)
    again = load_atlas(save_atlas(tmp_path / "out", atlas, surface, {"space": "fsLR", "den": "91k"}), surface)
    np.testing.assert_array_equal(again.of_node, atlas.of_node)
    assert again.parcels["name"].tolist() == atlas.parcels["name"].tolist()


def _short(folder):
    for side in "LR":
        save_label_gii(folder / f"x.{side}.label.gii", np.ones(42, dtype=np.int32), {1: "a"})
    return folder / "x.L.label.gii"


def _elsewhere(folder):
    return save_dlabel(folder / "x.dlabel.nii", small_surface().axis, np.zeros(len(small_surface().axis)), {1: "a"})


def _alone(folder):
    return save_label_gii(folder / "x_hemi-L.label.gii", np.ones(162, dtype=np.int32), {1: "a"})


def _of_no_side(folder):
    return save_label_gii(folder / "areas.label.gii", np.ones(162, dtype=np.int32), {1: "a"})


def _cut(folder):
    for word in ("lh", "rh"):
        (folder / f"{word}.x.annot").write_bytes(b"\x00\x00\x01")
    return folder / "lh.x.annot"


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (_short, DataError, "its hemispheres have 42 vertices, those of the data 162"),
        (_elsewhere, DataError, "none of its labels is at a grayordinate"),
        (_alone, MissingInputError, "x_hemi-R.label.gii, does not exist"),
        (_of_no_side, MissingInputError, "which hemisphere is it of"),
        (_cut, DataError, "no annotation can be read"),
        (lambda folder: save_areas(folder / "x.dlabel.nii", n_maps=2), DataError, r"2 maps of labels \(map0, map1\)"),
    ],
)
def test_what_is_wrong_is_said(surface, tmp_path, make, error, said):
    with pytest.raises(error, match=said):
        lay(make(tmp_path), surface)


def test_labels_of_surfaces_are_not_for_voxels(tmp_path):
    path = save_areas(tmp_path / "areas.dlabel.nii")
    with pytest.raises(UsageError, match=r"its labels lie on a surface, the data are voxels. Choose .* --space"):
        lay(path, template_grid("gm", 8))


def test_only_what_fits_names_the_clusters_of_voxels(surface, tmp_path):
    """At the group level volumes and surfaces may be compared at once."""
    areas, power = find_atlas(str(save_areas(tmp_path / "areas.dlabel.nii"))), find_atlas("power")
    assert fitting([areas, power], surface, "fsLR") == [areas, power]
    assert fitting([areas, power], template_grid("gm", 8), "MNI152NLin2009cAsym") == [power]


@pytest.mark.parametrize(
    ("name", "atlas"),
    [
        ("rh.aparc.a2009s.annot", "aparc"),
        ("Schaefer2018_400_lh.label.gii", "Schaefer2018400"),
        ("100307.L.BA.32k_fs_LR.label.gii", "100307"),
        ("HCPMMP1.dlabel.nii", "HCPMMP1"),
        ("with.L.nii.gz", "with"),
    ],
)
def test_outputs_are_named_without_the_side(name, atlas):
    assert atlas_entities(Path(name)) == {"atlas": atlas}


@pytest.fixture(scope="module")
def compared_areas(tmp_path_factory, app):
    """Both levels of two arms of three with the parcels of a dlabel, and the series of the scans."""
    root = tmp_path_factory.mktemp("areas")
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    runs = {
        (f"0{participant}", session): add_surface_run(trial, f"0{participant}", session, "cifti")[1]
        for participant in range(1, 7)
        for session in "12"
    }
    trial.add_arms(**{f"s0{number}": "placebo" if number <= 3 else "ketamine" for number in range(1, 7)})
    meshes = [save_mesh(root / f"{side}.surf.gii", *mesh) for side, mesh in hemispheres().items()]
    atlas = save_areas(root / "Areas.dlabel.nii")
    call = (*CALL.split(), "--space", "fsLR", "--surface", *meshes, "--atlas", atlas)
    for level, own in (("participant", ()), ("group", ("--n-permutations", 20, "--edge-statistic", "nbs"))):
        outcome = app(trial.bids, root / "out", level, *call, *own)
        assert outcome.code == 0, outcome.said
    assert "Connections of Areas fsLR: 6 participants analysed." in outcome.said
    return runs, root / "out"


def test_parcels_are_the_means_of_their_grayordinates(compared_areas):
    runs, output = compared_areas
    (path,) = output.glob("sub-02/ses-2/func/*_atlas-Areas_*timeseries.tsv")
    found = pd.read_csv(path, sep="\t")
    labels, series = expected(small_surface()), detrend(runs["02", "2"].astype(float), axis=1)
    means = np.array([series[labels == number].mean(axis=0) for number in range(1, 10)])
    assert found.columns[0] == "L_lowerBack_ROI"
    np.testing.assert_allclose(np.corrcoef(found.to_numpy().T), np.corrcoef(means), atol=1e-5)
    (nodes,) = output.glob("sub-02/ses-2/func/*_desc-r025_nodes.tsv")
    r = np.corrcoef(means) - np.eye(9)
    np.testing.assert_array_equal(pd.read_csv(nodes, sep="\t")["degree"], (r > 0.25).sum(axis=0))


def test_results_are_painted_on_the_grayordinates(compared_areas):
    _, output = compared_areas
    (path,) = output.glob("group/maps/*/*_stat-hedgesG_desc-degreeR025_statmap.dscalar.nii")
    (table,) = output.glob("group/tables/*_nodes.tsv")
    painted, rows = nib.load(path), pd.read_csv(table, sep="\t")
    assert painted.header.get_axis(1) == small_surface().axis
    own = rows[(rows["estimator"] == "ancova") & (rows["measure"] == "degree")].set_index("index")["hedges_g"]
    values = own.reindex(expected(small_surface())).to_numpy()
    np.testing.assert_allclose(painted.get_fdata().ravel(), values, atol=1e-5)


def test_the_page_shows_them_on_the_cortex(compared_areas, browse, validation_errors):
    _, output = compared_areas
    assert list(output.glob("group/figures/*_desc-degreeR025Map_nodes.png"))
    found = browse(output / "group" / "index.html")
    assert found.blank_images == []
    assert found.errors == []
    assert validation_errors(output) == []


def test_a_folder_serves_volumes_and_surfaces_of_one_trial(tmp_path, app):
    """Both are compared at once, each by its own image of the atlas; files and sections have names of their own."""
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "fmriprep").begin()
    for number in range(1, 7):
        for session in "12":
            trial.add_run(f"0{number}", session)
            add_surface_run(trial, f"0{number}", session, "cifti")
    trial.add_arms(**{f"s0{number}": "placebo" if number <= 3 else "ketamine" for number in range(1, 7)})
    meshes = [save_mesh(tmp_path / f"{side}.surf.gii", *mesh) for side, mesh in hemispheres().items()]
    save_areas(tmp_path / "atlases" / "tpl-fsLR_atlas-4S_den-91k_dseg.dlabel.nii")
    volume = np.random.default_rng(0).integers(1, 9, (12, 14, 12)).astype(np.int16)
    image = nib.Nifti1Image(volume, nib.affines.from_matvec(np.diag([15.0, 15, 15]), [-82.5, -115, -75]))
    nib.save(image, tmp_path / "atlases" / "tpl-MNI152NLin2009cAsym_atlas-4S_dseg.nii.gz")
    options = (*CALL.split(), "--voxel-size", 15, "--parcel-metrics", "degree", "--n-null-graphs", 2)
    options = (*options, "--atlas", tmp_path / "atlases", "--surface", *meshes)
    call = (trial.bids, tmp_path / "out")
    for space in ("MNI152NLin2009cAsym", "fsLR"):
        outcome = app(*call, "participant", *options, "--space", space)
        assert outcome.code == 0, outcome.said
    outcome = app(*call, "group", *options, "--n-permutations", 20)
    assert outcome.code == 0, outcome.said
    tables = sorted(path.name for path in (tmp_path / "out" / "group").glob("tables/*_nodes.tsv"))
    assert [name.split("_contrast")[0] for name in tables] == [
        "task-rest_space-MNI152NLin2009cAsym_atlas-4S",
        "task-rest_space-fsLR_atlas-4S_den-91k",
    ]
    page = (tmp_path / "out" / "group" / "index.html").read_text()
    assert "Parcels of 4S</h2>" in page
    assert "Parcels of 4S fsLR</h2>" in page
    participant = (tmp_path / "out" / "sub-01.html").read_text()
    assert "4S fsLR" in participant
