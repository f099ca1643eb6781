"""Every kind of name that we write is read back as what it was built from."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bids_app
from bids_app.bids import result_names
from bids_app.bids.files import save_text, sidecar_of
from bids_app.bids.names import ENTITIES, Name, build, scan_label
from bids_app.bids.result_names import (
    find_parcel_desc,
    lies_at,
    map_desc,
    parcel_desc,
    read_map_desc,
    result_files,
)
from bids_app.graph.features import AREA, FULL, KNOWN, Feature, camel
from bids_app.graph.rules import MATRICES, NEGATIVES, EdgeRule, Linking
from bids_app.group.analyses import Analysis
from bids_app.group.routes import MapRoute, ParcelRoute
from bids_app.settings.settings import Graph
from bids_app.trial.design import Design

PACKAGE = Path(bids_app.__file__).parent
LABELS = st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True)
SUFFIXES = st.sampled_from(
    ["boldmap", "nodes", "global", "relmat", "timeseries", "mask", "statmap", "clusters", "flow", "design"]
)
EXTENSIONS = st.sampled_from([".nii.gz", ".dscalar.nii", ".shape.gii", ".tsv", ".json", ".png", ".svg"])
THRESHOLDS = st.integers(0, 99).map(lambda percent: EdgeRule("r", percent / 100).label)
DENSITIES = st.integers(1, 100).map(lambda percent: EdgeRule("density", percent / 100).label)
EDGES = st.one_of(THRESHOLDS, DENSITIES, st.sampled_from([FULL, AREA]))
KINDS = st.sampled_from(sorted(result_names.KINDS | {""}))


@given(st.dictionaries(st.sampled_from(ENTITIES), LABELS, min_size=1), SUFFIXES, EXTENSIONS)
def test_entities_come_back(entities, suffix, extension):
    name = Name.parse(Path("sub-01") / "func" / build(entities, suffix, extension))
    assert name == Name({key: entities[key] for key in ENTITIES if key in entities}, suffix, extension)
    assert build(name.entities, name.suffix, name.extension) == build(entities, suffix, extension)


@given(EDGES, st.sampled_from(["raw", "z"]), st.integers(0, 40).map(lambda halves: halves / 2), st.booleans())
def test_maps_come_back(edges, values, fwhm, smoothed):
    found = read_map_desc(map_desc(Graph(smooth_maps=fwhm), edges, values, smoothed))
    assert (found.edges, found.values, found.fwhm) == (edges, values, fwhm if smoothed else 0)


@given(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True) | st.just(""), KINDS, st.one_of(THRESHOLDS, DENSITIES))
def test_tables_of_parcels_come_back(upstream, kind, edges):
    if any(upstream.endswith(other.lower()) for other in result_names.KINDS if other):
        return  # an upstream name that ends as a matrix is called cannot be told from it
    desc = parcel_desc(upstream, kind, edges)
    assert find_parcel_desc(desc, [kind], [edges]) == (upstream, kind, edges)
    others = [other for other in result_names.KINDS if other != kind]
    assert find_parcel_desc(desc, others, [edges]) is None


@given(st.dictionaries(st.sampled_from(("atlas", "seg", "scale")), LABELS), LABELS)
def test_laid_atlases_come_back(parcellation, space):
    path = result_names.laid_path(Path("out"), {"sub": "01", "space": space, **parcellation}, ".nii.gz")
    entities = Name.parse(path).entities
    assert entities == {"space": space, **parcellation}
    assert result_names.atlas_of(entities) == result_names.atlas_of(parcellation)


@pytest.mark.parametrize("arms", [("ketamine", "midazolam"), ("drug+", "drug-"), ("usual care", "CBT")])
def test_names_of_the_group_differ_in_every_part(arms):
    design = Design("arm", *arms, "pre", "post")
    routes = [
        MapRoute("voxels", {"task": "rest", "space": "MNI", "res": "3mm"}, {}),
        ParcelRoute("parcels of A", {"atlas": "A"}, {}),
    ]
    features = [Feature("degree", "r025"), Feature("degree", AREA), Feature("clustering-weighted", "d01")]
    analyses = [Analysis(kind) for kind in ("ancova", "change", "post")]
    analyses += [Analysis("within", arm) for arm in arms] + [Analysis("slope", "age"), Analysis("slope-by-arm", "age")]
    names = [
        result_names.group_name(
            route, design, "statmap", ".nii.gz", stat=stat, desc=result_names.comparison_desc(feature, analysis)
        )
        for route in routes
        for feature in features
        for analysis in analyses
        for stat in ("t", "pFwe")
    ]
    assert len(set(names)) == len(names) == 2 * 3 * 7 * 2
    for name in names:
        entities = Name.parse(name).entities
        measure = "clusteringWeighted" if "clusteringWeighted" in name else "degree"
        assert f"maps/{measure}/{build(entities, 'statmap', '.nii.gz')}" == name
        assert len(name) < 200


@given(st.sampled_from(sorted(KNOWN)), EDGES, KINDS, st.sampled_from(["", "Change", "WithinDegreeR025", "SlopeAge"]))
def test_the_measure_of_a_map_comes_back(metric, edges, kind, analysis):
    """Also where the data had a name before, or a covariate is called as a measure is."""
    label, feature = camel(metric.split("-")), Feature(metric, edges).label
    for upstream in ("", "denoised"):
        desc = camel([upstream, kind, feature]) + analysis
        where = lies_at(build({"contrast": "aVsB", "stat": "t", "desc": desc}, "statmap", ".nii.gz"))
        assert where.split("/")[:2] == ["maps", label]


@given(st.dictionaries(st.sampled_from(ENTITIES), LABELS, min_size=1), SUFFIXES, EXTENSIONS)
def test_a_file_of_the_group_and_its_sidecar_lie_together(entities, suffix, extension):
    path = Path("group") / lies_at(build(entities, suffix, extension))
    drawn = extension in (".png", ".svg")
    assert drawn or sidecar_of(path) == Path("group") / lies_at(build(entities, suffix, ".json"))
    assert path.name == build(entities, suffix, extension)
    assert ("figures" in path.parts) == (drawn and suffix != "design")


def test_what_is_opened_first_lies_on_top(tmp_path):
    tops = ["index.html", "results.json", "manifest.json", "comparisons.json", "contrast-aVsB_trial.json"]
    assert [lies_at(name) for name in tops] == tops
    others = ["contrast-aVsB_flow.tsv", "contrast-aVsB_mask.nii.gz", "contrast-aVsB_desc-degreeAuc_dseg.nii.gz"]
    for name in [*tops, *others]:
        save_text(tmp_path / lies_at(name), "")
    found = {one: result_files(tmp_path, *one) for one in (("flow", ".tsv"), ("dseg", ".nii.gz"), ("trial", ".json"))}
    assert {key: [path.relative_to(tmp_path).as_posix() for path in paths] for key, paths in found.items()} == {
        ("flow", ".tsv"): ["tables/contrast-aVsB_flow.tsv"],
        ("dseg", ".nii.gz"): ["maps/degree/contrast-aVsB_desc-degreeAuc_dseg.nii.gz"],
        ("trial", ".json"): ["contrast-aVsB_trial.json"],
    }
    assert (tmp_path / "maps" / "contrast-aVsB_mask.nii.gz").exists()


def test_every_matrix_and_linking_has_a_label_of_its_own():
    labels = [Linking(negative, backbone).label for negative in NEGATIVES for backbone in (False, True)]
    assert len(set(labels)) == len(labels)
    assert len(set(result_names.MATRIX_STATS.values())) == len(result_names.MATRIX_STATS) == len(MATRICES)
    assert scan_label({"sub": "01", "ses": "1", "stat": "degree"}) == "sub-01 ses-1"


def test_who_reads_a_file_of_the_group_asks_where_it_lies():
    sources = {path: path.read_text() for folder in ("group", "report") for path in (PACKAGE / folder).glob("*.py")}
    assert len(sources) > 60
    assert [path.name for path, text in sources.items() if re.search(r"folder / (\"figures\" / )?build\(", text)] == []
