"""Records of comparisons: one that is whole, and others that differ from it by some fields."""

from dataclasses import fields, is_dataclass, replace

from bids_app.graph.features import Feature
from bids_app.trial.comparison_record import (
    Analyses,
    Arms,
    ComparedData,
    ComparedFeature,
    ComparisonRecord,
    Inference,
)


def features(*roles, metrics=("degree", "strength", "clustering", "eigenvector"), edges="r025"):
    """Measures on the graph of one edge rule, one for each role."""
    made = [(Feature(metric, edges), role) for metric, role in zip(metrics, roles, strict=False)]
    return tuple(ComparedFeature(metric=f.metric, edges=f.edges, title=f.title, role=role) for f, role in made)


def changed(record, **values):
    """Return a record with other values of some fields, in whichever part they are."""
    own = {field.name: getattr(record, field.name) for field in fields(record)}
    parts = {name: part for name, part in own.items() if is_dataclass(part)}
    for name, part in parts.items():
        there = {field.name for field in fields(part)} & set(values)
        own[name] = replace(part, **{key: values.pop(key) for key in there})
    assert set(values) <= set(own), values
    return replace(record, **own | values)


RECORD = ComparisonRecord(
    route="voxels",
    kind="maps",
    arms=Arms(
        contrast="a − b",
        arm_column="arm",
        active_arm="a",
        reference_arm="b",
        baseline_session="pre",
        followup_session="post",
        number_analysed={"a": 3, "b": 3},
    ),
    analyses=Analyses(
        estimators={"ancova": "adjusted", "change": "change"},
        descriptive={},
        headline="ancova",
        map_suffixes={"ancova": "", "change": "Change"},
        features=features("exploratory"),
        covariates=(),
        baseline_motion_adjusted=False,
        baseline_motion_off=True,
        strata=(),
    ),
    inference=Inference(
        scheme="rerandomize",
        statistic="t",
        connectivity=6,
        cluster_threshold=None,
        standard_errors="ordinary",
        tail_approximation=False,
        draws=10_000,
        all_allocations_enumerated=False,
        possible_allocations=None,
        allocations_of="the 6 participants analysed",
        random_seed=0,
        alpha=0.05,
    ),
    data=ComparedData(
        map_values="z",
        smoothing_fwhm=6.0,
        edge_rules=("r > 0.25",),
        min_minutes=4.0,
        minutes_known=True,
        min_per_arm=None,
        nodes_in_mask=9,
        nodes_compared=9,
        anatomy_columns=(),
        voxel_size=None,
        visits_with_several_scans=0,
    ),
    named_regions={},
    variance_warnings={},
    findings=(),
    failed_scans=(),
    software="trialgraph",
)
