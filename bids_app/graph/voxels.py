"""Exact nodal measures of a thresholded correlation graph with 10^4 to 10^5 nodes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from bids_app.graph.adjacency import WORD, add_triangles, empty_adjacency, list_edges, mark_edges
from bids_app.graph.clustering import binary_clustering, weighted_clustering
from bids_app.graph.correlation import standardize
from bids_app.graph.measures import MEASURES, check_metrics, check_threshold

BLOCK = 512
TILE = (2048, 1024)  # the columns' part of a chunk, 512 KB, stays in L2 while the rows stream past


@dataclass(frozen=True)
class VoxelGraph:
    """Maps of a graph and its size.

    Attributes
    ----------
    maps : dict of str to (N,) float64 ndarray
        One value per node for every metric asked for.
    n_nodes, n_edges : int
    """

    maps: dict[str, np.ndarray]
    n_nodes: int
    n_edges: int

    @property
    def density(self):
        """Edges as a fraction of the N (N - 1) / 2 pairs, in [0, 1]; 0 where there is no pair."""
        return 2 * self.n_edges / max(self.n_nodes * (self.n_nodes - 1), 1)

    @property
    def mean_degree(self):
        """Mean number of neighbours, 2 E / N."""
        return 2 * self.n_edges / max(self.n_nodes, 1)


def voxel_graph(series, threshold=0.25, *, metrics=tuple(MEASURES), n_threads=None, block=BLOCK):
    """Nodal measures of the graph that joins two nodes where r > threshold.

    Parameters
    ----------
    series : (N, T) array-like
        One time series per node.
    threshold : float
        Pearson r in [0, 1). An edge is strictly above; there are no negative edges and no self loops.
    metrics : sequence of str
        Keys of `MEASURES`; work that none of them needs is left out.
    n_threads : int, optional
        Threads to use, by default every available one. The result does not depend on it.
    block : int
        Rows and columns of a block of correlations, a multiple of 64. The edges do not depend on it.

    Returns
    -------
    VoxelGraph

    Raises
    ------
    ValueError
        If a row is constant or not finite, or an option is out of its range.

    Notes
    -----
    With c_ij the common neighbours of i and j, the clustering coefficient [1]_ is
    C_i = sum_j a_ij c_ij / (k_i (k_i - 1)) and its weighted form [2]_
    C_i = sum_j a_ij w_ij c_ij / (s_i (k_i - 1)), both 0 where k_i < 2.

    Correlations are float32 products of blocks, but an entry that rounding could have moved across
    the threshold is decided in float64: the edges are those of a float64 computation. Memory is one
    bit per ordered pair of nodes where clustering is asked for, and 12 N T bytes.

    References
    ----------
    .. [1] Watts & Strogatz 1998, doi:10.1038/30918
    .. [2] Barrat et al. 2004, doi:10.1073/pnas.0400087101

    Examples
    --------
    The first and the last of three nodes are uncorrelated, and both at r = 0.7 with the middle one.

    >>> graph = voxel_graph([[1, -1, 0, 0], [1, -1, 1, -1], [0, 0, 1, -1]], 0.25)
    >>> graph.maps["degree"], graph.maps["clustering"], graph.n_edges
    (array([1., 2., 1.]), array([0., 0., 0.]), 2)
    """
    check_metrics(metrics)
    check_threshold(threshold)
    if block <= 0 or block % WORD:
        raise ValueError(f"block must be a multiple of {WORD}, not {block}")
    unit = standardize(series, dtype=np.float64)
    n_threads = n_threads or numba.config.NUMBA_NUM_THREADS
    clustered = {"clustering", "clustering-weighted"}.intersection(metrics)
    adjacency = empty_adjacency(len(unit) if clustered else 0)
    degree, strength = _sum_edges(unit, threshold, adjacency, block, n_threads)
    maps = {"degree": degree, "strength": strength}
    if clustered:
        weighted = unit if "clustering-weighted" in metrics else unit[:, :0]
        common, *sums = _sum_triangles(weighted, adjacency, n_threads)
        maps["clustering"] = binary_clustering(degree, common)
        maps["clustering-weighted"] = weighted_clustering(degree, *sums)
    return VoxelGraph({name: maps[name] for name in metrics}, len(unit), int(degree.sum()) // 2)


def _decision_limits(threshold, n_volumes):
    """Bound where float32 may err: a product of unit rows is off by at most T / 2**24, in any order.

    Eight units more cover the rounding of its factors and of the limits themselves.
    """
    margin = (n_volumes + 8) * 2.0**-24
    return np.float32(threshold - margin), np.float64(threshold), np.float32(threshold + margin)


def _sum_edges(unit, threshold, adjacency, block, n_threads):
    rounded, limits = unit.astype(np.float32), _decision_limits(threshold, unit.shape[1])
    band = partial(_edge_band, unit=unit, rounded=rounded, limits=limits, adjacency=adjacency, block=block)
    return _sum_bands(band, range(0, len(unit), block), (2, len(unit)), n_threads)


def _sum_triangles(unit, adjacency, n_threads):
    band = partial(_triangle_band, unit=unit, adjacency=adjacency)
    return _sum_bands(band, range(0, len(unit), TILE[0]), (3, len(unit)), n_threads)


def _sum_bands(band, starts, shape, n_threads):
    """Sum what `band` returns over the starts, in their order, so that threads cannot change the sum."""
    total = np.zeros(shape)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        for part in pool.map(band, starts):
            total += part
    return total


def _edge_band(start, unit, rounded, limits, adjacency, block):
    """Degree and strength, (2, N), from the rows of one band of blocks on and above the diagonal."""
    totals = np.zeros((2, len(unit)))
    buffer = np.empty(block * block, dtype=np.float32)
    rows = rounded[start : start + block]
    for column in range(start, len(unit), block):
        columns = rounded[column : column + block]
        correlations = buffer[: len(rows) * len(columns)].reshape(len(rows), len(columns))
        np.matmul(rows, columns.T, out=correlations)
        mark_edges(correlations, (start, column), unit, limits, adjacency, totals)
    return totals


def _triangle_band(start, unit, adjacency):
    """Sum c, w and w c, (3, N), over the edges of one band of tiles on and above the diagonal."""
    totals = np.zeros((3, len(unit)))
    for column in range(start, len(unit), TILE[1]):
        add_triangles(adjacency, *list_edges(adjacency, (start, column), TILE), unit, totals)
    return totals
