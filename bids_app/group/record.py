"""The record of a comparison: who was compared and how."""

import logging
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bids_app import __version__, stats
from bids_app.bids.files import save_described, save_json
from bids_app.graph.features import FULL, edges_text
from bids_app.group.analyses import analyses_of, main_draws
from bids_app.group.cluster_labels import anatomy_columns
from bids_app.group.routes import MapRoute, Route
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.settings.roles import feature_role
from bids_app.settings.settings import Settings, Trial
from bids_app.space.atlas import fitting
from bids_app.space.grid import Grid
from bids_app.trial.design import Design
from bids_app.trial.flow import FLOW_COLUMNS

logger = logging.getLogger(__name__)


def write_design(run: GroupRun, target: Target) -> Path:
    """Write who was compared and how, as the page and the reader need it; return the path of the JSON.

    Findings of the whole trial, of the design and of what is compared are put together.
    """
    settings, design, findings = run.settings, run.design, run.tables.findings
    route, sample, flow = target.route, target.sample, target.flow
    content = {
        "Route": route.name,
        "Kind": route.kind,
        **_arms_and_visits(design, sample),
        **_analyses(settings.trial, route, design, sample),
        **_inference(settings.trial, route, sample),
        **_data(settings, route, sample, flow),
        "NamedRegions": {name: len(nodes) for name, nodes in target.named.items()},
        "VarianceWarnings": _variance_warnings(sample),
        "Findings": [one.to_json() for one in dict.fromkeys((*findings, *design.findings, *sample.findings))],
        "FailedScans": [{"Scan": scan.name, "Reason": scan.reason} for scan in run.failed],
        "Software": f"trialgraph {__version__}",
    }
    path = run.path(target, "design", ".json")
    save_described(run.path(target, "flow"), flow, FLOW_COLUMNS)
    _write_matrix(run.path(target, "matrix"), sample, flow)
    save_json(path, content)
    return path


def _write_matrix(path: Path, sample: Sample, flow: pd.DataFrame) -> None:
    """Write the columns of the model beside the intercept and the baseline, which each node has of its own."""
    table = pd.DataFrame({"participant_id": flow.loc[flow["analysed"], "participant_id"].to_numpy()})
    table["arm"] = sample.arm
    columns = {"participant_id": "Participant analysed", "arm": f"1 for {sample.arms[0]}, 0 for {sample.arms[1]}"}
    for name, values in sample.covariates.items():
        table[name], columns[str(name)] = values.to_numpy(), "Covariate, as it enters the model"
    if sample.strata is not None:
        table["stratum"], columns["stratum"] = (
            sample.strata,
            "Stratum of the randomization; a column each in the model",
        )
    save_described(path, table, columns)


def _arms_and_visits(design: Design, sample: Sample) -> dict[str, Any]:
    n_active = int(sample.arm.sum())
    return {
        "Contrast": design.contrast,
        "ArmColumn": design.arm_column,
        "ActiveArm": design.active,
        "ReferenceArm": design.reference,
        "BaselineSession": design.baseline,
        "FollowupSession": design.followup,
        "NumberAnalysed": {design.active: n_active, design.reference: len(sample.arm) - n_active},
    }


def _analyses(trial: Trial, route: Route, design: Design, sample: Sample) -> dict[str, Any]:
    node, analyses = route.node, analyses_of(trial, design, sample.symptoms, describes=route.describes)
    used = list(sample.covariates.columns)
    return {
        "Estimators": {one.key: one.text(node, design) for one in analyses if one.compares_arms},
        "Descriptive": {one.key: one.text(node, design) for one in analyses if not one.compares_arms},
        "Headline": analyses[0].key,
        "MapSuffixes": {one.key: one.suffix for one in analyses},
        "Features": [
            {
                "Metric": one.metric,
                "Edges": one.edges,
                "Title": one.title,
                "Role": feature_role(trial, one, analyses[0].estimator),
            }
            for one in sample.features
        ],
        "Covariates": used,
        "BaselineMotionAdjusted": "baseline_mean_fd" in used,
        "BaselineMotionOff": not trial.baseline_motion,
        "Strata": list(trial.strata),
    }


def _inference(trial: Trial, route: Route, sample: Sample) -> dict[str, Any]:
    draws, rerandomized = main_draws(sample, trial), trial.scheme == "rerandomize"
    return {
        "Scheme": trial.scheme,
        "Statistic": route.statistic(trial),
        "Connectivity": trial.connectivity if isinstance(route, MapRoute) else None,
        "ClusterThreshold": route.forming_threshold(trial),
        "StandardErrors": "HC3" if trial.hc3 else "ordinary",
        "TailApproximation": trial.tail_approximation and not draws.exhaustive,
        "Draws": len(draws),
        "AllAllocationsEnumerated": draws.exhaustive and rerandomized,
        "PossibleAllocations": str(draws.n_possible) if rerandomized and draws.n_possible else None,
        "AllocationsOf": f"the {len(sample.arm)} participants analysed{', within strata' if trial.strata else ''}",
        "RandomSeed": trial.random_seed,
        "Alpha": trial.alpha,
    }


def _data(settings: Settings, route: Route, sample: Sample, flow: pd.DataFrame) -> dict[str, Any]:
    graph, scans, analysed = settings.graph, next(iter(route.scans.values())), flow[flow["analysed"]]
    of_maps = isinstance(route, MapRoute)
    naming = fitting(graph.atlases, sample.grid, route.entities.get("space")) if of_maps else []
    return {
        "MapValues": settings.trial.map_values if of_maps else "raw",
        "SmoothingFWHM": graph.smooth_maps if of_maps else None,
        "EdgeRules": sorted({edges_text(one.edges) for one in sample.features if one.edges != FULL}),
        "MinMinutes": settings.signal.min_minutes,
        "MinutesKnown": bool(analysed[["baseline_minutes", "followup_minutes"]].notna().all(axis=None)),
        "MinPerArm": settings.trial.min_per_arm,
        "NodesInMask": max(scan.sidecar["NumberOfNodes"] for scan in scans) if of_maps else sample.kept.size,
        "NodesCompared": int(sample.kept.sum()),
        "AnatomyColumns": list(anatomy_columns(naming)),
        "VoxelSize": list(cast(Grid, sample.grid).voxel_size)
        if isinstance(route, MapRoute) and not route.surface
        else None,
        "VisitsWithSeveralScans": int((analysed[["baseline_scans", "followup_scans"]] > 1).to_numpy().sum()),
    }


def _variance_warnings(sample: Sample) -> dict[str, str]:
    """Say of which features the arms differ so much in size and spread that their mean cannot be tested as it is."""
    found = {}
    for feature, visits in sample.maps.items():
        try:
            warning = stats.variance_warning(visits[sample.design.followup], sample.arm)
        except ValueError:  # nothing to compare, which the results will show
            found[feature.title] = "it is the same for everyone of an arm, at every node"
        else:
            if warning.serious:
                found[feature.title] = warning.text
        if feature.title in found:
            logger.warning("%s: %s", feature.title, found[feature.title])
    return found
