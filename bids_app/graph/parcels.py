"""Measures of a small graph, from its dense correlation matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist, squareform

from bids_app.graph import bitrows, coefficients
from bids_app.graph.linking import THRESHOLD, edge_weights, fisher
from bids_app.graph.measures import DEFAULT_METRICS, UNSIGNED, check_metrics
from bids_app.graph.rules import EdgeRule, Linking
from bids_app.graph.spectrum import settled


def nodal_measures(  # noqa: PLR0913 - called by hand in notebooks, by keyword
    matrix: npt.ArrayLike,
    rule: EdgeRule = THRESHOLD,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    linking: Linking | None = None,
    coordinates: Sequence[Any] | np.ndarray | None = None,
    modules: Sequence[Any] | np.ndarray | None = None,
    distance: float = 75.0,
) -> dict[str, np.ndarray]:
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
    linking : Linking, optional
        What becomes of negative correlations, whether a spanning tree is kept, what the weights are.
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
        If a parcel with data has NaN correlations with another, or a metric needs what is not given, or positive
        weights where negative ones are kept.

    See Also
    --------
    bids_app.graph.voxels.voxel_graphs : the same measures where the matrix is too large to hold.

    Examples
    --------
    >>> matrix = [[1, 0.5, 0.1], [0.5, 1, 0.75], [0.1, 0.75, 1]]
    >>> nodal_measures(matrix, metrics=["degree", "strength"])
    {'degree': array([1., 2., 1.]), 'strength': array([0.5 , 1.25, 0.75])}
    """
    given = {"coordinates": coordinates, "modules": modules}
    check_metrics(metrics, [name for name, value in given.items() if value is not None])
    linking = linking or Linking()
    if linking.negative == "keep" and (undefined := [name for name in UNSIGNED if name in metrics]):
        raise ValueError(f"{', '.join(undefined)} cannot be computed with negative weights")
    present, r = present_correlations(matrix)
    for name, value in given.items():
        if value is not None and len(value) != len(present):
            raise ValueError(f"{name} are of {len(value)} parcels, the matrix is of {len(present)}")
    places = None if coordinates is None else np.asarray(coordinates, dtype=np.float64)[present]
    numbers = None if modules is None else _numbered(np.asarray(modules, dtype=object)[present])
    graph = DenseGraph(r, edge_weights(r, rule, linking), linking.fisher, places, numbers, distance)
    return {name: _put_back(_FORMULAS[name](graph), present) for name in metrics}


def present_correlations(matrix: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return which parcels are nodes, (P,) bool, and the correlations between these, with a diagonal of 0.

    Raises
    ------
    ValueError
        If a parcel with data has NaN correlations with another.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    present = ~np.isnan(matrix).all(axis=1)
    r = matrix[np.ix_(present, present)]
    np.fill_diagonal(r, 0)
    if np.isnan(r).any():
        raise ValueError(f"{np.isnan(r).any(axis=1).sum()} parcels have NaN in part of their row")
    return present, r


def _numbered(modules: np.ndarray) -> np.ndarray:
    """Give the modules numbers from 0, and -1 to parcels of none."""
    known = [module is not None and module == module for module in modules]  # NaN is not equal to itself
    names = {name: number for number, name in enumerate(sorted({str(name) for name in modules[known]}))}
    return np.array([names[str(name)] if there else -1 for name, there in zip(modules, known, strict=True)], dtype=int)


def _put_back(values: np.ndarray, present: np.ndarray) -> np.ndarray:
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
    fisher : bool
        Whether the weights are Fisher-transformed already.
    coordinates : (P, 3) float64 ndarray or None
    modules : (P,) int ndarray or None
    distance : float
    """

    r: np.ndarray
    weights: np.ndarray
    fisher: bool = False
    coordinates: np.ndarray | None = None
    modules: np.ndarray | None = None
    distance: float = 75.0

    @cached_property
    def adjacency(self) -> np.ndarray:
        """1 where there is an edge."""
        return (self.weights != 0).astype(np.float64)

    @cached_property
    def rows(self) -> np.ndarray:
        """The adjacency as bits."""
        return bitrows.pack(self.adjacency)

    @cached_property
    def degree(self) -> np.ndarray:
        """Number of neighbours."""
        return self.adjacency.sum(axis=1)

    @cached_property
    def common(self) -> np.ndarray:
        """Number of common neighbours of every pair."""
        return self.adjacency @ self.adjacency

    @cached_property
    def paths(self) -> np.ndarray:
        """Lengths of the shortest paths, their inverses, and the nodes reached, summed over all others, (3, P)."""
        return bitrows.path_sums(self.rows)

    @cached_property
    def short(self) -> np.ndarray:
        """Number of neighbours within the distance."""
        near = squareform(pdist(self.coordinates)) <= self.distance if len(self.r) > 1 else np.zeros_like(self.r)
        return (self.adjacency * near).sum(axis=1)

    @cached_property
    def module_degrees(self) -> np.ndarray:
        """Number of neighbours in each module, (P, M)."""
        modules = cast(np.ndarray, self.modules)
        return self.adjacency @ (modules[:, np.newaxis] == np.arange(modules.max(initial=-1) + 1))

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Rank and size of each node's component."""
        labels = connected_components(self.adjacency)[1] if len(self.r) else np.empty(0, int)
        return coefficients.ranked_components(labels)

    @cached_property
    def similarity(self) -> np.ndarray:
        """(1 + r) / 2, without self-connections."""
        return (1 + self.r) / 2 * ~np.eye(len(self.r), dtype=bool)


def _onnela(graph: DenseGraph) -> np.ndarray:
    roots = np.cbrt(graph.weights)
    return coefficients.onnela_clustering(graph.degree, (roots * (roots @ roots)).sum(axis=1))


def _core_numbers(graph: DenseGraph) -> np.ndarray:
    import networkx as nx

    numbers = nx.core_number(nx.from_numpy_array(graph.adjacency))
    return np.array([numbers[node] for node in range(len(graph.r))], dtype=float)


def _leading(matrix: np.ndarray) -> np.ndarray:
    """Project the row sums on the eigenvectors of the largest eigenvalue; 0 for a graph without edges."""
    if not matrix.any():
        return np.zeros(len(matrix))
    values, vectors = np.linalg.eigh(matrix)
    leading = vectors[:, values >= values[-1] - 1e-9 * abs(values[-1])]
    return settled(leading @ (leading.T @ matrix.sum(axis=1)))


def _products(weights: np.ndarray) -> np.ndarray:
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
    "strength-fisher": lambda graph: (graph.weights if graph.fisher else fisher(graph.weights)).sum(axis=1),
    "degree-short": lambda graph: graph.short,
    "degree-long": lambda graph: graph.degree - graph.short,
    "eigenvector": lambda graph: _leading(graph.adjacency),
    "eigenvector-weighted": lambda graph: _leading(graph.weights),
    "efficiency": lambda graph: coefficients.efficiency(graph.paths[1], len(graph.r)),
    "path-length": lambda graph: coefficients.path_length(graph.paths[1], len(graph.r)),
    "path-length-mean": lambda graph: coefficients.path_length_mean(graph.paths[0], graph.paths[2]),
    "local-efficiency": lambda graph: bitrows.local_efficiencies(graph.rows),
    "betweenness": lambda graph: bitrows.betweenness(graph.rows),
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
