"""Measures of all correlations, without a threshold, through the small side of the series.

With Z the N x T unit rows, the N x N correlations are Z Z', of rank T at most. Sums over all pairs are then products
with the T x T matrix G = Z' Z. With W = Z Z' - I, which has no self-connections:

    sum_j w_ij               = z_i' sum_j z_j - 1
    sum_j w_ij^2 = [W^2]_ii  = z_i' G z_i - 1
    sum_jh w_ij w_jh w_hi = [W^3]_ii = z_i' G^2 z_i - 3 z_i' G z_i + 2

since [(R - I)^3]_ii = [R^3 - 3 R^2 + 3 R - I]_ii and R_ii = 1. The weights (1 + r) / 2 are B B' with
B = [1, Z] / sqrt(2), unit rows too, so the same holds for them. It takes O(N T^2) operations and memory for blocks
of rows only.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from bids_app.graph.coefficients import product_clustering
from bids_app.graph.edges import BLOCK, Nodes, bands, products
from bids_app.graph.spectrum import settled

ROWS = 4096


def threshold_free(
    nodes: Nodes, metrics: Iterable[str], *, n_threads: int = 1, block: int = BLOCK
) -> dict[str, np.ndarray]:
    """Measures of all correlations.

    Parameters
    ----------
    nodes : edges.Nodes
    metrics : sequence of str
        Keys of `MEASURES` without edges.
    n_threads : int
        The result does not depend on it.
    block : int
        For ``clustering-signed``, whose denominator takes a pass over the pairs, N^2 T operations.

    Returns
    -------
    dict of str to (N,) float64 ndarray
        0 for a single node, which has no other.

    References
    ----------
    Saad et al. (2013), doi:10.1089/brain.2013.0156; Zhang & Horvath (2005), doi:10.2202/1544-6115.1128; Costantini &
    Perugini (2014), doi:10.1371/journal.pone.0088669; Wink et al. (2012), doi:10.1089/brain.2012.0087.
    """
    n_nodes, values = nodes.n_nodes, dict[str, np.ndarray]()
    if {"global-correlation", "strength-signed", "clustering-signed"}.intersection(metrics):
        total, squares, cubes = _power_sums(nodes, _rows_of_r)
        values |= {"global-correlation": total / max(n_nodes - 1, 1), "strength-signed": total}
    if "clustering-signed" in metrics:
        magnitude = sum(
            bands(partial(_magnitude_band, nodes, block), range(0, n_nodes, block), n_threads), start=np.zeros(n_nodes)
        )
        values["clustering-signed"] = product_clustering(cubes, magnitude, squares)
    if "clustering-zhang" in metrics:
        total, squares, cubes = _power_sums(nodes, _rows_of_similarity)
        values["clustering-zhang"] = product_clustering(cubes, total, squares)
    if "eigenvector-full" in metrics:
        values["eigenvector-full"] = _leading_eigenvector(nodes)
    return {name: values[name] for name in metrics}


def _rows_of_r(nodes: Nodes) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of unit rows in float64, and where they stand."""
    for start in range(0, nodes.n_nodes, ROWS):
        some = slice(start, min(start + ROWS, nodes.n_nodes))
        yield some, (nodes.series[some] - nodes.centre[some, np.newaxis]) * nodes.scale[some, np.newaxis]


def _rows_of_similarity(nodes: Nodes) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of rows of which the products are (1 + r) / 2."""
    for some, rows in _rows_of_r(nodes):
        yield some, np.column_stack([np.ones(len(rows)), rows]) / np.sqrt(2)


def _gram(nodes: Nodes, rows_of: Callable[[Nodes], Iterator[tuple[slice, np.ndarray]]]) -> np.ndarray:
    return sum(rows.T @ rows for _, rows in rows_of(nodes))


def _power_sums(nodes: Nodes, rows_of: Callable[[Nodes], Iterator[tuple[slice, np.ndarray]]]) -> np.ndarray:
    """Return sum_j w_ij, [W^2]_ii and [W^3]_ii."""
    if nodes.n_nodes < 2:
        return np.zeros((3, nodes.n_nodes))
    gram, column = _gram(nodes, rows_of), sum(rows.sum(axis=0) for _, rows in rows_of(nodes))
    sums = np.empty((3, nodes.n_nodes))
    for some, rows in rows_of(nodes):
        once = rows @ gram
        first, second = np.einsum("nt,nt->n", once, rows), np.einsum("nt,nt->n", once, once)
        sums[:, some] = rows @ column - 1, first - 1, second - 3 * first + 2
    return sums


def _magnitude_band(nodes: Nodes, block: int, start: int) -> np.ndarray:
    """Sum |r| over the pairs of a band of blocks, for both ends."""
    sums = np.zeros(nodes.n_nodes)
    for column, correlations in products(nodes, start, block):
        magnitude = np.abs(correlations, out=correlations)
        if column == start:
            magnitude = np.triu(magnitude, 1)
        stop = min(column + magnitude.shape[1], nodes.n_nodes)
        sums[start : start + len(magnitude)] += magnitude.sum(axis=1, dtype=np.float64)
        sums[column:stop] += magnitude.sum(axis=0, dtype=np.float64)[: stop - column]
    return sums


def _leading_eigenvector(nodes: Nodes) -> np.ndarray:
    """Return B u, of norm 1, with u the leading eigenvector of B' B; self-connections shift eigenvalues alone."""
    if nodes.n_nodes < 2:
        return np.zeros(nodes.n_nodes)
    leading = np.linalg.eigh(_gram(nodes, _rows_of_similarity))[1][:, -1]
    vector = np.concatenate([rows @ leading for _, rows in _rows_of_similarity(nodes)])
    return settled(vector)
