"""Common neighbours of the two ends of every edge, which clustering is made of."""

from functools import partial

import numpy as np
from numba import njit

from bids_app.graph.bits import CHUNK, WORD, WORDS, beyond, count_common, lowest_bit, row_part
from bids_app.graph.edges import bands

TILE = (2048, 512)  # 512 columns' part of a chunk, 256 KB, stays in L2 while the rows stream past


def sum_triangles(bits, unit, *, panel=None, n_threads=1):
    """Sum the common neighbours over the edges of each node.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    unit : (N', T) float32 ndarray
        Unit rows, for the weights; T = 0 leaves the weighted sums out.
    panel : int, optional
        Chunks of the graph that are swept together, all by default; less where the graph lies on disk.
    n_threads : int

    Returns
    -------
    (3, N) float64 ndarray
        The sums of c, of w and of w c, where c is the number of common neighbours of the two ends of an edge
        and w their correlation.
    """
    n_chunks, n_nodes = bits.shape[:2]
    panel, totals = panel or n_chunks, np.zeros((3, n_nodes))
    for first in range(0, n_chunks, panel):
        chunks = first, min(first + panel, n_chunks)
        for part in bands(partial(_triangle_band, bits, unit, chunks), range(0, n_nodes, TILE[0]), n_threads):
            totals += part
    return totals


def _triangle_band(bits, unit, chunks, start):
    """Sum over the edges of one band of tiles on and above the diagonal."""
    totals = np.zeros((3, bits.shape[1]))
    for column in range(start, bits.shape[1], TILE[1]):
        add_triangles(bits, *list_edges(bits, (start, column), TILE), chunks, unit, totals)
    return totals


@njit(cache=True, nogil=True)
def list_edges(bits, corner, shape):
    """Edges above the diagonal in one tile of the graph.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    corner : (int, int)
        First row and first column of the tile, multiples of 64.
    shape : (int, int)
        Rows and columns of the tile, multiples of 64; what lies beyond the graph is left out.

    Returns
    -------
    rows, columns : (E,) int32 ndarray
        The two ends of each edge, by row.
    """
    n_nodes = bits.shape[1]
    ends = np.empty((2, shape[0] * shape[1]), np.int32)
    n_edges = 0
    for row in range(corner[0], min(corner[0] + shape[0], n_nodes)):
        for column in range(corner[1], min(corner[1] + shape[1], n_nodes), WORD):
            word = beyond(bits[column // CHUNK, row, column % CHUNK // WORD], row, column)
            while word:
                ends[0, n_edges] = row
                ends[1, n_edges] = column + lowest_bit(word)
                word &= word - np.uint64(1)
                n_edges += 1
    return ends[0, :n_edges], ends[1, :n_edges]


@njit(cache=True, nogil=True)
def common_neighbours(bits, rows, columns, chunks):
    """Count the common neighbours of the ends of some edges, listed by row, among the columns of some chunks."""
    n_nodes, flat = bits.shape[1], bits.ravel()
    common = np.zeros(rows.size, np.int32)
    for chunk in range(chunks[0], chunks[1]):
        first, edge = chunk * n_nodes, 0
        while edge < rows.size:
            row = rows[edge]
            part = row_part(flat, (first + row) * WORDS)
            while edge < rows.size and rows[edge] == row:
                common[edge] += count_common(part, flat, (first + columns[edge]) * WORDS)
                edge += 1
    return common


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def weight(unit, one, other):
    """Correlation of two nodes, in float32 but the same in any order of nodes, blocks and threads."""
    total = np.float32(0)
    for t in range(unit.shape[1]):
        total += unit[one, t] * unit[other, t]
    return total


@njit(cache=True, nogil=True)
def add_triangles(bits, rows, columns, chunks, unit, totals):
    """Add the triangles over some edges to the sums of their ends.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    rows, columns : (E,) int32 ndarray
        Edges, each listed once, by row.
    chunks : (int, int)
        Which columns the third corners are sought in: from chunk, to chunk. Weights are summed with the first.
    unit : (N', T) float32 ndarray
    totals : (3, N) float64 ndarray
        As `sum_triangles` returns; added to.
    """
    common = common_neighbours(bits, rows, columns, chunks)
    for edge in range(rows.size):
        row, column = rows[edge], columns[edge]
        totals[0, row] += common[edge]
        totals[0, column] += common[edge]
        if unit.shape[1]:
            w = weight(unit, row, column)
            for node in (row, column):
                totals[1, node] += w * (chunks[0] == 0)
                totals[2, node] += w * common[edge]
