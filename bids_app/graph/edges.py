"""One pass over the correlations: which pairs are edges, how many each node has, and what they sum to.

Longer than other files because the pass and the kernels that are compiled for it belong together.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from bids_app.graph.bits import beyond, set_edge, transpose
from bids_app.graph.exact import fisher_z, on_grid
from bids_app.graph.intrinsics import CHUNK, WORD, above, add_chosen, lowest_bit, popcount
from bids_app.graph.products import PANEL, multiply, packed

BLOCK = 512
DEGREE, STRENGTH, FISHER, SHORT = range(4)
PAIR = np.dtype([("row", np.int32), ("column", np.int32), ("r", np.float64)])
_NO_PAIRS = np.empty(0, PAIR)
LARGEST_R = 1 - 2.0**-24  # artanh of 1 is infinite


@dataclass(frozen=True)
class Nodes:
    """The nodes of a graph.

    Attributes
    ----------
    series : (N, T) ndarray of float
        As given; decides what rounding leaves open.
    centre, scale : (N,) float64 ndarray
        Mean and inverse norm of each series, so that (x - centre) * scale is its unit row.
    unit : (N', T') float32 ndarray
        Unit rows, rounded; zeros up to multiples of 64 rows and 16 columns.
    coordinates : (N, 3) float32 ndarray
        In mm; zeros where distance does not matter.
    """

    series: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    unit: np.ndarray
    coordinates: np.ndarray

    @property
    def n_nodes(self):
        """Number of nodes."""
        return len(self.series)

    @cached_property
    def panels(self):
        """The unit rows as they are multiplied."""
        return packed(self.unit[:, : self.series.shape[1]])

    @property
    def margin(self):
        """How far a float32 product of unit rows may be off, in any order: T / 2**24, and its factors' rounding."""
        return (self.series.shape[1] + 8) * 2.0**-24


@dataclass(frozen=True)
class Sums:
    """What a pass adds up.

    Attributes
    ----------
    totals : (4, N) float64 ndarray
        Degree, strength, sum of Fisher z and short-range degree of each node.
    undecided : (U,) ndarray of `PAIR`
        Pairs that are no edges yet, because the cut left them open.
    """

    totals: np.ndarray
    undecided: np.ndarray


def bands(function, starts, n_threads):
    """Yield what `function` returns for each start, in their order, so that threads cannot change a sum."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(function, starts)


def products(nodes, start, block):
    """Yield the first column and the float32 correlations of each block of a band, on and above the diagonal.

    The columns are padded by zeros to a multiple of 64; what is yielded is overwritten by the next.
    """
    buffer, panels = np.empty(block * block, dtype=np.float32), nodes.panels
    rows = panels[start // PANEL : (start + block) // PANEL]
    for column in range(start, nodes.n_nodes, block):
        columns = panels[column // PANEL : (column + block) // PANEL]
        shape = len(rows) * PANEL, len(columns) * PANEL
        correlations = buffer[: shape[0] * shape[1]].reshape(shape)
        multiply(rows, columns, correlations)
        yield column, correlations[: nodes.n_nodes - start]


@dataclass(frozen=True)
class Cut:
    """Where a rule divides the correlations, and what else is summed over the edges.

    Attributes
    ----------
    lower, upper : float
        Below the first there is no edge, above the last there is one, by float32 products.
    threshold : float or None
        In between, what the float64 correlation must exceed; None where that is settled after the pass.
    fisher : bool
        Sum Fisher z too.
    distance : float
        Count the edges up to this length, mm; -1 for none.
    """

    lower: float
    upper: float
    threshold: float | None
    fisher: bool = False
    distance: float = -1.0


def sum_edges(nodes, cuts, graphs, *, block=BLOCK, n_threads=1):
    """Find the edges of several graphs in one pass over the correlations.

    Parameters
    ----------
    nodes : Nodes
    cuts : list of Cut
    graphs : list of (C, N, 64) uint64 ndarray
        One for each cut, receives the bits of both triangles; with C = 0 no bits are kept.
    block : int
        Rows and columns of a block of correlations, a multiple of 64.
    n_threads : int

    Returns
    -------
    list of Sums
        One for each cut.
    """
    parts = bands(partial(_edge_band, nodes, cuts, graphs, block), range(0, nodes.n_nodes, block), n_threads)
    totals = [np.zeros((4, nodes.n_nodes)) for _ in cuts]
    undecided = [[_NO_PAIRS] for _ in cuts]
    for part in parts:
        for cut, (band_totals, pairs) in enumerate(part):
            totals[cut] += band_totals
            undecided[cut] += pairs
    return [Sums(total, np.concatenate(pairs)) for total, pairs in zip(totals, undecided, strict=True)]


def _edge_band(nodes, cuts, graphs, block, start):
    found = [(np.zeros((4, nodes.n_nodes)), []) for _ in cuts]
    scratch = np.empty((block * block, 2), np.int32)
    for column, correlations in products(nodes, start, block):
        for cut, bits, (totals, undecided) in zip(cuts, graphs, found, strict=True):
            also = cut.fisher, np.float32(cut.distance), nodes.coordinates
            limits = np.float32(cut.lower), np.float32(cut.upper)
            n_open = mark_edges(correlations, (start, column), limits, also, (bits, totals), scratch)
            pairs = _measured(nodes, scratch[:n_open])
            if cut.threshold is None:
                undecided.append(pairs)
            else:
                join_pairs(pairs[pairs["r"] > cut.threshold], also, bits, totals)
    return found


def _measured(nodes, ends):
    """Return pairs of nodes with their correlation in float64."""
    pairs = np.empty(len(ends), PAIR)
    pairs["row"], pairs["column"] = ends.T
    exact_correlations(nodes.series, nodes.centre, nodes.scale, pairs)
    return pairs


@njit(cache=True, nogil=True)
def exact_correlations(series, centre, scale, pairs):
    """Fill in the correlation of pairs of nodes, in float64 from the first volume to the last."""
    for pair in pairs:
        one, other = pair.row, pair.column
        total = 0.0
        for t in range(series.shape[1]):
            total += (np.float64(series[one, t]) - centre[one]) * (np.float64(series[other, t]) - centre[other])
        pair.r = total * scale[one] * scale[other]


@njit(cache=True, nogil=True)
def mark_edges(correlations, corner, limits, also, graph, undecided):
    """Add the edges of one block of correlations to the graph.

    Parameters
    ----------
    correlations : (R, K) float32 ndarray
        Block of the correlation matrix, rounded; K a multiple of 64.
    corner : (int, int)
        Row and column of the block's first entry, multiples of 64. Entries on and below the diagonal are left out.
    limits : (float32, float32)
        Entries above the second are edges, those above the first alone are undecided.
    also : (bool, float32, (N, 3) float32 ndarray)
        Whether to sum Fisher z, up to which length to count short edges (-1: not), and the coordinates.
    graph : ((C, N, 64) uint64 ndarray, (4, N) float64 ndarray)
        The bits of both triangles, which are received (with C = 0 none are kept), and the totals, which are added to:
        degree, strength, sum of Fisher z and short-range degree.
    undecided : (R * K, 2) int32 ndarray
        Receives the ends of the undecided pairs.

    Returns
    -------
    int
        How many pairs are undecided.
    """
    # Not taken apart: every part of the loop over a square adds to the same words, sums and count of open pairs.
    n_open, flat, width, (bits, totals) = 0, correlations.ravel(), correlations.shape[1], graph
    words, sums = np.empty(WORD, np.uint64), np.zeros(WORD)
    for across in range(0, width, WORD):
        column = corner[1] + across
        inside = ~np.uint64(0) >> np.uint64(WORD - min(WORD, totals.shape[1] - column))
        for down in range(0, correlations.shape[0], WORD):
            row = corner[0] + down
            if row >= column + WORD:
                continue
            found = np.uint64(0)
            words[:] = 0
            for step in range(min(WORD, correlations.shape[0] - down)):
                offset = (down + step) * width + across
                word = beyond(above(flat, offset, limits[0]) & inside, row + step, column)
                if not word:
                    continue
                sure = word & above(flat, offset, limits[1])
                n_open = _list_bits(word ^ sure, row + step, column, undecided, n_open)
                totals[DEGREE, row + step] += popcount(sure)
                totals[STRENGTH, row + step] += add_chosen(sure, flat, offset, sums, 0)
                words[step] = sure
                found |= sure
            if not found:
                continue
            if also[0] or also[1] >= 0:
                _add_also(words, (row, column), flat[down * width + across :], width, also, totals)
            _store_square(words, (row, column), bits, totals)
            for step in range(min(WORD, totals.shape[1] - column)):
                totals[STRENGTH, column + step] += sums[step]
            sums[:] = 0
    return n_open


@njit(cache=True, nogil=True)
def _list_bits(word, row, column, ends, n_listed):
    while word:
        ends[n_listed, 0], ends[n_listed, 1] = row, column + lowest_bit(word)
        word &= word - np.uint64(1)
        n_listed += 1
    return n_listed


@njit(cache=True, nogil=True)
def _store_square(words, corner, bits, totals):
    """Store 64 x 64 bits and their mirror image, and count them for the nodes of the columns."""
    row, column = corner
    n_nodes, keep = totals.shape[1], bits.shape[0] > 0
    if keep:
        chunk, place = column // CHUNK, column % CHUNK // WORD
        for step in range(min(WORD, n_nodes - row)):
            bits[chunk, row + step, place] |= words[step]
    transpose(words)
    chunk, place = row // CHUNK, row % CHUNK // WORD
    for step in range(min(WORD, n_nodes - column)):
        totals[DEGREE, column + step] += popcount(words[step])
        if keep:
            bits[chunk, column + step, place] |= words[step]


@njit(cache=True, nogil=True)
def _add_also(words, corner, values, width, also, totals):
    """Sum Fisher z and count short edges, for both ends of each edge of a square."""
    for step in range(WORD):
        word = words[step]
        while word:
            bit = lowest_bit(word)
            word &= word - np.uint64(1)
            _add_edge(corner[0] + step, corner[1] + bit, values[step * width + bit], also, totals)


@njit(cache=True, nogil=True)
def _add_edge(row, column, r, also, totals):
    fisher, distance, coordinates = also
    if fisher:
        z = on_grid(fisher_z(min(np.float64(r), LARGEST_R)))
        totals[FISHER, row] += z
        totals[FISHER, column] += z
    if distance >= 0:
        square = np.float32(0)
        for axis in range(3):
            square += (coordinates[row, axis] - coordinates[column, axis]) ** 2
        if square <= distance * distance:
            totals[SHORT, row] += 1
            totals[SHORT, column] += 1


@njit(cache=True, nogil=True)
def join_pairs(pairs, also, bits, totals):
    """Add edges one by one.

    Parameters
    ----------
    pairs : (U,) ndarray of `PAIR`
    also : (bool, float32, (N, 3) float32 ndarray)
    bits : (C, N, 64) uint64 ndarray
    totals : (4, N) float64 ndarray
        As for `mark_edges`.
    """
    for pair in pairs:
        r = np.float32(pair.r)
        for node in (pair.row, pair.column):
            totals[DEGREE, node] += 1
            totals[STRENGTH, node] += on_grid(r)
        _add_edge(pair.row, pair.column, r, also, totals)
        if bits.shape[0]:
            set_edge(bits, pair.row, pair.column)
