"""The results of the group level: maps, cluster table, nodal table."""

from collections.abc import Callable, Mapping
from functools import singledispatch
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.files import save_described, save_json, save_map, save_matrix, sidecar_of
from bids_app.bids.result_names import group_name
from bids_app.graph.features import camel
from bids_app.group.analyses import Test
from bids_app.group.cluster_results import write_clusters
from bids_app.group.drawn import record_draws
from bids_app.group.map_sidecars import correction_of, inference_of_map, model_of, of_route, software
from bids_app.group.painting import paint
from bids_app.group.result_tables import (
    COMPONENT_COLUMNS,
    NODE_COLUMNS,
    PAIR_COLUMNS,
    ROLE_TEXT,
    STATISTICS,
    TABLE_COLUMNS,
    nodal_table,
)
from bids_app.group.routes import ConnectionRoute, MapRoute, ParcelRoute, Route, TableRoute
from bids_app.group.sample import Sample
from bids_app.settings.settings import Settings
from bids_app.space.grid import Nodes

Comparisons = Mapping[Test, stats.Comparison]
Corrected = Mapping[Test, np.ndarray]  # p over all features


def write_results(settings: Settings, route: Route, sample: Sample, comparisons: Comparisons) -> list[Path]:
    """Write all files of one route.

    Parameters
    ----------
    settings : Settings
    route : routes.Route
    sample : sample.Sample
    comparisons : dict of stats.Comparison
        By test.

    Returns
    -------
    list of Path
    """
    corrected = _across_metrics(comparisons)
    if settings.trial.until_settled:
        record_draws(settings.group_dir / group_name(route, sample.design, "design", ".json"), comparisons)
    return _write(route, settings, sample, comparisons, corrected)


def _across_metrics(comparisons: Comparisons) -> dict[Test, np.ndarray]:
    """Return p corrected over the features of each analysis."""
    corrected: dict[Test, np.ndarray] = {}
    for analysis in {test.analysis for test in comparisons}:
        tests = [test for test in comparisons if test.analysis == analysis]
        corrected |= dict(zip(tests, stats.across([comparisons[test] for test in tests]), strict=True))
    return corrected


@singledispatch
def _write(
    route: Route, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    """Write the table of a route's nodes."""
    parcels, tables = cast(pd.DataFrame, sample.parcels), []
    for test, comparison in comparisons.items():
        table = nodal_table(parcels, test, comparison, corrected[test])
        tables.append(table.assign(role=test.role(settings.trial)))
    path = settings.group_dir / group_name(route, sample.design, route.table, ".tsv")
    save_described(path, pd.concat(tables), {**NODE_COLUMNS, **TABLE_COLUMNS, "role": ROLE_TEXT})
    return [path]


@_write.register
def _write_maps(
    route: MapRoute, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    folder, grid, written = settings.group_dir, cast(Nodes, sample.grid), []
    for test, comparison in comparisons.items():
        sidecar = _sidecar(settings, route, sample, test, comparisons)
        for statistic, values in _maps(comparison, corrected[test]).items():
            name = group_name(route, sample.design, "statmap", grid.extension, stat=statistic, desc=test.desc)
            save_map(folder / name, grid, values, sidecar(statistic))
            written.append(folder / name)
    return [*written, *write_clusters(settings, route, sample, comparisons, corrected)]


def _sidecar(
    settings: Settings, route: Route, sample: Sample, test: Test, comparisons: Comparisons
) -> Callable[[str], dict[str, Any]]:
    """Return what makes the sidecar of a map of one statistic."""
    trial, design, comparison, analysis = settings.trial, sample.design, comparisons[test], test.analysis
    family = [other.feature for other in comparisons if other.analysis == analysis]
    of_test = model_of(analysis, sample, trial, route.node) | inference_of_map(analysis, design, comparison, trial)

    def sidecar(statistic: str) -> dict[str, Any]:
        said = design.words.of(STATISTICS[statistic]) if design.treatments else STATISTICS[statistic]
        return {
            "Description": f"{said}: {test.feature.title}; {of_test['Contrast']}.",
            "Estimator": analysis.text(route.node, design),
            "Role": test.role(trial),
            **of_test,
            **correction_of(statistic, comparison, route.node, family),
            **of_route(route, trial),
            "DegreesOfFreedom": comparison.effect.df,
            "Software": software(),
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


PAINTED = ("t", "difference", "hedgesG", "p", "pFdr", "pFwe")
N_CONNECTIONS = 100  # listed of each test, more only if more are significant


@_write.register
def _write_parcels(
    route: ParcelRoute, settings: Settings, sample: Sample, comparisons: Comparisons, corrected: Corrected
) -> list[Path]:
    """Write the table of the parcels, and their results as maps."""
    tables = _write.dispatch(TableRoute)(route, settings, sample, comparisons, corrected)
    results = (
        (
            test.desc,
            {stat: values for stat, values in _maps(comparison, corrected[test]).items() if stat in PAINTED},
            _sidecar(settings, route, sample, test, comparisons),
        )
        for test, comparison in comparisons.items()
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
    for test, comparison in comparisons.items():
        found = stats.find_components(comparison.p_fwe, comparison.statistic, pairs, settings.trial.alpha)
        number = np.full(len(parcels), np.nan)
        for rank, component in enumerate(found, start=1):
            number[component.nodes] = rank
            components.append(_component(sample, test, comparison, component) | {"component": rank})
        table = nodal_table(parcels, test, comparison, corrected[test]).assign(role=test.role(settings.trial))
        table.insert(4, "component", cast(Any, pd.array(number, dtype="Int64")))
        first = table.sort_values(["p_fwe", "p"], kind="stable").index[:N_CONNECTIONS]
        listed.append(table[table.index.isin(first) | table["component"].notna()])
        written += _write_matrices(settings, route, sample, test, comparisons)
    path = folder / group_name(route, sample.design, route.table, ".tsv")
    save_described(path, pd.concat(listed), {**PAIR_COLUMNS, **TABLE_COLUMNS, "role": ROLE_TEXT})
    beside = folder / group_name(route, sample.design, "components", ".tsv")
    save_described(beside, pd.DataFrame(components, columns=list(COMPONENT_COLUMNS)), COMPONENT_COLUMNS)
    return [*written, path, beside]


def _component(sample: Sample, test: Test, comparison: stats.Comparison, component: stats.Cluster) -> dict[str, Any]:
    effect, parcels = cast(stats.Effect, comparison.effect), cast(pd.DataFrame, sample.parcels)
    rows = parcels.iloc[component.nodes]
    hubs = pd.concat([rows["from"], rows["to"]]).value_counts()
    return {
        "measure": test.feature.metric,
        "edges": test.feature.edges,
        "estimator": test.analysis.key,
        "direction": test.analysis.direction(component.sign, sample.design),
        "n_connections": len(rows),
        "n_parcels": len(hubs),
        "hubs": "; ".join(f"{name} {count}" for name, count in hubs.head(5).items()),
        "strongest": parcels["name"].iloc[component.peak],
        "statistic": comparison.statistic[component.peak],
        "hedges_g": effect.hedges_g[component.nodes].mean(),
        "p_fwe": comparison.p_fwe[component.nodes].min(),
    }


def _write_matrices(
    settings: Settings, route: ConnectionRoute, sample: Sample, test: Test, comparisons: Comparisons
) -> list[Path]:
    """Write t, Hedges g and the p values as matrices of all parcels."""
    parcels, written = cast(pd.DataFrame, sample.parcels), []
    names = _names_of_pairs(parcels)
    place = {name: position for position, name in enumerate(names)}
    one, other = (parcels[end].map(place).to_numpy() for end in ("from", "to"))
    maps = _maps(comparisons[test], comparisons[test].p_fwe)
    sidecar = _sidecar(settings, route, sample, test, comparisons)
    for stat in ("t", "hedgesG", "p", "pFwe"):
        matrix = np.full((len(names), len(names)), np.nan)
        matrix[one, other] = matrix[other, one] = maps[stat]
        desc = camel([route.entities.get("desc"), test.desc])
        path = settings.group_dir / group_name(route, sample.design, "relmat", ".tsv", stat=stat, desc=desc)
        save_json(sidecar_of(path), sidecar(stat))
        save_matrix(path, matrix, names, names)
        written.append(path)
    return written


def _names_of_pairs(pairs: pd.DataFrame) -> list[str]:
    """Return the names of the parcels, in their order in the atlas."""
    ends = pd.concat([pairs[["first", "from"]].set_axis(["place", "name"], axis=1),
                      pairs[["second", "to"]].set_axis(["place", "name"], axis=1)])  # fmt: skip
    return ends.drop_duplicates("place").sort_values("place")["name"].tolist()
