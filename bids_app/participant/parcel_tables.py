"""The files of the parcels of one scan: series, matrices, nodal and global tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import save_json, save_matrix, save_table, sidecar_of
from bids_app.bids.names import build, folder
from bids_app.bids.result_names import MATRIX_STATS, label_of, parcel_desc
from bids_app.graph import (
    GLOBALS,
    MATRICES,
    MEASURES,
    EdgeRule,
    Linking,
    Nulls,
    global_measures,
    nodal_measures,
)
from bids_app.graph.features import AREA, FULL, Feature, edges_text
from bids_app.graph.wholegraph import N_PARTITIONS, WholeGraph
from bids_app.participant.map_files import by_feature, rule_text
from bids_app.participant.parcel_series import Parcels
from bids_app.settings.settings import ParcelGraph


@dataclass(frozen=True)
class ParcelGraphs:
    """The graphs that one matrix of a scan's parcels makes.

    Attributes
    ----------
    label : str
        Key of `settings.ParcelGraph.kinds`.
    matrix : str
        Key of `graph.MATRICES`.
    linking : Linking
    values : (P, P) float64 ndarray
        As they are written.
    nodes : dict of (P,) ndarray
        Keyed by Feature.
    whole : dict of WholeGraph
        For the label of each rule.
    nulls : Nulls
    """

    label: str
    matrix: str
    linking: Linking
    values: np.ndarray
    nodes: dict[Feature, np.ndarray]
    whole: dict[str, WholeGraph]
    nulls: Nulls


def graphs_of(
    matrix_of: Callable[[str], np.ndarray],
    options: ParcelGraph,
    given: Mapping[str, np.ndarray | None],
    distance: float,
) -> list[ParcelGraphs]:
    """Make every graph of a scan's parcels that the options ask for.

    Parameters
    ----------
    matrix_of : callable
        Returns the (P, P) matrix of a kind, as `Parcels.matrix`.
    options : settings.ParcelGraph
    given : dict
        ``coordinates`` and ``modules`` of the parcels, None where they are not known; measures that need them are
        left out then.
    distance : float
        What divides short from long edges, mm.

    Returns
    -------
    list of ParcelGraphs
    """
    metrics = [name for name in options.metrics if given.get(MEASURES[name].needs, True) is not None]
    nulls, graphs = Nulls(options.n_null_graphs, options.random_seed), []
    for kind, (matrix, linking) in options.kinds.items():
        values = matrix_of(matrix)
        r = np.tanh(values) if matrix == "fisher" else values
        nodes = {
            rule.label: nodal_measures(r, rule, metrics, linking=linking, distance=distance, **given)
            for rule in options.rules
        }
        whole = {rule.label: global_measures(r, rule, linking=linking, nulls=nulls) for rule in options.rules}
        graphs.append(ParcelGraphs(kind, matrix, linking, values, by_feature(nodes, options), whole, nulls))
    return graphs


def write_parcels(output_dir: Path, parcels: Parcels, graphs: Iterable[ParcelGraphs]) -> list[Path]:
    """Write the time series, the matrices, the nodal and the global tables of one scan and atlas.

    Parameters
    ----------
    output_dir : Path
    parcels : parcel_series.Parcels
    graphs : list of ParcelGraphs

    Returns
    -------
    list of Path
    """
    place, names = output_dir / folder(parcels.entities), list(parcels.table["name"])
    common = parcels.facts.to_json()
    written = [_write_series(place, common, parcels, names)] if parcels.series is not None else []
    for one in graphs:
        path = place / build({**parcels.entities, "stat": MATRIX_STATS[one.matrix]}, "relmat", ".tsv")
        text = f"{MATRICES[one.matrix]} of the parcels' series{', as it was received' * (parcels.series is None)}."
        save_json(sidecar_of(path), common | {"Description": text, "Directed": False, "Weighted": True})
        save_matrix(path, one.values, names, names)
        written += [path, *_write_nodes(place, common, parcels, one), *_write_globals(place, common, parcels, one)]
    return written


def _write_series(place: Path, common: dict[str, Any], parcels: Parcels, names: Sequence[str]) -> Path:
    path = place / build({**parcels.entities, "stat": "mean"}, "timeseries", ".tsv")
    text = "Mean clean signal of each parcel, a row per volume that was kept."
    save_json(sidecar_of(path), common | {"Description": text})
    save_matrix(path, np.asarray(parcels.series).T, names)
    return path


def _write_nodes(place: Path, common: dict[str, Any], parcels: Parcels, graphs: ParcelGraphs) -> list[Path]:
    named, written = parcels.table, []
    if parcels.networks is not None:
        named = named.assign(network=[network or "n/a" for network in parcels.networks])
    if parcels.coordinates is not None:
        named = named.assign(**dict(zip("xyz", np.round(parcels.coordinates, 2).T, strict=True)))
    for edges in dict.fromkeys(feature.edges for feature in graphs.nodes):
        some = {feature: values for feature, values in graphs.nodes.items() if feature.edges == edges}
        desc = parcel_desc(parcels.entities.get("desc", ""), graphs.label, edges)
        written.append(place / build({**parcels.entities, "desc": desc}, "nodes", ".tsv"))
        facts = {"Description": "Graph measures of each parcel.", **_linked(graphs, edges)}
        if edges in graphs.whole:
            facts["Graph"] = graphs.whole[edges].facts | {"density": graphs.whole[edges].measures["density"]}
        save_json(sidecar_of(written[-1]), common | facts | _columns(some))
        columns = {label_of(feature.metric): values for feature, values in some.items()}
        save_table(written[-1], named.assign(**columns))
    return written


def _write_globals(place: Path, common: dict[str, Any], parcels: Parcels, graphs: ParcelGraphs) -> list[Path]:
    """Write the measures of the whole graphs, one row per file, and the areas under them over the densities."""
    measures = {edges: whole.measures for edges, whole in graphs.whole.items()}
    densities = sorted(rule.value for rule in map(EdgeRule.parse, measures) if rule.kind == "density")
    if len(densities) > 1:
        curve = [measures[EdgeRule("density", density).label] for density in densities]
        measures[AREA] = {name: np.trapezoid([one[name] for one in curve], densities) for name in GLOBALS}
    written = []
    for edges, values in measures.items():
        desc = parcel_desc(parcels.entities.get("desc", ""), graphs.label, edges)
        written.append(place / build({**parcels.entities, "desc": desc}, "global", ".tsv"))
        facts = {
            "Description": "Graph measures of all parcels together.",
            **_linked(graphs, edges),
            "NumberOfNullGraphs": graphs.nulls.n_graphs,
            "RandomSeed": graphs.nulls.seed,
            "NumberOfLouvainRuns": N_PARTITIONS,
            "Graph": graphs.whole[edges].facts if edges in graphs.whole else None,
        }
        columns = {
            label_of(name): {
                "Description": measure.description,
                "Units": f"{measure.unit} × density" if edges == AREA else measure.unit,
            }
            for name, measure in GLOBALS.items()
        }
        save_json(sidecar_of(written[-1]), common | facts | columns)
        save_table(written[-1], pd.DataFrame([{label_of(name): value for name, value in values.items()}]))
    return written


def _linked(graphs: ParcelGraphs, edges: str) -> dict[str, Any]:
    """Return what the sidecars say of the edges of a parcel graph."""
    if edges == FULL:
        return {"Matrix": MATRICES[graphs.matrix], "EdgeRule": rule_text(FULL)}
    rule = edges_text(edges)
    if graphs.linking.negative != "drop":
        rule = rule.replace("r >", "|r| >")
    return {
        "Matrix": MATRICES[graphs.matrix],
        "EdgeRule": f"{rule}; no self-connections; {graphs.linking.text}",
        "NegativeEdges": graphs.linking.negative,
        "Backbone": graphs.linking.backbone,
    }


def _columns(nodes: Iterable[Feature]) -> dict[str, Any]:
    columns = {
        "coverage": {
            "Description": "Share of the parcel's nodes in the analysis mask that have a signal",
            "Units": "1",
        },
        **{axis: {"Description": f"{axis} of the centre of the parcel's nodes", "Units": "mm"} for axis in "xyz"},
    }
    for feature in nodes:
        described = {"Description": feature.measure.description, "Units": feature.unit}
        columns[label_of(feature.metric)] = described
    return columns
