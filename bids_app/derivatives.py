"""The files of one scan: which there are, what they are called, and what their sidecars say."""

import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.graph import MEASURES
from bids_app.grid import smooth, z_score
from bids_app.names import build, folder, label
from bids_app.outputs import figure_path, save_figure, save_image, save_json, save_table, sidecar_of


def resolution(options):
    """Return the res label of the maps, or None on the grid of the data."""
    return f"{options.voxel_size}mm" if options.voxel_size else None


def map_desc(options, values="z", smoothed=True):
    """Return the desc label of a map.

    Examples
    --------
    >>> from bids_app.config import Graph
    >>> map_desc(Graph()), map_desc(Graph(), "raw", smoothed=False)
    ('r025zSmooth6', 'r025')
    """
    parts = [options.label, "z" if values == "z" else ""]
    if smoothed and options.smooth_maps:
        parts.append("Smooth" + f"{options.smooth_maps:g}".replace(".", "p"))
    return "".join(parts)


def at_all_nodes(maps, present):
    """Spread maps of the nodes that have a signal over all nodes, NaN elsewhere."""
    spread = {}
    for metric, values in maps.items():
        spread[metric] = np.full(present.size, np.nan)
        spread[metric][present] = values
    return spread


def graph_facts(graph):
    """Return what the sidecars say about a graph, in BIDS spelling."""
    return {
        "NumberOfNodes": graph.n_nodes,
        "NumberOfEdges": graph.n_edges,
        "Density": graph.density,
        "MeanDegree": graph.mean_degree,
    }


def write_maps(output_dir, run, grid, maps, facts, options):
    """Write the node mask, and every map as measured, z-scored, and both smoothed.

    Parameters
    ----------
    output_dir : Path
    run : inputs.BoldRun
    grid : grid.Grid
    maps : dict of (N,) ndarray
        NaN at nodes without a signal.
    facts : dict
        What is true of the scan and its graph.
    options : config.Graph

    Returns
    -------
    list of Path
    """
    entities = _map_entities(run, options)
    place = output_dir / folder(entities)
    common = _common(run, facts, options) | _spatial(options, run)
    present = np.isfinite(next(iter(maps.values())))
    mask_path = place / build({**entities, "desc": "nodes"}, "mask", ".nii.gz")
    node_image = grid.image(present, fill=0)
    node_image.set_data_dtype(np.uint8)
    save_image(
        mask_path,
        node_image,
        common | {"Type": "ROI", "Description": "Nodes of the graph that have a signal."},
    )
    written = [mask_path]
    for metric, values in maps.items():
        measured = common | {"Mean": float(np.nanmean(values)), "StandardDeviation": float(np.nanstd(values))}
        for kind, scaled in (("raw", values), ("z", z_score(values))):
            for smoothed in (False, True) if options.smooth_maps else (False,):
                final = smooth(grid, scaled, options.smooth_maps) if smoothed else scaled
                name = {**entities, "stat": label(metric), "desc": map_desc(options, kind, smoothed)}
                written.append(place / build(name, "boldmap", ".nii.gz"))
                described = measured | _described(metric, kind, options.smooth_maps if smoothed else None)
                save_image(written[-1], grid.image(final), described)
    return written


def _map_entities(run, options):
    return {**run.entities, "res": resolution(options) or run.entities.get("res")}


def _common(run, facts, options):
    return {
        "Scan": run.label,
        "Sources": list(run.sources),
        "Software": f"trialgraph {__version__}",
        "EdgeRule": f"Pearson r > {options.threshold:g}; self-connections and negative correlations are no edges",
        "Threshold": options.threshold,
        **facts,
    }


def _spatial(options, run):
    space = run.entities.get("space")
    size = f"{options.voxel_size} mm isotropic analysis grid" if options.voxel_size else "the grid of the BOLD data"
    mask = {"gm": "grey matter of the ICBM 2009a template", "brain": "brain of the ICBM 2009a template"}
    return {
        "SpatialReference": space,
        "Resolution": size,
        "SkullStripped": True,
        "AnalysisMask": mask.get(options.mask, options.mask),
    }


def _described(metric, kind, fwhm):
    measure = MEASURES[metric]
    scale = "z-scored over the nodes with a signal" if kind == "z" else "as measured"
    smoothing = f", smoothed within them by a Gaussian of {fwhm:g} mm FWHM" if fwhm else ""
    return {
        "Description": f"{measure.label}: {measure.description} Values {scale}{smoothing}.",
        "Measure": metric,
        "Units": "1" if kind == "z" else measure.unit,
        "SmoothingFWHM": fwhm,
    }


def write_parcels(output_dir, run, parcels, matrix, nodes, whole, options):
    """Write the time series, the correlation matrix and the nodal table of one scan and atlas.

    Parameters
    ----------
    output_dir : Path
    run : inputs.BoldRun or inputs.SeriesRun
    parcels : parcels.Parcels
    matrix : (P, P) float64 ndarray
    nodes : dict of (P,) ndarray
        One nodal measure each.
    whole : dict
        Values of the whole graph.
    options : config.Graph

    Returns
    -------
    list of Path
    """
    place, names = output_dir / folder(parcels.entities), list(parcels.table["name"])
    common = _common(run, parcels.facts, options) | {"Graph": whole}
    tables = {
        ("mean", "timeseries"): pd.DataFrame(parcels.series.T, columns=names),
        ("pearsoncorrelation", "relmat"): pd.DataFrame(matrix, columns=names, index=names),
        (None, "nodes"): parcels.table.assign(**{label_of(metric): values for metric, values in nodes.items()}),
    }
    described = {
        "timeseries": {"Description": "Mean clean signal of each parcel, a row per volume that was kept."},
        "relmat": {
            "Description": "Pearson correlation of the parcels' series.",
            "Directed": False,
            "Weighted": True,
        },
        "nodes": {"Description": "Graph measures of each parcel.", **_columns(nodes)},
    }
    written = []
    for (stat, suffix), table in tables.items():
        entities = {**parcels.entities, "stat": stat}
        if suffix == "nodes":
            entities["desc"] = "".join([parcels.entities.get("desc", ""), options.label])
        written.append(place / build(entities, suffix, ".tsv"))
        save_json(sidecar_of(written[-1]), common | described[suffix])
        save_table(written[-1], table, index=suffix == "relmat", index_label="name" if suffix == "relmat" else None)
    return written


def label_of(metric):
    """Return a metric's column name.

    Examples
    --------
    >>> label_of("clustering-weighted")
    'clustering_weighted'
    """
    return metric.replace("-", "_")


def _columns(nodes):
    columns = {
        "coverage": {
            "Description": "Share of the parcel's nodes in the analysis mask that have a signal",
            "Units": "1",
        }
    }
    for metric in nodes:
        measure = MEASURES[metric]
        columns[label_of(metric)] = {"Description": measure.description, "Units": measure.unit}
    return columns


def write_figures(output_dir, run, drawn, options):
    """Write a scan's figures, named as its maps are, by what they show."""
    paths = []
    for what, figure in drawn.items():
        paths.append(figure_path(output_dir, _map_entities(run, options), what))
        save_figure(paths[-1], figure)
    return paths
