"""The significant clusters of maps: their table, and images that say which cluster a node belongs to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.files import save_described, save_image
from bids_app.bids.result_names import group_name
from bids_app.group.analyses import Test
from bids_app.group.cluster_labels import (
    NAME_COLUMNS,
    anatomy_columns,
    cluster_places,
    region_names,
    with_anatomy,
)
from bids_app.group.result_tables import cluster_columns, effect_at, p_error
from bids_app.group.routes import MapRoute
from bids_app.group.sample import Sample
from bids_app.settings.settings import Settings, Trial
from bids_app.space.atlas import fitting, read_atlas
from bids_app.space.grid import Nodes
from bids_app.space.places import Place

Comparisons = Mapping[Test, stats.Comparison]
Found = Mapping[Test, Sequence[stats.Cluster]]
LABEL_COLUMNS = {"index": "Value of the cluster's nodes in the image of the same name", **NAME_COLUMNS}


def write_clusters(
    settings: Settings,
    route: MapRoute,
    sample: Sample,
    comparisons: Comparisons,
    corrected: Mapping[Test, np.ndarray],
) -> list[Path]:
    """Write the table of the clusters and, for each test that has some, the image of which node is of which.

    Parameters
    ----------
    settings : Settings
    route : routes.MapRoute
    sample : sample.Sample
    comparisons : dict of stats.Comparison
    corrected : dict of (V,) ndarray
        p over all features.

    Returns
    -------
    list of Path
    """
    grid, space = cast(Nodes, sample.grid), route.entities.get("space")
    atlases = {one: read_atlas(one, grid, space) for one in fitting(settings.graph.atlases, grid, space)}
    found = clusters_of(sample, comparisons, settings.trial)
    table = cluster_table(sample, comparisons, corrected, found, settings.trial)
    clusters = [cluster for some in found.values() for cluster in some]
    table = _named(table, found, cluster_places(clusters, grid, atlases.values(), space))
    table = table.join(with_anatomy(clusters, grid, atlases)) if atlases else table
    path = settings.group_dir / group_name(route, sample.design, "clusters", ".tsv")
    save_described(path, table, cluster_columns() | anatomy_columns(atlases))
    return [path, *(_image(settings, route, sample, test, table, some) for test, some in found.items() if some)]


def clusters_of(sample: Sample, comparisons: Comparisons, trial: Trial) -> dict[Test, list[stats.Cluster]]:
    """Find the significant clusters of every test."""
    neighbours = cast(Nodes, sample.grid).neighbours(trial.connectivity)
    return {
        test: stats.find_clusters(one.p_fwe, one.statistic, neighbours, trial.alpha)
        for test, one in comparisons.items()
    }


def cluster_table(
    sample: Sample, comparisons: Comparisons, corrected: Mapping[Test, np.ndarray], found: Found, trial: Trial
) -> pd.DataFrame:
    """List the significant clusters, which nothing names yet.

    Parameters
    ----------
    sample : sample.Sample
        Of voxels or grayordinates.
    comparisons : dict of stats.Comparison
    corrected : dict of (V,) ndarray
        p over all features.
    found : dict of list of stats.Cluster
        From `clusters_of`.
    trial : settings.Trial

    Returns
    -------
    DataFrame
        A row per cluster of voxels with p_fwe of alpha or less; coordinates in mm of the template space.
    """
    rows = [
        {"cluster": f"{test.desc} {number}", "role": test.role(trial)}
        | _row(sample, test, comparisons[test], corrected[test], cluster)
        for test, clusters in found.items()
        for number, cluster in enumerate(clusters, start=1)
    ]
    return pd.DataFrame(rows, columns=list(cluster_columns()))


def _row(
    sample: Sample, test: Test, comparison: stats.Comparison, p_all: np.ndarray, cluster: stats.Cluster
) -> dict[str, Any]:
    grid = cast(Nodes, sample.grid)
    places = grid.coordinates
    peak, centre = places[cluster.peak], places[cluster.nodes].mean(axis=0).round(1)
    return {
        "measure": test.feature.metric,
        "edges": test.feature.edges,
        "estimator": test.analysis.key,
        "direction": test.analysis.direction(cluster.sign, sample.design),
        "n_voxels": len(cluster.nodes),
        "volume_mm3": len(cluster.nodes) * grid.node_size,
        **{f"peak_{axis}": edge for axis, edge in zip("xyz", peak, strict=True)},
        **{f"centre_{axis}": edge for axis, edge in zip("xyz", centre, strict=True)},
        **effect_at(comparison, cluster.peak),
        "p_fwe": comparison.p_fwe[cluster.peak],
        "p_fwe_error": p_error(comparison)[cluster.peak],
        "p_fwe_all": p_all[cluster.peak],
    }


def _named(table: pd.DataFrame, found: Found, places: Sequence[Place]) -> pd.DataFrame:
    """Name the clusters of each test; the rows and places are in the order of the clusters."""
    names: list[str] = []
    features = list(dict.fromkeys(test.feature for test in found))
    for test, clusters in found.items():
        own = [place.name for place in places[len(names) : len(names) + len(clusters)]]
        names += region_names(own, [test.feature] * len(own), features)
    distances = np.array([place.distance for place in places], dtype=float)
    return table.assign(region=names, named_by=[place.by for place in places], named_mm=distances)


def _image(
    settings: Settings,
    route: MapRoute,
    sample: Sample,
    test: Test,
    table: pd.DataFrame,
    clusters: Sequence[stats.Cluster],
) -> Path:
    """Write which cluster each node belongs to, 0 for none, and beside it what the numbers are called."""
    grid = cast(Nodes, sample.grid)
    numbers = np.zeros(grid.n_nodes, dtype=np.int16)
    for number, cluster in enumerate(clusters, start=1):
        numbers[cluster.nodes] = number
    names = {"suffix": "dseg", "desc": test.desc}
    path = settings.group_dir / group_name(route, sample.design, extension=grid.extension, **names)
    save_image(path, grid.image(numbers, fill=0, dtype=np.int16))
    own = [test.feature.metric, test.feature.edges, test.analysis.key]
    of_test = (table[["measure", "edges", "estimator"]] == own).all(axis=1)
    labels = table.loc[of_test, list(NAME_COLUMNS)].reset_index(drop=True)
    labels.insert(0, "index", range(1, len(labels) + 1))
    look_up = settings.group_dir / group_name(route, sample.design, extension=".tsv", **names)
    return save_described(look_up, labels, LABEL_COLUMNS)
