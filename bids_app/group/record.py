"""The record of a comparison: who was compared and how."""

import logging
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from bids_app import __version__, stats
from bids_app.bids.files import save_described, save_json
from bids_app.graph.features import FULL, edges_text
from bids_app.group.analyses import Analysis, analyses_of
from bids_app.group.cluster_labels import anatomy_columns
from bids_app.group.drawing import main_draws
from bids_app.group.earlier_looks import looked
from bids_app.group.reading import Maps
from bids_app.group.routes import MapRoute, Route
from bids_app.group.sample import Sample
from bids_app.group.targets import GroupRun, Target
from bids_app.group.treatments import how_drawn
from bids_app.settings.roles import feature_role
from bids_app.settings.settings import DESCRIBED, Settings, Trial
from bids_app.space.atlas import fitting
from bids_app.space.grid import Grid
from bids_app.trial.comparison_record import (
    Analyses,
    Arms,
    ComparedData,
    ComparedFeature,
    ComparisonRecord,
    Inference,
    ScanFailure,
    Statistic,
)
from bids_app.trial.design import Design
from bids_app.trial.flow import several_scans
from bids_app.trial.flow_table import flow_columns, written
from bids_app.trial.wording import PARALLEL

logger = logging.getLogger(__name__)


def write_design(run: GroupRun, target: Target) -> Path:
    """Write who was compared and how, as the page and the reader need it; return the path of the JSON.

    Findings of the whole trial, of the design and of what is compared are put together.
    """
    settings, design, findings = run.settings, run.design, run.tables.findings
    route, sample, flow = target.route, target.sample, target.flow
    record = ComparisonRecord(
        route=route.name,
        kind=route.kind,
        arms=_arms(design, sample),
        analyses=_analyses(settings.trial, route, sample.design, sample),
        inference=_inference(settings.trial, route, sample),
        data=_data(settings, route, sample, flow),
        named_regions={name: len(nodes) for name, nodes in target.named.items()},
        variance_warnings=_variance_warnings(sample),
        findings=tuple(dict.fromkeys((*findings, *design.findings, *sample.findings))),
        failed_scans=tuple(ScanFailure(scan.name, scan.reason) for scan in run.failed),
        software=f"trialgraph {__version__}",
        interim=looked(sample, settings.trial),
    )
    path = run.path(target, "design", ".json")
    save_described(run.path(target, "flow"), written(flow, design), flow_columns(design))
    _write_matrix(run.path(target, "matrix"), sample, flow)
    save_json(path, record.to_json())
    return path


def _write_matrix(path: Path, sample: Sample, flow: pd.DataFrame) -> None:
    """Write the columns of the model beside the intercept and the baseline, which each node has of its own."""
    table = pd.DataFrame({"participant_id": flow.loc[flow["analysed"], "participant_id"].to_numpy()})
    columns = {"participant_id": "Participant analysed"}
    if not sample.design.single:
        table["arm"] = sample.arm
        columns["arm"] = ", ".join(
            f"{number} for {name}" for number, name in reversed([*enumerate(sample.design.arms)])
        )
    for name, values in sample.covariates.items():
        table[name], columns[str(name)] = values.to_numpy(), "Covariate, as it enters the model"
    if sample.strata is not None:
        table["stratum"], columns["stratum"] = (
            sample.strata,
            "Stratum of the randomization; a column each in the model"
            if sample.design.words.randomized
            else "Stratum; a column each in the model",
        )
    save_described(path, table, columns)


def _arms(design: Design, sample: Sample) -> Arms:
    return Arms(
        contrast=design.contrast,
        arm_column=design.arm_column,
        active_arm=design.active,
        reference_arm=design.reference,
        baseline_session=design.baseline,
        followup_session=design.followup or None,
        number_analysed={arm: int((sample.arm == design.arms.index(arm)).sum()) for arm in design.compared},
        comparison_of=None if design.words is PARALLEL else design.words.key,
        treatments=design.treatments,
        period_baselines=design.has_baselines or None,
        summaries=design.summaries or None,
        all_treatments=design.orders.treatments if design.orders else None,
        orders=design.orders.orders if design.orders else None,
    )


def _analyses(trial: Trial, route: Route, design: Design, sample: Sample) -> Analyses:
    node, analyses = route.node, analyses_of(trial, design, sample.symptoms, describes=route.describes)
    if trial.estimator == DESCRIBED:
        analyses = [Analysis(DESCRIBED)]
    used = () if design.of_change else tuple(map(str, sample.covariates.columns))  # what the headline is adjusted for
    return Analyses(
        estimators={one.key: one.text(node, design) for one in analyses if one.compares_arms or one is analyses[0]},
        descriptive={one.key: one.text(node, design) for one in analyses[1:] if not one.compares_arms},
        headline=analyses[0].key,
        map_suffixes={one.key: one.suffix for one in analyses},
        features=tuple(
            ComparedFeature(
                metric=one.metric,
                edges=one.edges,
                title=one.title,
                role=feature_role(trial, one, analyses[0].key),
            )
            for one in sample.features
        ),
        covariates=used,
        baseline_motion_adjusted=design.motion in used,
        baseline_motion_off=not trial.baseline_motion,
        strata=() if design.of_change else trial.strata,
    )


def _inference(trial: Trial, route: Route, sample: Sample) -> Inference:
    draws, rerandomized = main_draws(sample, trial), trial.scheme == "rerandomize"
    tested = trial.estimator != DESCRIBED
    return Inference(
        scheme=trial.scheme if tested else DESCRIBED,
        statistic=cast(Statistic, route.statistic(trial)),
        connectivity=trial.connectivity if isinstance(route, MapRoute) else None,
        cluster_threshold=route.forming_threshold(trial),
        standard_errors="HC3" if trial.hc3 else "ordinary",
        tail_approximation=trial.tail_approximation and not draws.exhaustive,
        draws=len(draws) if tested else 0,
        all_allocations_enumerated=draws.exhaustive and trial.scheme != "freedman-lane",
        possible_allocations=str(draws.n_possible) if rerandomized and draws.n_possible else None,
        allocations_of=f"the {len(sample.arm)} participants analysed{', within strata' if trial.strata else ''}",
        random_seed=trial.random_seed,
        alpha=trial.alpha,
        exchanged=how_drawn(sample) if rerandomized and sample.design.orders else None,
    )


def _data(settings: Settings, route: Route, sample: Sample, flow: pd.DataFrame) -> ComparedData:
    graph, scans, analysed = settings.graph, next(iter(route.scans.values())), flow[flow["analysed"]]
    visits = sample.design.visits
    of_maps, in_volume = isinstance(route, MapRoute), isinstance(route, MapRoute) and not route.surface
    naming = fitting(graph.atlases, sample.grid, route.entities.get("space")) if of_maps else []
    return ComparedData(
        map_values=settings.trial.map_values if of_maps else "raw",
        smoothing_fwhm=graph.smooth_maps if of_maps else None,
        edge_rules=tuple(sorted({edges_text(one.edges) for one in sample.features if one.edges != FULL})),
        min_minutes=settings.signal.min_minutes,
        minutes_known=bool(analysed[[f"{visit}_minutes" for visit in visits]].notna().all(axis=None)),
        min_per_arm=settings.trial.min_per_arm,
        nodes_in_mask=max(scan.sidecar["NumberOfNodes"] for scan in scans) if of_maps else sample.kept.size,
        nodes_compared=int(sample.kept.sum()),
        anatomy_columns=tuple(anatomy_columns(naming)),
        voxel_size=tuple(map(float, cast(Grid, sample.grid).voxel_size)) if in_volume else None,
        visits_with_several_scans=int(several_scans(analysed, sample.design).to_numpy().sum()),
    )


def _compared(visits: Maps, design: Design) -> np.ndarray:
    """Return the (n, V) values whose spread is compared: of the follow-up, or of the difference between periods."""
    if design.treatments:
        return (visits[design.baseline] - visits[design.followup]) / 2
    return visits[design.visits["followup"]]


def _variance_warnings(sample: Sample) -> dict[str, str]:
    """Say of which features the arms differ so much in size and spread that their mean cannot be tested as it is."""
    if sample.design.single or sample.design.orders:  # whose differences are within participants, and all have all
        return {}
    found, words = {}, sample.design.words
    for feature, visits in sample.maps.items():
        try:
            warning = stats.variance_warning(_compared(visits, sample.design), sample.arm)
        except ValueError:  # nothing to compare, which the results will show
            found[feature.title] = (
                f"it is the same for everyone of {'a' if words.arm != 'arm' else 'an'} {words.arm}, at every node"
            )
        else:
            if warning.serious:
                found[feature.title] = words.of(warning.text)
        if feature.title in found:
            logger.warning("%s: %s", feature.title, found[feature.title])
    return found
