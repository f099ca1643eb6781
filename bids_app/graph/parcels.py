"""Measures of a small graph, from its dense correlation matrix."""

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.spatial.distance import pdist, squareform

from bids_app.graph import coefficients
from bids_app.graph.edges import LARGEST_R
from bids_app.graph.measures import DEFAULT_METRICS, check_metrics
from bids_app.graph.rules import EdgeRule

THRESHOLD = EdgeRule("r", 0.25)


def nodal_measures(matrix, rule=THRESHOLD, metrics=DEFAULT_METRICS, *, coordinates=None, modules=None, distance=75.0):
    """Nodal measures of the graph that a rule makes of the correlations of parcels.

    Parameters
    ----------
    matrix : (P, P) array-like
        Symmetric correlations. A parcel without data has NaN in its whole row and column;
        it is not a node. The diagonal is not looked at.
    rule : EdgeRule
        Of equal correlations at the edge of a density, those that come first by row, then column, are edges.
    metrics : sequence of str
        Keys of `MEASURES`, which defines them.
    coordinates : (P, 3) array-like, optional
        Centres of the parcels in mm.
    modules : (P,) array-like, optional
        Network of each parcel by name; None or NaN for none.
    distance : float
        What divides short from long edges, mm.

    Returns
    -------
    dict of str to (P,) float64 ndarray
        NaN for the parcels without data.

    Raises
    ------
    ValueError
        If a parcel with data has NaN correlations with another, or a metric needs what is not given.

    See Also
    --------
    bids_app.graph.voxels.voxel_graphs : the same measures where the matrix is too large to hold.

    Examples
    --------
    >>> matrix = [[1, 0.5, 0.1], [0.5, 1, 0.75], [0.1, 0.75, 1]]
    >>> nodal_measures(matrix, EdgeRule("r", 0.25), ["degree", "strength"])
    {'degree': array([1., 2., 1.]), 'strength': array([0.5 , 1.25, 0.75])}
    """
    given = {"coordinates": coordinates, "modules": modules}
    check_metrics(metrics, [name for name, value in given.items() if value is not None])
    present, r = _correlations(matrix)
    for name, value in given.items():
        if value is not None and len(value) != len(present):
            raise ValueError(f"{name} are of {len(value)} parcels, the matrix is of {len(present)}")
    places = None if coordinates is None else np.asarray(coordinates, dtype=np.float64)[present]
    numbers = None if modules is None else _numbered(np.asarray(modules, dtype=object)[present])
    graph = DenseGraph(r, _weights(r, rule), places, numbers, distance)
    return {name: _put_back(_FORMULAS[name](graph), present) for name in metrics}


def global_measures(matrix, rule=THRESHOLD):
    """Size of the graph of the parcels with data, and means over its nodes.

    Parameters
    ----------
    matrix : (P, P) array-like
    rule : EdgeRule
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
    >>> measures = global_measures([[1, 0.5, 0.1], [0.5, 1, 0.0], [0.1, 0.0, 1]], EdgeRule("r", 0.25))
    >>> measures["n_edges"], measures["mean_strength"], measures["n_components"]
    (1, 0.333..., 2)
    """
    present, r = _correlations(matrix)
    weights = _weights(r, rule)
    n_nodes, n_edges = int(present.sum()), int(np.count_nonzero(weights)) // 2
    totals = {name: np.nansum(values) for name, values in nodal_measures(matrix, rule).items()}
    means = {f"mean_{name.replace('-', '_')}": float(total / max(n_nodes, 1)) for name, total in totals.items()}
    return {
        "n_nodes": n_nodes,
        "n_edges": n_edges,
        "density": 2 * n_edges / max(n_nodes * (n_nodes - 1), 1),
        **means,
        "n_components": connected_components(weights)[0] if n_nodes else 0,
    }


def _correlations(matrix):
    """Return which parcels are nodes, (P,) bool, and the correlations between these, with a diagonal of 0."""
    matrix = np.asarray(matrix, dtype=np.float64)
    present = ~np.isnan(matrix).all(axis=1)
    r = matrix[np.ix_(present, present)]
    np.fill_diagonal(r, 0)
    if np.isnan(r).any():
        raise ValueError(f"{np.isnan(r).any(axis=1).sum()} parcels have NaN in part of their row")
    return present, r


def _weights(r, rule):
    """Return the correlations of the pairs that are edges, 0 elsewhere."""
    if rule.kind == "r":
        return np.where(r > rule.value, r, 0)
    rows, columns = np.triu_indices(len(r), 1)
    strongest = np.argsort(-r[rows, columns], kind="stable")[: rule.n_edges(len(r))]
    strongest = strongest[r[rows, columns][strongest] > 0]
    weights = np.zeros_like(r)
    weights[rows[strongest], columns[strongest]] = r[rows, columns][strongest]
    return weights + weights.T


def _numbered(modules):
    """Give the modules numbers from 0, and -1 to parcels of none."""
    known = [module is not None and module == module for module in modules]  # NaN is not equal to itself
    names = {name: number for number, name in enumerate(sorted({str(name) for name in modules[known]}))}
    return np.array([names[str(name)] if there else -1 for name, there in zip(modules, known, strict=True)], dtype=int)


def _put_back(values, present):
    full = np.full(len(present), np.nan)
    full[present] = values
    return full


@dataclass(frozen=True)
class DenseGraph:
    """A graph of P nodes by its matrices, and what several measures share.

    Attributes
    ----------
    r : (P, P) float64 ndarray
        All correlations, diagonal 0.
    weights : (P, P) float64 ndarray
        Those of the edges, 0 elsewhere.
    coordinates : (P, 3) float64 ndarray or None
    modules : (P,) int ndarray or None
    distance : float
    """

    r: np.ndarray
    weights: np.ndarray
    coordinates: np.ndarray | None
    modules: np.ndarray | None
    distance: float

    @cached_property
    def adjacency(self):
        """1 where there is an edge."""
        return (self.weights > 0).astype(np.float64)

    @cached_property
    def degree(self):
        """Number of neighbours."""
        return self.adjacency.sum(axis=1)

    @cached_property
    def common(self):
        """Number of common neighbours of every pair."""
        return self.adjacency @ self.adjacency

    @cached_property
    def lengths(self):
        """Edges on the shortest path of every pair, infinite where there is none."""
        return shortest_path(self.adjacency, unweighted=True) if len(self.r) else self.adjacency

    @cached_property
    def inverse_lengths(self):
        """Inverse lengths summed over all others."""
        return np.divide(1, self.lengths, out=np.zeros_like(self.lengths), where=self.lengths > 0).sum(axis=1)

    @cached_property
    def short(self):
        """Number of neighbours within the distance."""
        near = squareform(pdist(self.coordinates)) <= self.distance if len(self.r) > 1 else np.zeros_like(self.r)
        return (self.adjacency * near).sum(axis=1)

    @cached_property
    def module_degrees(self):
        """Number of neighbours in each module, (P, M)."""
        return self.adjacency @ (self.modules[:, np.newaxis] == np.arange(self.modules.max(initial=-1) + 1))

    @cached_property
    def components(self):
        """Rank and size of each node's component."""
        labels = connected_components(self.adjacency)[1] if len(self.r) else np.empty(0, int)
        return coefficients.ranked_components(labels)

    @cached_property
    def similarity(self):
        """(1 + r) / 2, without self-connections."""
        return (1 + self.r) / 2 * ~np.eye(len(self.r), dtype=bool)


def _path_length_mean(graph):
    reached = np.isfinite(graph.lengths)
    return coefficients.path_length_mean(
        np.where(reached, graph.lengths, 0).sum(axis=1), reached.sum(axis=1).astype(float) - 1
    )


def _onnela(graph):
    roots = np.cbrt(graph.weights)
    return coefficients.onnela_clustering(graph.degree, (roots * (roots @ roots)).sum(axis=1))


def _core_numbers(graph):
    numbers = nx.core_number(nx.from_numpy_array(graph.adjacency))
    return np.array([numbers[node] for node in range(len(graph.r))], dtype=float)


def _leading(matrix):
    """Project the row sums on the eigenvectors of the largest eigenvalue; 0 for a graph without edges."""
    if not matrix.any():
        return np.zeros(len(matrix))
    values, vectors = np.linalg.eigh(matrix)
    leading = vectors[:, values >= values[-1] - 1e-9 * abs(values[-1])]
    vector = np.abs(leading @ (leading.T @ matrix.sum(axis=1)))
    return vector / np.linalg.norm(vector)


def _products(weights):
    triangles = np.einsum("ij,ij->i", weights @ weights, weights)
    return coefficients.product_clustering(triangles, np.abs(weights).sum(axis=1), np.square(weights).sum(axis=1))


_FORMULAS = {
    "degree": lambda graph: graph.degree,
    "strength": lambda graph: graph.weights.sum(axis=1),
    "clustering": lambda graph: coefficients.binary_clustering(
        graph.degree, (graph.adjacency * graph.common).sum(axis=1)
    ),
    "clustering-weighted": lambda graph: coefficients.weighted_clustering(
        graph.degree, graph.weights.sum(axis=1), (graph.weights * graph.common).sum(axis=1)
    ),
    "clustering-onnela": _onnela,
    "strength-fisher": lambda graph: np.arctanh(np.minimum(graph.weights, LARGEST_R)).sum(axis=1),
    "degree-short": lambda graph: graph.short,
    "degree-long": lambda graph: graph.degree - graph.short,
    "eigenvector": lambda graph: _leading(graph.adjacency),
    "eigenvector-weighted": lambda graph: _leading(graph.weights),
    "efficiency": lambda graph: coefficients.efficiency(graph.inverse_lengths, len(graph.r)),
    "path-length": lambda graph: coefficients.path_length(graph.inverse_lengths, len(graph.r)),
    "path-length-mean": _path_length_mean,
    "core-number": _core_numbers,
    "participation": lambda graph: coefficients.participation(graph.module_degrees, graph.modules >= 0),
    "module-degree": lambda graph: coefficients.module_degree(graph.module_degrees, graph.modules),
    "component": lambda graph: graph.components[0],
    "component-size": lambda graph: graph.components[1],
    "global-correlation": lambda graph: graph.r.sum(axis=1) / max(len(graph.r) - 1, 1),
    "strength-signed": lambda graph: graph.r.sum(axis=1),
    "clustering-zhang": lambda graph: _products(graph.similarity),
    "clustering-signed": lambda graph: _products(graph.r),
    "eigenvector-full": lambda graph: _leading(graph.similarity),
}
