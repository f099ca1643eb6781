"""Compiled kernels on a bit-packed adjacency: one bit per ordered pair of nodes, N * N / 8 bytes.

The bits are stored as (C, N, 64) uint64: chunk c holds columns 4096 c to 4096 c + 4095 of every row,
so that the part of a thousand rows which one sweep reads is contiguous and stays in the L2 cache.
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

WORD = 64
WORDS = 64
CHUNK = WORD * WORDS


@intrinsic
def popcount(typing_context, word):
    """Count the set bits; LLVM turns a loop of these into vector instructions, here and on older CPUs."""
    return types.int64(types.uint64), lambda context, builder, signature, words: builder.ctpop(words[0])


@intrinsic
def lowest_bit(typing_context, word):
    """Position of the lowest set bit."""

    def codegen(context, builder, signature, words):
        return builder.cttz(words[0], context.get_constant(types.boolean, False))

    return types.int64(types.uint64), codegen


def empty_adjacency(n_nodes):
    """Graph of `n_nodes` nodes without edges, (C, N, 64) uint64."""
    return np.zeros((-(-n_nodes // CHUNK), n_nodes, WORDS), dtype=np.uint64)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(first, second):
    total = first[0] * second[0]
    for t in range(1, first.size):
        total += first[t] * second[t]
    return total


@njit(cache=True, nogil=True)
def _above(values, lower):
    word = np.uint64(0)
    for bit in range(values.size):
        word |= np.uint64(values[bit] > lower) << np.uint64(bit)
    return word


@njit(cache=True, nogil=True)
def _overlap(first, second):
    total = 0
    for word in range(WORDS):
        total += popcount(first[word] & second[word])
    return total


@njit(cache=True, nogil=True)
def _set_bits(adjacency, row, column, word):
    adjacency[column // CHUNK, row, column % CHUNK // WORD] |= word


@njit(cache=True, nogil=True)
def _beyond(word, row, column):
    """Keep the bits of a word, whose first bit is `column`, above the diagonal."""
    if column > row:
        return word
    if column + WORD - 1 <= row:
        return np.uint64(0)
    return word & (~np.uint64(0) << np.uint64(row - column + 1))


@njit(cache=True, nogil=True)
def mark_edges(correlations, corner, unit, limits, adjacency, totals):
    """Add the edges of one block of correlations to the graph.

    Parameters
    ----------
    correlations : (R, K) float32 ndarray
        Block of the correlation matrix, rounded.
    corner : (int, int)
        Row and column of the block's first entry. Entries on and below the diagonal are left out.
    unit : (N, T) float64 ndarray
        Standardised series; decides the entries that rounding could have moved across the threshold.
    limits : (float32, float64, float32)
        Below the first there is no edge, above the last there is one, in between r > the second decides.
    adjacency : (C, N, 64) uint64 ndarray
        Receives the bits of both triangles; with C = 0 no bits are kept.
    totals : (2, N) float64 ndarray
        Degree and strength, added to.
    """
    lower, threshold, upper = limits
    for a in range(correlations.shape[0]):
        row = corner[0] + a
        for b in range(0, correlations.shape[1], WORD):
            column = corner[1] + b
            word = _beyond(_above(correlations[a, b : b + WORD], lower), row, column)
            while word:
                bit = lowest_bit(word)
                word &= word - np.uint64(1)
                other, r = column + bit, correlations[a, b + bit]
                if r <= upper and not _dot(unit[row], unit[other]) > threshold:
                    continue
                totals[0, row] += 1
                totals[1, row] += r
                totals[0, other] += 1
                totals[1, other] += r
                if adjacency.shape[0]:
                    _set_bits(adjacency, row, column, np.uint64(1) << np.uint64(bit))
                    _set_bits(adjacency, other, row, np.uint64(1) << np.uint64(row % WORD))


@njit(cache=True, nogil=True)
def list_edges(adjacency, corner, shape):
    """Edges above the diagonal in one tile of the adjacency.

    Parameters
    ----------
    adjacency : (C, N, 64) uint64 ndarray
    corner : (int, int)
        First row and first column of the tile, multiples of 64.
    shape : (int, int)
        Rows and columns of the tile, multiples of 64; what lies beyond the adjacency is left out.

    Returns
    -------
    rows, columns : (E,) int32 ndarray
        The two ends of each edge, by row.
    """
    n_nodes = adjacency.shape[1]
    ends = np.empty((2, shape[0] * shape[1]), np.int32)
    n_edges = 0
    for row in range(corner[0], min(corner[0] + shape[0], n_nodes)):
        for column in range(corner[1], min(corner[1] + shape[1], n_nodes), WORD):
            word = _beyond(adjacency[column // CHUNK, row, column % CHUNK // WORD], row, column)
            while word:
                ends[0, n_edges] = row
                ends[1, n_edges] = column + lowest_bit(word)
                word &= word - np.uint64(1)
                n_edges += 1
    return ends[0, :n_edges], ends[1, :n_edges]


@njit(cache=True, nogil=True)
def add_triangles(adjacency, rows, columns, unit, totals):
    """Add the triangles over some edges to the sums of their ends.

    Parameters
    ----------
    adjacency : (C, N, 64) uint64 ndarray
    rows, columns : (E,) int32 ndarray
        Edges, each listed once.
    unit : (N, T) ndarray
        Standardised series, for the weights; T = 0 leaves the weighted sums out.
    totals : (3, N) float64 ndarray
        For each node over its edges, the sums of c, of w and of w c, where c is the number of
        common neighbours of the two ends and w their correlation. Added to.
    """
    common = np.zeros(rows.size, np.int32)
    for chunk in range(adjacency.shape[0]):
        for edge in range(rows.size):
            common[edge] += _overlap(adjacency[chunk, rows[edge]], adjacency[chunk, columns[edge]])
    for edge in range(rows.size):
        row, column = rows[edge], columns[edge]
        totals[0, row] += common[edge]
        totals[0, column] += common[edge]
        if unit.shape[1]:
            weight = _dot(unit[row], unit[column])
            for node in (row, column):
                totals[1, node] += weight
                totals[2, node] += weight * common[edge]
