"""Exact nodal measures of a thresholded correlation graph with 10^4 to 10^5 nodes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_app.graph.bits import aligned_zeros, bytes_of_bits, empty_bits
from bids_app.graph.correlation import unit_rows
from bids_app.graph.density import cut_around, histogram, strongest
from bids_app.graph.edges import DEGREE, Cut, Nodes, Sums, join_pairs, sum_edges
from bids_app.graph.intrinsics import STEP, WORD
from bids_app.graph.lowrank import threshold_free
from bids_app.graph.measures import DEFAULT_METRICS, VOXEL_MEASURES, check_metrics
from bids_app.graph.nodalmaps import FROM_ONE_PASS, Means, NodalMaps, Place
from bids_app.graph.rules import EdgeRule


@dataclass(frozen=True)
class VoxelGraph:
    """Maps of a graph and its size.

    Attributes
    ----------
    maps : dict of str to (N,) float64 ndarray
        One value per node for every metric asked for.
    n_nodes, n_edges : int
    threshold : float
        The r that all edges exceed; for a density, the r of the weakest edge, 1 where there is none.
    """

    maps: dict[str, np.ndarray]
    n_nodes: int
    n_edges: int
    threshold: float

    @property
    def density(self) -> float:
        """Edges as a fraction of the N (N - 1) / 2 pairs, in [0, 1]; 0 where there is no pair."""
        return 2 * self.n_edges / max(self.n_nodes * (self.n_nodes - 1), 1)

    @property
    def mean_degree(self) -> float:
        """Mean number of neighbours, 2 E / N."""
        return 2 * self.n_edges / max(self.n_nodes, 1)


def voxel_graph(
    series: npt.ArrayLike, rule: EdgeRule | float = 0.25, metrics: Sequence[str] = DEFAULT_METRICS, **options: Any
) -> VoxelGraph:
    """Return the only graph of `voxel_graphs` for one rule, or for a threshold given as a number.

    Examples
    --------
    The first and the last of three nodes are uncorrelated, and both at r = 0.7 with the middle one.

    >>> graph = voxel_graph([[1, -1, 0, 0], [1, -1, 1, -1], [0, 0, 1, -1]], 0.25)
    >>> graph.maps["degree"], graph.maps["clustering"], graph.n_edges
    (array([1., 2., 1.]), array([0., 0., 0.]), 2)
    """
    rule = rule if isinstance(rule, EdgeRule) else EdgeRule("r", rule)
    return voxel_graphs(series, [rule], metrics, **options)[0]


def voxel_graphs(
    series: npt.ArrayLike,
    rules: Sequence[EdgeRule],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    place: Place | None = None,
    means: Means | None = None,
) -> list[VoxelGraph]:
    """Nodal measures of the graphs that several rules make of the same correlations.

    Parameters
    ----------
    series : (N, T) array-like
        One time series per node.
    rules : sequence of EdgeRule
        An edge is strictly above a threshold, or among the strongest; there are no negative edges and no
        self-connections.
    metrics : sequence of str
        Keys of `VOXEL_MEASURES`; work that none of them needs is left out. Those without edges are in every graph.
    place : Place, optional
        Where the nodes lie, for the metrics that need it.
    means : Means, optional

    Returns
    -------
    list of VoxelGraph
        In the order of the rules.

    Raises
    ------
    ValueError
        If a row is constant or not finite, an option is out of its range, or a metric needs what is not given.

    Notes
    -----
    Correlations are float32 products of blocks, but an entry that rounding could have moved across the threshold
    is decided in float64: the edges are those of a float64 computation. Counts are exact and depend on nothing;
    sums of weights agree to float32 rounding. The rules share the pass over the correlations as far as the bits
    of their graphs fit in `means.memory`. Memory is N N / 8 bytes for each of these where a metric needs more
    than degree and strength, and 4 N T bytes.

    References
    ----------
    Of the measures, in `VOXEL_MEASURES`.
    """
    place, means = place or Place(), means or Means()
    check_metrics(metrics, place.given, VOXEL_MEASURES)
    if means.block <= 0 or means.block % WORD:
        raise ValueError(f"block must be a multiple of {WORD}, not {means.block}")
    nodes = _nodes(series, place)
    free = [name for name in metrics if not VOXEL_MEASURES[name].has_edges]
    shared = threshold_free(nodes, free, n_threads=means.threads, block=means.block) if free else {}
    graphs = []
    for some in _groups(rules, nodes, metrics, means):
        graphs += _measured(nodes, some, [name for name in metrics if name not in free], place, means)
    return [replace(graph, maps={name: {**shared, **graph.maps}[name] for name in metrics}) for graph in graphs]


def _nodes(series: npt.ArrayLike, place: Place) -> Nodes:
    series = np.ascontiguousarray(series)
    if series.dtype not in (np.float32, np.float64):
        series = series.astype(np.float64)
    coordinates = np.zeros((len(series), 3)) if place.coordinates is None else place.coordinates
    return Nodes(series, *unit_rows(series, (WORD, STEP)), np.ascontiguousarray(coordinates, dtype=np.float32))


def _needs_bits(metrics: Iterable[str]) -> bool:
    return any(VOXEL_MEASURES[name].has_edges and name not in FROM_ONE_PASS for name in metrics)


def _groups(rules: Sequence[EdgeRule], nodes: Nodes, metrics: Iterable[str], means: Means) -> list[Sequence[EdgeRule]]:
    """Divide the rules into those whose bits fit in memory together, at least one at a time."""
    size = bytes_of_bits(nodes.n_nodes) if _needs_bits(metrics) else 0
    together = len(rules) if not size else max(1, int(min(means.memory / size, len(rules))))
    return [rules[start : start + together] for start in range(0, len(rules), together)]


def _measured(
    nodes: Nodes, rules: Sequence[EdgeRule], metrics: Iterable[str], place: Place, means: Means
) -> list[VoxelGraph]:
    """Return the graphs of rules that share a pass, with the metrics that have edges."""
    cuts = _cuts(nodes, rules, metrics, place, means)
    fits = bytes_of_bits(nodes.n_nodes) <= means.memory
    allocate = aligned_zeros if fits else means.allocate
    graphs = [empty_bits(nodes.n_nodes if _needs_bits(metrics) else 0, allocate) for _ in rules]
    passed = sum_edges(nodes, cuts, graphs, block=means.block, n_threads=means.threads)
    measured: list[VoxelGraph] = []
    while passed:  # the bits of a graph are let go when it is measured
        rule, cut, bits, sums = rules[len(measured)], cuts[len(measured)], graphs.pop(0), passed.pop(0)
        threshold = rule.value
        if rule.kind == "density":
            threshold = _complete(sums, rule.n_edges(nodes.n_nodes), cut, bits, nodes)
        maps = NodalMaps(nodes, bits, sums, place, means).of(metrics)
        measured.append(VoxelGraph(maps, nodes.n_nodes, int(sums.totals[DEGREE].sum()) // 2, threshold))
    return measured


def _cuts(nodes: Nodes, rules: Sequence[EdgeRule], metrics: Iterable[str], place: Place, means: Means) -> list[Cut]:
    """Return where each rule divides the correlations; densities take a pass of their own to find out."""
    fisher = "strength-fisher" in metrics
    distance = place.distance if {"degree-short", "degree-long"}.intersection(metrics) else -1.0
    counts = np.zeros(0, np.int64)
    if any(rule.kind == "density" for rule in rules):
        counts = histogram(nodes, block=means.block, n_threads=means.threads)
    cuts = []
    for rule in rules:
        if rule.kind == "r":
            cuts.append(Cut(rule.value - nodes.margin, rule.value + nodes.margin, rule.value, fisher, distance))
        else:
            limits = cut_around(counts, rule.n_edges(nodes.n_nodes), nodes.margin)
            cuts.append(Cut(*limits, None, fisher, distance))
    return cuts


def _complete(sums: Sums, n_edges: int, cut: Cut, bits: np.ndarray, nodes: Nodes) -> float:
    """Join the pairs that complete a density; return the r of the weakest edge."""
    pairs = strongest(sums, n_edges, cut)
    join_pairs(pairs, (cut.fisher, np.float32(cut.distance), nodes.coordinates), bits, sums.totals)
    if len(pairs):
        return float(pairs["r"][-1])
    return cut.upper if sums.totals[DEGREE].any() else 1.0
