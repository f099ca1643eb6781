import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.bids.runs import BoldRun
from bids_app.bids.scan_facts import Cleaning, Origin, ScanFacts, Volumes
from bids_app.bids.series_runs import SeriesRun
from bids_app.errors import DataError, UsageError
from bids_app.participant.parcel_series import atlas_parcels, average_parcels, table_parcels
from bids_app.settings.atlas_source import find_atlas
from bids_app.space.atlas import Atlas, network_of_nodes
from bids_app.space.atlas import read_atlas as lay_atlas
from bids_app.space.atlas_names import check_names, source_entities
from bids_app.space.grid import Grid, template_grid

AFFINE = np.diag([3.0, 3, 3, 1])
LABELS = np.zeros((4, 3, 2), dtype=np.int16)
LABELS[0], LABELS[1], LABELS[3] = 3, 7, 1200
GRID = Grid(np.ones(LABELS.shape, dtype=bool), AFFINE)
FACTS = ScanFacts(origin=Origin(), volumes=Volumes(kept=2), cleaning=Cleaning())
NAMES = pd.DataFrame({"index": [1200, 3, 7], "name": ["left", "right", "middle"], "colour": ["a", "b", "c"]})


def read_atlas(path, grid):
    return lay_atlas(find_atlas(str(path)), grid)


def save_labels(path, labels=LABELS, affine=AFFINE):
    nib.save(nib.Nifti1Image(labels, affine), path)
    return path


def save_names(path, table=NAMES):
    target = path.with_name(path.name.partition(".")[0] + ".tsv")
    table.to_csv(target, sep="\t", index=False, na_rep="n/a")
    return path


def names_at_nodes(atlas):
    return [atlas.parcels["name"][position] if position >= 0 else None for position in atlas.of_node]


def test_average_by_hand():
    atlas = Atlas(
        {}, pd.DataFrame({"index": [1, 2, 3, 4], "name": list("abcd")}), np.array([0, 0, 1, 1, 1, -1, 2, 2]), None
    )
    series = np.array([[1.0, 2], [3, 6], [5, 5], [np.nan] * 2, [np.nan] * 2, [9, 9], [4, 8], [np.nan] * 2])
    means, coverage = average_parcels(atlas, np.float32(series))
    np.testing.assert_array_equal(coverage, [1, 1 / 3, 0.5, 0])
    np.testing.assert_array_equal(means, [[2, 4], [np.nan] * 2, [4, 8], [np.nan] * 2])


def test_average_is_in_double_precision():
    series = np.full((3000, 2), 0.1, dtype=np.float32)
    series[0] = 1e6
    atlas = Atlas({}, pd.DataFrame({"index": [1], "name": ["a"]}), np.zeros(3000, dtype=int), None)
    means, _ = average_parcels(atlas, series)
    assert means[0, 0] == pytest.approx((1e6 + 2999 * np.float64(np.float32(0.1))) / 3000, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_labels_with_gaps_in_any_type(tmp_path, dtype):
    labels = np.where(LABELS == 1200, 200, LABELS).astype(dtype)
    atlas = read_atlas(save_labels(tmp_path / "atlas-Gap_dseg.nii.gz", labels), GRID)
    assert atlas.entities == {"atlas": "Gap"}
    assert list(atlas.parcels["index"]) == [3, 7, 200]
    assert list(atlas.parcels["name"]) == ["parcel3", "parcel7", "parcel200"]
    expected = {3: "parcel3", 7: "parcel7", 200: "parcel200", 0: None}
    assert names_at_nodes(atlas) == [expected[int(label)] for label in labels.ravel()]


def test_names_of_a_table_beside_in_its_order(tmp_path):
    atlas = read_atlas(save_names(save_labels(tmp_path / "seg-Own_scale-3_dseg.nii.gz")), GRID)
    assert atlas.entities == {"seg": "Own", "scale": "3"}
    assert list(atlas.parcels.columns) == ["index", "name"]
    assert list(atlas.parcels["name"]) == ["left", "right", "middle"]
    expected = {1200: "left", 3: "right", 7: "middle", 0: None}
    assert names_at_nodes(atlas) == [expected[label] for label in LABELS.ravel()]


def test_parcel_of_the_table_that_the_image_lacks(tmp_path):
    table = pd.concat([NAMES, pd.DataFrame({"index": [99], "name": ["nowhere"]})])
    atlas = read_atlas(save_names(save_labels(tmp_path / "atlas-A_dseg.nii.gz"), table), GRID)
    means, coverage = average_parcels(atlas, np.random.default_rng(0).normal(size=(GRID.n_nodes, 5)))
    np.testing.assert_array_equal(coverage, [1, 1, 1, 0])
    assert np.isnan(means[3]).all()


def test_atlases_as_templateflow_names_them(tmp_path):
    """The scale is in desc, and one table serves every resolution."""
    stem = "tpl-MNI152NLin2009cAsym{}_atlas-Schaefer2018_desc-{}Parcels7Networks_dseg"
    paths = [save_labels(tmp_path / f"{stem.format('_res-02', scale)}.nii.gz") for scale in (100, 400)]
    save_names(tmp_path / f"{stem.format('', 400)}.nii.gz")
    check_names([(path, source_entities(find_atlas(str(path)))) for path in paths])
    assert read_atlas(paths[0], GRID).entities == {"atlas": "Schaefer2018", "seg": "100Parcels7Networks"}
    assert list(read_atlas(paths[0], GRID).parcels["name"]) == ["parcel3", "parcel7", "parcel1200"]
    assert list(read_atlas(paths[1], GRID).parcels["name"]) == ["left", "right", "middle"]


def test_atlases_whose_outputs_would_overwrite_each_other(tmp_path):
    sources = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sources.append(find_atlas(str(save_labels(tmp_path / name / "atlas-A_dseg.nii.gz"))))
    with pytest.raises(UsageError, match="would have the same names; write NAME="):
        check_names([(source, source_entities(source)) for source in sources])
    named = find_atlas(f"other={sources[1].word}")
    check_names([(source, source_entities(source)) for source in (sources[0], named)])


def test_tables_that_do_not_fit(tmp_path):
    path = save_labels(tmp_path / "atlas-A_dseg.nii.gz")
    save_names(path, NAMES.iloc[:2])
    with pytest.raises(DataError, match=r"atlas-A_dseg.nii.gz: .*atlas-A_dseg.tsv: no name for the labels 7"):
        read_atlas(path, GRID)
    save_names(path, NAMES.rename(columns={"name": "lobe"}))
    with pytest.raises(DataError, match="one of names are needed, index and name; there are index, lobe, colour"):
        read_atlas(path, GRID)
    save_names(path, NAMES.rename(columns={"name": "region"}))
    assert list(read_atlas(path, GRID).parcels["name"]) == ["left", "right", "middle"]


def test_label_image_of_one_volume(tmp_path):
    flat = read_atlas(save_labels(tmp_path / "atlas-A_dseg.nii.gz"), GRID)
    four = read_atlas(save_labels(tmp_path / "atlas-B_dseg.nii.gz", LABELS[..., None]), GRID)
    np.testing.assert_array_equal(flat.of_node, four.of_node)


def test_label_image_on_another_grid(tmp_path):
    """Labels of 1.5 mm voxels: each node takes the label at its place, none beyond the image."""
    fine = LABELS.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = nib.affines.from_matvec(np.diag([1.5, 1.5, 1.5]), [-0.5, -0.5, -0.5])
    wide = Grid(np.ones((7, 3, 2), dtype=bool), AFFINE)
    atlas = read_atlas(save_labels(tmp_path / "atlas-A_dseg.nii.gz", fine, affine), wide)
    expected = np.zeros((7, 3, 2), dtype=int)
    expected[:4] = LABELS
    found = np.append(atlas.parcels["index"], 0)[atlas.of_node]
    np.testing.assert_array_equal(found, expected.ravel())


def test_labels_on_the_grids_own_faces(tmp_path):
    """The way over millimetres must not lose the voxels of the first and the last slice."""
    angle = np.deg2rad(17)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = nib.affines.from_matvec(turn * 2.7, [-31.3, 12.9, 5.1])
    path = save_labels(tmp_path / "atlas-A_dseg.nii.gz", np.ones_like(LABELS), affine)
    atlas = read_atlas(path, Grid(np.ones(LABELS.shape, dtype=bool), nib.load(path).affine))
    assert (atlas.of_node == 0).all()


@pytest.mark.parametrize("labels", [LABELS + 0.5, np.where(LABELS == 3, np.inf, LABELS), LABELS[..., None, None]])
def test_images_that_are_no_labels(tmp_path, labels):
    labels = np.concatenate([labels, labels], axis=-1) if labels.ndim == 5 else labels
    path = save_labels(tmp_path / "atlas-A_dseg.nii.gz", labels.astype(np.float32))
    with pytest.raises(DataError, match="3D image of whole-number labels"):
        read_atlas(path, GRID)


def test_file_that_is_no_image(tmp_path):
    (tmp_path / "atlas-A_dseg.nii.gz").write_text("nothing")
    with pytest.raises(DataError, match="no readable image"):
        read_atlas(tmp_path / "atlas-A_dseg.nii.gz", GRID)


def test_aal_with_its_names(shared_data, tmp_path):
    """Labels from 2001 to 9170 with gaps, the names from its own XML."""
    folder = shared_data / "atlases" / "aal"
    path = tmp_path / "AAL.nii"
    path.symlink_to(folder / "AAL.nii")
    entries = ElementTree.parse(folder / "AAL.xml").getroot().iter("label")
    names = {int(entry.findtext("index")): entry.findtext("name") for entry in entries}
    save_names(path, pd.DataFrame({"index": names.keys(), "name": names.values()}))
    grid = template_grid("gm", 4)
    atlas = read_atlas(path, grid)
    by_xml = read_atlas(folder / "AAL.nii", grid)
    assert by_xml.named_by == "AAL.xml, read as an XML of SPM"
    pd.testing.assert_frame_equal(by_xml.parcels, atlas.parcels)
    assert atlas.entities == {"atlas": "AAL"}
    assert len(atlas.parcels) == 116
    at_node = np.array(names_at_nodes(atlas))
    left, right = (np.array([str(name).endswith(side) for name in at_node]) for side in ("_L", "_R"))
    assert grid.coordinates[left, 0].mean() < -20
    assert grid.coordinates[right, 0].mean() > 20
    occipital = grid.coordinates[at_node == "Occipital_Mid_L"].mean(axis=0)
    np.testing.assert_allclose(occipital, [-32, -81, 16], atol=4)


@pytest.mark.parametrize("n_parcels", [100, 400])
def test_schaefer_with_its_names(shared_data, tmp_path, n_parcels):
    folder = shared_data / "atlases" / "schaefer_official"
    stem = f"Schaefer2018_{n_parcels}Parcels_7Networks_order"
    path = tmp_path / f"atlas-Schaefer2018_scale-{n_parcels}_dseg.nii.gz"
    path.symlink_to(folder / f"{stem}_FSLMNI152_2mm.nii.gz")
    names = pd.read_csv(folder / f"{stem}.txt", sep="\t", header=None)[[0, 1]].set_axis(["index", "name"], axis=1)
    save_names(path, names)
    grid = template_grid("gm", 3)
    atlas = read_atlas(path, grid)
    assert atlas.entities == {"atlas": "Schaefer2018", "scale": str(n_parcels)}
    pd.testing.assert_frame_equal(atlas.parcels[["index", "name"]], names)
    own = read_atlas(f"{path}:{folder / stem}.txt", grid)
    assert own.named_by.endswith("_order.txt, read as a table of colours as FreeSurfer has it")
    pd.testing.assert_frame_equal(own.parcels, atlas.parcels)
    assert set(atlas.parcels["network"]) == {"Vis", "SomMot", "DorsAttn", "SalVentAttn", "Limbic", "Cont", "Default"}
    counts = np.bincount(atlas.of_node[atlas.of_node >= 0], minlength=n_parcels)
    assert counts.min() > 5
    left = atlas.parcels["name"].str.contains("_LH_").to_numpy()
    sides = np.sign(grid.coordinates[:, 0])
    assigned = atlas.of_node >= 0
    assert (sides[assigned] == np.where(left[atlas.of_node[assigned]], -1, 1)).mean() > 0.97


def test_parcels_of_a_run_are_named_without_the_resolution():
    run = BoldRun({"sub": "01", "task": "rest", "res": "2"}, None, None, None, 2.0, ())
    atlas = Atlas({"atlas": "A"}, pd.DataFrame({"index": [5], "name": ["a"]}), np.array([0, 0]), np.zeros((1, 3)))
    parcels = atlas_parcels(run, np.float32([[1, 2], [3, 4]]), atlas, FACTS)
    assert parcels.entities == {"sub": "01", "task": "rest", "atlas": "A"}
    assert parcels.table.to_dict("records") == [{"index": 5, "name": "a", "coverage": 1.0}]
    np.testing.assert_array_equal(parcels.series, [[2, 3]])


@pytest.fixture
def series_run(tmp_path):
    path = tmp_path / "sub-01_task-rest_seg-A_stat-mean_timeseries.tsv"

    def write(table, repetition_time=2.0):
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
        return SeriesRun({"sub": "01", "seg": "A"}, path, repetition_time, ())

    return write


def series_table(n_volumes=40, n_parcels=3):
    values = np.random.default_rng(0).normal(size=(n_volumes, n_parcels))
    return pd.DataFrame(values, columns=[f"region {index}" for index in range(n_parcels)])


def test_table_of_series(series_run):
    table = series_table()
    parcels = table_parcels(series_run(table))
    np.testing.assert_allclose(parcels.series, table.to_numpy().T, rtol=1e-12)
    assert list(parcels.table["name"]) == list(table.columns)
    assert list(parcels.table["index"]) == [1, 2, 3]
    assert parcels.facts.volumes.kept == 40
    assert parcels.facts.volumes.minutes_kept == pytest.approx(40 * 2 / 60)


def test_rows_without_values_are_censored_and_columns_are_no_parcels(series_run):
    table = series_table()
    table.iloc[[4, 17]] = np.nan
    table["dead"] = np.nan
    table["flat"] = 3.5
    table.loc[[4, 17], "flat"] = np.nan
    parcels = table_parcels(series_run(table, None))
    assert parcels.series.shape == (5, 38)
    np.testing.assert_array_equal(parcels.table["coverage"], [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(np.isnan(parcels.series).all(axis=1), [False, False, False, True, True])
    expected = table.drop([4, 17])[["region 0", "region 1", "region 2"]].to_numpy().T
    np.testing.assert_allclose(parcels.series[:3], expected, rtol=1e-12)
    assert parcels.facts.volumes.kept == 38
    assert parcels.facts.volumes.minutes_kept is None


def test_tables_without_series(series_run, tmp_path):
    holed = series_table()
    holed.iloc[5, 1] = np.nan
    with pytest.raises(DataError, match="missing here and there"):
        table_parcels(series_run(holed))
    with pytest.raises(DataError, match="19 volumes of 3 parcels hold too little"):
        table_parcels(series_run(series_table(19)))
    with pytest.raises(DataError, match="too little signal"):
        table_parcels(series_run(series_table() * 0))
    with pytest.raises(DataError, match="too little signal"):
        table_parcels(series_run(series_table() * np.nan))
    with pytest.raises(DataError, match="table of numbers"):
        table_parcels(series_run(series_table().assign(word="text")))
    run = series_run(series_table())
    run.timeseries.write_bytes(b"")
    with pytest.raises(DataError, match="table of numbers"):
        table_parcels(run)


def counted(table, values, name, place=0):
    table.insert(place, name, values, allow_duplicates=True)
    return table


COUNTS = {"0": np.arange(40), "1": np.arange(1, 41), "s": np.arange(40) * 0.8, "runs": np.tile(np.arange(20), 2)}


@pytest.mark.parametrize("head", ["", "Unnamed: 0", "n/a", "index", " Index ", "time", "Time (s)", "time_s", "t [s]"])
@pytest.mark.parametrize("count", COUNTS)
def test_a_count_of_the_volumes_is_no_parcel(series_run, caplog, head, count):
    """The graph's parcels are the same with and without such a column."""
    expected = table_parcels(series_run(series_table()))
    parcels = table_parcels(series_run(counted(series_table(), COUNTS[count], head)))
    pd.testing.assert_frame_equal(parcels.table, expected.table)
    np.testing.assert_array_equal(parcels.series, expected.series)
    assert expected.facts.warnings is None
    assert "was left out: it counts the volumes" in parcels.facts.warnings[0]
    assert parcels.facts.warnings[0] in caplog.text


@pytest.mark.parametrize("head", ["volume", "Frame", "TR", "onset", "sample", "timepoint", "trial_index time"])
def test_a_count_anywhere_with_gaps_and_a_censored_volume(series_run, head):
    table = series_table(42).drop([7, 8])
    table.loc[20] = np.nan
    table = counted(table, table.index * 2.0, head, place=2)
    if head == "trial_index time":
        with pytest.raises(DataError, match=r"column 3 \('trial_index time'\) rises by steps of 2, as an index"):
            table_parcels(series_run(table))
        return
    parcels = table_parcels(series_run(table))
    assert list(parcels.table["name"]) == ["region 0", "region 1", "region 2"]
    assert parcels.series.shape == (3, 39)


def test_rounded_times_are_times_if_they_are_called_so(series_run):
    times = np.round(np.arange(40) * 0.72, 1)
    assert len(table_parcels(series_run(counted(series_table(), times, "time"))).series) == 3
    with pytest.raises(DataError, match=r"column 1 \(unnamed\) has values and no name"):
        table_parcels(series_run(counted(series_table(), times, "")))


def test_what_is_called_time_and_goes_up_and_down_is_a_parcel(series_run):
    parcels = table_parcels(series_run(series_table().rename(columns={"region 1": "t"})))
    assert list(parcels.table["name"]) == ["region 0", "t", "region 2"]
    assert "was taken for a parcel" in parcels.facts.warnings[0]


def test_a_count_in_a_table_without_heads(series_run):
    def run(table):
        found = series_run(table)
        found.timeseries.write_text(found.timeseries.read_text().partition("\n")[2])
        return found

    expected = table_parcels(run(series_table()))
    parcels = table_parcels(run(counted(series_table(), np.arange(40), "index")))
    np.testing.assert_array_equal(parcels.series, expected.series)
    assert list(parcels.table["name"]) == ["parcel1", "parcel2", "parcel3"]
    with pytest.raises(DataError, match=r"column 2 \(unnamed\) rises by steps of 1"):
        table_parcels(run(counted(series_table(), np.arange(40), "index", place=1)))
    holed = series_table()
    holed["dead"] = np.nan
    assert table_parcels(run(holed)).series.shape == (4, 40)  # its first row is one of numbers, too
    holed.iloc[[0, 1]] = np.nan
    assert table_parcels(run(holed)).series.shape == (4, 38)


def test_names_of_columns(series_run):
    table = series_table(n_parcels=4).set_axis(["Ctx", " Ctx ", "a b", "NA"], axis=1)
    assert list(table_parcels(series_run(table)).table["name"]) == ["Ctx 1", "Ctx 2", "a b", "NA"]
    with pytest.raises(DataError, match=r"column 2 \(unnamed\) has values and no name"):
        table_parcels(series_run(series_table().rename(columns={"region 1": ""})))
    with pytest.raises(DataError, match=r"column 4 \('word'\) holds 'text'"):
        table_parcels(series_run(series_table().assign(word="text")))
    with pytest.raises(DataError, match=r"column 2 \('region 1'\) holds 'inf'"):
        table_parcels(series_run(series_table().replace({"region 1": series_table()["region 1"][3]}, np.inf)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    order=st.permutations(range(4)),
    count=st.sampled_from(sorted(COUNTS)),
    head=st.sampled_from(["", "Unnamed: 0", "index", "TIME", "Volume"]),
    start=st.sampled_from(["", "\ufeff"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    blank=st.sampled_from(["", " "]),
)
def test_however_a_table_is_written_its_parcels_are_the_same(
    tmp_path_factory, order, count, head, start, ending, blank
):
    table = counted(series_table(), COUNTS[count], head).iloc[:, list(order)]
    path = tmp_path_factory.mktemp("series") / "sub-01_seg-A_timeseries.tsv"
    lines = [
        [f"{blank}{name}{blank}" for name in table.columns],
        *(map(repr, map(float, row)) for row in table.to_numpy()),
    ]
    path.write_text(start + "".join("\t".join(line) + ending for line in lines), encoding="utf-8", newline="")
    parcels = table_parcels(SeriesRun({"sub": "01", "seg": "A"}, path, 2.0, ()))
    found = dict(zip(parcels.table["name"], parcels.series, strict=True))
    expected = {name: values.to_numpy() for name, values in series_table().items()}
    assert list(found) == [name for name in table.columns if name != head]
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("heads", [True, False])
def test_a_table_with_a_row_per_parcel(series_run, heads):
    table = series_table().T.reset_index()
    run = series_run(table)
    if not heads:
        run.timeseries.write_text(run.timeseries.read_text().partition("\n")[2])
    with pytest.raises(DataError, match="looks transposed: its first column holds names"):
        table_parcels(run)


def test_networks_and_centres_from_the_table(tmp_path):
    """Two parcels of one network side by side, one of another, one of none."""
    grid = Grid(np.ones((4, 2, 1), dtype=bool), np.diag([10.0, 10, 10, 1]))
    path = tmp_path / "atlas-N_dseg.nii.gz"
    labels = np.repeat(np.array([1, 2, 3, 7], np.int16), 2).reshape(4, 2, 1)
    nib.save(nib.Nifti1Image(labels, grid.affine), path)
    table = pd.DataFrame({"index": [1, 2, 3, 7], "name": list("abcd"), "network": ["Vis", "Vis", "DMN", None]})
    table.to_csv(tmp_path / "atlas-N_dseg.tsv", sep="\t", index=False, na_rep="n/a")
    atlas = read_atlas(path, grid)
    np.testing.assert_array_equal(atlas.coordinates, [[0, 5, 0], [10, 5, 0], [20, 5, 0], [30, 5, 0]])
    np.testing.assert_array_equal(network_of_nodes(find_atlas(str(path)), grid), [0, 0, 0, 0, 1, 1, -1, -1])
    run = SimpleNamespace(entities={"sub": "1"})
    parcels = atlas_parcels(run, np.random.default_rng(0).normal(size=(8, 30)), atlas, FACTS)
    assert list(parcels.networks) == ["Vis", "Vis", "DMN", None]
    assert list(parcels.table) == ["index", "name", "coverage"]


def test_labels_are_the_networks_where_no_table_says_otherwise(tmp_path):
    grid = Grid(np.ones((3, 1, 1), dtype=bool), np.eye(4))
    path = tmp_path / "yeo.nii.gz"
    nib.save(nib.Nifti1Image(np.array([4, 0, 9], np.int16).reshape(3, 1, 1), grid.affine), path)
    np.testing.assert_array_equal(network_of_nodes(find_atlas(str(path)), grid), [0, -1, 1])
