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
    row_part,
    total_product,
)

TILE = (1024, 2048)  # the rows' part of a chunk, 512 KB, stays in L2
STRIPE = 128  # so many columns' part of a chunk, 64 KB, stays still closer while the rows pass by
AHEAD = 3  # rows that are asked for before they are needed


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
        The two ends of each edge, by stripe of 128 columns, then by row.
    """
    n_nodes = bits.shape[1]
    last = min(corner[0] + shape[0], n_nodes), min(corner[1] + shape[1], n_nodes)
    ends = np.empty((2, shape[0] * shape[1]), np.int32)
    n_edges = 0
    for stripe in range(corner[1], last[1], STRIPE):
        for row in range(corner[0], last[0]):
            for column in range(stripe, min(stripe + STRIPE, last[1]), WORD):
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
        edge, last = starts[place], starts[place + 1]
        row = rows[edge] * width
        while edge < last - 3:  # four at once, which reads the row once
            first, second = columns[edge] * width, columns[edge + 1] * width
            third, fourth = columns[edge + 2] * width, columns[edge + 3] * width
            one = two = three = four = no_products()
            for step in range(0, width, STEP):
                one = plus_products(one, values, row + step, first + step)
                two = plus_products(two, values, row + step, second + step)
                three = plus_products(three, values, row + step, third + step)
                four = plus_products(four, values, row + step, fourth + step)
            found[edge], found[edge + 1] = total_product(one), total_product(two)
            found[edge + 2], found[edge + 3] = total_product(three), total_product(four)
            edge += 4
        while edge < last:
            one = no_products()
            for step in range(0, width, STEP):
                one = plus_products(one, values, row + step, columns[edge] * width + step)
            found[edge] = total_product(one)
            edge += 1
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
    totals : (3, N) float64 ndarray
        As `sum_triangles` returns; added to.
    """
    common, starts = common_neighbours(bits, rows, columns, chunks), row_starts(rows)
    weighted, first = unit.shape[1] > 0, np.float64(chunks[0] == 0)
    w = weights(unit, rows, columns) if weighted else np.empty(0, np.float32)
    for place in range(starts.size - 1):
        row, own = rows[starts[place]], np.zeros(3)
        for edge in range(starts[place], starts[place + 1]):
            column, count = columns[edge], np.float64(common[edge])
            totals[0, column] += count
            own[0] += count
            if weighted:
                totals[1, column] += w[edge] * first
                own[1] += w[edge] * first
                totals[2, column] += w[edge] * count
                own[2] += w[edge] * count
        totals[:, row] += own
