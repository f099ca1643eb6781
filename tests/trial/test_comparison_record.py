"""design.json is read as it was written, and what is no such file is refused."""

import json

import pytest
from comparison import RECORD, changed, features

from bids_app.bids.files import save_json
from bids_app.bids.findings import Finding
from bids_app.errors import DataError
from bids_app.trial.comparison_record import ComparisonRecord, ScanFailure, read_comparison

FULL = changed(
    RECORD,
    features=features("primary", "exploratory"),
    descriptive={"within:a": "follow-up minus baseline within a"},
    covariates=("age",),
    strata=("site",),
    cluster_threshold=3.1,
    possible_allocations="184756",
    min_per_arm=2,
    anatomy_columns=("peak_label",),
    voxel_size=(3.0, 3.0, 3.5),
    named_regions={"PCC": 12},
    variance_warnings={"Degree, r > 0.25": "the arms differ in spread"},
    findings=(Finding("Visits", "By acq_time.", warning=True),),
    failed_scans=(ScanFailure("sub-01 ses-pre", "it is cut short"),),
)
KEYS = [
    *("Route", "Kind", "Contrast", "ArmColumn", "ActiveArm", "ReferenceArm", "BaselineSession", "FollowupSession"),
    *("NumberAnalysed", "Estimators", "Descriptive", "Headline", "MapSuffixes", "Features", "Covariates"),
    *("BaselineMotionAdjusted", "BaselineMotionOff", "Strata", "Scheme", "Statistic", "Connectivity"),
    *("ClusterThreshold", "StandardErrors", "TailApproximation", "Draws", "AllAllocationsEnumerated"),
    *("PossibleAllocations", "AllocationsOf", "RandomSeed", "Alpha", "MapValues", "SmoothingFWHM", "EdgeRules"),
    *("MinMinutes", "MinutesKnown", "MinPerArm", "NodesInMask", "NodesCompared", "AnatomyColumns", "VoxelSize"),
    *("VisitsWithSeveralScans", "NamedRegions", "VarianceWarnings", "Findings", "FailedScans", "Software"),
]
OPTIONAL = {"Connectivity", "ClusterThreshold", "PossibleAllocations", "SmoothingFWHM", "MinPerArm", "VoxelSize"}
VALUES = (
    *(True, 3, 2.5, "text", [], [1], ["a"], [None], {}, {"a": 1}, {"a": "b"}),
    *([{"Metric": "degree"}], [{"About": 1}]),
)


def test_the_keys_of_the_file_and_their_order():
    assert list(FULL.to_json()) == KEYS
    assert [list(FULL.to_json()[key][0]) for key in ("Features", "Findings", "FailedScans")] == [
        ["Metric", "Edges", "Title", "Role"],
        ["About", "Text", "Warning"],
        ["Scan", "Reason"],
    ]


def test_what_does_not_apply_has_no_key():
    bare = changed(RECORD, connectivity=None, smoothing_fwhm=None)
    assert set(KEYS) - set(bare.to_json()) == OPTIONAL


@pytest.mark.parametrize("record", [RECORD, FULL], ids=["bare", "full"])
def test_a_record_comes_back_from_its_file(record, tmp_path):
    save_json(tmp_path / "design.json", record.to_json())
    assert read_comparison(tmp_path / "design.json") == record


def test_records_of_every_kind_of_route_come_back_byte_by_byte(compared, tmp_path):
    paths = sorted((compared / "group").glob("*_design.json"))
    assert {read_comparison(path).kind for path in paths} == {"maps", "parcels", "global", "edges"}
    for path in paths:
        save_json(tmp_path / path.name, read_comparison(path).to_json())
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("key", KEYS)
def test_a_file_without_a_key_that_each_has_is_refused(key):
    content = FULL.to_json()
    del content[key]
    if key in OPTIONAL:
        assert ComparisonRecord.from_json(content).to_json() == content
    else:
        with pytest.raises(DataError, match=f"lacks {key}"):
            ComparisonRecord.from_json(content)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_is_refused_or_kept_as_it_is(key):
    """Whatever is put in a place, either nothing else is in the record, or it is refused by its name."""
    refused = []
    for value in VALUES:
        content = json.loads(json.dumps(FULL.to_json())) | {key: value}
        try:
            record = ComparisonRecord.from_json(content)
        except DataError as error:
            refused.append(str(error))
        else:
            assert json.dumps(record.to_json()) == json.dumps(content)
    assert all(key in said or "Headline" in said for said in refused)
    assert len(refused) >= len(VALUES) // 2


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"Kind": "faces"}, "Kind is 'faces', none of maps, parcels, global, edges"),
        ({"Statistic": "mass"}, "Statistic is 'mass', none of tfce, t, cluster-extent"),
        ({"Draws": "many"}, "Draws is 'many', not a whole number"),
        ({"Alpha": True}, "Alpha is True, not a number"),
        ({"Features": [{"Metric": "degree", "Edges": "r025", "Title": "Degree"}]}, "It lacks Features.Role."),
        ({"NumberAnalysed": {"a": "3"}}, "NumberAnalysed.a is '3'"),
        ({"Headline": "post"}, "Headline is post, which is not among Estimators and MapSuffixes"),
    ],
)
def test_a_file_that_is_damaged_is_named_with_what_to_do(spoilt, said, tmp_path):
    path = tmp_path / "task-rest_design.json"
    save_json(path, FULL.to_json() | spoilt)
    with pytest.raises(DataError) as refused:
        read_comparison(path)
    for words in (str(path), said, "damaged, or of another version", "Run the group level again."):
        assert words in str(refused.value)
