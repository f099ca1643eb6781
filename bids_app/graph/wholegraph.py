"""Measures of a parcel graph as a whole, and the null graphs that some of them are held against."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from bids_app.graph import bitrows
from bids_app.graph.linking import THRESHOLD, edge_weights
from bids_app.graph.measures import GLOBALS
from bids_app.graph.parcels import present_correlations
from bids_app.graph.rules import EdgeRule, Linking

N_PARTITIONS = 20  # runs of Louvain, of which the best partition is kept
FINE = 1e-6  # the gain in modularity below which a run of Louvain ends


@dataclass(frozen=True)
class Nulls:
    """The null graphs: of the same degrees, otherwise random.

    Attributes
    ----------
    n_graphs : int
        0 leaves the measures that need them undefined.
    seed : int
        Of the null graphs and of the orders in which Louvain visits the nodes.
    """

    n_graphs: int = 100
    seed: int = 0


@dataclass(frozen=True)
class WholeGraph:
    """A parcel graph as a whole.

    Attributes
    ----------
    measures : dict of str to float
        In the order of `GLOBALS`; NaN where one is undefined.
    facts : dict
        ``n_nodes``, ``n_edges``, ``mean_degree``, ``n_components``, ``n_modules`` (of the partition with the largest
        modularity) and ``n_hubs`` (of the rich club).
    """

    measures: dict[str, float]
    facts: dict[str, float]


def global_measures(
    matrix: npt.ArrayLike, rule: EdgeRule = THRESHOLD, *, linking: Linking | None = None, nulls: Nulls | None = None
) -> WholeGraph:
    """Measure the graph of the parcels with data as a whole.

    Parameters
    ----------
    matrix : (P, P) array-like
    rule : EdgeRule
    linking : Linking, optional
        As for `nodal_measures`.
    nulls : Nulls, optional

    Returns
    -------
    WholeGraph

    Raises
    ------
    ValueError
        If a parcel with data has NaN correlations with another.

    Notes
    -----
    All but the mean strength are of the edges, whatever they weigh. The null graphs keep every node's degree
    (Maslov & Sneppen 2002, doi:10.1126/science.1065103).

    References
    ----------
    Of the measures, in `GLOBALS`. Louvain: Blondel et al. 2008, doi:10.1088/1742-5468/2008/10/P10008.

    Examples
    --------
    A triangle with a pendant: 4 of 6 pairs are joined, 1 triangle over 5 paths of two edges.

    >>> r = np.eye(4) + np.kron([[0, 0.5], [0.5, 0]], np.ones((2, 2)))
    >>> r[0, 1] = r[1, 0] = 0.5
    >>> r[0, 3] = r[3, 0] = 0
    >>> whole = global_measures(r, nulls=Nulls(0))
    >>> [round(whole.measures[name], 3) for name in ("density", "transitivity", "path-length-mean")]
    [0.667, 0.6, 1.333]
    """
    _, r = present_correlations(matrix)
    weights, nulls = edge_weights(r, rule, linking), nulls or Nulls()
    adjacency = weights != 0
    own, degree = _topology(adjacency), adjacency.sum(axis=1)
    modularity, n_modules = _modularity(adjacency, nulls.seed)
    hubs = degree > degree.mean() + degree.std() if len(degree) else np.zeros(0, dtype=bool)
    n_nodes, n_edges = len(r), int(degree.sum()) // 2
    values = own | {
        "density": 2 * n_edges / max(n_nodes * (n_nodes - 1), 1),
        "mean-strength": float(weights.sum() / max(n_nodes, 1)),
        "local-efficiency": float(bitrows.local_efficiencies(bitrows.pack(adjacency)).sum() / max(n_nodes, 1)),
        "modularity": modularity,
        "assortativity": _assortativity(adjacency, degree),
        "rich-club": _rich_club(adjacency, hubs),
    }
    values |= _against(values, _null_means(adjacency, hubs, nulls))
    facts = {
        "n_nodes": n_nodes,
        "n_edges": n_edges,
        "mean_degree": 2 * n_edges / max(n_nodes, 1),
        "n_components": int(connected_components(csr_matrix(adjacency))[0]) if n_nodes else 0,
        "n_modules": n_modules,
        "n_hubs": int(hubs.sum()),
    }
    return WholeGraph({name: float(values[name]) for name in GLOBALS}, facts)


def null_graphs(adjacency: np.ndarray, nulls: Nulls) -> Iterator[np.ndarray]:
    """Yield the null graphs of a graph, (P, P) bool each."""
    generator = np.random.default_rng(nulls.seed)
    for _ in range(nulls.n_graphs):
        yield bitrows.rewire(adjacency, generator)


def _topology(adjacency: np.ndarray) -> dict[str, float]:
    """Return what the null graphs are measured by too."""
    rows, degree = bitrows.pack(adjacency), adjacency.sum(axis=1)
    n_nodes, triangles = len(rows), bitrows.triangle_counts(rows)
    pairs = degree * (degree - 1) / 2
    lengths, inverse, reached = bitrows.path_sums(rows).sum(axis=1)
    efficiency = _ratio(inverse, n_nodes * (n_nodes - 1), 0.0)
    clustering = np.divide(triangles, pairs, out=np.zeros(n_nodes), where=pairs > 0)
    return {
        "clustering": clustering.sum() / max(n_nodes, 1),
        "transitivity": _ratio(triangles.sum(), pairs.sum(), 0.0),
        "path-length": _ratio(1, efficiency),
        "path-length-mean": _ratio(lengths, reached),
        "global-efficiency": efficiency,
    }


def _ratio(value: float, by: float, undefined: float = np.nan) -> float:
    return value / by if by else undefined


def _modularity(adjacency: np.ndarray, seed: int) -> tuple[float, int]:
    """Return the largest modularity that Louvain finds, and its count of modules."""
    if not adjacency.any():
        return np.nan, len(adjacency)
    from sknetwork.clustering import Louvain, get_modularity  # here, for it loads much that no voxel needs

    graph = csr_matrix(adjacency.astype(np.float64))
    seeds = np.random.default_rng(seed).integers(0, 2**31, N_PARTITIONS)
    found = []
    for one in seeds:
        louvain = Louvain(tol_optimization=FINE, tol_aggregation=FINE, shuffle_nodes=True, random_state=int(one))
        labels = louvain.fit_predict(graph)
        found.append((get_modularity(graph, labels), len(np.unique(labels))))
    return max(found)


def _assortativity(adjacency: np.ndarray, degree: np.ndarray) -> float:
    ends = degree[np.argwhere(adjacency)]
    spread = ends.std(axis=0) if len(ends) else np.zeros(1)
    return np.corrcoef(ends.T)[0, 1] if (spread > 0).all() else np.nan


def _rich_club(adjacency: np.ndarray, hubs: np.ndarray) -> float:
    n_hubs = hubs.sum()
    return adjacency[np.ix_(hubs, hubs)].sum() / (n_hubs * (n_hubs - 1)) if n_hubs > 1 else np.nan


def _null_means(adjacency: np.ndarray, hubs: np.ndarray, nulls: Nulls) -> dict[str, float]:
    rows = [_topology(null) | {"rich-club": _rich_club(null, hubs)} for null in null_graphs(adjacency, nulls)]
    names = ("clustering", "path-length", "rich-club")
    return {name: float(np.mean([row[name] for row in rows])) if rows else np.nan for name in names}


def _against(values: dict[str, float], means: dict[str, float]) -> dict[str, float]:
    gamma = _ratio(values["clustering"], means["clustering"])
    shortness = _ratio(values["path-length"], means["path-length"])
    return {
        "rich-club-normalized": _ratio(values["rich-club"], means["rich-club"]),
        "gamma": gamma,
        "lambda": shortness,
        "sigma": _ratio(gamma, shortness),
    }
