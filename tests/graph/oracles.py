"""What every measure must be, by networkx, igraph or the definition itself, of a graph given as dense matrices."""

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations

import igraph
import networkx as nx
import numpy as np

LARGEST = 1 - 2.0**-24  # the largest r that has a Fisher z here


@dataclass(frozen=True)
class Known:
    """A graph: all correlations and the weights of its edges, (N, N) with a diagonal of 0, and where its nodes lie."""

    r: np.ndarray
    weights: np.ndarray
    coordinates: np.ndarray
    modules: np.ndarray
    distance: float
    is_fisher: bool = False

    @cached_property
    def joined(self):
        return self.weights != 0

    @cached_property
    def graph(self):
        graph = nx.empty_graph(len(self.r))
        graph.add_weighted_edges_from((i, j, self.weights[i, j]) for i, j in np.argwhere(np.triu(self.joined)))
        return graph

    @cached_property
    def lengths(self):
        """Lengths of the shortest paths to each node that can be reached, the node itself left out."""
        found = dict(nx.all_pairs_shortest_path_length(self.graph))
        return [[length for other, length in found[node].items() if other != node] for node in self.graph]

    @cached_property
    def components(self):
        return sorted(nx.connected_components(self.graph), key=lambda one: (-len(one), min(one)))


def per_node(of_node):
    """Make an oracle of a function of the known graph and a node."""
    return lambda known: np.array([of_node(known, node) for node in range(len(known.r))], dtype=float)


def _barrat(known, node):
    """Mean weight of the two edges of the pairs of neighbours that are joined, over that of all pairs."""
    weight, pairs = known.weights[node], list(combinations(known.graph[node], 2))
    total = sum(weight[one] + weight[other] for one, other in pairs)
    return sum(weight[i] + weight[j] for i, j in pairs if known.graph.has_edge(i, j)) / total if pairs else 0.0


def _onnela(known):
    """Undo the division by the largest weight, by which networkx scales."""
    largest = max((weight for *_, weight in known.graph.edges.data("weight")), default=1.0)
    return np.array(list(nx.clustering(known.graph, weight="weight").values())) * largest


def _z(known, node):
    weights = known.weights[node]
    return weights.sum() if known.is_fisher else np.arctanh(np.clip(weights, -LARGEST, LARGEST)).sum()


def _edges_by_length(known, node, *, short):
    lengths = [np.linalg.norm(known.coordinates[node] - known.coordinates[other]) for other in known.graph[node]]
    return sum((length <= known.distance) == short for length in lengths)


def _power_limit(matrix):
    """What row sums become when a matrix is applied to them without end; the shift keeps signs from alternating."""
    if not matrix.any():
        return np.zeros(len(matrix))
    start, power = matrix.sum(axis=1), matrix + np.abs(matrix).sum(axis=1).max() * np.eye(len(matrix))
    for _ in range(60):
        before, power = power, power @ power
        power = power / np.abs(power).max()
        if np.allclose(power, before, rtol=0, atol=1e-14):
            break
    vector = power @ start
    return vector / np.linalg.norm(vector)


def _to_each_module(known, node):
    if known.modules[node] < 0:
        return None
    own = known.modules[list(known.graph[node])]
    return np.bincount(own[own >= 0], minlength=known.modules.max() + 1)


def _participation(known, node):
    counts = _to_each_module(known, node)
    if counts is None:
        return np.nan
    return 1 - sum((count / counts.sum()) ** 2 for count in counts) if counts.any() else 0.0


def _module_degree(known, node):
    if known.modules[node] < 0:
        return np.nan
    module = known.modules[node]
    of_all = [_to_each_module(known, one)[module] for one in np.flatnonzero(known.modules == module)]
    return (_to_each_module(known, node)[module] - np.mean(of_all)) / np.std(of_all) if np.ptp(of_all) else 0.0


def _products(weights):
    """Products of weights around the triangles of each node, over those with every third weight of size 1."""
    size, values = np.abs(weights), np.zeros(len(weights))
    for node in range(len(weights) if len(weights) > 2 else 0):
        pairs = size[node].sum() ** 2 - (size[node] ** 2).sum()
        values[node] = weights[node] @ weights @ weights[node] / pairs if pairs > 1e-10 else 0.0
    return values


def _similarity(known):
    return (1 + known.r) / 2 * ~np.eye(len(known.r), dtype=bool)


def _rank(known, node):
    return next(rank for rank, members in enumerate(known.components, start=1) if node in members)


NODAL = {
    "degree": per_node(lambda known, node: known.graph.degree[node]),
    "strength": per_node(lambda known, node: known.graph.degree(weight="weight")[node]),
    "clustering": per_node(lambda known, node: nx.clustering(known.graph, node)),
    "clustering-weighted": per_node(_barrat),
    "clustering-onnela": _onnela,
    "strength-fisher": per_node(_z),
    "degree-short": per_node(lambda known, node: _edges_by_length(known, node, short=True)),
    "degree-long": per_node(lambda known, node: _edges_by_length(known, node, short=False)),
    "eigenvector": lambda known: _power_limit(known.joined.astype(float)),
    "eigenvector-weighted": lambda known: _power_limit(known.weights),
    "efficiency": per_node(
        lambda known, node: sum(1 / length for length in known.lengths[node]) / max(len(known.r) - 1, 1)
    ),
    "path-length": per_node(
        lambda known, node: (
            (len(known.r) - 1) / sum(1 / length for length in known.lengths[node]) if known.lengths[node] else np.nan
        )
    ),
    "path-length-mean": per_node(lambda known, node: np.mean(known.lengths[node]) if known.lengths[node] else np.nan),
    "local-efficiency": per_node(lambda known, node: nx.global_efficiency(known.graph.subgraph(known.graph[node]))),
    "betweenness": lambda known: np.array(list(nx.betweenness_centrality(known.graph).values()), dtype=float),
    "core-number": lambda known: np.array(igraph.Graph.from_networkx(known.graph).coreness(), dtype=float),
    "participation": per_node(_participation),
    "module-degree": per_node(_module_degree),
    "component": per_node(_rank),
    "component-size": per_node(lambda known, node: len(nx.node_connected_component(known.graph, node))),
    "global-correlation": per_node(lambda known, node: known.r[node].sum() / max(len(known.r) - 1, 1)),
    "strength-signed": per_node(lambda known, node: known.r[node].sum()),
    "clustering-zhang": lambda known: _products(_similarity(known)),
    "clustering-signed": lambda known: _products(known.r),
    "eigenvector-full": lambda known: _power_limit(_similarity(known)),
}


def _modularity(known, nulls):
    """Best partition that Leiden finds in many runs, by another library."""
    graph = igraph.Graph.from_networkx(known.graph)
    runs = [graph.community_leiden("modularity", n_iterations=-1).modularity for _ in range(20)]
    return max(runs) if graph.ecount() else np.nan


def _assortativity(known, nulls):
    if len({degree for node, degree in known.graph.degree if degree}) < 2:
        return np.nan
    return nx.degree_assortativity_coefficient(known.graph)


def _rich_club_of(graph):
    degree = np.array([graph.degree[node] for node in graph])
    hubs = np.flatnonzero(degree > degree.mean() + degree.std()) if len(degree) else []
    return nx.density(graph.subgraph(hubs)) if len(hubs) > 1 else np.nan


def _path_length_of(graph):
    return 1 / nx.global_efficiency(graph) if graph.number_of_edges() else np.nan


def _average_clustering(graph):
    return nx.average_clustering(graph) if len(graph) else 0.0


def _over_nulls(of_graph):
    """Make an oracle of a measure of a graph over its mean in the null graphs."""

    def ratio(known, nulls):
        means = [of_graph(null) for null in nulls]
        mean = np.mean(means) if means else np.nan
        return of_graph(known.graph) / mean if mean else np.nan

    return ratio


def _mean_path(known, nulls):
    lengths = list(chain.from_iterable(known.lengths))
    return np.mean(lengths) if lengths else np.nan


_gamma, _lambda = _over_nulls(_average_clustering), _over_nulls(_path_length_of)
WHOLE = {
    "density": lambda known, nulls: nx.density(known.graph),
    "mean-strength": lambda known, nulls: known.weights.sum() / max(len(known.r), 1),
    "clustering": lambda known, nulls: _average_clustering(known.graph),
    "transitivity": lambda known, nulls: nx.transitivity(known.graph),
    "path-length": lambda known, nulls: _path_length_of(known.graph),
    "path-length-mean": _mean_path,
    "global-efficiency": lambda known, nulls: nx.global_efficiency(known.graph),
    "local-efficiency": lambda known, nulls: nx.local_efficiency(known.graph) if len(known.r) else 0.0,
    "modularity": _modularity,
    "assortativity": _assortativity,
    "rich-club": lambda known, nulls: _rich_club_of(known.graph),
    "rich-club-normalized": _over_nulls(_rich_club_of),
    "gamma": _gamma,
    "lambda": _lambda,
    "sigma": lambda known, nulls: _gamma(known, nulls) / _lambda(known, nulls),
}
