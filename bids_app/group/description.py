"""One group at one visit, described: means, spreads and reliability, and no test."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import save_described, save_map
from bids_app.bids.result_names import group_name
from bids_app.bids.scans import Scan
from bids_app.graph.features import Feature
from bids_app.group.arm_tables import write_arms
from bids_app.group.node_values import read_values
from bids_app.group.plan_record import write_plan
from bids_app.group.record import write_design
from bids_app.group.result_tables import NODE_COLUMNS, TABLE_COLUMNS
from bids_app.group.routes import MapRoute
from bids_app.group.targets import GroupRun, Target
from bids_app.space.grid import Nodes
from bids_app.stats.reliability import intraclass_correlation
from bids_app.trial.flow import by_visit

LEAST_WITH_TWO = 3  # of whom a reliability is worth a number
STATS = {
    "mean": "Mean over participants, in the units of the measure",
    "sd": "Standard deviation over participants",
    "n": "Participants who have the node",
    "icc": "Intraclass correlation of two runs of the visit, ICC(1,1) (Shrout & Fleiss 1979); it is not tested",
}
COLUMNS = {
    "metric": TABLE_COLUMNS["metric"],
    "edges": TABLE_COLUMNS["edges"],
    "n": "Participants",
    "mean": "Mean over participants of the mean over nodes, in the units of what is mapped",
    "sd": "Its standard deviation over participants",
    "lowest": "The smallest of them",
    "highest": "The largest of them",
    "n_with_two_runs": "Participants with two runs of the visit",
    "icc": "Median over nodes of the intraclass correlation of two runs; n/a where fewer than three have them",
}
NOT_TESTED = "Clinical outcomes: nothing is tested of one group at one visit without --slopes"


def describe(run: GroupRun) -> None:
    """Write what there is to say of one group at one visit, where nothing is tested.

    Parameters
    ----------
    run : targets.GroupRun
    """
    if run.scores:
        run.notes.problems.append(NOT_TESTED)
        run.notes.unmet.append(NOT_TESTED)
    for target in run.targets:
        write_design(run, target)
        write_arms(run, target)
        found = {feature: _described(target, feature) for feature in target.sample.features}
        write = _write_maps if isinstance(target.route, MapRoute) else _write_nodes
        write(run, target, found)
        rows = [_row(target, feature, of) for feature, of in found.items()]
        save_described(run.path(target, "description"), pd.DataFrame(rows, columns=list(COLUMNS)), COLUMNS)
    write_plan(run, {})


def _described(target: Target, feature: Feature) -> dict[str, np.ndarray]:
    """Return each of `STATS` of every node; no reliability where too few have two runs."""
    values = next(iter(target.sample.maps[feature].values()))
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    found = {"mean": mean, "sd": np.sqrt(squares / np.maximum(n - 1, 1)), "n": n}
    pairs = _two_runs(target)
    if len(pairs) < LEAST_WITH_TWO:
        return found
    first, second = (
        np.stack([read_values(pair[place][feature].path, feature.metric)[target.sample.kept] for pair in pairs])
        for place in (0, 1)
    )
    return found | {"icc": intraclass_correlation(first, second)}


def _two_runs(target: Target) -> list[tuple[Mapping[Feature, Scan], Mapping[Feature, Scan]]]:
    """Return the first two scans of everyone analysed who has two at the visit, each by feature."""
    flow, (session,) = target.flow, target.sample.design.visits.values()
    participants = flow.loc[flow["analysed"], "participant_id"].str.removeprefix("sub-")
    scans = {feature: by_visit(found) for feature, found in target.route.scans.items()}
    every = [{feature: of.get((name, session), []) for feature, of in scans.items()} for name in participants]
    ordered = [
        {feature: sorted(found, key=lambda scan: scan.path.name) for feature, found in of.items()} for of in every
    ]
    return [
        ({feature: found[0] for feature, found in of.items()}, {feature: found[1] for feature, found in of.items()})
        for of in ordered
        if min(map(len, of.values())) > 1
    ]


def _row(target: Target, feature: Feature, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    own = np.nanmean(next(iter(target.sample.maps[feature].values())), axis=1)
    return {
        "metric": feature.metric,
        "edges": feature.edges,
        "n": len(own),
        "mean": own.mean(),
        "sd": own.std(ddof=1),
        "lowest": own.min(),
        "highest": own.max(),
        "n_with_two_runs": len(_two_runs(target)),
        "icc": np.nanmedian(found["icc"]) if "icc" in found else np.nan,
    }


def _write_maps(run: GroupRun, target: Target, found: Mapping[Feature, Mapping[str, np.ndarray]]) -> None:
    grid = cast(Nodes, target.sample.grid)
    for feature, of in found.items():
        for stat, values in of.items():
            name = group_name(target.route, run.design, "statmap", grid.extension, stat=stat, desc=feature.label)
            about = {"Description": f"{STATS[stat]}: {feature.title}.", "Software": f"trialgraph {__version__}"}
            save_map(run.settings.group_dir / name, grid, np.asarray(values, dtype=float), about)


def _write_nodes(run: GroupRun, target: Target, found: Mapping[Feature, Mapping[str, np.ndarray]]) -> None:
    parcels = cast(pd.DataFrame, target.sample.parcels)
    tables = [parcels.assign(metric=feature.metric, edges=feature.edges, **of) for feature, of in found.items()]
    columns = {**NODE_COLUMNS, "metric": TABLE_COLUMNS["metric"], "edges": TABLE_COLUMNS["edges"], **STATS}
    save_described(run.path(target, cast(Any, target.route).table), pd.concat(tables), columns)
