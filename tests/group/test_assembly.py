from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.bids.files import save_image, save_json, save_table, sidecar_of
from bids_app.bids.names import build, folder
from bids_app.bids.result_names import group_name
from bids_app.bids.scans import index_scans
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.graph.features import Feature
from bids_app.group.estimable import check_design
from bids_app.group.found_routes import find_routes
from bids_app.group.routes import MapRoute, ParcelRoute
from bids_app.group.sample import assemble, load_maps, route_flow
from bids_app.settings.settings import Graph, ParcelGraph, Selection, Settings, Trial
from bids_app.space.grid import Grid
from bids_app.trial.design import Design
from bids_app.trial.tables import Tables

GRID = Grid(np.random.default_rng(0).random((4, 5, 3)) < 0.7, np.diag([3.0, 3, 3, 1]))
DESIGN = Design("arm", "drug", "placebo", "pre", "post")
ARMS = {"01": "drug", "02": "placebo", "03": "placebo", "04": "drug", "05": None}
FACTS = {
    "MinutesKept": 6.0,
    "MeanFramewiseDisplacement": 0.1,
    "Coverage": 1.0,
    "NumberOfVolumesKept": 100,
    "NumberOfNodes": 42,
}


DEGREE = Feature("degree", "r025")


def routes_of(asked):
    return find_routes(asked, index_scans(asked.output_dir))


def settings(output_dir, **parts):
    parts.setdefault("graph", Graph(metrics=("degree",)))
    return Settings(output_dir, output_dir, "group", output_dir / "work", **parts)


def tables(sessions=None, **columns):
    participants = pd.DataFrame({"arm": ARMS, **{name: pd.Series(values) for name, values in columns.items()}})
    index = pd.MultiIndex.from_tuples([], names=["participant_id", "session_id"])
    return Tables(participants, pd.DataFrame(index=index) if sessions is None else sessions, {})


def save_map(
    output_dir, sub, ses, values, *, grid=GRID, stat="degree", desc="r025zSmooth6", task="rest", run=None, **facts
):
    entities = {"sub": sub, "ses": ses, "task": task, "run": run, "space": "MNI152NLin2009cAsym", "res": "3mm"}
    name = build({**entities, "stat": stat, "desc": desc}, "boldmap", ".nii.gz")
    save_image(output_dir / folder(entities) / name, grid.image(values), FACTS | facts)


def save_nodes(output_dir, sub, ses, values, names=("a", "b", "c"), desc="r025", **facts):
    entities = {"sub": sub, "ses": ses, "task": "rest", "atlas": "A", "desc": desc}
    path = output_dir / folder(entities) / build(entities, "nodes", ".tsv")
    columns = {"index": range(1, len(names) + 1), "name": names, "coverage": 1.0, "degree": values}
    save_json(sidecar_of(path), FACTS | facts)
    save_table(path, pd.DataFrame(columns))


def values_of(sub, ses):
    """Values that say where they are from: participant, visit, node."""
    return int(sub) * 1000 + (ses == "post") * 500 + np.arange(GRID.n_nodes, dtype=float)


@pytest.fixture
def output(tmp_path):
    for sub in ARMS:
        for ses in ("pre", "post"):
            save_map(tmp_path, sub, ses, values_of(sub, ses))
    return tmp_path


def sample_of(output_dir, given=None, trial=None, maps_in=None, **parts):
    given = tables() if given is None else given
    trial = trial or Trial()
    (route,) = routes_of(settings(output_dir, trial=trial, **parts))
    flow = route_flow(route, given, DESIGN, {}, 4.0)
    return assemble(route, flow, given, DESIGN, trial, folder=maps_in)


def warnings_of(sample, about):
    return [one.text for one in sample.findings if one.warning and one.about == about]


def test_maps_of_those_analysed_in_order(output):
    sample = sample_of(output)
    assert list(sample.covariates.index) == ["sub-01", "sub-02", "sub-03", "sub-04"]
    np.testing.assert_array_equal(sample.arm, [1, 0, 0, 1])
    for ses, maps in sample.maps[DEGREE].items():
        np.testing.assert_array_equal(maps, [values_of(sub, ses) for sub in ("01", "02", "03", "04")])
    np.testing.assert_array_equal(sample.grid.mask, GRID.mask)
    assert sample.parcels is None
    assert sample.strata is None


def test_scans_of_a_visit_count_by_their_volumes(output):
    save_map(output, "02", "post", np.full(GRID.n_nodes, 4.0), run="2", NumberOfVolumesKept=60)
    save_map(output, "02", "post", np.full(GRID.n_nodes, 10.0), run="3", NumberOfVolumesKept=40)
    sample = sample_of(output)
    expected = (100 * values_of("02", "post") + 60 * 4 + 40 * 10) / 200
    np.testing.assert_allclose(sample.maps[DEGREE]["post"][1], expected, rtol=1e-6)
    np.testing.assert_array_equal(sample.maps[DEGREE]["pre"][1], values_of("02", "pre"))


def test_voxels_that_everyone_has(output):
    """Also where the second scan of one visit lacks a voxel."""
    holes = {"01": [0, 7], "03": [7, 11]}
    for sub, nodes in holes.items():
        values = values_of(sub, "post")
        values[nodes] = np.nan
        save_map(output, sub, "post", values)
    second = np.zeros(GRID.n_nodes)
    second[20] = np.nan
    save_map(output, "04", "pre", second, run="2")
    sample = sample_of(output)
    left = np.setdiff1d(np.arange(GRID.n_nodes), [0, 7, 11, 20])
    np.testing.assert_array_equal(sample.maps[DEGREE]["post"][1], values_of("02", "post")[left])
    np.testing.assert_array_equal(sample.grid.coordinates, GRID.coordinates[left])
    np.testing.assert_array_equal(sample.kept.reshape(GRID.mask.shape), sample.grid.mask)


def test_who_is_not_analysed_takes_no_voxels_away(output):
    """The first scan of all may be of someone left out for covering half of the brain."""
    half = np.where(np.arange(GRID.n_nodes) % 2, np.nan, 1.0)
    for sub in ("00", "05"):
        save_map(output, sub, "pre", half, Coverage=0.4)
    assert sample_of(output).kept.sum() == GRID.n_nodes


@pytest.mark.parametrize("min_per_arm", [None, 1])
def test_maps_on_disk_are_those_in_memory(output, tmp_path, min_per_arm):
    lacking = values_of("02", "post")
    lacking[7] = np.nan
    save_map(output, "02", "post", lacking)
    trial = Trial(min_per_arm=min_per_arm)
    in_memory, on_disk = sample_of(output, trial=trial), sample_of(output, trial=trial, maps_in=tmp_path / "maps")
    again = load_maps(on_disk.maps_on_disk(DEGREE, tmp_path / "elsewhere"))
    np.testing.assert_array_equal(on_disk.kept, in_memory.kept)
    assert in_memory.kept.sum() == GRID.n_nodes - (min_per_arm is None)
    for (visit, maps), own in zip(in_memory.maps[DEGREE].items(), again.items(), strict=True):
        assert not isinstance(maps, np.memmap)
        assert (own[0], type(own[1])) == (visit, np.memmap)
        np.testing.assert_array_equal(own[1], maps)
    assert not (tmp_path / "elsewhere").exists()


def test_maps_saved_for_the_comparison(output, tmp_path):
    sample = sample_of(output)
    saved = load_maps(sample.save_maps(DEGREE, tmp_path / "work" / "degree"))
    assert list(saved) == ["pre", "post"]
    for visit, maps in saved.items():
        np.testing.assert_array_equal(maps, sample.maps[DEGREE][visit])
    assert sample.without_maps().maps == {}
    np.testing.assert_array_equal(sample.without_maps().arm, sample.arm)


def test_maps_as_measured_or_scaled(output):
    for sub in ARMS:
        for ses in ("pre", "post"):
            save_map(output, sub, ses, 2 * values_of(sub, ses), desc="r025Smooth6")
    for kind, factor in (("z", 1), ("raw", 2)):
        sample = sample_of(output, trial=Trial(map_values=kind))
        np.testing.assert_array_equal(sample.maps[DEGREE]["pre"][0], factor * values_of("01", "pre"))


def test_baseline_motion_that_is_unknown_for_one_is_the_mean_of_the_others_and_said(output):
    motion = {"01": 0.11, "02": 0.25, "03": 0.18, "04": 0.3}
    for sub, fd in motion.items():
        save_map(output, sub, "pre", values_of(sub, "pre"), MeanFramewiseDisplacement=fd)
    save_map(output, "05", "pre", values_of("05", "pre"), MeanFramewiseDisplacement="n/a")
    covariates = sample_of(output).covariates
    assert covariates["baseline_mean_fd"].to_dict() == {f"sub-{sub}": fd for sub, fd in motion.items()}
    save_map(output, "03", "pre", values_of("03", "pre"), MeanFramewiseDisplacement="n/a")
    sample = sample_of(output)
    assert sample.covariates["baseline_mean_fd"].tolist() == pytest.approx([0.11, 0.25, 0.22, 0.3])
    assert warnings_of(sample, "Motion") == [
        "The mean framewise displacement at baseline is not known for sub-03 (1 of 4 analysed); it is replaced by the "
        "mean of the others, 0.22 mm, and the arms are adjusted for it."
    ]


def test_baseline_motion_that_nobody_has_is_said_to_be_left_out(output):
    for sub in ARMS:
        save_map(output, sub, "pre", values_of(sub, "pre"), MeanFramewiseDisplacement=None)
    sample = sample_of(output)
    assert "baseline_mean_fd" not in sample.covariates
    (said,) = warnings_of(sample, "Motion")
    assert "the arms are not adjusted for motion" in said


def test_baseline_motion_that_is_left_out_on_purpose_is_not_said_to_be_unknown(output):
    for number, sub in enumerate(ARMS):
        save_map(output, sub, "pre", values_of(sub, "pre"), MeanFramewiseDisplacement=0.1 + 0.01 * number)
    assert "baseline_mean_fd" in sample_of(output).covariates
    sample = sample_of(output, trial=Trial(baseline_motion=False))
    assert "baseline_mean_fd" not in sample.covariates
    assert [one.text for one in sample.findings if one.about == "Motion"] == []


def test_of_two_runs_the_one_with_motion_counts(output):
    """The second run has no mean FD, the third weighs three times the first."""
    for run, kept, fd in (("2", 50, "n/a"), ("3", 300, 0.3)):
        save_map(
            output,
            "02",
            "pre",
            values_of("02", "pre"),
            run=run,
            NumberOfVolumesKept=kept,
            MeanFramewiseDisplacement=fd,
        )
    sample = sample_of(output)
    assert sample.covariates["baseline_mean_fd"].tolist() == pytest.approx([0.1, 0.25, 0.1, 0.1])
    (said,) = warnings_of(sample, "Motion")
    assert said.endswith("weighted by the volumes kept: sub-02.")


def test_covariates_become_numbers(output):
    given = tables(
        age={"01": 20, "02": 30, "04": 61, "05": 999},
        site={"01": "B", "02": "A", "03": "C", "04": "A", "05": "D"},
        sex={"01": "F", "02": "F", "03": "F", "04": "F", "05": "M"},
    )
    covariates = sample_of(output, given, Trial(covariates=("age", "site", "sex"))).covariates
    assert list(covariates) == ["age", "site[B]", "site[C]"]
    assert covariates["age"].tolist() == [20, 30, 37, 61]
    assert covariates["site[B]"].tolist() == [1, 0, 0, 0]
    assert covariates["site[C]"].tolist() == [0, 0, 1, 0]


def test_covariate_of_the_baseline_visit(output):
    index = pd.MultiIndex.from_product([ARMS, ["pre", "post"]], names=["participant_id", "session_id"])
    sessions = pd.DataFrame({"score": np.arange(10.0)}, index=index)
    covariates = sample_of(output, tables(sessions), Trial(covariates=("score",))).covariates
    assert covariates["score"].tolist() == [0, 2, 4, 6]


def test_covariates_that_there_are_not(output):
    with pytest.raises(UsageError, match=r"No column weight .* there are arm"):
        sample_of(output, trial=Trial(covariates=("weight",)))
    with pytest.raises(DataError, match="weight has no value for anyone analysed"):
        sample_of(output, tables(weight={"05": 80.0}), Trial(covariates=("weight",)))
    with pytest.raises(UsageError, match="--strata site"):
        sample_of(output, trial=Trial(strata=("site",)))


def test_strata_are_the_combinations(output):
    given = tables(site={"01": 1, "02": 2, "03": 1, "04": 1}, sex={"01": "F", "02": "M", "03": "F"})
    strata = sample_of(output, given, Trial(strata=("site", "sex"))).strata
    assert strata[0] == strata[2]
    assert len(set(strata)) == 3


def test_a_message_of_the_whole_comparison_names_the_columns(output):
    for sub, fd in zip(ARMS, (0.1, 0.2, 0.3, 0.35, 0.5), strict=True):
        save_map(output, sub, "pre", values_of(sub, "pre"), MeanFramewiseDisplacement=fd)
    given = tables(dose={"01": 0.2, "02": 0.4, "03": 0.6, "04": 0.7})
    sample = sample_of(output, given, Trial(covariates=("dose",)))
    with pytest.raises(DataError, match="dose depends on baseline_mean_fd"):
        check_design(SimpleNamespace(name="voxels"), sample)
    assert sample.kept.sum() == GRID.n_nodes


@pytest.mark.parametrize("option", [{"covariates": ("site",)}, {"covariates": ("arm",)}])
def test_a_covariate_that_tells_the_arms_apart_is_named(output, option):
    given = tables(site={"01": "b", "02": "a", "03": "a", "04": "b"})
    sample = sample_of(output, given, Trial(**option))
    with pytest.raises(DataError, match=r"cannot be tested: .*the arm depends on (site\[b\]|arm\[placebo\])"):
        check_design(SimpleNamespace(name="voxels"), sample)


def test_strata_that_are_not_known_are_said(output):
    given = tables(site={"01": "a", "02": "a", "03": "A", "04": None})
    sample = sample_of(output, given, Trial(strata=("site",)))
    assert sample.strata.tolist() == ["a", "a", "A", "n/a"]
    said = [one.text for one in sample.findings if one.warning]
    assert any("site is not known for sub-04: they are a stratum of their own" in text for text in said)
    assert any("'A' and 'a' differ by case" in text for text in said)
    assert any(text.startswith("In strata of one arm only") and "'n/a' (drug, 1)" in text for text in said)


@pytest.mark.parametrize(
    ("metric", "stat"), [("clustering", "clustering"), ("clustering-weighted", "clusteringWeighted")]
)
def test_every_metric_has_its_maps(output, metric, stat):
    for sub in ARMS:
        for ses in ("pre", "post"):
            save_map(output, sub, ses, -values_of(sub, ses), stat=stat)
    sample = sample_of(output, graph=Graph(metrics=("degree", metric)))
    np.testing.assert_array_equal(sample.maps[Feature(metric, "r025")]["post"], -sample.maps[DEGREE]["post"])


def test_too_few_to_compare(output):
    save_map(output, "02", "post", values_of("02", "post"), MinutesKept=3.0)
    with pytest.raises(
        DataError, match=r"2 participants of drug and 1 of placebo.*follow-up: scanned, excluded: 3.00 min of data"
    ):
        sample_of(output)


def test_no_voxel_in_common(output):
    for sub, odd in (("01", 0), ("02", 1)):
        save_map(output, sub, "pre", np.where(np.arange(GRID.n_nodes) % 2 == odd, np.nan, 1.0))
    with pytest.raises(DataError, match="no voxel that every participant has"):
        sample_of(output)


def test_maps_on_several_grids(output):
    moved = Grid(GRID.mask, GRID.affine + np.eye(4)[:, [3, 0, 1, 2]])
    save_map(output, "03", "post", values_of("03", "post"), grid=moved)
    with pytest.raises(DataError, match="not on one grid"):
        sample_of(output)
    larger = Grid(np.pad(GRID.mask, 1), GRID.affine)
    save_map(output, "03", "post", values_of("03", "post"), grid=larger)
    with pytest.raises(DataError, match="differ in their grid"):
        sample_of(output)


@pytest.fixture
def parcel_output(tmp_path):
    for position, sub in enumerate(ARMS):
        save_nodes(tmp_path, sub, "pre", [position, 10.0 + position, 20.0 + position])
        save_nodes(tmp_path, sub, "post", [np.nan if sub == "03" else 5.0, 7.0, position])
    return tmp_path


def test_parcels_that_everyone_has(parcel_output):
    sample = sample_of(parcel_output)
    assert list(sample.parcels["name"]) == ["b", "c"]
    assert list(sample.parcels["index"]) == [2, 3]
    np.testing.assert_array_equal(sample.maps[DEGREE]["pre"], [[10, 20], [11, 21], [12, 22], [13, 23]])
    np.testing.assert_array_equal(sample.maps[DEGREE]["post"], [[7, 0], [7, 1], [7, 2], [7, 3]])
    assert sample.grid is None


def test_parcels_that_differ(parcel_output):
    cases = {
        ("a", "b", "other"): "lacks c and has besides other",
        ("a", "b"): "lacks c",
        ("a", "b", "c", "d"): "has besides d",
        ("a", "c", "b"): r"has them in another order \(number 2 is c, not b\)",
        ("parcel1", "parcel2", "parcel3"): "has 3 without names: were the heads of its table lost",
    }
    for names, fragment in cases.items():
        save_nodes(parcel_output, "01", "pre", np.arange(len(names)), names=names)  # the first scan of all
        start = r"differ in their parcels. 7 of 8 have the same 3; sub-01_ses-pre_\S+_nodes.tsv "
        with pytest.raises(DataError, match=start + fragment):
            sample_of(parcel_output)


def test_what_was_left_out_of_the_scans_is_found_by_the_comparison(parcel_output):
    for sub in ARMS:
        said = [f"sub-{sub}.tsv: column 1 (unnamed) was left out: it counts the volumes, from 0 to {sub}."]
        save_nodes(parcel_output, sub, "pre", [1, 2, 3], Warnings=said)
    findings = [one for one in sample_of(parcel_output).findings if "left out" in one.text]
    assert len(findings) == 4
    finding = findings[-1]
    assert finding.warning
    assert finding.text.endswith("column 1 (unnamed) was left out: it counts the volumes, from 0 to 04.")


def test_routes_of_voxels_and_of_each_atlas(output):
    for sub in ARMS:
        save_nodes(output, sub, "pre", [1, 2, 3])
        save_nodes(output, sub, "pre", [1, 2, 3], desc="r03")
    routes = routes_of(settings(output))
    assert [(route.name, type(route)) for route in routes] == [("voxels", MapRoute), ("parcels of A", ParcelRoute)]
    assert {scan.entities["desc"] for scan in routes[1].scans[DEGREE]} == {"r025"}
    name = group_name(routes[0], DESIGN, "statmap", ".nii.gz", stat="t", desc="degree")
    assert name == (
        "maps/task-rest_space-MNI152NLin2009cAsym_res-3mm_contrast-drugVsPlacebo_stat-t_desc-degree_statmap.nii.gz"
    )


def test_routes_of_one_atlas_from_two_pipelines_keep_apart(tmp_path):
    for sub in ARMS:
        for desc in ("simpleR025", "strictR025", "strictR03"):
            save_nodes(tmp_path, sub, "pre", [1, 2, 3], desc=desc)
    routes = routes_of(settings(tmp_path))
    assert [route.name for route in routes] == ["parcels of A simple", "parcels of A strict"]
    names = [group_name(route, DESIGN, "nodes", ".tsv") for route in routes]
    assert names[0] == "tables/task-rest_atlas-A_contrast-drugVsPlacebo_desc-simple_nodes.tsv"
    assert names[1] == "tables/task-rest_atlas-A_contrast-drugVsPlacebo_desc-strict_nodes.tsv"


def test_routes_of_the_participants_asked_for(output):
    (route,) = routes_of(settings(output, selection=Selection(participants=("02", "04"))))
    assert {scan.participant for scan in route.scans[DEGREE]} == {"02", "04"}
    (route,) = routes_of(settings(output, selection=Selection(sessions=("post",))))
    assert {scan.session for scan in route.scans[DEGREE]} == {"post"}


def test_routes_that_there_are_not(output):
    with pytest.raises(
        NothingSelectedError, match=r"desc-r03zSmooth6 .* There is: desc-r025zSmooth6 on the grid res-3mm"
    ):
        routes_of(settings(output, graph=Graph(metrics=("degree",), thresholds=(0.3,))))
    with pytest.raises(NothingSelectedError, match="res-4mm"):
        routes_of(settings(output, graph=Graph(metrics=("degree",), voxel_size=4)))
    with pytest.raises(DataError, match="no map of Strength, r > "):
        routes_of(settings(output, graph=Graph(metrics=("degree", "strength"))))
    save_map(output, "01", "pre", values_of("01", "pre"), task="movie")
    with pytest.raises(UsageError, match="several task are there: movie, rest"):
        routes_of(settings(output))
    (route,) = routes_of(settings(output, selection=Selection(task="rest")))
    assert len(route.scans[DEGREE]) == 10
    assert nib.load(route.scans[DEGREE][0].path).shape == GRID.mask.shape


def test_several_rules_and_measures_without_edges(output):
    """Of two densities the area is compared; a measure of all correlations stands beside the thresholds."""
    graph = Graph(metrics=("degree", "global-correlation"), thresholds=(0.25, 0.3), densities=(0.05, 0.1))
    kinds = {"degree": ("r03", "auc"), "globalCorrelation": ("full",)}
    for stat, edges in kinds.items():
        for factor, label in enumerate(edges, start=2):
            for sub in ARMS:
                for ses in ("pre", "post"):
                    save_map(output, sub, ses, factor * values_of(sub, ses), stat=stat, desc=f"{label}zSmooth6")
    sample = sample_of(output, graph=graph)
    keys = [feature.key for feature in sample.features]
    assert keys == ["degree@r025", "degree@r03", "degree@auc", "global-correlation@full"]
    for feature, factor in zip(sample.features, (1, 2, 3, 2), strict=True):
        np.testing.assert_array_equal(sample.maps[feature]["post"], factor * sample.maps[DEGREE]["post"])


def test_parcels_of_several_rules(tmp_path):
    for sub in ARMS:
        for ses in ("pre", "post"):
            for factor, desc in enumerate(("r025", "r03"), start=1):
                save_nodes(tmp_path, sub, ses, [factor, 2 * factor, int(sub)], desc=desc)
    graph = Graph(parcels=ParcelGraph(metrics=("degree",), thresholds=(0.25, 0.3)))
    (route,) = routes_of(settings(tmp_path, graph=graph))
    assert [feature.key for feature in route.scans] == ["degree@r025", "degree@r03"]
    sample = sample_of(tmp_path, graph=graph)
    np.testing.assert_array_equal(sample.maps[Feature("degree", "r03")]["pre"][0], [2, 4, 1])
