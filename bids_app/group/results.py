"""The results of the group level: maps, cluster table, nodal table."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app import __version__, stats
from bids_app.bids.files import save_described, save_json, save_map, save_table, sidecar_of
from bids_app.bids.result_names import comparison_desc, group_name
from bids_app.graph.features import Feature, camel
from bids_app.group.analyses import BETWEEN, Analysis, run_analysis
from bids_app.group.cluster_labels import anatomy_columns, with_anatomy
from bids_app.group.painting import paint
from bids_app.group.routes import ConnectionRoute, MapRoute, ParcelRoute, Route, TableRoute
from bids_app.group.sample import Sample
from bids_app.settings.atlas_source import AtlasSource
from bids_app.settings.roles import feature_role
from bids_app.settings.settings import Settings, Trial
from bids_app.space.atlas import fitting
from bids_app.space.grid import Nodes
from bids_app.trial.design import Design

logger = logging.getLogger(__name__)
Key = tuple[Feature, Analysis]
Comparisons = Mapping[Key, stats.Comparison]
Corrected = Mapping[Key, np.ndarray]  # p over all features
STATISTICS = {
    "t": "Student's t of the difference between the arms",
    "difference": "Adjusted difference between the arms, mean change, or slope, in the units of the map",
    "ciLow": "Lower end of the 95 % confidence interval of the difference",
    "ciHigh": "Upper end of the 95 % confidence interval of the difference",
    "hedgesG": "Difference over the pooled within-arm standard deviation of the outcome (Hedges g)",
    "gLow": "Lower end of the 95 % confidence interval of Hedges g",
    "gHigh": "Upper end of the 95 % confidence interval of Hedges g",
    "partialR2": "Share of the adjusted variance that the effect explains",
    "n": "Participants",
    "tfce": "Statistic that was tested (by default signed threshold-free cluster enhancement of z: exact, E 0.5, H 2)",
    "p": "Two-sided permutation p of the statistic, uncorrected",
    "pFdr": "p after Benjamini and Hochberg",
    "pFwe": "p corrected over voxels and both signs by the maximum statistic",
    "pFweAll": "p corrected over voxels, signs, metrics and edge rules by the minimum p",
}
_ROLE_TEXT = "Primary, secondary or exploratory, by the plan"
TABLE_COLUMNS = {
    "metric": "Graph measure",
    "edges": "Edge rule: r and its threshold, d and its density, auc (area over the densities), full (no threshold)",
    "estimator": "; ".join(f"{name}: {text.format(node='voxel or parcel')}" for name, text in BETWEEN.items())
    + "; within: follow-up minus baseline of one arm; slope, slope-by-arm: of a covariate",
    "t": STATISTICS["t"],
    "difference": STATISTICS["difference"],
    "ci_low": STATISTICS["ciLow"],
    "ci_high": STATISTICS["ciHigh"],
    "hedges_g": STATISTICS["hedgesG"],
    "g_low": STATISTICS["gLow"],
    "g_high": STATISTICS["gHigh"],
    "partial_r2": STATISTICS["partialR2"],
    "n": STATISTICS["n"],
    "p": "Two-sided permutation p, uncorrected",
    "p_fwe": "p corrected by the maximum statistic",
    "p_fwe_error": "Monte Carlo standard error of p_fwe; 0 where every draw was made",
    "p_fwe_all": "p corrected over metrics and edge rules too, by the minimum p",
    "p_fdr": "p after Benjamini and Hochberg",
}


def write_results(settings: Settings, route: Route, sample: Sample, comparisons: Comparisons) -> list[Path]:
    """Write all files of one route.

    Parameters
    ----------
    settings : Settings
    route : routes.Route
    sample : sample.Sample
    comparisons : dict of stats.Comparison
        Keyed by (feature, analysis).

    Returns
    -------
    list of Path
    """
    corrected = _across_metrics(comparisons)
    return _write(route, settings, sample, comparisons, corrected)


def _across_metrics(comparisons: Comparisons) -> dict[Key, np.ndarray]:
    """Return p corrected over the features of each analysis."""
    corrected: dict[Key, np.ndarray] = {}
    for analysis in {analysis for _, analysis in comparisons}:
        keys = [key for key in comparisons if key[1] == analysis]
        corrected |= dict(zip(keys, stats.across([comparisons[key] for key in keys]), strict=True))
    return corrected


@singledispatch
def _write(
    route: Route, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    """Write the table of a route's nodes."""
    parcels, tables = cast(pd.DataFrame, sample.parcels), []
    for key, comparison in comparisons.items():
        role = feature_role(settings.trial, key[0], key[1].estimator)
        tables.append(nodal_table(parcels, key, comparison, corrected[key]).assign(role=role))
    path = settings.group_dir / group_name(route, sample.design, route.table, ".tsv")
    save_described(path, pd.concat(tables), {**NODE_COLUMNS, **TABLE_COLUMNS, "role": _ROLE_TEXT})
    return [path]


@_write.register
def _write_maps(
    route: MapRoute, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    folder, grid, written = settings.group_dir, cast(Nodes, sample.grid), []
    for (feature, analysis), comparison in comparisons.items():
        sidecar = _sidecar(settings, route, sample.design, (feature, analysis), comparison)
        for statistic, values in _maps(comparison, corrected[feature, analysis]).items():
            desc = comparison_desc(feature, analysis)
            name = group_name(route, sample.design, "statmap", grid.extension, stat=statistic, desc=desc)
            save_map(folder / name, grid, values, sidecar(statistic))
            written.append(folder / name)
    space = route.entities.get("space")
    atlases = fitting(settings.graph.atlases, grid, space)
    table = cluster_table(sample, comparisons, corrected, settings.trial, atlases, space)
    path = folder / group_name(route, sample.design, "clusters", ".tsv")
    save_described(path, table, _cluster_columns() | anatomy_columns(atlases))
    return [*written, path]


def _sidecar(
    settings: Settings, route: Route, design: Design, key: Key, comparison: stats.Comparison
) -> Callable[[str], dict[str, Any]]:
    """Return what makes the sidecar of a map of one statistic."""
    feature, analysis = key

    def sidecar(statistic: str) -> dict[str, Any]:
        return {
            "Description": f"{STATISTICS[statistic]}: {feature.title}; {design.contrast}.",
            "Estimator": analysis.text(route.node, design),
            "Role": feature_role(settings.trial, feature, analysis.estimator),
            "Statistic": route.statistic(settings.trial),
            "StandardErrors": "HC3" if settings.trial.hc3 else "ordinary",
            "DegreesOfFreedom": comparison.effect.df,
            "NumberOfDraws": len(comparison.max_statistics),
            "Software": f"trialgraph {__version__}",
        }

    return sidecar


def _maps(comparison: stats.Comparison, p_all: np.ndarray) -> dict[str, np.ndarray]:
    effect = cast(stats.Effect, comparison.effect)
    return {
        "t": effect.t,
        "difference": effect.difference,
        "ciLow": effect.ci_low,
        "ciHigh": effect.ci_high,
        "hedgesG": effect.hedges_g,
        "gLow": effect.g_low,
        "gHigh": effect.g_high,
        "partialR2": effect.partial_r2,
        "n": effect.n,
        "tfce": comparison.statistic,
        "p": comparison.p,
        "pFdr": comparison.p_fdr,
        "pFwe": comparison.p_fwe,
        "pFweAll": p_all,
    }


def cluster_table(
    sample: Sample,
    comparisons: Comparisons,
    corrected: Corrected,
    trial: Trial,
    atlases: Sequence[AtlasSource] = (),
    space: str | None = None,
) -> pd.DataFrame:
    """List the significant clusters.

    Parameters
    ----------
    sample : sample.Sample
        Of voxels or grayordinates.
    comparisons : dict of stats.Comparison
    corrected : dict of (V,) ndarray
        p over all features.
    trial : settings.Trial
    atlases : sequence of AtlasSource
        Which the clusters are labelled by.
    space : str, optional
        Of the grid.

    Returns
    -------
    DataFrame
        A row per cluster of voxels with p_fwe of alpha or less; coordinates in mm of the template space.
    """
    grid, design = cast(Nodes, sample.grid), sample.design
    neighbours, coordinates = grid.neighbours(trial.connectivity), grid.coordinates
    rows, clusters = [], []
    for (feature, analysis), comparison in comparisons.items():
        for cluster in stats.find_clusters(comparison.p_fwe, comparison.statistic, neighbours, trial.alpha):
            clusters.append(cluster)
            peak = coordinates[cluster.peak]
            centre = coordinates[cluster.nodes].mean(axis=0)
            rows.append(
                {
                    "metric": feature.metric,
                    "edges": feature.edges,
                    "estimator": analysis.key,
                    "role": feature_role(trial, feature, analysis.estimator),
                    "direction": analysis.direction(cluster.sign, design),
                    "n_voxels": len(cluster.nodes),
                    "volume_mm3": len(cluster.nodes) * grid.node_size,
                    **dict(zip(("peak_x", "peak_y", "peak_z"), peak, strict=True)),
                    **dict(zip(("centre_x", "centre_y", "centre_z"), centre.round(1), strict=True)),
                    **_at(comparison, cluster.peak),
                    "p_fwe": comparison.p_fwe[cluster.peak],
                    "p_fwe_error": _error(comparison)[cluster.peak],
                    "p_fwe_all": corrected[feature, analysis][cluster.peak],
                }
            )
    table = pd.DataFrame(rows, columns=list(_cluster_columns()))
    return table.join(with_anatomy(clusters, grid, atlases, space)) if atlases else table


def _cluster_columns() -> dict[str, str]:
    places = {
        "role": _ROLE_TEXT,
        "direction": "Which arm, visit or end of the covariate has more",
        "n_voxels": "Voxels, or grayordinates, in the cluster",
        "volume_mm3": "Volume of the cluster in mm3; n/a on surfaces",
        **{f"peak_{axis}": f"{axis} of the voxel with the largest statistic, mm" for axis in "xyz"},
        **{f"centre_{axis}": f"{axis} of the centre of mass, mm" for axis in "xyz"},
    }
    values = {key: text for key, text in TABLE_COLUMNS.items() if key not in ("p", "p_fdr")}
    first = {key: values.pop(key) for key in ("metric", "edges", "estimator")}
    return {**first, **places, **values}


def _at(comparison: stats.Comparison, node: int) -> dict[str, Any]:
    names = ("t", "difference", "ci_low", "ci_high", "hedges_g", "g_low", "g_high", "partial_r2", "n")
    return {name: getattr(comparison.effect, name)[node] for name in names}


def _error(comparison: stats.Comparison) -> np.ndarray:
    return stats.monte_carlo_error(comparison.p_fwe, len(comparison.max_statistics), comparison.exhaustive)


NODE_COLUMNS = {
    "index": "Label of the parcel, or number of the measure or connection",
    "name": "Name of the parcel, measure or connection",
    "network": "Network of the parcel",
    **{axis: f"{axis} of the centre of the parcel, mm" for axis in "xyz"},
}
PAIR_COLUMNS = {
    **NODE_COLUMNS,
    "from": "One parcel",
    "to": "The other parcel",
    "component": "Number of the component of significant connections, as in the table of components; n/a if not "
    "significant",
}
PAINTED = ("t", "difference", "hedgesG", "p", "pFdr", "pFwe")
N_CONNECTIONS = 100  # listed of each feature and analysis, more only if more are significant


@_write.register
def _write_parcels(
    route: ParcelRoute, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    """Write the table of the parcels, and their results as maps."""
    tables = _write.dispatch(TableRoute)(route, settings, sample, comparisons, corrected)
    results = (
        (
            comparison_desc(*key),
            {stat: values for stat, values in _maps(comparison, corrected[key]).items() if stat in PAINTED},
            _sidecar(settings, route, sample.design, key, comparison),
        )
        for key, comparison in comparisons.items()
    )
    return [*tables, *paint(settings, route, sample, results)]


@_write.register
def _write_connections(
    route: ConnectionRoute, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    """Write the connections that matter, their components, and a matrix of each statistic."""
    folder, listed, components, written = settings.group_dir, [], [], []
    parcels = cast(pd.DataFrame, sample.parcels).drop(columns=["first", "second"])
    pairs = cast(np.ndarray, sample.pairs)
    for key, comparison in comparisons.items():
        feature, analysis = key
        role = feature_role(settings.trial, feature, analysis.estimator)
        found = stats.find_components(comparison.p_fwe, comparison.statistic, pairs, settings.trial.alpha)
        number = np.full(len(parcels), np.nan)
        for rank, component in enumerate(found, start=1):
            number[component.nodes] = rank
            components.append(_component(sample, key, comparison, component) | {"component": rank})
        table = nodal_table(parcels, key, comparison, corrected[key]).assign(role=role)
        table.insert(4, "component", cast(Any, pd.array(number, dtype="Int64")))
        first = table.sort_values(["p_fwe", "p"], kind="stable").index[:N_CONNECTIONS]
        listed.append(table[table.index.isin(first) | table["component"].notna()])
        written += _write_matrices(settings, route, sample, key, comparison)
    path = folder / group_name(route, sample.design, route.table, ".tsv")
    save_described(path, pd.concat(listed), {**PAIR_COLUMNS, **TABLE_COLUMNS, "role": _ROLE_TEXT})
    beside = folder / group_name(route, sample.design, "components", ".tsv")
    save_described(beside, pd.DataFrame(components, columns=list(COMPONENT_COLUMNS)), COMPONENT_COLUMNS)
    return [*written, path, beside]


COMPONENT_COLUMNS = {
    "metric": TABLE_COLUMNS["metric"],
    "edges": TABLE_COLUMNS["edges"],
    "estimator": TABLE_COLUMNS["estimator"],
    "component": "Number, from the smallest p",
    "direction": "Which arm has more",
    "n_connections": "Significant connections that hang together",
    "n_parcels": "Parcels that they join",
    "hubs": "The five parcels with the most of these connections, and how many",
    "strongest": "The connection with the largest statistic",
    "statistic": "Largest statistic: connections in the component (nbs), their sum of z (nbs-intensity), TFNBS, or t",
    "hedges_g": "Mean Hedges g over the connections",
    "p_fwe": "Smallest p corrected over all connections and both signs by the maximum statistic",
}


def _component(sample: Sample, key: Key, comparison: stats.Comparison, component: stats.Cluster) -> dict[str, Any]:
    feature, analysis = key
    effect, parcels = cast(stats.Effect, comparison.effect), cast(pd.DataFrame, sample.parcels)
    rows = parcels.iloc[component.nodes]
    hubs = pd.concat([rows["from"], rows["to"]]).value_counts()
    return {
        "metric": feature.metric,
        "edges": feature.edges,
        "estimator": analysis.key,
        "direction": analysis.direction(component.sign, sample.design),
        "n_connections": len(rows),
        "n_parcels": len(hubs),
        "hubs": "; ".join(f"{name} {count}" for name, count in hubs.head(5).items()),
        "strongest": parcels["name"].iloc[component.peak],
        "statistic": comparison.statistic[component.peak],
        "hedges_g": effect.hedges_g[component.nodes].mean(),
        "p_fwe": comparison.p_fwe[component.nodes].min(),
    }


def _write_matrices(
    settings: Settings, route: ConnectionRoute, sample: Sample, key: Key, comparison: stats.Comparison
) -> list[Path]:
    """Write t, Hedges g and the p values as matrices of all parcels."""
    parcels, written = cast(pd.DataFrame, sample.parcels), []
    names = _names_of_pairs(parcels)
    place = {name: position for position, name in enumerate(names)}
    one, other = (parcels[end].map(place).to_numpy() for end in ("from", "to"))
    maps, sidecar = _maps(comparison, comparison.p_fwe), _sidecar(settings, route, sample.design, key, comparison)
    for stat in ("t", "hedgesG", "p", "pFwe"):
        matrix = np.full((len(names), len(names)), np.nan)
        matrix[one, other] = matrix[other, one] = maps[stat]
        desc = camel([route.entities.get("desc"), comparison_desc(*key)])
        path = settings.group_dir / group_name(route, sample.design, "relmat", ".tsv", stat=stat, desc=desc)
        save_json(sidecar_of(path), sidecar(stat))
        save_table(path, pd.DataFrame(matrix, index=names, columns=names), index=True, index_label="name")
        written.append(path)
    return written


def _names_of_pairs(pairs: pd.DataFrame) -> list[str]:
    """Return the names of the parcels, in their order in the atlas."""
    ends = pd.concat([pairs[["first", "from"]].set_axis(["place", "name"], axis=1),
                      pairs[["second", "to"]].set_axis(["place", "name"], axis=1)])  # fmt: skip
    return ends.drop_duplicates("place").sort_values("place")["name"].tolist()


def nodal_table(parcels: pd.DataFrame, key: Key, comparison: stats.Comparison, p_all: np.ndarray) -> pd.DataFrame:
    """List the result of one feature and analysis at every parcel."""
    feature, analysis = key
    return with_results(parcels.assign(metric=feature.metric, edges=feature.edges), analysis.key, comparison, p_all)


def compare_alone(
    table: pd.DataFrame, sample: Sample, visits: Mapping[str | None, np.ndarray], trial: Trial
) -> pd.DataFrame:
    """Compare values that have no neighbours, with one correction over all: the statistic is t.

    Parameters
    ----------
    table : DataFrame
        A row for each of the K values.
    sample : sample.Sample
        Its maps are not read.
    visits : dict of (n, K) ndarray
        By the session of the visit.
    trial : settings.Trial

    Returns
    -------
    DataFrame
        With the results of the headline's estimator, draws and standard errors.
    """
    analysis = Analysis(trial.estimator)
    comparison = run_analysis(analysis, replace(sample, grid=None, parcels=None), visits, trial)
    return with_results(table, analysis.key, comparison, comparison.p_fwe).drop(columns="p_fwe_all")


def with_results(table: pd.DataFrame, estimator: str, comparison: stats.Comparison, p_all: np.ndarray) -> pd.DataFrame:
    """Add the columns of a result to a table with a row per value tested."""
    effect = cast(stats.Effect, comparison.effect)
    return table.assign(
        estimator=estimator,
        t=effect.t,
        difference=effect.difference,
        ci_low=effect.ci_low,
        ci_high=effect.ci_high,
        hedges_g=effect.hedges_g,
        g_low=effect.g_low,
        g_high=effect.g_high,
        partial_r2=effect.partial_r2,
        n=effect.n,
        p=comparison.p,
        p_fwe=comparison.p_fwe,
        p_fwe_error=_error(comparison),
        p_fwe_all=p_all,
        p_fdr=comparison.p_fdr,
    )
