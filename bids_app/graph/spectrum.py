"""Eigenvector centrality of a graph of bits, with and without weights."""

from functools import partial

import numpy as np
from numba import njit
from scipy.sparse.linalg import LinearOperator, eigsh

from bids_app.graph.edges import bands
from bids_app.graph.exact import SHIFT
from bids_app.graph.intrinsics import CHUNK, WORD, WORDS, no_sums, plus_chosen, total
from bids_app.graph.triangles import TILE, list_edges, weights

VECTORS = 10  # of the Lanczos basis: few, since the leading eigenvalue of a network stands far apart
DENSE = 64
TOLERANCE = {False: 1e-10, True: 1e-8}  # weights are float32


def eigenvector_centrality(bits, start, unit=None, *, n_threads=1):
    """Leading eigenvector of the adjacency, or of the weights over the edges.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    start : (N,) float64 ndarray
        Degree or strength; where several components share the largest eigenvalue, the result is the projection
        of this on their eigenvectors.
    unit : (N', T) float32 ndarray, optional
        Unit rows; with them, an edge counts by its correlation.
    n_threads : int

    Returns
    -------
    (N,) float64 ndarray
        Not negative, of norm 1; zeros for a graph without edges.

    Notes
    -----
    Lanczos iterations (ARPACK). Each reads the bits once, or computes the weight of every edge once: some
    twenty times N * N / 8 bytes, or twenty times E * T multiplications.

    References
    ----------
    Bonacich (1972), doi:10.1080/0022250X.1972.9989806.
    """
    n_nodes = bits.shape[1]
    if not start.any():
        return np.zeros(n_nodes)
    multiply = _multiplied(bits, unit, n_threads)
    if n_nodes <= DENSE:
        vector = _dense(multiply, start)
    else:
        operator = LinearOperator((n_nodes, n_nodes), matvec=multiply, dtype=np.float64)
        vector = eigsh(operator, k=1, ncv=VECTORS, which="LA", v0=start, tol=TOLERANCE[unit is not None])[1][:, 0]
    return settled(vector)


def settled(vector):
    """Return an eigenvector without signs, of norm 1, in multiples of 2**-32: what is finer is rounding alone.

    So small an entry, as those of nodes that hang on the rest by a thread, would have other bytes on each processor.
    """
    vector = np.abs(vector)
    return (vector / np.linalg.norm(vector) + SHIFT) - SHIFT


def _dense(multiply, start):
    values, vectors = np.linalg.eigh(np.column_stack([multiply(column) for column in np.eye(len(start))]))
    leading = vectors[:, values >= values[-1] - 1e-9 * abs(values[-1])]
    return leading @ (leading.T @ start)


def _multiplied(bits, unit, n_threads):
    """Return the function that multiplies the matrix by a vector."""
    n_nodes = bits.shape[1]
    if unit is None:
        padded = np.zeros(bits.shape[0] * CHUNK)

        def by_bits(vector):
            padded[:n_nodes] = np.ravel(vector)
            starts = range(0, n_nodes, TILE[0])
            return np.concatenate(list(bands(partial(_row_sums, bits, padded), starts, n_threads)))

        return by_bits

    def by_weights(vector):
        parts = bands(partial(_weighted_band, bits, unit, np.ravel(vector)), range(0, n_nodes, TILE[0]), n_threads)
        return sum(parts, start=np.zeros(n_nodes))

    return by_weights


@njit(cache=True, nogil=True)
def _row_sums(bits, vector, start):
    """Sum the entries of a vector over the neighbours of a band of nodes."""
    stop = min(start + TILE[0], bits.shape[1])
    sums = np.zeros(stop - start)
    for chunk in range(bits.shape[0]):
        for node in range(start, stop):
            running = no_sums()
            for place in range(WORDS):
                word = bits[chunk, node, place]
                if word:
                    running = plus_chosen(running, word, vector, chunk * CHUNK + place * WORD)
            sums[node - start] += total(running)
    return sums


@njit(cache=True, nogil=True)
def _weighted_band(bits, unit, vector, start):
    """Sum weight times entry over the edges of a band of tiles, for both ends."""
    sums = np.zeros(len(vector))
    for column in range(start, len(vector), TILE[1]):
        rows, columns = list_edges(bits, (start, column), TILE)
        w = weights(unit, rows, columns)
        for edge in range(rows.size):
            row, other = rows[edge], columns[edge]
            sums[row] += w[edge] * vector[other]
            sums[other] += w[edge] * vector[row]
    return sums
