import json
import shutil

import networkx as nx
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import SmallTrial
from scipy.signal import detrend
from surface_trial import add_surface_run, hemispheres, save_mesh, small_surface

from bids_app.bids.files import save_json
from bids_app.errors import DataError, MissingInputError
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.space.surface import Surface
from bids_app.space.surface_files import lay_surface, load_surface, read_grayordinates, save_surface
from bids_app.trial.comparison_record import read_comparison

CALL = "--denoise none --bandpass off --min-minutes 1 --n-cpus 1 --smooth-maps 30"
METRICS = ("--metrics", "degree", "clustering", "global-correlation")
SPACES = {"cifti": "fsLR", "gifti": "fsaverage5"}


@pytest.fixture
def surface():
    return small_surface()


@pytest.fixture(scope="module", params=["cifti", "gifti"])
def analysed(request, tmp_path_factory, app):
    """Both levels of two arms of three, on surfaces."""
    root = tmp_path_factory.mktemp(request.param)
    trial = SmallTrial(root / "bids", root / "bids" / "derivatives" / "fmriprep").begin()
    runs = {}
    for participant in range(1, 7):
        for session in "12":
            runs[f"0{participant}", session] = add_surface_run(trial, f"0{participant}", session, request.param)
    trial.add_arms(**{f"s0{number}": "placebo" if number <= 3 else "ketamine" for number in range(1, 7)})
    meshes = [save_mesh(root / f"{side}.surf.gii", *mesh) for side, mesh in hemispheres().items()]
    call = (trial.bids, root / "out")
    more = (*CALL.split(), *METRICS, "--space", SPACES[request.param], "--surface", *meshes)
    for level in ("participant", "group"):
        outcome = app(*call, level, *more, *(("--n-permutations", "50") if level == "group" else ()))
        assert outcome.code == 0, outcome.said
    return request.param, runs, root / "out"


def maps_of(output, stat, desc, participant="01", session="1"):
    (path,) = output.glob(f"sub-{participant}/ses-{session}/func/*_stat-{stat}_desc-{desc}_boldmap.dscalar.nii")
    return nib.load(path)


def test_maps_are_those_of_the_series(analysed):
    _, runs, output = analysed
    r = np.corrcoef(detrend(runs["01", "1"][1].astype(float), axis=1))
    np.fill_diagonal(r, 0)
    graph = nx.from_numpy_array((r > 0.25).astype(int))
    degree = maps_of(output, "degree", "r025").get_fdata().ravel()
    np.testing.assert_allclose(degree, [count for _, count in graph.degree], atol=1)  # an edge of r = 0.25 + 1e-7
    assert (degree == [count for _, count in graph.degree]).mean() > 0.99
    clustering = maps_of(output, "clustering", "r025").get_fdata().ravel()
    np.testing.assert_allclose(clustering, list(nx.clustering(graph).values()), atol=2e-3)
    mean_r = maps_of(output, "globalCorrelation", "full").get_fdata().ravel()
    np.testing.assert_allclose(mean_r, r.sum(axis=0) / (len(r) - 1), atol=1e-5)


def test_axes_are_those_of_the_input(analysed):
    kind, runs, output = analysed
    axis = maps_of(output, "degree", "r025zSmooth30").header.get_axis(1)
    path, _ = runs["01", "1"]
    if kind == "cifti":
        assert axis == nib.load(path).header.get_axis(1)
    else:
        assert [len(part) for *_, part in axis.iter_structures()] == [162, 162]


def test_gifti_comes_out_where_gifti_went_in(analysed):
    kind, _, output = analysed
    halves = sorted(output.glob("sub-01/ses-1/func/*_stat-degree_desc-r025_boldmap.shape.gii"))
    if kind == "cifti":
        assert halves == []
        return
    values = np.concatenate([nib.load(half).agg_data() for half in halves])
    np.testing.assert_array_equal(values, maps_of(output, "degree", "r025").get_fdata().ravel())


def test_the_arms_are_compared_at_every_grayordinate(analysed):
    _, runs, output = analysed
    (path,) = output.glob("group/maps/*/*_stat-difference_desc-degreeR025Change_statmap.dscalar.nii")
    difference = nib.load(path).get_fdata().ravel()
    values = {key: maps_of(output, "degree", "r025zSmooth30", *key).get_fdata().ravel() for key in runs}
    change = {f"0{n}": values[f"0{n}", "2"] - values[f"0{n}", "1"] for n in range(1, 7)}
    (design,) = output.glob("group/*_design.json")
    assert json.loads(design.read_text())["Route"] == "grayordinates"
    fd = pd.read_csv(next(output.glob("group/tables/*_flow.tsv")), sep="\t")["baseline_mean_fd"].to_numpy()
    columns = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1], fd])
    expected = np.linalg.lstsq(columns, np.stack(list(change.values())), rcond=None)[0][1]
    np.testing.assert_allclose(difference, expected, atol=1e-5)


def test_the_record_of_grayordinates_comes_back_byte_by_byte(analysed, tmp_path):
    _, _, output = analysed
    (path,) = output.glob("group/*_design.json")
    record = read_comparison(path)
    assert (record.route, record.kind, record.data.voxel_size) == ("grayordinates", "maps", None)
    save_json(tmp_path / "design.json", record.to_json())
    assert (tmp_path / "design.json").read_bytes() == path.read_bytes()


def test_everything_written_is_valid_and_whole(analysed, validation_errors, whole_files):
    _, _, output = analysed
    assert validation_errors(output) == []
    assert not list(output.rglob(".partial-*"))


def test_the_group_page_shows_the_cortex(analysed, browse):
    _, _, output = analysed
    page = output / "group" / "index.html"
    assert "grayordinates" in page.read_text().lower()
    found = browse(page)
    assert found.blank_images == []
    assert found.errors == []


def test_a_trial_is_planned_on_the_cortex(analysed, app, tmp_path):
    folder = shutil.copytree(analysed[2], tmp_path / "out", ignore=shutil.ignore_patterns("group", "work", "*.html"))
    where = ("--effect-at", "-130", "0", "0", "--effect-radius", "30", "--effect-size", "3", "--n", "16", "32")
    quick = ("--trials", "20", "--draws", "40", "--metrics", "degree", "--n-cpus", "1")
    outcome = app("power", folder, *where, *quick)
    assert outcome.code == 0, outcome.said
    record = json.loads((folder / "power" / "results.json").read_text())
    assert record["Maps"]["Route"] == "grayordinates"
    assert record["Effect"]["Nodes"] > 3
    assert pd.read_csv(folder / "power" / "power.tsv", sep="\t")["power"].iloc[1] > 0.5


def test_a_surface_survives_its_files(surface, tmp_path):
    path = tmp_path / "space-fsLR_den-91k_nodes.dscalar.nii"
    save_surface(surface.within(np.arange(len(surface.axis)) % 3 > 0), path)
    again = load_surface(path)
    assert again.n_nodes == int((np.arange(len(surface.axis)) % 3 > 0).sum())
    assert again.within(surface.mask).same_as(surface)


def test_vertices_beside_the_medial_wall_and_voxels_have_neighbours_of_their_own(surface):
    table, places = surface.neighbours(6), surface.coordinates
    assert (table >= 0).any(axis=1).all()
    first, column = np.nonzero(table >= 0)
    second = table[first, column]
    structures = surface.axis.name
    assert (structures[first] == structures[second]).all()
    apart = np.linalg.norm(places[first] - places[second], axis=1)
    voxels = surface.axis.volume_mask[first]
    np.testing.assert_allclose(apart[voxels], 8.0)
    assert apart[~voxels].max() < 0.4 * 60
    assert voxels.sum() == 2 * 3 * 4 * 4 * 3


def test_neighbours_follow_the_nodes_that_are_left(surface):
    left = np.random.default_rng(0).random(len(surface.axis)) < 0.6
    table, whole = surface.within(left).neighbours(), surface.neighbours()
    where = np.flatnonzero(left)
    for node in range(0, len(where), 17):
        expected = {int(other) for other in whole[where[node]] if other >= 0 and left[other]}
        assert {int(where[other]) for other in table[node] if other >= 0} == expected


def test_hemispheres_do_not_warm_each_other(surface):
    values = (surface.axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT").astype(float)
    np.testing.assert_allclose(surface.smoothed(values, 40.0), values, atol=1e-9)


@pytest.mark.parametrize(
    ("break_it", "error", "said"),
    [
        (lambda path: path.with_name("x").touch(), MissingInputError, "Give them with --surface LEFT RIGHT"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), DataError, "is no readable image"),
    ],
)
def test_what_is_missing_or_broken_is_said(empty_trial, break_it, error, said):
    path, _ = add_surface_run(empty_trial, "01", "1", "cifti")
    break_it(path)
    with pytest.raises(error, match=said):
        lay_surface(path)


def test_meshes_are_found_beside_the_data(empty_trial):
    path, _ = add_surface_run(empty_trial, "01", "1", "cifti")
    for side, mesh in hemispheres().items():
        name = f"sub-01_hemi-{side}_space-fsLR_den-32k_midthickness.surf.gii"
        save_mesh(empty_trial.fmriprep / "sub-01" / "anat" / name, *mesh)
    surface = lay_surface(path, look_in=[empty_trial.fmriprep])
    np.testing.assert_allclose(surface.meshes["L"][0], hemispheres()["L"][0], atol=1e-4)


def test_series_of_which_no_name_says_the_space_are_in_fslr_if_they_have_its_vertices(tmp_path):
    """abcd-hcp-pipeline: sub-01_ses-1_task-rest_bold_desc-filtered_timeseries.dtseries.nii (its docs/outputs.md)."""
    n_vertices = 32492
    left, right = (
        nib.cifti2.BrainModelAxis.from_surface(np.arange(9), n_vertices, name) for name in ("CortexLeft", "CortexRight")
    )
    header = (nib.cifti2.SeriesAxis(0, 0.8, 4), left + right)
    path = tmp_path / "sub-01_task-rest_bold_desc-filtered_timeseries.dtseries.nii"
    nib.save(nib.Cifti2Image(np.zeros((4, 18), dtype=np.float32), header), path)
    for space in ("space-T1w", "space-fsLR_den-32k"):
        for side in "LR":
            name = f"sub-01_hemi-{side}_{space}_midthickness.surf.gii"
            save_mesh(tmp_path / "sub-01" / "anat" / name, np.full((n_vertices, 3), len(space)), np.array([[0, 1, 2]]))
    surface = lay_surface(path, look_in=[tmp_path])
    assert surface.meshes["L"][0][0, 0] == len("space-fsLR_den-32k")


def test_meshes_of_another_surface_are_refused(empty_trial, tmp_path):
    path, _ = add_surface_run(empty_trial, "01", "1", "cifti")
    positions, faces = hemispheres()["L"]
    small = save_mesh(tmp_path / "small.surf.gii", positions[:100], faces[(faces < 100).all(axis=1)])
    with pytest.raises(DataError, match="the mesh of L has 100 vertices, the data 162"):
        lay_surface(path, [small, small])


def test_a_scan_of_other_grayordinates_is_refused(empty_trial, surface):
    path, _ = add_surface_run(empty_trial, "01", "1", "cifti")
    other = Surface(surface.mask[:-64], surface.axis[:-64], surface.meshes)
    with pytest.raises(DataError, match="has other grayordinates than the first scan"):
        read_grayordinates(path, other)


def test_one_hemisphere_is_not_enough(empty_trial, app, tmp_path):
    path, _ = add_surface_run(empty_trial, "01", "1", "gifti")
    path.with_name(path.name.replace("hemi-L", "hemi-R")).unlink()
    outcome = app(empty_trial.bids, tmp_path / "out", "participant", "--space", "fsaverage5")
    assert outcome.code == 65
    assert "both hemispheres are needed" in outcome.said


def test_bundled_meshes_of_fsaverage5_have_the_size_of_a_cortex(tmp_path):
    halves = []
    for side in "LR":
        path = tmp_path / f"sub-01_task-rest_hemi-{side}_space-fsaverage5_bold.func.gii"
        nib.save(nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(np.zeros(10242, np.float32))]), path)
        halves.append(path)
    surface = lay_surface(halves[0])
    assert surface.n_nodes == 20484
    assert (surface.coordinates[:10242, 0] < 0).mean() > 0.95
    assert 60 < np.ptp(surface.coordinates[:, 2]) < 140


def test_the_picture_has_the_effect_on_the_side_where_it_is(surface):
    effect = np.where(surface.axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT", 1.0, np.nan)
    figure = surface_effect_figure(surface, effect, np.where(np.isfinite(effect), 0.01, 1), "a > b", largest=1.0)
    colours = [axis.collections[0].get_facecolor() for axis in figure.axes[:4]]
    red = [np.mean((shown[:, 0] > 2 * shown[:, 1]) & (shown[:, 0] > 0.2)) for shown in colours]
    assert red[0] > 0.9
    assert red[2] == red[3] == 0
