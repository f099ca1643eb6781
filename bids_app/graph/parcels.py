"""Measures of a small graph, from its dense correlation matrix."""

import networkx as nx
import numpy as np

from bids_app.graph.clustering import binary_clustering, weighted_clustering
from bids_app.graph.measures import MEASURES, check_metrics, check_threshold


def nodal_measures(matrix, threshold=0.25, metrics=tuple(MEASURES)):
    """Nodal measures of the graph that joins two parcels where r > threshold.

    Parameters
    ----------
    matrix : (P, P) array-like
        Symmetric correlations. A parcel without data has NaN in its whole row and column;
        it is not a node. The diagonal is not looked at.
    threshold : float
        Pearson r in [0, 1). An edge is strictly above.
    metrics : sequence of str
        Keys of `MEASURES`, which defines them.

    Returns
    -------
    dict of str to (P,) float64 ndarray
        NaN for the parcels without data.

    Raises
    ------
    ValueError
        If a parcel with data has NaN correlations with another, or an option is out of its range.

    See Also
    --------
    bids_app.graph.voxels.voxel_graph : the same measures where the matrix is too large to hold.

    Examples
    --------
    >>> matrix = [[1, 0.5, 0.1], [0.5, 1, 0.75], [0.1, 0.75, 1]]
    >>> nodal_measures(matrix, 0.25, ["degree", "strength"])
    {'degree': array([1., 2., 1.]), 'strength': array([0.5 , 1.25, 0.75])}
    """
    check_metrics(metrics)
    present, weights = _weights(matrix, threshold)
    adjacency = (weights > 0).astype(np.float64)
    degree, strength = adjacency.sum(axis=1), weights.sum(axis=1)
    common = adjacency @ adjacency
    values = {
        "degree": degree,
        "strength": strength,
        "clustering": binary_clustering(degree, (adjacency * common).sum(axis=1)),
        "clustering-weighted": weighted_clustering(degree, strength, (weights * common).sum(axis=1)),
    }
    return {name: _put_back(values[name], present) for name in metrics}


def global_measures(matrix, threshold=0.25):
    """Size of the graph of the parcels with data, and means over its nodes.

    Parameters
    ----------
    matrix : (P, P) array-like
    threshold : float
        As for `nodal_measures`.

    Returns
    -------
    dict of str to int or float
        ``n_nodes``, ``n_edges``, ``density`` (edges over pairs), ``mean_degree``, ``mean_strength``,
        ``mean_clustering``, ``mean_clustering_weighted`` and ``n_components``. Means over no node are 0.

    Raises
    ------
    ValueError
        As `nodal_measures`.

    Examples
    --------
    >>> measures = global_measures([[1, 0.5, 0.1], [0.5, 1, 0.0], [0.1, 0.0, 1]], 0.25)
    >>> measures["n_edges"], measures["mean_strength"], measures["n_components"]
    (1, 0.333..., 2)
    """
    present, weights = _weights(matrix, threshold)
    n_nodes, n_edges = int(present.sum()), int(np.count_nonzero(weights)) // 2
    totals = {name: np.nansum(values) for name, values in nodal_measures(matrix, threshold).items()}
    means = {f"mean_{name.replace('-', '_')}": float(total / max(n_nodes, 1)) for name, total in totals.items()}
    return {
        "n_nodes": n_nodes,
        "n_edges": n_edges,
        "density": 2 * n_edges / max(n_nodes * (n_nodes - 1), 1),
        **means,
        "n_components": nx.number_connected_components(nx.from_numpy_array(weights)),
    }


def _weights(matrix, threshold):
    """Which parcels are nodes, (P,) bool, and the weights between these, 0 where there is no edge."""
    check_threshold(threshold)
    matrix = np.asarray(matrix, dtype=np.float64)
    present = ~np.isnan(matrix).all(axis=1)
    correlation = matrix[np.ix_(present, present)]
    if np.isnan(correlation).any():
        raise ValueError(f"{np.isnan(correlation).any(axis=1).sum()} parcels have NaN in part of their row")
    weights = np.where(correlation > threshold, correlation, 0)
    np.fill_diagonal(weights, 0)
    return present, weights


def _put_back(values, present):
    full = np.full(len(present), np.nan)
    full[present] = values
    return full
