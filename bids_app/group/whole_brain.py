"""The mean of each measure over the whole brain: compared, and of everyone randomized."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.names import label
from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph.features import Feature, edges_text
from bids_app.group.node_values import read_nodes, values_of
from bids_app.group.region_values import Everyone, Region, of_regions, read_regions
from bids_app.group.result_tables import TABLE_COLUMNS, compare_alone
from bids_app.group.routes import GlobalRoute, Route
from bids_app.group.targets import GroupRun, Target
from bids_app.group.value_keys import Keys, key_of
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.crossed_values import many_periods
from bids_app.trial.design import Design
from bids_app.trial.flow import Visit, by_visit
from bids_app.trial.visit_scans import weights


def write_whole_brain(run: GroupRun, target: Target) -> Path:
    """Compare the mean of each raw map over the whole brain, which z-scored maps cannot show.

    By the headline's estimator, draws and standard errors; the statistic is t, as there are no neighbours.
    """
    route, sample, design = target.route, target.sample, run.design
    analysed = target.flow.loc[target.flow["analysed"], "participant_id"]
    participants = [name.removeprefix("sub-") for name in analysed]
    visits = {visit: [(name, session) for name in participants] for visit, session in design.visits.items()}
    values = {visit: means_of_visits(route, of_visit) for visit, of_visit in visits.items()}
    means: dict[str, Any] = {
        "measure": [one.metric for one in route.scans],
        "edges": [one.edges for one in route.scans],
    }
    columns = dict(TABLE_COLUMNS)
    for arm, of in (_by_treatment(design, values, sample.arm) if design.orders else {}).items():
        means[f"mean_{label(arm)}"], columns[f"mean_{label(arm)}"] = (
            of,
            f"Mean under {arm}, in the units of the measure",
        )
    for visit, both in ({} if design.orders else values).items():
        for arm in design.compared:
            column = f"{design.columns[visit]}_mean_{label(arm)}"
            means[column] = both[sample.arm == design.arms.index(arm)].mean(axis=0)
            at = design.called[visit] if design.treatments or design.single else visit
            columns[column] = f"Mean of {arm} at {at}, in the units of the measure"
    of_sessions = {session: values[visit] for visit, session in design.visits.items()}
    table = compare_alone(pd.DataFrame(means), sample, of_sessions, run.settings.trial)
    path = run.path(target, "wholebrain")
    save_described(path, table, columns)
    return path


def _by_treatment(design: Design, values: Mapping[str, np.ndarray], arm: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of each measure, (M,), under the two treatments that are compared of several."""
    crossed = [
        many_periods(design, {visit: of[:, k] for visit, of in values.items()}, arm).by_treatment
        for k in range(next(iter(values.values())).shape[1])
    ]
    return {name: np.array([pair[place].mean() for pair in crossed]) for place, name in enumerate(design.sides)}


def values_of_everyone(route: Route, everyone: Everyone) -> dict[str, TwoVisits]:
    """Return each whole-brain mean, or measure of the whole graph, of everyone randomized.

    Parameters
    ----------
    route : Route
    everyone : regions.Everyone

    Returns
    -------
    dict of TwoVisits
        By the title of the measure; without those that are the same for everyone.

    Raises
    ------
    DataError
        No value could be read.
    """
    if isinstance(route, GlobalRoute):
        values = read_regions(route, list(_measures(route).values()), **everyone)
    else:
        means = {visit: means_of_visits(route, of_visit) for visit, of_visit in everyone["visits"].items()}
        regions = [Region(one.label, one.title, one, np.array([], dtype=int), "whole brain") for one in route.scans]
        rest = {"covariates": everyone["covariates"], "strata": everyone["strata"]}
        values = of_regions(regions, everyone["flow"], means, **rest)
    data = {
        name: one for name, one in values.data().items() if one.observed.any() and np.ptp(one.completers().followup)
    }
    if not data:
        raise DataError(f"{route.name}: no whole-brain mean is in the sidecars, or all are the same for everyone.")
    return data


def keys_of_everyone(route: Route) -> Keys:
    """Return what the values of `values_of_everyone` are known by."""
    if isinstance(route, GlobalRoute):
        return {one.name: key_of(one.feature, name=name) for (name, _), one in _measures(route).items()}
    return {one.title: key_of(one) for one in route.scans}


def _measures(route: GlobalRoute) -> dict[tuple[str, str], Region]:
    """Return every measure of the whole graph by name and edge rule, whether or not the arms differ in it."""
    found = {}
    for feature, scans in route.scans.items():
        of = f", {edges_text(feature.edges)}" if len(route.scans) > 1 else ""
        for place, name in enumerate(read_nodes(scans[0].path)["name"]):
            title = f"{name}{of}"
            found[str(name), feature.edges] = Region(
                title, title, feature, np.array([place]), f"{feature.title}: {name}"
            )
    return found


def means_of_visits(route: Route, visits: Sequence[Visit | None]) -> np.ndarray:
    """Return the (n, M) means over nodes of each measure at the visits; NaN where a visit is None."""
    columns = []
    for feature, scans in route.scans.items():
        found = by_visit(scans)
        columns.append([np.nan if visit is None else _mean_of_visit(found[visit], feature) for visit in visits])
    return np.column_stack(columns).astype(float)


def _mean_of_visit(scans: Sequence[Scan], feature: Feature) -> float:
    return float(weights(scans) @ [_mean_of(scan, feature) for scan in scans])


def _mean_of(scan: Scan, feature: Feature) -> float:
    """Return the mean over nodes of a raw measure, from the sidecar or the nodal table."""
    if scan.path.name.endswith(".tsv"):
        return np.nanmean(values_of(scan, feature.metric))
    return scan.sidecar.get("Mean", np.nan)
