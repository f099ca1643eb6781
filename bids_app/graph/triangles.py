"""Common neighbours of the two ends of every edge, which clustering is made of."""

from functools import partial

import numpy as np
from numba import njit

from bids_app.graph.bits import beyond
from bids_app.graph.edges import bands
from bids_app.graph.intrinsics import (
    CHUNK,
    STEP,
    WORD,
    WORDS,
    add_common_to_four,
    count_common,
    fetch,
    lowest_bit,
    no_products,
    plus_products,
    popcount,
    row_part,
    total_product,
)

TILE = (1024, 2048)  # of the edges that are listed at a time
SWEPT = (2048, 2048)  # where common neighbours are counted: many rows, so that the columns are seldom read again
STRIPES = (64, 1024)  # columns whose part of a chunk stays still closer while the rows pass by: at least, and at most
PER_VISIT = 8  # edges of a row in a stripe that are worth its coming by
AHEAD = 3  # rows that are asked for before they are needed
UNITS = 2.0**28  # weights are added as whole numbers of these, so that their order changes no sum


def sum_triangles(bits, unit, *, panel=None, n_threads=1):
    """Sum the common neighbours over the edges of each node.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    unit : (N', T') float32 ndarray
        Unit rows, zeros up to a multiple of 16 columns, for the weights; T' = 0 leaves the weighted sums out.
    panel : int, optional
        Chunks of the graph that are swept together, all by default; less where the graph lies on disk.
    n_threads : int

    Returns
    -------
    (3, N) float64 ndarray
        The sums of c, of w and of w c, where c is the number of common neighbours of the two ends of an edge
        and w their correlation, to 2**-29; exact where |w| is 2**-5 or more, and the same in any order of the nodes.
    """
    n_chunks, n_nodes = bits.shape[:2]
    panel, totals = panel or n_chunks, np.zeros((3, n_nodes), np.int64)
    for first in range(0, n_chunks, panel):
        chunks = first, min(first + panel, n_chunks)
        for part in bands(partial(_triangle_band, bits, unit, chunks), range(0, n_nodes, SWEPT[0]), n_threads):
            totals += part
    return totals / np.array([[1.0], [UNITS], [UNITS]])


def _triangle_band(bits, unit, chunks, start):
    """Sum over the edges of one band of tiles on and above the diagonal."""
    totals = np.zeros((3, bits.shape[1]), np.int64)
    for column in range(start, bits.shape[1], SWEPT[1]):
        corner = start, column
        edges = list_edges(bits, corner, SWEPT, worthwhile_stripe(count_edges(bits, corner, SWEPT)))
        add_triangles(bits, *edges, chunks, unit, totals)
    return totals


def worthwhile_stripe(n_edges):
    """Return how many columns of a tile with so many edges are swept at a time."""
    stripe, widest = STRIPES
    while stripe < widest and n_edges * stripe < PER_VISIT * SWEPT[0] * SWEPT[1]:
        stripe *= 2
    return stripe


@njit(cache=True, nogil=True)
def count_edges(bits, corner, shape):
    """Count the edges that `list_edges` lists."""
    n_nodes, n_edges = bits.shape[1], 0
    for row in range(corner[0], min(corner[0] + shape[0], n_nodes)):
        for column in range(corner[1], min(corner[1] + shape[1], n_nodes), WORD):
            n_edges += popcount(beyond(bits[column // CHUNK, row, column % CHUNK // WORD], row, column))
    return n_edges


@njit(cache=True, nogil=True)
def list_edges(bits, corner, shape, stripe=128):
    """Edges above the diagonal in one tile of the graph.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    corner : (int, int)
        First row and first column of the tile, multiples of 64.
    shape : (int, int)
        Rows and columns of the tile, multiples of 64; what lies beyond the graph is left out.
    stripe : int
        Columns whose edges are listed together, a multiple of 64.

    Returns
    -------
    rows, columns : (E,) int32 ndarray
        The two ends of each edge, by stripe, then by row.
    """
    n_nodes = bits.shape[1]
    last = min(corner[0] + shape[0], n_nodes), min(corner[1] + shape[1], n_nodes)
    ends = np.empty((2, count_edges(bits, corner, shape)), np.int32)
    n_edges = 0
    for first in range(corner[1], last[1], stripe):
        for row in range(corner[0], last[0]):
            for column in range(first, min(first + stripe, last[1]), WORD):
                word = beyond(bits[column // CHUNK, row, column % CHUNK // WORD], row, column)
                while word:
                    ends[0, n_edges] = row
                    ends[1, n_edges] = column + lowest_bit(word)
                    word &= word - np.uint64(1)
                    n_edges += 1
    return ends[0], ends[1]


@njit(cache=True, nogil=True)
def common_neighbours(bits, rows, columns, chunks):
    """Count the common neighbours of the ends of some edges, listed by row, among the columns of some chunks."""
    n_nodes, flat = bits.shape[1], bits.ravel()
    common = np.zeros(rows.size, np.int32)
    starts = row_starts(rows)
    for chunk in range(chunks[0], chunks[1]):
        first = chunk * n_nodes
        for place in range(starts.size - 1):
            edge, last = starts[place], starts[place + 1]
            if place + AHEAD < starts.size - 1:
                fetch(flat, (first + rows[starts[place + AHEAD]]) * WORDS)
            part = row_part(flat, (first + rows[edge]) * WORDS)
            while edge < last - 3:
                one, two = (first + columns[edge]) * WORDS, (first + columns[edge + 1]) * WORDS
                three, four = (first + columns[edge + 2]) * WORDS, (first + columns[edge + 3]) * WORDS
                add_common_to_four(part, flat, (one, two, three, four), common, edge)
                edge += 4
            while edge < last:
                common[edge] += count_common(part, flat, (first + columns[edge]) * WORDS)
                edge += 1
    return common


@njit(cache=True, nogil=True)
def row_starts(rows):
    """Where the edges of each row begin among edges as `list_edges` lists them, and where the last ones end."""
    starts, n_rows = np.empty(rows.size + 1, np.int64), 0
    for edge in range(rows.size):
        if edge == 0 or rows[edge] != rows[edge - 1]:
            starts[n_rows] = edge
            n_rows += 1
    starts[n_rows] = rows.size
    return starts[: n_rows + 1]


@njit(cache=True, nogil=True)
def weights(unit, rows, columns):
    """Correlations over some edges, in float32 but the same in any order of nodes, blocks and threads.

    Parameters
    ----------
    unit : (N', T') float32 ndarray
        Unit rows; T' a multiple of 16.
    rows, columns : (E,) int32 ndarray
        As from `list_edges`.

    Returns
    -------
    (E,) float32 ndarray
    """
    values, width, starts = unit.ravel(), unit.shape[1], row_starts(rows)
    found = np.empty(rows.size, np.float32)
    for place in range(starts.size - 1):
        edge, end = starts[place], starts[place + 1] - 1
        row = rows[edge] * width
        while edge <= end:  # four at once, which reads the row once; what is left of four is filled up by the last
            b, c, d = min(edge + 1, end), min(edge + 2, end), min(edge + 3, end)
            first, second = columns[edge] * width, columns[b] * width
            third, fourth = columns[c] * width, columns[d] * width
            one = two = three = four = no_products()
            for step in range(0, width, STEP):
                one = plus_products(one, values, row + step, first + step)
                two = plus_products(two, values, row + step, second + step)
                three = plus_products(three, values, row + step, third + step)
                four = plus_products(four, values, row + step, fourth + step)
            found[edge], found[b] = total_product(one), total_product(two)
            found[c], found[d] = total_product(three), total_product(four)
            edge += 4
    return found


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
    unit : (N', T') float32 ndarray
    totals : (3, N) int64 ndarray
        As `sum_triangles` returns, the weights in `UNITS`; added to.
    """
    common, starts = common_neighbours(bits, rows, columns, chunks), row_starts(rows)
    weighted, first = unit.shape[1] > 0, np.int64(chunks[0] == 0)
    w = weights(unit, rows, columns) if weighted else np.empty(0, np.float32)
    for place in range(starts.size - 1):
        row, counts, sums, products = rows[starts[place]], 0, 0, 0
        for edge in range(starts[place], starts[place + 1]):
            column, count = columns[edge], np.int64(common[edge])
            totals[0, column] += count
            counts += count
            if weighted:
                weight = np.int64(np.rint(w[edge] * np.float32(UNITS)))
                totals[1, column] += weight * first
                totals[2, column] += weight * count
                sums += weight * first
                products += weight * count
        totals[0, row] += counts
        totals[1, row] += sums
        totals[2, row] += products
