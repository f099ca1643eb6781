"""The regions where the arms differ, read back from the group's maps."""

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.files import read_table
from bids_app.bids.result_names import group_name
from bids_app.bids.values import counted
from bids_app.graph.features import Feature
from bids_app.group.analyses import Test, headline_of
from bids_app.group.cluster_labels import region_names
from bids_app.group.node_values import read_nodes
from bids_app.group.region_values import Region
from bids_app.group.routes import ConnectionRoute, MapRoute, Route, grid_of
from bids_app.settings.settings import Settings
from bids_app.system.images import read_image
from bids_app.trial.design import Design

# Maps are kept in single precision: a p that is alpha must not be above it after rounding.
ROUNDING = 1 + 1e-6


def find_regions(settings: Settings, route: Route, design: Design) -> list[Region]:
    """Find the regions that are significant in the headline analysis.

    Parameters
    ----------
    settings : Settings
    route : Route
    design : design.Design

    Returns
    -------
    list of Region
        None is invented: empty if nothing passes the family-wise correction.
    """
    return [region for feature in route.scans for region in _found(route, settings, design, feature)]


@singledispatch
def _found(route: Route, settings: Settings, design: Design, feature: Feature) -> list[Region]:
    """Return the significant parcels, or measures of the whole graph."""
    significant = _significant(settings, route, design, feature)
    rows = pd.Index(read_nodes(route.scans[feature][0].path)["index"])
    regions = []
    names = region_names(significant["name"].astype(str).tolist(), [feature] * len(significant), list(route.scans))
    row: Any  # has the columns of the table
    for name, row in zip(names, significant.itertuples(), strict=True):
        which = headline_of(settings.trial).direction(1 if row.t > 0 else -1, design)
        text = f"{feature.title}: {route.node} {row.name}, {which}"
        nodes = np.array([rows.get_loc(row.index)])
        regions.append(Region(f"{feature.label} {row.name}", name, feature, nodes, text))
    return regions


@_found.register
def _clusters(route: MapRoute, settings: Settings, design: Design, feature: Feature) -> list[Region]:
    folder, trial = settings.group_dir, settings.trial
    headline = headline_of(trial)
    desc = Test(feature, headline).desc

    def path(stat: str) -> Path:
        return folder / group_name(route, design, "statmap", route.extension, stat=stat, desc=desc)

    image, p_fwe = read_image(path("pFwe"))
    t = read_image(path("t"))[1]
    statistic = read_image(path("tfce"))[1] if path("tfce").exists() else t
    kept = np.isfinite(p_fwe)
    grid, place = grid_of(route, image, kept), np.flatnonzero(kept)
    neighbours = grid.neighbours(trial.connectivity)
    found = stats.find_clusters(p_fwe[kept], statistic[kept], neighbours, trial.alpha * ROUNDING)
    regions, names = [], _names_of_clusters(settings, route, design)
    for number, cluster in enumerate(found, start=1):
        peak = ", ".join(f"{edge:.0f}" for edge in grid.coordinates[cluster.peak])
        size = counted(len(cluster.nodes), grid.node)
        text = f"{feature.title}: {size}, peak at {peak} mm, {headline.direction(cluster.sign, design)}"
        known = f"{feature.label} {number}"
        regions.append(Region(known, names.get(known, known), feature, place[cluster.nodes], text))
    return regions


def _names_of_clusters(settings: Settings, route: Route, design: Design) -> dict[str, str]:
    """Return what the clusters are called, as their table has it."""
    path = settings.group_dir / group_name(route, design, "clusters", ".tsv")
    if not path.exists():
        return {}
    table = read_table(path, dtype=str)
    return dict(zip(table["cluster"], table["region"], strict=True))


@_found.register
def _components(route: ConnectionRoute, settings: Settings, design: Design, feature: Feature) -> list[Region]:
    """Return the components of significant connections."""
    significant, regions = _significant(settings, route, design, feature), []
    for number, rows in significant.groupby("component", sort=True):
        which = headline_of(settings.trial).direction(1 if rows["t"].iloc[0] > 0 else -1, design)
        n_parcels = len({*rows["from"], *rows["to"]})
        text = f"{feature.title}: {len(rows)} connections of {n_parcels} parcels, {which}"
        (name,) = region_names([f"component {number}"], [feature], list(route.scans))
        regions.append(Region(f"{feature.label} {number}", name, feature, rows["index"].to_numpy() - 1, text))
    return regions


def _significant(settings: Settings, route: Route, design: Design, feature: Feature) -> pd.DataFrame:
    path = settings.group_dir / group_name(route, design, route.table, ".tsv")
    table = read_table(path, dtype={"name": str, "from": str, "to": str})
    own = (table["measure"] == feature.metric) & (table["edges"] == feature.edges)
    return table[own & (table["estimator"] == settings.trial.estimator) & (table["p_fwe"] <= settings.trial.alpha)]
