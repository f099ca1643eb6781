"""The files of one scan: which there are, what they are called, and what their sidecars say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bids_app.bids.files import save_figure, save_image, save_map
from bids_app.bids.names import build, folder, is_surface, label
from bids_app.bids.result_names import figure_path, map_desc, resolution
from bids_app.bids.runs import BoldRun
from bids_app.bids.scan_facts import ScanFacts
from bids_app.graph import EdgeRule
from bids_app.graph.features import AREA, FULL, Feature, edges_text
from bids_app.graph.voxels import VoxelGraph
from bids_app.settings.settings import Graph, Measured
from bids_app.space.grid import Nodes, z_score
from bids_app.system.provenance import digest_of_file


def at_all_nodes(maps: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
    """Spread maps of the nodes that have a signal over all nodes, NaN elsewhere."""
    spread = {}
    for key, values in maps.items():
        spread[key] = np.full(present.size, np.nan)
        spread[key][present] = values
    return spread


def by_feature(values_by_rule: Mapping[str, Mapping[str, np.ndarray]], options: Measured) -> dict[Feature, np.ndarray]:
    """Sort the values of the graphs of all rules by feature, and add the areas over the densities.

    Parameters
    ----------
    values_by_rule : dict of dict of (N,) ndarray
        For the label of each rule, a map per metric.
    options : settings.Measured

    Returns
    -------
    dict of (N,) ndarray
        Keyed by Feature, in the order of ``options.mapped``.
    """
    first = next(iter(values_by_rule.values()))
    densities = sorted(options.densities)
    values = {}
    for feature in options.mapped:
        metric = feature.metric
        if metric not in first:
            continue
        if feature.edges == FULL:
            values[feature] = first[metric]
        elif feature.edges == AREA:
            curve = [values_by_rule[EdgeRule("density", density).label][metric] for density in densities]
            values[feature] = np.trapezoid(curve, densities, axis=0)
        else:
            values[feature] = values_by_rule[feature.edges][metric]
    return values


def graph_facts(graph: VoxelGraph, rule: EdgeRule) -> dict[str, Any]:
    """Return what the sidecars say about the graph of a rule, in BIDS spelling."""
    return {
        "EdgeRule": rule_text(rule.label),
        "Threshold": graph.threshold,
        "NumberOfNodes": graph.n_nodes,
        "NumberOfEdges": graph.n_edges,
        "Density": graph.density,
        "MeanDegree": graph.mean_degree,
    }


def rule_text(edges: str) -> str:
    """Say in a sidecar which pairs of voxels are joined."""
    if edges == FULL:
        return "all correlations, without a threshold; no self-connections"
    what = edges_text(edges) if edges == AREA else f"Pearson correlation: {edges_text(edges)}"
    return f"{what}; self-connections and negative correlations are no edges"


@dataclass(frozen=True, kw_only=True)
class MapFacts:
    """What the sidecars of a scan's maps say.

    Attributes
    ----------
    present : (N,) bool ndarray
        Nodes with a signal.
    scan : ScanFacts
    graphs : dict of dict
        For the label of each rule, what is true of its graph, in BIDS spelling.
    """

    present: np.ndarray
    scan: ScanFacts
    graphs: Mapping[str, dict[str, Any]]


def write_maps(
    output_dir: Path, run: BoldRun, grid: Nodes, maps: Mapping[Feature, np.ndarray], facts: MapFacts, options: Graph
) -> list[Path]:
    """Write the node mask, and every map as measured, z-scored, and both smoothed.

    Parameters
    ----------
    output_dir : Path
    run : runs.BoldRun
    grid : grid.Grid or surface.Surface
    maps : dict of (N,) ndarray
        Keyed by Feature; NaN at nodes without a signal, and where a measure is undefined.
    facts : MapFacts
    options : settings.Graph

    Returns
    -------
    list of Path
    """
    entities, present = _map_entities(run, options), facts.present
    place = output_dir / folder(entities)
    common = facts.scan.to_json() | {"NumberOfNodes": int(present.sum())} | _spatial(options, run)
    mask_path = place / _node_mask_name(entities, grid)
    save_image(
        mask_path,
        grid.within(_spread(grid.mask, present)).mask_image(),
        common | {"Type": "ROI", "Description": "Nodes of the graph that have a signal."},
    )
    written = [mask_path]
    for feature, values in maps.items():
        graph = facts.graphs.get(feature.edges, {"EdgeRule": rule_text(feature.edges)})
        for kind, smoothed, final in _versions(grid, feature, values, options):
            name = {**entities, "stat": label(feature.metric)}
            name["desc"] = map_desc(options, feature.edges, kind, smoothed)
            written.append(place / build(name, "boldmap", grid.extension))
            described = _described(feature, kind, options.smooth_maps if smoothed else None)
            save_map(written[-1], grid, final, common | graph | _summary(values) | described)
    return written


def _node_mask_name(entities: Mapping[str, str], grid: Nodes) -> str:
    """Name the mask of the nodes; of grayordinates there is no mask in BIDS."""
    if grid.extension == ".nii.gz":
        return build({**entities, "desc": "nodes"}, "mask", grid.extension)
    return build(entities, "nodes", grid.extension)


def _spread(mask: np.ndarray, present: np.ndarray) -> np.ndarray:
    kept = mask.copy()
    kept[mask] = present
    return kept


def _versions(
    grid: Nodes, feature: Feature, values: np.ndarray, options: Graph
) -> Iterator[tuple[str, bool, np.ndarray]]:
    """Yield a map as measured and z-scored, each as it is and smoothed; labels as they are only."""
    yield "raw", False, values
    if feature.measure.is_label:
        return
    scaled = z_score(values)
    yield "z", False, scaled
    if options.smooth_maps:
        yield "raw", True, grid.smoothed(values, options.smooth_maps)
        yield "z", True, grid.smoothed(scaled, options.smooth_maps)


def _summary(values: np.ndarray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return {"NumberOfNodesDefined": 0}
    return {
        "NumberOfNodesDefined": known.size,
        "Mean": float(known.mean()),
        "StandardDeviation": float(known.std()),
    }


def _map_entities(run: BoldRun, options: Graph) -> dict[str, str]:
    res = None if is_surface(run.bold) else resolution(options)
    return {**run.entities, "res": res} if res else run.entities


def _spatial(options: Graph, run: BoldRun) -> dict[str, Any]:
    space = run.entities.get("space")
    if is_surface(run.bold):
        return {"SpatialReference": space, "Resolution": "the grayordinates of the BOLD data"}
    size = f"{options.voxel_size} mm isotropic analysis grid" if options.voxel_size else "the grid of the BOLD data"
    mask = {"gm": "grey matter of the ICBM 2009a template", "brain": "brain of the ICBM 2009a template"}
    return {
        "SpatialReference": space,
        "Resolution": size,
        "SkullStripped": True,
        "AnalysisMask": mask.get(options.mask) or _own_mask(Path(options.mask)),
    }


def _own_mask(path: Path) -> str:
    """Name a mask of the user by its content too: another may lie at the same place later."""
    return f"{path.name} (SHA-256 {digest_of_file(path)[:16]})"


def _described(feature: Feature, kind: str, fwhm: float | None) -> dict[str, Any]:
    measure = feature.measure
    scale = "z-scored over the nodes with a signal" if kind == "z" else "as measured"
    smoothing = f", smoothed within them by a Gaussian of {fwhm:g} mm FWHM" if fwhm else ""
    return {
        "Description": f"{feature.title}: {measure.description} Values {scale}{smoothing}.",
        "Measure": feature.metric,
        "Title": feature.title,
        "Reference": measure.reference,
        "Units": "1" if kind == "z" else feature.unit,
        "SmoothingFWHM": fwhm,
    }


def write_figures(output_dir: Path, run: BoldRun, drawn: Mapping[str, Any], options: Graph) -> list[Path]:
    """Write a scan's figures, named as its maps are, by what they show."""
    paths = []
    for what, figure in drawn.items():
        paths.append(figure_path(output_dir, _map_entities(run, options), what))
        save_figure(paths[-1], figure)
    return paths
